"""What every store must do about tokens that are in use: their records, their limits, and when they were used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from cybertemp_imap.errors import Refusal
from cybertemp_imap.naming import SPECIAL_USES
from cybertemp_imap.store.values import FlagMode, LoginRecord, MailboxRef, TokenLimits
from test.store_contract import BASE, EVERYTHING, MINE, MINE_TOO, THEIRS, StoreContract, letter

MINUTE = timedelta(minutes=1)


class LoginsContract(StoreContract):
    """``find_logins``."""

    async def test_records(self) -> None:
        """Many tokens are looked up at once, each as it is now; those that are gone, or whose account is, are not."""
        user = await self.fixture.add_user("Late@Example.com", "past_due", BASE)
        mine = await self.fixture.add_token(self.user, "mine", BASE)
        theirs = await self.fixture.add_token(user, "theirs", BASE + MINUTE, hashed=True)
        orphan = await self.fixture.add_token(uuid4(), "orphan", BASE)
        gone = await self.fixture.add_token(self.user, "gone", BASE)
        await self.fixture.add_token(self.user, "unasked", BASE)
        await self.fixture.remove_token(gone)
        found = await self.store.find_logins([gone, mine, uuid4(), theirs, orphan])
        expected = {
            LoginRecord(mine, self.user, "me@example.com", BASE, "active", None),
            LoginRecord(theirs, user, "Late@Example.com", BASE + MINUTE, "past_due", BASE),
        }
        self.assertEqual(set(found), expected)
        self.assertEqual(len(found), 2)

    async def test_as_at_login(self) -> None:
        """A token's record is that by which it logged in."""
        token_id = await self.fixture.add_token(self.user, "mine", BASE)
        self.assertEqual(list(await self.store.find_logins([token_id])), [await self.store.find_login("mine")])

    async def test_none(self) -> None:
        """No tokens have no records."""
        await self.fixture.add_token(self.user, "mine", BASE)
        self.assertEqual(list(await self.store.find_logins([])), [])


class LimitsContract(StoreContract):
    """The limits in the records of ``find_login`` and ``find_logins``."""

    async def limits(self, *token_ids: UUID) -> dict[UUID, TokenLimits]:
        """Return the limits that the records of tokens have."""
        return {record.token_id: record.limits for record in await self.store.find_logins(token_ids)}

    async def test_limits(self) -> None:
        """A token's record has its limits as they are now; none are those of a token that has none."""
        limited = await self.fixture.add_token(self.user, "limited", BASE)
        marked = await self.fixture.add_token(self.other, "marked", BASE, hashed=True)
        free = await self.fixture.add_token(self.user, "free", BASE)
        await self.fixture.limit_token(limited, [MINE.upper(), "other@example.org"], True, BASE)
        await self.fixture.limit_token(marked)
        await self.fixture.limit_token(uuid4(), [THEIRS])
        expected = {
            limited: TokenLimits(frozenset({MINE, "other@example.org"}), True, BASE),
            marked: TokenLimits(None, False, None),
            free: TokenLimits(),
        }
        self.assertEqual(await self.limits(limited, marked, free), expected)
        for token, token_id in (("limited", limited), ("marked", marked), ("free", free)):
            record = await self.store.find_login(token)
            assert record is not None
            self.assertEqual((record.token_id, record.limits), (token_id, expected[token_id]))
        await self.fixture.limit_token(limited, [])
        self.assertEqual(await self.limits(limited), {limited: TokenLimits(frozenset())})


class LimitedInboxContract(StoreContract):
    """``limited_inbox``: the view of a token that is limited to some addresses."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Limit a token to one of the user's addresses, another person's and nobody's."""
        await super().setUp()
        self.token = uuid4()
        await self.fixture.limit_token(self.token, [MINE, THEIRS, "nobody@example.com"])

    async def view(self) -> MailboxRef:
        """Return the token's INBOX."""
        return await self.store.limited_inbox(self.user, self.token)

    async def test_contents(self) -> None:
        """The user's own addresses among those of the token are in it, their folders and all other mail are not."""
        rows = letter(), letter(minutes=1)
        await self.deliver(letter(MINE_TOO), letter(THEIRS), letter("nobody@example.com"), letter(self.account))
        await self.deliver(*rows, letter(folder="Work"))
        view = await self.view()
        self.assertEqual(await self.view(), view)
        self.assertEqual(await self.contents(view), {rows[0].id: 1, rows[1].id: 2})
        last = letter(minutes=2)
        await self.deliver(letter(MINE_TOO, minutes=3), last)
        self.assertEqual(await self.contents(view), {rows[0].id: 1, rows[1].id: 2, last.id: 3})

    async def test_numbers_of_its_own(self) -> None:
        """UIDs and UIDVALIDITY are not those of INBOX, nor of another token's; flags and expunging are shared."""
        await self.deliver(letter(MINE_TOO))
        row = letter()
        await self.deliver(row)
        inbox, view = await self.open(self.account), await self.view()
        other = await self.store.limited_inbox(self.user, uuid4())
        boxes = (inbox, view, other, await self.open())
        self.assertEqual(len({(await self.refresh(box)).uid_validity for box in boxes}), 4)
        uid = (await self.contents(view))[row.id]
        await self.store.store_flags(view, [uid], FlagMode.ADD, ["\\Deleted"], None)
        self.assertEqual((await self.state(inbox, row)).flags, ("\\Deleted",))
        await self.store.expunge(view, None)
        self.assertEqual(len(await self.contents(inbox)), 1)
        self.assertIsNone(await self.fixture.stored_flags(row.id))

    async def test_is_not_listed(self) -> None:
        """It is in no list, counts as no folder, and nobody else's reference to it does anything."""
        await self.deliver(letter())
        names = await self.names()
        view = await self.view()
        await self.refresh(view)
        self.assertEqual(await self.names(), names)
        self.fixture.set_folder_quota(len(SPECIAL_USES) + 1)
        await self.store.create_folder(self.user, self.account, "New", None)
        other = MailboxRef(self.other, view.id)
        self.assertIsNone(await self.store.refresh(other))
        await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.changes(other, 0, 0, EVERYTHING))

    async def test_address_lost_and_returned(self) -> None:
        """An address that the user loses leaves it; when it comes back, so does its mail, under new UIDs."""
        row = letter()
        await self.deliver(row, letter(MINE_TOO))
        view = await self.view()
        self.assertEqual(await self.contents(view), {row.id: 1})
        await self.fixture.remove_address(MINE)
        self.assertEqual(await self.contents(view), {})
        await self.fixture.add_address(self.user, MINE)
        self.assertEqual(await self.contents(view), {row.id: 2})

    async def test_case(self) -> None:
        """An address is found whatever case it is written in."""
        await self.fixture.add_address(self.user, "Mixed@Example.COM")
        await self.fixture.limit_token(self.token, ["mIXED@example.com"])
        row = letter("Mixed@Example.COM")
        await self.deliver(row)
        self.assertEqual(await self.contents(await self.view()), {row.id: 1})

    async def test_other_limits(self) -> None:
        """It follows the limits; with them it goes, and comes back under another UIDVALIDITY."""
        first, second = letter(), letter(MINE_TOO)
        await self.deliver(first, second)
        view = await self.view()
        before = await self.refresh(view)
        await self.fixture.limit_token(self.token, [MINE_TOO])
        self.assertEqual(await self.contents(view), {second.id: 2})
        await self.fixture.limit_token(self.token, [])
        self.assertEqual(await self.contents(view), {})
        await self.fixture.limit_token(self.token, [MINE, MINE_TOO], True)
        self.assertEqual(set(await self.contents(view)), {first.id, second.id})
        await self.fixture.unlimit_token(self.token)
        self.assertIsNone(await self.store.refresh(view))
        await self.fixture.limit_token(self.token, [MINE])
        again = await self.view()
        self.assertEqual(await self.contents(again), {first.id: 1})
        self.assertNotEqual((await self.refresh(again)).uid_validity, before.uid_validity)

    async def test_moved_out(self) -> None:
        """What is moved to a folder leaves it; it cannot be moved to the address that it came to."""
        row = letter()
        await self.deliver(row)
        view = await self.view()
        await self.refresh(view)
        await self.refused(Refusal.CANNOT, self.store.move(view, [1], await self.open()))
        work = await self.store.create_folder(self.user, MINE, "Work", None)
        self.assertEqual(list(await self.store.move(view, [1], work)), [(1, 1)])
        self.assertEqual(await self.contents(view), {})


class TouchContract(StoreContract):
    """``touch_token``."""

    async def test_touch(self) -> None:
        """Touching sets the time of use of that token alone; one that is gone is no error."""
        used = await self.fixture.add_token(self.user, "used", BASE)
        unused = await self.fixture.add_token(self.user, "unused", BASE)
        self.assertIsNone(await self.fixture.last_used(used))
        await self.store.touch_token(used)
        await self.store.touch_token(uuid4())
        last_used = await self.fixture.last_used(used)
        assert last_used is not None
        self.assertLess(abs(datetime.now(UTC) - last_used), 10 * MINUTE)
        self.assertIsNone(await self.fixture.last_used(unused))

    async def test_once_a_minute(self) -> None:
        """A time within the last minute stays, whoever has set it; an older one, or one to come, does not."""
        token_id = await self.fixture.add_token(self.user, "used", BASE)
        for age, stays in ((MINUTE / 4, True), (2 * MINUTE, False), (-60 * MINUTE, False)):
            before = datetime.now(UTC) - age
            await self.fixture.set_last_used(token_id, before)
            await self.store.touch_token(token_id)
            self.assertEqual(await self.fixture.last_used(token_id) == before, stays, age)
