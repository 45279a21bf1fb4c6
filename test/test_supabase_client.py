"""The client of a Supabase project: what it asks, and what it makes of a service that is slow, fails or lies."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.supabase import exchange, filters
from cybertemp_imap.supabase.breaker import LONGEST_PAUSE, THRESHOLD, Breaker
from test.postgrest import KEY, Fault
from test.postgrest_tables import Reply, error_reply
from test.supabase_case import EMAIL, JSON, TOKEN, ClientTestCase, SupabaseTestCase

MANY = "INSERT INTO bans (scope, value) SELECT 'sender', n::text FROM generate_series(1, %s) n"


class AskingTests(ClientTestCase):
    """What goes out."""

    async def test_headers(self) -> None:
        """The key is in both headers that Supabase looks at."""
        self.assertEqual(await self.ask(), [TOKEN])
        (seen,) = self.project.seen
        self.assertEqual((seen.method, seen.path), ("GET", "/rest/v1/imap_tokens"))
        self.assertEqual((seen.headers["apikey"], seen.headers["authorization"]), (KEY, f"Bearer {KEY}"))

    async def test_update(self) -> None:
        """An update changes what it names, and asks for nothing back."""
        conditions = [filters.eq("id", self.token_id)]
        await self.supabase.update("imap_tokens", conditions, {"token": "other"})
        self.assertEqual(self.project.seen[0].headers["prefer"], "return=minimal")
        self.assertEqual(self.project.execute("SELECT token FROM imap_tokens"), [("other",)])
        refused = Deferred.fromCoroutine(self.supabase.update("imap_tokens", [], {"token": "x"}))
        self.failureResultOf(refused, ValueError)

    async def test_auth_user(self) -> None:
        """An account of the auth service, one that is not there, and an answer that only looks like the latter."""
        self.project.execute("INSERT INTO auth.users VALUES (%s, %s)", str(self.user), EMAIL)
        read = lambda row: row.text("email")  # noqa: E731
        self.assertEqual(await self.supabase.auth_user(self.user, read), EMAIL)
        self.assertIsNone(await self.supabase.auth_user(uuid4(), read))
        self.quick()
        self.project.fail(Fault(error_reply(404, message="no Route matched with those values")))
        with self.assertRaises(StoreUnavailable):
            await self.supabase.auth_user(self.user, read)

    async def test_connections_kept(self) -> None:
        """Requests one after the other use one connection; many at once use no more than are allowed."""
        for _ in range(5):
            await self.ask()
        self.assertEqual(self.project.connections, 1)
        asking = [Deferred.fromCoroutine(self.ask()) for _ in range(4 * exchange.CONNECTIONS)]
        for asked in asking:
            self.assertEqual(await asked, [TOKEN])
        self.assertLessEqual(self.project.connections, exchange.CONNECTIONS)

    async def test_no_secret_in_repr(self) -> None:
        """The key is in no repr."""
        self.assertNotIn(KEY, repr(self.supabase))


class PageTests(SupabaseTestCase):
    """More rows than a page holds."""

    async def numbers(self) -> list[str | None]:
        """Return the values of all bans."""
        return await self.supabase.all_rows("bans", ("value",), (), lambda row: row.text("value"))

    async def test_all_rows(self) -> None:
        """All rows are read once, however they are spread over pages, by no more requests than pages."""
        for count, pages in ((0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (2500, 3)):
            self.project.execute("TRUNCATE bans")
            self.project.execute(MANY, count)
            self.project.seen.clear()
            found = await self.numbers()
            self.assertEqual(sorted(map(int, map(str, found))), list(range(1, count + 1)))
            self.assertEqual(len(self.project.seen), pages, count)

    async def test_smaller_pages(self) -> None:
        """A project may be set to give fewer rows at a time."""
        self.project.tables.max_rows = 7
        self.project.execute(MANY, 30)
        self.assertEqual(len(set(await self.numbers())), 30)

    async def test_rows_that_come_and_go(self) -> None:
        """Rows that come and go between two pages make no other row be missed or read twice."""
        self.project.tables.max_rows = 10
        self.project.execute(MANY, 35)
        stay = {value for (value,) in self.project.execute("SELECT value FROM bans ORDER BY id OFFSET 3")}
        meet = self.project.meet

        def change(request: Any) -> None:
            if len(self.project.seen) == 1:
                self.project.execute("DELETE FROM bans WHERE value IN (SELECT value FROM bans ORDER BY id LIMIT 3)")
                self.project.execute("INSERT INTO bans (id, scope, value) VALUES (%s, 'sender', '0')", str(UUID(int=1)))
            meet(request)

        self.project.meet = change  # type: ignore[method-assign]
        found = await self.numbers()
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(stay, set(map(str, found)))

    async def test_no_total(self) -> None:
        """Without a total, pages are read until one is empty; the same page for ever is noticed."""
        rows = [{"id": 1, "value": "a"}, {"id": 2, "value": "b"}]
        pages = [Reply(200, json.dumps(rows[:1]).encode(), JSON), Reply(200, json.dumps(rows[1:]).encode(), JSON)]
        for page in (*pages, Reply(200, b"[]", JSON)):
            self.project.next_replies.append(page)
        self.assertEqual(await self.numbers(), ["a", "b"])
        self.project.fail(Fault(pages[0]))
        with self.assertRaises(StoreUnavailable):
            await self.numbers()


class BreakerTests(SynchronousTestCase):
    """The circuit breaker."""

    def setUp(self) -> None:
        """Make one, with a clock."""
        self.clock = Clock()
        self.breaker = Breaker(self.clock.seconds, lambda: 1.0)

    def fail_often(self) -> None:
        """Have it open."""
        told = [self.breaker.failed() for _ in range(THRESHOLD)]
        self.assertEqual(told, [False] * (THRESHOLD - 1) + [True])

    def test_closed(self) -> None:
        """Failures that are not in a row do not open it."""
        for _ in range(3):
            for _ in range(THRESHOLD - 1):
                self.breaker.failed()
            self.assertTrue(self.breaker.admits())
            self.assertFalse(self.breaker.succeeded())

    def test_half_open(self) -> None:
        """After the pause a single request is admitted; what becomes of it decides."""
        self.fail_often()
        self.assertFalse(self.breaker.admits())
        self.clock.advance(1)
        self.assertEqual([self.breaker.admits() for _ in range(3)], [True, False, False])
        self.breaker.abandoned()
        self.assertTrue(self.breaker.admits())
        self.assertTrue(self.breaker.succeeded())
        self.assertTrue(self.breaker.admits())

    def test_pauses(self) -> None:
        """Each trial that fails doubles the pause, up to the longest; success makes it short again."""
        self.fail_often()
        for pause in (1, 2, 4, 8, LONGEST_PAUSE, LONGEST_PAUSE):
            self.clock.advance(pause - 0.1)
            self.assertFalse(self.breaker.admits())
            self.clock.advance(0.1)
            self.assertTrue(self.breaker.admits())
            self.assertFalse(self.breaker.failed())
        self.clock.advance(LONGEST_PAUSE)
        self.assertTrue(self.breaker.admits())
        self.assertTrue(self.breaker.succeeded())
        self.fail_often()
        self.clock.advance(1)
        self.assertTrue(self.breaker.admits())

    def test_late_failures(self) -> None:
        """Requests sent before it opened, and failing after, do not make the pause longer."""
        self.fail_often()
        for _ in range(10):
            self.assertFalse(self.breaker.failed())
        self.clock.advance(1)
        self.assertTrue(self.breaker.admits())
