"""What every store must do about UIDs and mod-sequences: the numbers by which sessions follow a mailbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

from cybertemp_imap.naming import INBOX
from cybertemp_imap.store.values import FlagMode, MailboxRef
from test.store_contract import BASE, EVERYTHING, MINE, MINE_TOO, THEIRS, StoreContract, letter

Snapshot = dict[int, tuple[str, ...]]


class UidContract(StoreContract):
    """UIDs and UIDVALIDITY."""

    async def test_order(self) -> None:
        """New mail is numbered by its date, by its row's where it has none, then by its id."""
        rows = [letter(minutes=minutes) for minutes in (30, 10, 20, 10, 10, None)]
        await self.deliver(*rows)
        expected = sorted(rows, key=lambda row: (row.timestamp or row.created_at, row.id))
        self.assertIs(expected[-1], rows[-1])
        self.assertEqual(await self.contents(await self.find()), {row.id: n for n, row in enumerate(expected, 1)})

    async def test_late_mail(self) -> None:
        """Mail that becomes visible later has higher UIDs, however old it says it is."""
        first, late, ancient = letter(), letter(minutes=-60), letter(minutes=-1_000_000)
        mailbox = await self.find()
        for expected, row in enumerate((first, late, ancient), 1):
            await self.deliver(row)
            self.assertEqual((await self.contents(mailbox))[row.id], expected)

    async def test_never_reused(self) -> None:
        """A UID is never given again, even that of the last message, nor is UIDNEXT ever lower."""
        mailbox = await self.find()
        for expected in range(1, 5):
            row = letter()
            await self.deliver(row)
            self.assertEqual(await self.uids(mailbox), [expected])
            await self.fixture.delete_elsewhere(row.id)
            self.assertEqual(await self.uids(mailbox), [])
            self.assertEqual((await self.refresh(mailbox)).uid_next, expected + 1)

    async def test_unseen_mail_costs_no_uid(self) -> None:
        """Mail that is gone before a refresh sees it never was."""
        row = letter()
        await self.deliver(row)
        await self.fixture.delete_elsewhere(row.id)
        self.assertEqual((await self.refresh(await self.find())).uid_next, 1)

    async def test_uid_validity(self) -> None:
        """UIDVALIDITY has 32 bits, is not 0, and stays."""
        for owner, folder in ((MINE, INBOX), (MINE_TOO, INBOX), (self.account, INBOX), (self.account, "Drafts")):
            before = (await self.refresh(await self.find(owner, folder))).uid_validity
            self.assertTrue(0 < before < 1 << 32, before)
            await self.deliver(letter(owner, folder))
            self.assertEqual((await self.refresh(await self.find(owner, folder))).uid_validity, before)

    async def test_moved_elsewhere(self) -> None:
        """Each mailbox has UIDs of its own, and the mail of no other."""
        here, below, away, theirs = letter(), letter(folder="Work"), letter(MINE_TOO), letter(THEIRS)
        await self.deliver(here, below, away, theirs)
        for row in (here, below, away):
            self.assertEqual(await self.contents(await self.find(row.owner, row.folder)), {row.id: 1})
        self.assertEqual(await self.contents(await self.find(self.account, "Archive")), {})

    async def test_recent(self) -> None:
        """Each message is claimed as recent once, by whoever claims first after its refresh."""
        mailbox = await self.find()
        self.assertEqual(await self.store.claim_recent(mailbox), 1)
        await self.deliver(letter(), letter(minutes=1))
        await self.refresh(mailbox)
        self.assertEqual(await self.store.claim_recent(mailbox), 1)
        self.assertEqual(await self.store.claim_recent(mailbox), 3)
        await self.deliver(letter(minutes=2))
        await self.refresh(mailbox)
        self.assertEqual(await self.store.claim_recent(mailbox, claim=False), 3)
        self.assertEqual(await self.store.claim_recent(mailbox), 3)
        self.assertEqual(await self.store.claim_recent(mailbox), 4)


class ModSeqContract(StoreContract):
    """``highest_mod_seq``, ``changes`` and ``expunged_since``."""

    async def steps(self, mailbox: MailboxRef) -> list[Callable[[], Awaitable[object]]]:
        """Return things that happen to a mailbox, each of which a refresh must notice."""
        rows = [letter(minutes=n) for n in range(8)]
        store, fixture = self.store, self.fixture
        return [
            lambda: self.deliver(*rows[:5]),
            lambda: store.store_flags(mailbox, [1, 3], FlagMode.ADD, ["\\Seen"], None),
            lambda: fixture.set_flags_elsewhere(rows[1].id, ["\\Flagged", "work"]),
            lambda: fixture.delete_elsewhere(rows[2].id),
            lambda: self.deliver(rows[5]),
            lambda: store.store_flags(mailbox, [1, 6], FlagMode.REPLACE, ["\\Deleted"], None),
            lambda: store.expunge(mailbox, [1]),
            lambda: self.deliver(*rows[6:], letter(minutes=-5, sender="spam@bad.example")),
            lambda: fixture.ban("sender", "bad.example", "contains"),
            lambda: store.store_flags(mailbox, [2], FlagMode.REMOVE, ["WORK"], None),
            lambda: store.expunge(mailbox, None),
        ]

    async def snapshot(self, mailbox: MailboxRef) -> Snapshot:
        """Return the flags of every message."""
        return {state.uid: state.flags for state in await self.states(mailbox)}

    async def test_ascending(self) -> None:
        """Whatever happens raises the highest mod-sequence, and what it happened to has one above all before."""
        mailbox = await self.find()
        before = (await self.refresh(mailbox)).highest_mod_seq
        self.assertGreater(before, 0)
        for number, step in enumerate(await self.steps(mailbox)):
            await step()
            after = (await self.refresh(mailbox)).highest_mod_seq
            self.assertGreater(after, before, number)
            touched = [state.mod_seq for state in await self.store.changes(mailbox, before, 0, EVERYTHING)]
            self.assertTrue(touched or await self.gone_since(mailbox, before), number)
            self.assertTrue(all(before < mod_seq <= after for mod_seq in touched), number)
            before = after

    async def test_nothing_happens(self) -> None:
        """A refresh with nothing to notice changes no number."""
        await self.deliver(letter())
        mailbox = await self.find()
        head = await self.refresh(mailbox)
        await self.deliver(letter(MINE_TOO), letter(folder="Work"), letter(THEIRS))
        await self.fixture.ban("sender", "somebody@else.example")
        self.assertEqual(await self.refresh(mailbox), head)
        self.assertEqual(list(await self.store.changes(mailbox, head.highest_mod_seq, 0, EVERYTHING)), [])

    async def test_catching_up(self) -> None:
        """From every earlier state, what has changed and what is gone since make exactly the present one."""
        mailbox = await self.find()
        history: list[tuple[int, Snapshot]] = [((await self.refresh(mailbox)).highest_mod_seq, {})]
        for step in await self.steps(mailbox):
            await step()
            history.append(((await self.refresh(mailbox)).highest_mod_seq, await self.snapshot(mailbox)))
            present = history[-1][1]
            for mod_seq, snapshot in history:
                gone = list(await self.gone_since(mailbox, mod_seq))
                self.assertEqual(gone, sorted(set(gone)))
                self.assertEqual(set(snapshot) - set(present), set(gone) & set(snapshot))
                changed = await self.store.changes(mailbox, mod_seq, 0, EVERYTHING)
                caught_up = {uid: flags for uid, flags in snapshot.items() if uid not in gone}
                caught_up.update({state.uid: state.flags for state in changed})
                self.assertEqual(caught_up, present)
                # Exactly those that changed: none that is as it was.
                self.assertTrue(all(snapshot.get(state.uid) != state.flags for state in changed))

    async def test_pages(self) -> None:
        """Pages of any size put together are the whole, by ascending UID."""
        await self.deliver(*(letter(minutes=n) for n in range(20)))
        mailbox = await self.open()
        start = (await self.refresh(mailbox)).highest_mod_seq
        await self.store.store_flags(mailbox, [2, 3, 5, 8, 13, 20], FlagMode.ADD, ["\\Seen"], None)
        for since, expected in ((0, list(range(1, 21))), (start, [2, 3, 5, 8, 13, 20])):
            for limit in (1, 2, 3, 6, 7, 20, 100):
                found: list[int] = []
                while True:
                    page = await self.store.changes(mailbox, since, found[-1] if found else 0, limit)
                    self.assertLessEqual(len(page), limit)
                    found += [state.uid for state in page]
                    if len(page) < limit:
                        break
                self.assertEqual(found, expected, (since, limit))

    async def test_another_session(self) -> None:
        """What one reference to a mailbox has brought about, another one sees."""
        await self.deliver(letter())
        one, another = await self.open(), await self.open()
        before = (await self.refresh(another)).highest_mod_seq
        change = await self.store.store_flags(one, [1], FlagMode.ADD, ["\\Answered"], None)
        assert change is not None
        self.assertEqual(list(await self.store.changes(another, before, 0, EVERYTHING)), list(change.messages))
        self.assertEqual(await self.refresh(another), change.head)


class InboxContract(StoreContract):
    """INBOX: one view over the inboxes of all addresses of the account."""

    async def inbox(self) -> MailboxRef:
        """Find INBOX."""
        return await self.find(self.account)

    async def test_union(self) -> None:
        """It shows the inboxes of all addresses and what is kept under the account itself, and no more."""
        shown = [letter(minutes=3), letter(MINE_TOO, minutes=2), letter(self.account, minutes=1)]
        hidden = [letter(folder="Work"), letter(self.account, "Archive"), letter(THEIRS), letter("absent@example.com")]
        await self.deliver(*shown, *hidden)
        self.assertEqual(await self.contents(await self.inbox()), {shown[2].id: 1, shown[1].id: 2, shown[0].id: 3})

    async def test_own_numbers(self) -> None:
        """Its UIDs are its own: opening an address first or later makes no difference."""
        one, two = letter(minutes=1), letter(MINE_TOO)
        await self.deliver(one)
        self.assertEqual(await self.contents(await self.find()), {one.id: 1})
        await self.deliver(two)
        self.assertEqual(await self.contents(await self.inbox()), {two.id: 1, one.id: 2})
        self.assertEqual(await self.contents(await self.find(MINE_TOO)), {two.id: 1})

    async def test_addresses_come_and_go(self) -> None:
        """The mail of an address comes with it and leaves with it."""
        row, more = letter(minutes=5), letter("new@example.com")
        await self.deliver(row, more)
        inbox = await self.inbox()
        self.assertEqual(await self.contents(inbox), {row.id: 1})
        await self.fixture.add_address(self.user, "new@example.com")
        self.assertEqual(await self.contents(inbox), {row.id: 1, more.id: 2})
        before = (await self.refresh(inbox)).highest_mod_seq
        await self.fixture.remove_address(MINE)
        self.assertEqual(await self.contents(inbox), {more.id: 2})
        self.assertEqual(list(await self.gone_since(inbox, before)), [1])

    async def test_flags_are_shared(self) -> None:
        """A flag set in one place is set in the other at its next refresh."""
        row, second = letter(minutes=1), letter(MINE_TOO)
        await self.deliver(row, second)
        mailbox, inbox = await self.open(), await self.open(self.account)
        before = (await self.refresh(inbox)).highest_mod_seq
        await self.store.store_flags(mailbox, [1], FlagMode.ADD, ["\\Seen"], None)
        await self.refresh(inbox)
        changed = await self.store.changes(inbox, before, 0, EVERYTHING)
        self.assertEqual([(state.uid, state.flags) for state in changed], [(2, ("\\Seen",))])
        await self.store.store_flags(inbox, [2], FlagMode.REPLACE, ["\\Flagged"], None)
        self.assertEqual((await self.state(mailbox, row)).flags, ("\\Flagged",))

    async def test_expunged_in_both(self) -> None:
        """What is expunged in one place is gone from the other at its next refresh."""
        rows = [letter(minutes=n) for n in range(2)]
        await self.deliver(*rows, flags=["\\Deleted"])
        mailbox, inbox = await self.open(), await self.open(self.account)
        in_mailbox, in_inbox = await self.refresh(mailbox), await self.refresh(inbox)
        await self.store.expunge(mailbox, [1])
        self.assertEqual(await self.contents(inbox), {rows[1].id: 2})
        self.assertEqual(list(await self.gone_since(inbox, in_inbox.highest_mod_seq)), [1])
        await self.store.expunge(inbox, None)
        self.assertEqual(await self.contents(mailbox), {})
        self.assertEqual(list(await self.gone_since(mailbox, in_mailbox.highest_mod_seq)), [1, 2])


class DatesContract(StoreContract):
    """Internal dates and dates of saving."""

    async def test_saved_dates(self) -> None:
        """Both dates are aware; the internal one is the message's, or its row's where it has none."""
        dated, undated = letter(minutes=7), letter(minutes=None)
        await self.deliver(dated, undated)
        mailbox = await self.open()
        found = await self.store.saved_dates(mailbox, [1, 2, 3])
        self.assertEqual(
            [(uid, internal) for uid, internal, _ in found],
            [(1, BASE + timedelta(minutes=7)), (2, BASE + timedelta(days=1))],
        )
        self.assertTrue(all(saved.utcoffset() is not None for _, _, saved in found))
        self.assertEqual(await self.store.saved_dates(mailbox, [1, 2]), found)

    async def test_internal_date_form(self) -> None:
        """INTERNALDATE is in UTC, its day in two digits, its month in English."""
        months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        expected: dict[str, bytes] = {}
        for number, month in enumerate(months, 1):
            row = letter()
            moment = BASE.replace(year=1999, month=number, day=number + 3, hour=23, minute=5, second=9)
            expected[str(row.id)] = f"{number + 3:02}-{month}-1999 23:05:09 +0000".encode()
            await self.deliver(replace(row, timestamp=moment + timedelta(microseconds=999_999)))
        mailbox = await self.find()
        found = await self.store.metadata(mailbox, await self.uids(mailbox))
        self.assertEqual({metadata.email_id: metadata.internal_date for metadata in found}, expected)
