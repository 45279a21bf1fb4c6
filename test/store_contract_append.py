"""What every store must do about messages that clients add."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

from cybertemp_imap.errors import Refusal
from cybertemp_imap.store.values import Called, MailboxRef, NewMessage
from test.store_contract import MINE, MINE_TOO, StoreContract, letter

OCTETS = b"Subject: kept\r\n\r\n8-bit \xff\x00 text, and no end of line"
DATE = datetime(2001, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=5, minutes=30)))


class AppendContract(StoreContract):
    """``upload``, ``discard`` and ``append``."""

    async def upload(
        self, octets: bytes = OCTETS, pieces: int = 3, *, sender: str = "", flags: Sequence[str] = (), rest: int = 0
    ) -> NewMessage:
        """Upload a message in pieces, the last one first, and describe it; the last ``rest`` octets are kept back."""
        octets, last = octets[: len(octets) - rest], octets[len(octets) - rest :]
        message = NewMessage(uuid4(), len(octets + last), tuple(flags), DATE, "Kept", "text", None, sender, rest=last)
        cuts = [len(octets) * n // max(pieces, 1) for n in range(pieces + 1)]
        for number in reversed(range(pieces)):
            await self.store.upload(message.id, number, octets[cuts[number] : cuts[number + 1]])
        return message

    async def is_there(self, email_id: UUID) -> bool:
        """Tell whether there is a message of that id."""
        return await self.fixture.stored_flags(email_id) is not None

    async def test_octets(self) -> None:
        """A message is what was uploaded, octet for octet, however it was cut, and what is computed is made of it."""
        mailbox = await self.find(self.account, "Drafts")
        expected = {}
        for octets, pieces in ((OCTETS, 1), (OCTETS, 7), (b"", 1), (bytes(range(256)) * 4000, 13)):
            (uid,) = await self.store.append(mailbox, [await self.upload(octets, pieces)])
            expected[uid] = octets
        self.assertEqual(list(expected), [1, 2, 3, 4])
        self.assertEqual(await self.octets(mailbox), expected)
        for metadata in await self.store.metadata(mailbox, list(expected)):
            self.assertEqual(metadata.size, len(expected[metadata.uid]))
        ((_, header),) = await self.store.headers(mailbox, [1])
        self.assertEqual(header, b"Subject: kept\r\n\r\n")

    async def test_rest(self) -> None:
        """What was not uploaded comes behind what was, and may be all; some messages of a command have it, some not."""
        mailbox = await self.find(self.account, "Drafts")
        big = bytes(range(256)) * 4000
        messages = [
            await self.upload(rest=len(OCTETS), pieces=0),
            await self.upload(rest=5),
            await self.upload(big, 3, rest=70_000),
            await self.upload(),
            await self.upload(b"", 0),
        ]
        uids = await self.store.append(mailbox, messages)
        self.assertEqual(list(uids), [1, 2, 3, 4, 5])
        self.assertEqual(list((await self.octets(mailbox)).values()), [OCTETS, OCTETS, big, OCTETS, b""])
        (uid,) = await self.store.append(mailbox, [await self.upload(rest=len(OCTETS), pieces=0)])
        self.assertEqual((await self.octets(mailbox))[uid], OCTETS)

    async def test_rest_without_pieces(self) -> None:
        """A rest is not taken for the whole where pieces that come before it are missing."""
        mailbox = await self.find(self.account, "Drafts")
        message = await self.upload(rest=5)
        await self.store.discard([message.id])
        await self.unavailable(self.store.append(mailbox, [message]))
        self.assertEqual(await self.uids(mailbox), [])

    async def test_called(self) -> None:
        """A mailbox that is called otherwise than the caller says is no such mailbox; nothing is added."""
        mailbox = await self.store.create_folder(self.user, self.account, "Work", None)
        address = await self.find()
        message = await self.upload()
        for ref, called in (
            (mailbox, Called((self.account,), "work")),
            (mailbox, Called((self.account,), "INBOX")),
            (mailbox, Called((MINE,), "Work")),
            (mailbox, Called((), "Work")),
            (address, Called((self.account, MINE_TOO), "INBOX")),
        ):
            await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.append(ref, [message], called))
        self.assertFalse(await self.is_there(message.id))
        self.assertEqual(list(await self.store.append(mailbox, [message], Called((MINE, self.account), "Work"))), [1])
        message = await self.upload()
        self.assertEqual(list(await self.store.append(address, [message], Called((MINE,), "INBOX"))), [1])
        await self.store.rename_folder(self.user, self.account, "Work", self.account, "Play")
        message = await self.upload()
        await self.refused(
            Refusal.NO_SUCH_MAILBOX, self.store.append(mailbox, [message], Called((self.account,), "Work"))
        )
        self.assertEqual(list(await self.store.append(mailbox, [message], Called((self.account,), "Play"))), [2])

    async def test_what_is_said_of_it(self) -> None:
        """Flags, date and id are those given; the date of saving is now."""
        mailbox = await self.open(self.account, "Sent")
        before = await self.refresh(mailbox)
        message = await self.upload(flags=["\\Seen", "$Forwarded", 'we"ird\\', "\\Flagged"])
        self.assertEqual(list(await self.store.append(mailbox, [message])), [1])
        after = await self.refresh(mailbox)
        self.assertEqual((after.uid_validity, after.uid_next), (before.uid_validity, 2))
        (state,) = await self.store.changes(mailbox, before.highest_mod_seq, 0, 10)
        self.assertEqual((state.uid, state.flags), (1, ("\\Seen", "$Forwarded", "\\Flagged")))
        (metadata,) = await self.store.metadata(mailbox, [1])
        self.assertEqual(metadata.email_id, str(message.id))
        self.assertEqual(metadata.internal_date, b"02-Feb-2001 22:35:06 +0000")
        ((_, internal, saved),) = await self.store.saved_dates(mailbox, [1])
        self.assertEqual(internal, DATE)
        self.assertLess(abs(datetime.now(UTC) - saved), timedelta(minutes=1))

    async def test_several(self) -> None:
        """Several are added at once and in order, whatever their dates and ids, above all that came before."""
        mailbox = await self.open()
        await self.deliver(earlier := letter(minutes=1_000_000))
        messages = [await self.upload(b"number %d" % number, 2) for number in range(20)]
        before = await self.refresh(mailbox)
        await self.deliver(letter(minutes=2_000_000))
        uids = list(await self.store.append(mailbox, messages))
        self.assertEqual(uids, list(range(3, 23)))
        contents = await self.contents(mailbox)
        self.assertEqual([contents[message.id] for message in messages], uids)
        self.assertEqual(contents[earlier.id], 1)
        after = await self.refresh(mailbox)
        self.assertEqual(after.uid_next, 23)
        mod_seqs = [state.mod_seq for state in await self.states(mailbox) if state.uid in uids]
        self.assertTrue(all(before.highest_mod_seq < each <= after.highest_mod_seq for each in mod_seqs))
        octets = await self.octets(mailbox)
        self.assertEqual([octets[uid] for uid in uids], [b"number %d" % number for number in range(20)])

    async def test_in_inbox(self) -> None:
        """In INBOX it is kept under the account's own key, and is in no address."""
        inbox, address = await self.open(self.account), await self.open()
        message = await self.upload()
        await self.store.append(inbox, [message])
        self.assertEqual(await self.contents(inbox), {message.id: 1})
        self.assertEqual(await self.contents(address), {})
        row = await self.fixture.stored_row(message.id)
        assert row is not None
        self.assertEqual((row.owner, row.folder), (self.account, "INBOX"))

    async def test_in_address(self) -> None:
        """In an address it is in INBOX as well, the same octets with the same flags."""
        for opened in (False, True):
            message = await self.upload(b"opened: %d" % opened, flags=["\\Seen"])
            await self.store.append(await self.find(), [message])
            inbox = await self.open(self.account)
            uid = (await self.contents(inbox))[message.id]
            self.assertEqual((await self.octets(inbox))[uid], b"opened: %d" % opened)
            self.assertEqual((await self.states(inbox))[-1].flags, ("\\Seen",))

    async def test_row(self) -> None:
        """Other programs find its text in its row; what PostgreSQL cannot hold is left out of it."""
        mailbox = await self.find(MINE)
        message = NewMessage(
            uuid4(), 0, ("a", "\\Seen"), DATE, "S\xfc\U0001f600", "b'\"\\\n{}", "<p>", "x@y.example", ('"', "a,b", "{")
        )
        bare = NewMessage(uuid4(), 0, (), DATE)
        odd = NewMessage(uuid4(), 0, (), DATE, "a\0b\ud800c", "\0", "\udfff", "\ud800", ("\0x",))
        await self.store.append(mailbox, [message, bare, odd])
        row = await self.fixture.stored_row(message.id)
        assert row is not None
        self.assertEqual((row.owner, row.folder, row.timestamp), (MINE, "INBOX", DATE))
        self.assertEqual((row.subject, row.body, row.html), (message.subject, message.body, message.html))
        self.assertEqual((row.from_addr, row.to_addrs), (message.from_addr, message.to_addrs))
        self.assertEqual(list(await self.fixture.stored_flags(message.id) or ()), ["a", "\\Seen"])
        row = await self.fixture.stored_row(bare.id)
        assert row is not None
        self.assertEqual((row.subject, row.body, row.html, row.from_addr, row.to_addrs), ("", "", None, "", ()))
        self.assertTrue(await self.is_there(odd.id))

    async def test_banned(self) -> None:
        """A message of a banned sender is refused, and others with it."""
        mailbox = await self.open(self.account, "Drafts")
        await self.fixture.ban("sender", "spam@bad.example")
        messages = [await self.upload(), await self.upload(sender="Spam <SPAM@bad.example>")]
        await self.refused(Refusal.NO_PERMISSION, self.store.append(mailbox, messages))
        self.assertEqual(await self.uids(mailbox), [])
        for message in messages:
            self.assertFalse(await self.is_there(message.id))

    async def test_missing_pieces(self) -> None:
        """A message of which a piece was lost must be sent again; nothing of it is left, and no UID lost."""
        mailbox = await self.open(self.account, "Drafts")
        whole = await self.upload()
        for short in (NewMessage(uuid4(), 1, (), DATE), await self.upload(OCTETS[1:])):
            broken = NewMessage(short.id, len(OCTETS), (), DATE)
            await self.unavailable(self.store.append(mailbox, [whole, broken]))
            self.assertEqual(await self.uids(mailbox), [])
            self.assertFalse(await self.is_there(whole.id) or await self.is_there(broken.id))
        self.assertEqual(list(await self.store.append(mailbox, [whole])), [1])
        self.assertEqual(await self.octets(mailbox), {1: OCTETS})

    async def test_discarded(self) -> None:
        """Pieces that were discarded are not there any more; to discard what is not there is no error."""
        mailbox = await self.open(self.account, "Drafts")
        one, another = await self.upload(), await self.upload()
        await self.store.discard([one.id, uuid4()])
        await self.store.discard([])
        await self.unavailable(self.store.append(mailbox, [one]))
        self.assertEqual(list(await self.store.append(mailbox, [another])), [1])

    async def test_no_such_mailbox(self) -> None:
        """Nothing is added to a mailbox that is not, or no longer, the user's; what was uploaded can be used yet."""
        mine, folder = await self.find(), await self.store.create_folder(self.user, self.account, "Gone", None)
        await self.store.delete_folder(self.user, self.account, "Gone")
        message = await self.upload()
        for mailbox in (MailboxRef(self.other, mine.id), MailboxRef(self.user, 1 << 40), folder):
            await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.append(mailbox, [message]))
        await self.fixture.remove_address(MINE)
        await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.append(mine, [message]))
        self.assertFalse(await self.is_there(message.id))
        self.assertEqual(list(await self.store.append(await self.find(self.account), [message])), [1])
