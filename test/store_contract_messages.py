"""What every store must do about messages: their text and what is computed of it, counts, and expunging."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from cybertemp_imap.mime.parse import parse
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.mime.text import full_text
from cybertemp_imap.naming import INBOX
from cybertemp_imap.rendition import make_rendition
from cybertemp_imap.store.values import Expunged, FlagMode, MailboxRef, StatusCounts
from test.store_contract import MINE, StoreContract, letter

RAW = "From: a@b.example\nSubject: raw\nMIME-Version: 1.0\nContent-Type: text/plain\n\nA whole message.\n"
VARIED: tuple[EmailRow, ...] = (
    letter(),
    letter(minutes=1, html="<p>Hello.</p>"),
    letter(minutes=2, body=RAW),
    letter(minutes=3, subject="Gr\xfc\xdfe \u65e5\u672c \U0001f600", body="\xe4\r\nb\rc\nd"),
    letter(minutes=4, subject=None, body=None, sender=None),
    letter(minutes=5, subject="a\r\nBcc: injected@example.com", body="", sender='"Q, R" <q@r.example>'),
    letter(minutes=6, body="secret", encrypted=True),
    letter(minutes=7, body="x" * 200_000 + "\n"),
    letter(minutes=8, source=b"Subject: kept\r\n\r\n8-bit \xff\x00 text\r\n"),
    replace(letter(minutes=9), to_addrs=()),
)


class MessageCase(StoreContract):
    """A mailbox with one message of every kind, UID 1 the first."""

    async def varied(self) -> MailboxRef:
        """Deliver them all and open their mailbox."""
        await self.deliver(*VARIED)
        mailbox = await self.open()
        self.assertEqual(len(await self.uids(mailbox)), len(VARIED))
        return mailbox

    async def counts(self, mailbox: MailboxRef, with_size: bool = False) -> StatusCounts:
        """Return the counts of a mailbox that must be there."""
        counts = await self.store.status(mailbox, with_size)
        assert counts is not None
        return counts


class MessageContract(MessageCase):
    """Reading messages and what is computed of them."""

    async def test_sources(self) -> None:
        """A message is what the renderer makes of its row, octet for octet, each time."""
        mailbox = await self.varied()
        expected = [(uid, render(row)) for uid, row in enumerate(VARIED, 1)]
        uids = [uid for uid, _ in expected]
        self.assertEqual(list(await self.store.sources(mailbox, uids)), expected)
        self.assertEqual(list(await self.store.sources(mailbox, uids)), expected)

    async def test_holds(self) -> None:
        """Whose mailbox it is, is told as it is at the moment."""
        mailbox = await self.varied()
        self.assertTrue(await self.store.holds(mailbox))
        self.assertFalse(await self.store.holds(replace(mailbox, user_id=uuid4())))
        await self.store.delete_address(mailbox.user_id, MINE)
        self.assertFalse(await self.store.holds(mailbox))

    async def test_letters(self) -> None:
        """The text of a message that is not rendered is that of the message, whether its header is known or not."""
        mailbox = await self.varied()
        uids = range(1, len(VARIED) + 1)
        for _ in range(2):
            for uid, found in await self.store.letters(mailbox, uids):
                message = render(VARIED[uid - 1])
                root = parse(message)
                self.assertEqual(f"{found.header_text}\n{found.body_text}", full_text(message, root))
                self.assertGreater(4 * found.weight + 4_000, len(message))
            await self.store.headers(mailbox, uids)

    async def test_headers(self) -> None:
        """A header block is the message's, with its empty line, whether it was computed before or not."""
        mailbox = await self.varied()
        expected = [(uid, make_rendition(render(row)).header) for uid, row in enumerate(VARIED, 1)]
        for _ in range(2):
            self.assertEqual(list(await self.store.headers(mailbox, [uid for uid, _ in expected])), expected)

    async def test_metadata(self) -> None:
        """What FETCH answers is what is made of the source, whether it was computed before or not."""
        mailbox = await self.varied()
        for _ in range(2):
            found = await self.store.metadata(mailbox, range(1, len(VARIED) + 1))
            self.assertEqual([metadata.uid for metadata in found], list(range(1, len(VARIED) + 1)))
            for metadata, row in zip(found, VARIED, strict=True):
                made = make_rendition(render(row))
                self.assertEqual(metadata.email_id, str(row.id))
                self.assertEqual(metadata.size, len(render(row)))
                self.assertEqual(
                    (metadata.size, metadata.envelope, metadata.body, metadata.body_structure),
                    (made.size, made.envelope, made.body, made.body_structure),
                )

    async def test_weights(self) -> None:
        """A weight is about the octets of the texts that a message is made of: none is taken for a light one."""
        mailbox = await self.varied()
        found = await self.store.weights(mailbox, range(1, len(VARIED) + 1))
        self.assertEqual([uid for uid, _ in found], list(range(1, len(VARIED) + 1)))
        for (uid, octets), row in zip(found, VARIED, strict=True):
            texts = len((row.body or "").encode()) + len((row.html or "").encode())
            self.assertGreaterEqual(octets, len(row.source) if row.source else texts, uid)
            self.assertLess(octets, len(render(row)) + texts + 1, uid)

    async def test_same_in_inbox(self) -> None:
        """A message is the same in INBOX."""
        mailbox = await self.varied()
        inbox = await self.open(self.account)
        uids = range(1, len(VARIED) + 1)
        for read in (self.store.metadata, self.store.headers, self.store.sources):
            self.assertEqual(await read(inbox, uids), await read(mailbox, uids), read.__name__)

    async def test_some(self) -> None:
        """What is asked for is answered by ascending UID; expunged and unknown UIDs are left out."""
        mailbox = await self.varied()
        await self.store.metadata(mailbox, [1, 2, 3])
        await self.fixture.delete_elsewhere(VARIED[1].id)
        for refreshed in (False, True):
            if refreshed:
                await self.refresh(mailbox)
            for read in (self.store.headers, self.store.sources, self.store.weights, self.store.saved_dates):
                found = await read(mailbox, [1, 2, 4, 5, 99])
                if refreshed or read != self.store.saved_dates:
                    self.assertEqual([item[0] for item in found], [1, 4, 5], read.__name__)
            metadata = await self.store.metadata(mailbox, [1, 2, 4, 5, 99])
            self.assertEqual([item.uid for item in metadata], [1, 4, 5])

    async def test_none(self) -> None:
        """Asking for no message answers none."""
        mailbox = await self.varied()
        for read in (
            self.store.metadata,
            self.store.headers,
            self.store.sources,
            self.store.weights,
            self.store.saved_dates,
        ):
            self.assertEqual(list(await read(mailbox, [])), [], read.__name__)


class StatusContract(MessageCase):
    """``status``."""

    async def test_empty(self) -> None:
        """An empty mailbox has nothing in it and a size of 0."""
        mailbox = await self.find(self.account, "Sent")
        head = await self.refresh(mailbox)
        self.assertEqual(await self.counts(mailbox, True), StatusCounts(head, 0, 0, 0, 0, 0))

    async def test_counts(self) -> None:
        """It refreshes by itself and counts messages, unseen, deleted and recent ones."""
        mailbox = await self.find()
        await self.deliver(letter(), flags=["\\Seen"])
        await self.deliver(letter(minutes=1), letter(minutes=2), flags=["\\Seen", "\\Deleted"])
        await self.deliver(letter(minutes=3), letter(minutes=4), flags=["\\Flagged"])
        counts = await self.counts(mailbox)
        self.assertEqual(counts.head, await self.refresh(mailbox))
        self.assertEqual((counts.messages, counts.unseen, counts.deleted, counts.recent), (5, 2, 2, 5))
        self.assertIsNone(counts.size)
        await self.store.claim_recent(mailbox)
        await self.deliver(letter(minutes=5))
        counts = await self.counts(mailbox)
        self.assertEqual((counts.messages, counts.recent, counts.head.uid_next), (6, 1, 7))

    async def test_size(self) -> None:
        """The size is that of all messages, those never read included (RFC 8438)."""
        mailbox = await self.varied()
        await self.store.metadata(mailbox, [2, 4])
        total = sum(len(render(row)) for row in VARIED)
        self.assertEqual((await self.counts(mailbox, True)).size, total)
        await self.fixture.delete_elsewhere(VARIED[1].id)
        self.assertEqual((await self.counts(mailbox, True)).size, total - len(render(VARIED[1])))


class ExpungeContract(MessageCase):
    """``expunge``."""

    async def expunge(self, mailbox: MailboxRef, *uids: int) -> Expunged:
        """Expunge from a mailbox that must be there; without UIDs, everything that is marked."""
        expunged = await self.store.expunge(mailbox, uids or None)
        assert expunged is not None
        return expunged

    async def marked(self) -> tuple[MailboxRef, list[EmailRow]]:
        """Open a mailbox of five messages, of which 2, 4 and 5 have ``\\Deleted``."""
        rows = [letter(minutes=n) for n in range(5)]
        await self.deliver(*rows)
        mailbox = await self.open()
        await self.store.store_flags(mailbox, [2, 4, 5], FlagMode.ADD, ["\\Deleted"], None)
        return mailbox, rows

    async def test_all(self) -> None:
        """Every message that is marked goes for ever, and no other."""
        mailbox, rows = await self.marked()
        before = await self.refresh(mailbox)
        expunged = await self.expunge(mailbox)
        self.assertEqual(list(expunged.uids), [2, 4, 5])
        self.assertEqual(expunged.head, await self.refresh(mailbox))
        self.assertGreater(expunged.head.highest_mod_seq, before.highest_mod_seq)
        self.assertEqual(expunged.head.uid_next, before.uid_next)
        self.assertEqual(await self.uids(mailbox), [1, 3])
        self.assertEqual(list(await self.gone_since(mailbox, before.highest_mod_seq)), [2, 4, 5])
        for number, row in enumerate(rows, 1):
            self.assertEqual(await self.fixture.stored_flags(row.id) is None, number in (2, 4, 5))
        self.assertEqual(list((await self.expunge(mailbox)).uids), [])

    async def test_some(self) -> None:
        """With UIDs, only those among them that are marked go (RFC 4315 section 2.1)."""
        mailbox, _ = await self.marked()
        self.assertEqual(list((await self.expunge(mailbox, 1, 2, 3, 5, 99)).uids), [2, 5])
        self.assertEqual(await self.uids(mailbox), [1, 3, 4])
        nothing = await self.store.expunge(mailbox, [])
        assert nothing is not None
        self.assertEqual(list(nothing.uids), [])
        self.assertEqual(await self.uids(mailbox), [1, 3, 4])

    async def test_nothing_marked(self) -> None:
        """With nothing marked nothing goes and no number changes."""
        await self.deliver(letter(), flags=["Deleted", "\\Seen"])
        mailbox = await self.open()
        head = await self.refresh(mailbox)
        self.assertEqual((await self.expunge(mailbox)), Expunged(head, []))

    async def test_any_case(self) -> None:
        """The mark counts in whatever case another program has written it."""
        await self.deliver(letter(), flags=["\\DELETED"])
        self.assertEqual(list((await self.expunge(await self.open())).uids), [1])

    async def test_unmarked_elsewhere(self) -> None:
        """A mark that another program has taken away does not count, though no refresh has noticed."""
        mailbox, rows = await self.marked()
        await self.fixture.set_flags_elsewhere(rows[3].id, [])
        self.assertEqual(list((await self.expunge(mailbox)).uids), [2, 5])
        self.assertEqual(await self.uids(mailbox), [1, 3, 4])

    async def test_gone_elsewhere(self) -> None:
        """A marked message that is gone already is gone from the mailbox once."""
        mailbox, rows = await self.marked()
        before = await self.refresh(mailbox)
        await self.fixture.delete_elsewhere(rows[3].id)
        await self.expunge(mailbox)
        self.assertEqual(await self.uids(mailbox), [1, 3])
        self.assertEqual(list(await self.gone_since(mailbox, before.highest_mod_seq)), [2, 4, 5])

    async def test_only_here(self) -> None:
        """Marked messages of other mailboxes stay."""
        here, below = letter(), letter(folder="Work")
        kept = letter(self.account, "Trash")
        await self.deliver(here, below, kept, flags=["\\Deleted"])
        for owner, folder in ((MINE, "Work"), (self.account, "Trash")):
            await self.open(owner, folder)
        await self.expunge(await self.open(MINE, INBOX))
        self.assertIsNone(await self.fixture.stored_flags(here.id))
        for row in (below, kept):
            self.assertEqual(await self.fixture.stored_flags(row.id), ["\\Deleted"])
