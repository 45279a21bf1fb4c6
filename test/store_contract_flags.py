"""What every store must do about flags: STORE, and what other programs write in ``emails.flags``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from twisted.internet.defer import Deferred, gatherResults

from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.rules.flags import combine, valid_flags
from cybertemp_imap.store.values import FlagChange, FlagMode, MailboxRef
from test.store_contract import EVERYTHING, StoreContract, letter

ODD_FLAGS: tuple[Sequence[str | None] | None, ...] = (
    None,
    (),
    (None, ""),
    (None, "work", None),
    ("\\seen", "\\DELETED"),
    ("\\Recent", "\\Important", "\\", "\\*"),
    ("Work", "work", "WORK", "$Forwarded"),
    ("two words", "a\tb", "cr\r", "lf\n", "work\n", "\x7f"),
    ("gr\xfcn", "\U0001f600", "work"),
    ("(", "a)", "{3}", "a%", "*", 'q"', "a]", "b\\c"),
    ("[x", "}", "~!#&'+,-./:;<=>?@^_`|", "NULL", "null"),
    ("k" * 255, "k" * 256),
)


class FlagCase(StoreContract):
    """Changing flags of ``user``'s mailboxes."""

    async def change(
        self, mailbox: MailboxRef, uids: Sequence[int], mode: str, *flags: str, unchanged_since: int | None = None
    ) -> FlagChange:
        """Change flags in a mailbox that must be there."""
        change = await self.store.store_flags(mailbox, uids, mode, flags, unchanged_since)
        assert change is not None
        return change

    async def one(self, *flags: str | None) -> tuple[MailboxRef, EmailRow]:
        """Deliver one message with some flags and open its mailbox."""
        row = letter()
        await self.deliver(row, flags=flags)
        return await self.open(), row


class StoreFlagsContract(FlagCase):
    """``store_flags``."""

    async def test_modes(self) -> None:
        """Flags are added, removed and replaced; the row has what clients are told."""
        mailbox, row = await self.one("\\Seen", "work")
        for mode, flags, expected in (
            (FlagMode.ADD, ["\\Flagged", "play"], {"\\Seen", "work", "\\Flagged", "play"}),
            (FlagMode.REMOVE, ["work", "\\Answered"], {"\\Seen", "\\Flagged", "play"}),
            (FlagMode.REPLACE, ["\\Draft", "play"], {"\\Draft", "play"}),
            (FlagMode.ADD, [], {"\\Draft", "play"}),
            (FlagMode.REPLACE, [], set()),
        ):
            ((uid, told, _),) = (await self.change(mailbox, [1], mode, *flags)).messages
            self.assertEqual((uid, set(told), len(told)), (1, expected, len(expected)))
            self.assertEqual(set(await self.fixture.stored_flags(row.id) or ()), expected)
            self.assertEqual((await self.state(mailbox, row)).flags, told)

    async def test_without_case(self) -> None:
        """Flags compare without case, and what is there keeps its spelling."""
        mailbox, row = await self.one("\\Seen", "Work", "Play")
        for mode, flags, expected in (
            (FlagMode.ADD, ["WORK", "\\sEEN"], {"\\Seen", "Work", "Play"}),
            (FlagMode.REPLACE, ["wORK", "\\SEEN", "new"], {"\\Seen", "Work", "new"}),
            (FlagMode.REMOVE, ["WORK", "NEW"], {"\\Seen"}),
        ):
            ((_, told, _),) = (await self.change(mailbox, [1], mode, *flags)).messages
            self.assertEqual(set(told), expected)
        self.assertEqual(await self.fixture.stored_flags(row.id), ["\\Seen"])

    async def test_outcome(self) -> None:
        """Every message named that is there is in the outcome by ascending UID, whether it changed or not."""
        rows = [letter(minutes=n) for n in range(4)]
        await self.deliver(rows[0], flags=["\\Seen"])
        await self.deliver(*rows[1:])
        mailbox = await self.open()
        await self.fixture.delete_elsewhere(rows[2].id)
        before = await self.refresh(mailbox)
        change = await self.change(mailbox, [1, 2, 3, 4, 99], FlagMode.ADD, "\\Seen")
        self.assertEqual([(state.uid, state.flags) for state in change.messages], [(n, ("\\Seen",)) for n in (1, 2, 4)])
        self.assertEqual(list(change.modified), [])
        self.assertEqual(change.head, await self.refresh(mailbox))
        self.assertEqual(change.taken, change.head.highest_mod_seq)
        self.assertLessEqual(change.messages[0].mod_seq, before.highest_mod_seq)
        changed = await self.store.changes(mailbox, before.highest_mod_seq, 0, EVERYTHING)
        self.assertEqual(list(changed), list(change.messages[1:]))

    async def test_gone_unnoticed(self) -> None:
        """A message whose row is gone is not in the outcome, though no refresh has noticed."""
        mailbox, row = await self.one()
        await self.fixture.delete_elsewhere(row.id)
        self.assertEqual(list((await self.change(mailbox, [1], FlagMode.ADD, "\\Seen")).messages), [])

    async def test_nothing_named(self) -> None:
        """Naming no message does nothing."""
        mailbox, _ = await self.one()
        head = await self.refresh(mailbox)
        self.assertEqual(await self.change(mailbox, [], FlagMode.ADD, "\\Seen"), FlagChange(head, [], [], None))

    async def test_nothing_changed(self) -> None:
        """A STORE that changes nothing changes no mod-sequence."""
        mailbox, _ = await self.one("\\Seen", "Work")
        head = await self.refresh(mailbox)
        for mode, flags in (
            (FlagMode.ADD, ["\\seen"]),
            (FlagMode.REMOVE, ["play"]),
            (FlagMode.REPLACE, ["work", "\\Seen"]),
        ):
            change = await self.change(mailbox, [1], mode, *flags)
            self.assertEqual(set(change.messages[0].flags), {"\\Seen", "Work"})
            if mode != FlagMode.REPLACE:
                self.assertEqual(change.head, head)

    async def test_unchanged_since(self) -> None:
        """Messages changed later than that are held back, and only those (RFC 7162 section 3.1.3)."""
        await self.deliver(*(letter(minutes=n) for n in range(3)))
        mailbox = await self.open()
        known = (await self.refresh(mailbox)).highest_mod_seq
        await self.change(mailbox, [2], FlagMode.ADD, "\\Answered")
        change = await self.change(mailbox, [1, 2, 3], FlagMode.ADD, "\\Flagged", unchanged_since=known)
        self.assertEqual(([state.uid for state in change.messages], list(change.modified)), ([1, 3], [2]))
        self.assertEqual(
            [state.flags for state in await self.states(mailbox)], [("\\Flagged",), ("\\Answered",), ("\\Flagged",)]
        )
        change = await self.change(mailbox, [2], FlagMode.ADD, "\\Seen", unchanged_since=change.head.highest_mod_seq)
        self.assertEqual(([state.uid for state in change.messages], list(change.modified)), ([2], []))
        change = await self.change(mailbox, [1, 2, 3], FlagMode.REMOVE, "\\Seen", unchanged_since=0)
        self.assertEqual((list(change.messages), list(change.modified)), ([], [1, 2, 3]))

    async def test_unchanged_since_elsewhere(self) -> None:
        """A change that another program made holds a message back, though no refresh has noticed it."""
        mailbox, row = await self.one()
        known = (await self.refresh(mailbox)).highest_mod_seq
        await self.fixture.set_flags_elsewhere(row.id, ["\\Answered"])
        change = await self.change(mailbox, [1], FlagMode.REPLACE, "\\Flagged", unchanged_since=known)
        self.assertEqual((list(change.messages), list(change.modified)), ([], [1]))
        self.assertEqual((await self.state(mailbox, row)).flags, ("\\Answered",))


class SharedFlagsContract(FlagCase):
    """``emails.flags`` is the truth, and others write it too."""

    async def test_noticed(self) -> None:
        """What another program writes is noticed by a refresh."""
        mailbox, row = await self.one()
        for flags in (["\\Seen"], ["\\Seen", "work"], [], ["\\Deleted"], None):
            before = (await self.refresh(mailbox)).highest_mod_seq
            await self.fixture.set_flags_elsewhere(row.id, flags)
            state = await self.state(mailbox, row)
            self.assertEqual(state.flags, tuple(flags or ()))
            self.assertGreater(state.mod_seq, before)

    async def test_not_lost(self) -> None:
        """STORE keeps what another program has written since the last refresh, and tells it."""
        mailbox, row = await self.one("\\Seen")
        await self.fixture.set_flags_elsewhere(row.id, ["\\Seen", "$Forwarded"])
        change = await self.change(mailbox, [1], FlagMode.ADD, "\\Answered")
        self.assertEqual(set(change.messages[0].flags), {"\\Seen", "$Forwarded", "\\Answered"})
        await self.fixture.set_flags_elsewhere(row.id, ["\\Answered"])
        change = await self.change(mailbox, [1], FlagMode.ADD, "\\Answered")
        self.assertEqual(change.messages[0].flags, ("\\Answered",))
        self.assertEqual((await self.state(mailbox, row)), change.messages[0])

    async def test_two_sessions(self) -> None:
        """Sessions that add flags to a message at the same time, in either of its mailboxes, lose none."""
        rows = [letter(minutes=n) for n in range(3)]
        await self.deliver(*rows)
        mailboxes = [await self.open(), await self.open(self.account)]
        work = [
            Deferred.fromCoroutine(self.change(mailbox, [1, 2, 3], FlagMode.ADD, f"session{n}"))
            for n, mailbox in enumerate(mailboxes * 8)
        ]
        await gatherResults(work, consumeErrors=True)
        for mailbox, row in product(mailboxes, rows):
            self.assertEqual(set((await self.state(mailbox, row)).flags), {f"session{n}" for n in range(16)})

    async def test_add_and_remove(self) -> None:
        """A flag added and another removed at the same time both hold."""
        mailbox, row = await self.one("\\Seen")
        await gatherResults(
            [
                Deferred.fromCoroutine(self.change(mailbox, [1], FlagMode.ADD, "\\Flagged")),
                Deferred.fromCoroutine(self.change(mailbox, [1], FlagMode.REMOVE, "\\Seen")),
            ],
            consumeErrors=True,
        )
        self.assertEqual((await self.state(mailbox, row)).flags, ("\\Flagged",))

    async def test_odd_flags(self) -> None:
        """Of whatever a row holds, clients are told the flags in it."""
        for odd in ODD_FLAGS:
            row, later = letter(), letter()
            await self.deliver(row, flags=odd)
            await self.deliver(later)
            mailbox = await self.open()
            self.assertEqual((await self.state(mailbox, row)).flags, valid_flags(odd), odd)
            await self.fixture.set_flags_elsewhere(later.id, odd)
            self.assertEqual((await self.state(mailbox, later)).flags, valid_flags(odd), odd)

    async def test_odd_flags_counted(self) -> None:
        """Counts go by the flags that clients are told."""
        for flags, unseen, deleted in (
            (["\\seen", "\\DELETED"], 0, 1),
            (["Seen", "\\Seen ", " \\Deleted", None], 1, 0),
            (None, 1, 0),
        ):
            mailbox, row = await self.one()
            await self.fixture.set_flags_elsewhere(row.id, flags)
            counts = await self.store.status(mailbox, False)
            assert counts is not None
            self.assertEqual((counts.messages, counts.unseen, counts.deleted), (1, unseen, deleted), flags)
            await self.fixture.delete_elsewhere(row.id)

    async def test_odd_flags_changed(self) -> None:
        """STORE does with odd flags as the rules say: what clients are told changes, the rest of a row stays."""
        changes = (
            (FlagMode.ADD, ["\\Seen", "WORK", "new"]),
            (FlagMode.REMOVE, ["WORK", "\\seen"]),
            (FlagMode.REPLACE, ["work"]),
        )
        for odd, (mode, flags) in product(ODD_FLAGS, changes):
            row = letter()
            await self.deliver(row, flags=odd)
            mailbox = await self.open()
            uid = (await self.state(mailbox, row)).uid
            (state,) = (await self.change(mailbox, [uid], mode, *flags)).messages
            expected = combine(odd, mode, flags)
            self.assertEqual(_folded(state.flags), _folded(valid_flags(expected)), (odd, mode))
            stored = await self.fixture.stored_flags(row.id)
            self.assertEqual(_hidden(stored), _hidden(expected), (odd, mode))
            await self.fixture.delete_elsewhere(row.id)


def _folded(flags: Sequence[str]) -> set[str]:
    return {flag.lower() for flag in flags}


def _hidden(flags: Sequence[str | None] | None) -> list[str]:
    """Return the entries of a row that clients are not told."""
    return sorted(flag for flag in flags or () if flag and not valid_flags([flag]))
