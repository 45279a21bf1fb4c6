"""What every store must do about COPY and MOVE."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from cybertemp_imap.errors import Refusal
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.naming import account_key
from cybertemp_imap.store.values import FlagMode, MailboxRef
from test.store_contract import MINE, MINE_TOO, StoreContract, letter
from test.store_contract_messages import VARIED

UNDATED = letter(minutes=None)
ALL = (*VARIED, UNDATED)


class TransferCase(StoreContract):
    """Helpers of both: a mailbox with a message of every kind, UID 1 the first."""

    async def varied(self) -> MailboxRef:
        """Deliver them all and open their mailbox."""
        await self.deliver(*ALL)
        mailbox = await self.open()
        self.assertEqual(len(await self.uids(mailbox)), len(ALL))
        return mailbox

    async def flags(self, mailbox: MailboxRef) -> dict[int, tuple[str, ...]]:
        """Refresh a mailbox and return the flags of its messages."""
        await self.refresh(mailbox)
        return {state.uid: state.flags for state in await self.states(mailbox)}

    async def dates(self, mailbox: MailboxRef, uids: Sequence[int]) -> list[object]:
        """Return the internal dates of messages."""
        return [internal for _, internal, _ in await self.store.saved_dates(mailbox, uids)]

    async def check_refused_targets(self, how: str) -> None:
        """Check that nothing is brought into, or taken from, a mailbox that is not the user's."""
        transfer = getattr(self.store, how)
        await self.deliver(row := letter())
        mine = await self.open()
        theirs = await self.store.find_mailbox(self.other, account_key(self.other), "Sent")
        gone = await self.store.create_folder(self.user, self.account, "Gone", None)
        await self.store.delete_folder(self.user, self.account, "Gone")
        assert theirs is not None
        for source, target in (
            (mine, theirs),
            (mine, MailboxRef(self.user, theirs.id)),
            (MailboxRef(self.other, mine.id), theirs),
            (MailboxRef(self.other, mine.id), mine),
            (mine, MailboxRef(self.user, 1 << 40)),
            (mine, gone),
            (gone, mine),
        ):
            await self.refused(Refusal.NO_SUCH_MAILBOX, transfer(source, [1], target))
        self.assertEqual(await self.contents(mine), {row.id: 1})
        self.assertEqual(await self.uids(theirs), [])


class CopyContract(TransferCase):
    """``copy``."""

    async def test_copies(self) -> None:
        """A copy has the octets, flags, internal date and row of its original, and an id and a UID of its own."""
        source, target = await self.varied(), await self.open(self.account, "Archive")
        await self.deliver(letter(self.account, "Archive"))
        await self.store.store_flags(source, [1, 3], FlagMode.ADD, ["\\Seen", "work"], None)
        uids = list(range(1, len(ALL) + 1))
        before = await self.octets(source)
        head = await self.refresh(source)
        pairs = await self.store.copy(source, uids, target)
        self.assertEqual(list(pairs), [(uid, uid + 1) for uid in uids])
        new = [copy for _, copy in pairs]
        self.assertEqual([octets for _, octets in await self.store.sources(target, new)], list(before.values()))
        self.assertEqual(
            await self.store.headers(source, uids), [(n - 1, h) for n, h in await self.store.headers(target, new)]
        )
        flags = await self.flags(target)
        self.assertEqual([flags[uid] for uid in new], list((await self.flags(source)).values()))
        self.assertEqual(await self.dates(target, new), await self.dates(source, uids))
        self.assertFalse(set(await self.contents(target)) & set(await self.contents(source)))
        self.assertEqual(await self.octets(source), before)
        self.assertEqual(await self.refresh(source), head)
        for copy, original in zip(await self.store.metadata(target, new), ALL, strict=True):
            row = await self.fixture.stored_row(UUID(copy.email_id))
            assert row is not None
            self.assertEqual((row.owner, row.folder), (self.account, "Archive"))
            self.assertEqual((row.subject, row.body, row.html), (original.subject, original.body, original.html))

    async def test_whether_computed_before(self) -> None:
        """It makes no difference whether anything was read of the original before, or is ever after."""
        source, target = await self.varied(), await self.open(MINE_TOO)
        await self.store.metadata(source, [1, 2, 3])
        pairs = await self.store.copy(source, [2, 5], target)
        for uid in (2, 5):
            await self.fixture.delete_elsewhere(ALL[uid - 1].id)
        self.assertEqual(await self.octets(target), {new: render(ALL[old - 1]) for old, new in pairs})
        again = await self.store.copy(target, [1, 2], await self.open(self.account, "Sent"))
        self.assertEqual(list(again), [(1, 1), (2, 2)])
        self.assertEqual(await self.octets(await self.find(self.account, "Sent")), await self.octets(target))

    async def test_into_itself(self) -> None:
        """A message can be copied into the mailbox it is in."""
        await self.deliver(letter(), letter(minutes=1))
        mailbox = await self.open()
        inbox = await self.open(self.account)
        self.assertEqual(list(await self.store.copy(mailbox, [1, 2], mailbox)), [(1, 3), (2, 4)])
        octets = await self.octets(mailbox)
        self.assertEqual((octets[3], octets[4]), (octets[1], octets[2]))
        self.assertEqual(len(await self.uids(inbox)), 4)
        self.assertEqual(list(await self.store.copy(inbox, [1], inbox)), [(1, 5)])
        self.assertEqual(len(await self.uids(mailbox)), 4)

    async def test_gone(self) -> None:
        """Messages that are gone are left out, also those of which no refresh has noticed it."""
        rows = [letter(minutes=n, sender=f"s{n}@a.example") for n in range(5)]
        await self.deliver(*rows)
        mailbox, target = await self.open(), await self.open(self.account, "Archive")
        await self.fixture.delete_elsewhere(rows[1].id)
        await self.fixture.ban("sender", "s3@a.example")
        self.assertEqual(list(await self.store.copy(mailbox, [1, 2, 4, 5, 99], target)), [(1, 1), (5, 2)])
        self.assertEqual(await self.uids(target), [1, 2])
        self.assertEqual(list(await self.store.copy(mailbox, [2, 99], target)), [])
        self.assertEqual(list(await self.store.copy(mailbox, [], target)), [])

    async def test_address_lost(self) -> None:
        """Nothing is copied or moved of an address that is no longer the user's, though INBOX has not noticed yet."""
        await self.deliver(row := letter(), letter(MINE_TOO, minutes=1))
        inbox, target = await self.open(self.account), await self.open(self.account, "Archive")
        await self.fixture.remove_address(MINE)
        self.assertEqual(list(await self.store.copy(inbox, [1, 2], target)), [(2, 1)])
        self.assertEqual(list(await self.store.move(inbox, [1, 2], target)), [(2, 2)])
        kept = await self.fixture.stored_row(row.id)
        assert kept is not None
        self.assertEqual((kept.owner, kept.folder), (MINE, "INBOX"))

    async def test_unread_target(self) -> None:
        """Copies into a mailbox that was never opened come after what is there."""
        await self.deliver(letter(), letter(folder="Work"), letter(folder="Work", minutes=-5))
        pairs = await self.store.copy(await self.open(), [1], await self.find(MINE, "Work"))
        self.assertEqual(list(pairs), [(1, 3)])
        self.assertEqual(await self.uids(await self.find(MINE, "Work")), [1, 2, 3])

    async def test_refused(self) -> None:
        """Another's mailbox can be neither source nor target."""
        await self.check_refused_targets("copy")


class MoveContract(TransferCase):
    """``move``."""

    async def test_moves(self) -> None:
        """A message keeps its id, octets, flags and date, and leaves where it was."""
        source, target = await self.varied(), await self.open(self.account, "Archive")
        await self.store.store_flags(source, [1, 3], FlagMode.ADD, ["\\Seen", "work"], None)
        await self.store.metadata(source, [1, 2])
        uids = list(range(1, len(ALL) + 1))
        before, octets, flags = await self.refresh(source), await self.octets(source), await self.flags(source)
        dates, target_before = await self.dates(source, uids), await self.refresh(target)
        self.assertEqual(list(await self.store.move(source, uids, target)), [(uid, uid) for uid in uids])
        self.assertEqual(await self.octets(target), octets)
        self.assertEqual(await self.flags(target), flags)
        self.assertEqual(await self.dates(target, uids), dates)
        self.assertEqual(await self.contents(target), {row.id: uid for uid, row in enumerate(ALL, 1)})
        after, target_after = await self.refresh(source), await self.refresh(target)
        self.assertEqual(await self.uids(source), [])
        self.assertEqual(list(await self.gone_since(source, before.highest_mod_seq)), uids)
        self.assertGreater(after.highest_mod_seq, before.highest_mod_seq)
        self.assertEqual(after.uid_next, before.uid_next)
        changed = await self.store.changes(target, target_before.highest_mod_seq, 0, 100)
        self.assertEqual([state.uid for state in changed], uids)
        self.assertTrue(all(state.mod_seq <= target_after.highest_mod_seq for state in changed))

    async def test_back_and_forth(self) -> None:
        """A message that returns has a new UID, and is what it was."""
        source, target = await self.varied(), await self.open(MINE_TOO)
        octets, uid = render(ALL[1]), 2
        for turn in range(3):
            ((_, there),) = await self.store.move(source, [uid], target)
            self.assertEqual(there, turn + 1)
            ((_, uid),) = await self.store.move(target, [there], source)
            self.assertEqual(uid, len(ALL) + turn + 1)
            self.assertEqual(dict(await self.store.sources(source, [uid])), {uid: octets})
        self.assertEqual((await self.contents(source))[ALL[1].id], uid)
        self.assertEqual(await self.uids(target), [])

    async def test_out_of_inbox(self) -> None:
        """Moved from INBOX to a folder it leaves its address too; moved out of the address, it leaves INBOX."""
        rows = [letter(minutes=n) for n in range(3)]
        await self.deliver(*rows)
        address, inbox, folder = (
            await self.open(),
            await self.open(self.account),
            await self.find(self.account, "Trash"),
        )
        in_address, in_inbox = await self.refresh(address), await self.refresh(inbox)
        await self.store.move(inbox, [1], folder)
        await self.store.move(address, [2], folder)
        self.assertEqual(await self.contents(address), {rows[2].id: 3})
        self.assertEqual(await self.contents(inbox), {rows[2].id: 3})
        self.assertEqual(await self.contents(folder), {rows[0].id: 1, rows[1].id: 2})
        self.assertEqual(list(await self.gone_since(address, in_address.highest_mod_seq)), [1, 2])
        self.assertEqual(list(await self.gone_since(inbox, in_inbox.highest_mod_seq)), [1, 2])
        self.assertEqual(list(await self.store.move(folder, [2], inbox)), [(2, 4)])
        self.assertEqual(await self.contents(inbox), {rows[2].id: 3, rows[1].id: 4})
        self.assertEqual(await self.contents(address), {rows[2].id: 3})

    async def test_within_inbox(self) -> None:
        """What is there already cannot be moved there, as between INBOX and its addresses; nothing is moved then."""
        await self.deliver(letter(), letter(MINE_TOO))
        mine, too, inbox = await self.find(), await self.find(MINE_TOO), await self.find(self.account)
        for opened in (False, True):
            for source, target in ((mine, inbox), (inbox, mine), (inbox, too), (mine, mine), (inbox, inbox)):
                await self.refresh(source)
                await self.refused(Refusal.CANNOT, self.store.move(source, [1], target))
            for mailbox in (mine, too, inbox) if opened else ():
                self.assertEqual(await self.uids(mailbox), [1] if mailbox != inbox else [1, 2])
        self.assertEqual(list(await self.store.move(mine, [1], too)), [(1, 2)])
        self.assertEqual(await self.uids(inbox), [1, 2])
        self.assertEqual(len(await self.store.metadata(inbox, [1, 2])), 2)

    async def test_gone(self) -> None:
        """Messages that are gone are left out, and hidden ones stay; with none left nothing changes."""
        rows = [letter(minutes=n, sender=f"s{n}@a.example") for n in range(5)]
        await self.deliver(*rows)
        mailbox, target = await self.open(), await self.open(self.account, "Archive")
        await self.fixture.delete_elsewhere(rows[1].id)
        ban = await self.fixture.ban("sender", "s3@a.example")
        self.assertEqual(list(await self.store.move(mailbox, [1, 2, 4, 5, 99], target)), [(1, 1), (5, 2)])
        heads = await self.refresh(mailbox), await self.refresh(target)
        for uids in ([1, 2, 4, 99], []):
            self.assertEqual(list(await self.store.move(mailbox, uids, target)), [])
        self.assertEqual((await self.refresh(mailbox), await self.refresh(target)), heads)
        await self.fixture.lift(ban)
        self.assertEqual(await self.contents(mailbox), {rows[2].id: 3, rows[3].id: 6})

    async def test_banned_later(self) -> None:
        """A moved message is hidden and comes back like any other, and can be flagged and expunged where it is."""
        rows: list[EmailRow] = [letter(minutes=n) for n in range(2)]
        await self.deliver(*rows)
        mailbox, target = await self.open(), await self.open(self.account, "Archive")
        await self.store.move(mailbox, [1, 2], target)
        ban = await self.fixture.ban("sender", rows[0].from_addr or "")
        self.assertEqual(await self.uids(target), [])
        await self.fixture.lift(ban)
        self.assertEqual(await self.uids(target), [3, 4])
        await self.fixture.set_flags_elsewhere(rows[0].id, ["\\Deleted"])
        expunged = await self.store.expunge(target, None)
        assert expunged is not None
        self.assertEqual(len(expunged.uids), 1)

    async def test_refused(self) -> None:
        """Another's mailbox can be neither source nor target."""
        await self.check_refused_targets("move")


class IdentityContract(TransferCase):
    """What identifies an e-mail, wherever it is (RFC 8474)."""

    async def identities(self, mailbox: MailboxRef) -> list[UUID]:
        """Refresh a mailbox and return the identity of each of its messages, by UID."""
        uids = await self.uids(mailbox)
        found = await self.store.object_ids(mailbox, uids)
        self.assertEqual([uid for uid, _ in found], uids)
        return [identity for _, identity in found]

    async def test_everywhere(self) -> None:
        """It is the same in INBOX, of a moved message, of copies and of their copies, whatever is gone meanwhile."""
        mailbox = await self.varied()
        before = await self.identities(mailbox)
        self.assertEqual(len(set(before)), len(ALL))
        self.assertEqual(set(await self.identities(await self.open(self.account))), set(before))
        other, third = await self.open(MINE_TOO), await self.store.create_folder(self.user, self.account, "Kept", None)
        await self.store.copy(mailbox, [1, 2], other)
        await self.store.move(mailbox, [2], other)
        self.assertEqual(await self.identities(other), [before[0], before[1], before[1]])
        await self.store.copy(other, [1, 3], third)
        await self.store.store_flags(other, [1, 2, 3], FlagMode.ADD, ["\\Deleted"], None)
        await self.store.expunge(other, None)
        await self.store.move(mailbox, [3], third)
        self.assertEqual(await self.identities(third), [before[0], before[1], before[2]])
        await self.store.rename_folder(self.user, self.account, "Kept", self.account, "Renamed")
        self.assertEqual(await self.identities(third), [before[0], before[1], before[2]])

    async def test_nothing_of_others(self) -> None:
        """Messages that are gone, and another person's, are left out."""
        mailbox = await self.varied()
        self.assertEqual(
            await self.store.object_ids(mailbox, [1, 1 << 20]), (await self.store.object_ids(mailbox, [1]))
        )
        self.assertEqual(await self.store.object_ids(MailboxRef(self.other, mailbox.id), [1]), [])
