"""What every store must do about tokens that are in use: their records, their limits, and when they were used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from cybertemp_imap.store.interface import LoginRecord, TokenLimits
from test.store_contract import BASE, MINE, StoreContract

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
    """``find_limits``."""

    async def test_limits(self) -> None:
        """Limits are found by the token's id, whether the token is known here or not, as they are now."""
        token_id, elsewhere, unlimited = await self.fixture.add_token(self.user, "mine", BASE), uuid4(), uuid4()
        await self.fixture.limit_token(token_id, [MINE.upper(), "other@example.org"], True, BASE)
        await self.fixture.limit_token(elsewhere)
        expected = {
            token_id: TokenLimits(frozenset({MINE, "other@example.org"}), True, BASE),
            elsewhere: TokenLimits(None, False, None),
        }
        self.assertEqual(await self.store.find_limits([token_id, unlimited, elsewhere]), expected)
        await self.fixture.limit_token(token_id, [])
        self.assertEqual(await self.store.find_limits([token_id]), {token_id: TokenLimits(frozenset())})
        self.assertEqual(await self.store.find_limits([unlimited]), {})
        self.assertEqual(await self.store.find_limits([]), {})


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
