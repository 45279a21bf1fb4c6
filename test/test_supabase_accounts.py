"""Logging in with accounts of a Supabase project, as projects really are."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from twisted.internet.defer import Deferred

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store.values import LoginRecord
from cybertemp_imap.supabase import accounts as accounts_module
from cybertemp_imap.supabase.accounts import SupabaseAccounts
from cybertemp_imap.supabase.rows import Row, WrongRow
from test.postgrest import AWAY, Fault
from test.postgrest_tables import Reply
from test.supabase_case import EMAIL, JSON, TOKEN, ClientTestCase

EXPIRES = datetime(2100, 1, 1, tzinfo=UTC)


class AccountsTestCase(ClientTestCase):
    """An account with a token."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Make what logs in."""
        await super().setUp()
        self.quick()
        self.accounts = SupabaseAccounts(self.supabase)

    def drop_emails(self) -> None:
        """Have ``users`` as Supabase's own guide makes it: the address is in the auth service alone."""
        self.project.execute("ALTER TABLE users DROP COLUMN email")

    def add_auth_user(self, user: UUID, email: str | None = EMAIL) -> None:
        """Add an account to the auth service."""
        self.project.execute("INSERT INTO auth.users VALUES (%s, %s)", str(user), email)

    def record(self, email: str = EMAIL, status: str | None = "active") -> LoginRecord:
        """Return what is to be found."""
        return LoginRecord(self.token_id, self.user, email, EXPIRES, status, None)

    def paths(self) -> list[str]:
        """Return what was asked since the last time."""
        paths = [seen.path for seen in self.project.seen]
        self.project.seen.clear()
        return paths


class EmailTests(AccountsTestCase):
    """Where an account's address is."""

    async def test_in_users(self) -> None:
        """An address in ``users`` is taken, and the auth service not asked."""
        self.add_auth_user(self.user, "other@example.com")
        self.assertEqual(await self.accounts.find_login(TOKEN), self.record())
        self.assertEqual(self.paths(), ["/rest/v1/imap_tokens", "/rest/v1/users"])

    async def test_empty_in_users(self) -> None:
        """An empty one is not: the auth service's is taken."""
        self.add_auth_user(self.user)
        self.project.execute("UPDATE users SET email = ''")
        self.assertEqual(await self.accounts.find_login(TOKEN), self.record())

    async def test_no_such_column(self) -> None:
        """Where ``users`` has no address, the auth service has; once that is known, both are asked at the same time."""
        self.drop_emails()
        self.add_auth_user(self.user)
        auth = f"/auth/v1/admin/users/{self.user}"
        for _ in range(2):
            self.assertEqual(await self.accounts.find_login(TOKEN), self.record())
            self.assertEqual(sorted(self.paths()), [auth, "/rest/v1/imap_tokens", "/rest/v1/users"])
        self.project.fail(Fault(), faulty="/rest/v1/users", times=1)
        logging_in = Deferred.fromCoroutine(self.accounts.find_login(TOKEN))
        await self.project.until_seen(3)
        self.assertEqual(sorted(self.paths()), [auth, "/rest/v1/imap_tokens", "/rest/v1/users"])
        logging_in.cancel()
        await logging_in.addErrback(lambda failure: None)

    async def test_no_row(self) -> None:
        """An account without a row in ``users`` has the auth service's address, and no subscription."""
        self.add_auth_user(self.user)
        self.project.execute("DELETE FROM users")
        self.assertEqual(await self.accounts.find_login(TOKEN), self.record(status=None))

    async def test_nobody_knows(self) -> None:
        """An account whose address nobody knows cannot be logged in to."""
        self.project.execute("DELETE FROM users")
        self.assertIsNone(await self.accounts.find_login(TOKEN))
        self.add_auth_user(self.user, None)
        self.assertIsNone(await self.accounts.find_login(TOKEN))
        self.assertEqual(list(await self.accounts.find_logins([self.token_id])), [])

    async def test_remembered(self) -> None:
        """Sessions that are looked up again and again do not ask the auth service again and again."""
        self.drop_emails()
        self.add_auth_user(self.user)
        for _ in range(3):
            self.assertEqual(list(await self.accounts.find_logins([self.token_id])), [self.record()])
        self.assertEqual(sum("auth" in path for path in self.paths()), 1)
        self.patch(accounts_module, "EMAILS_REMEMBERED", 0)
        self.accounts._emails.clear()
        for _ in range(2):
            self.assertEqual(list(await self.accounts.find_logins([self.token_id])), [self.record()])
        self.assertEqual(sum("auth" in path for path in self.paths()), 2)


class ManyTests(AccountsTestCase):
    """Many tokens at once."""

    async def test_many(self) -> None:
        """However many tokens there are, all are found, in requests that proxies take."""
        statement = """
            WITH made AS (INSERT INTO users (email, subscription_status)
                          SELECT 'u' || n || '@example.com', 'active' FROM generate_series(1, 450) n RETURNING id)
            INSERT INTO imap_tokens (user_id, token, expires_at)
            SELECT id, id::text, '2100-01-01' FROM made RETURNING id::text
        """
        ids = [UUID(added) for (added,) in self.project.execute(statement)]
        found = await self.accounts.find_logins([*ids, self.token_id, uuid4()])
        self.assertEqual({record.token_id for record in found}, {*ids, self.token_id})
        self.assertEqual(len({record.email for record in found}), 451)
        self.assertLess(max(len(seen.query) for seen in self.project.seen), 8000)


class LyingTests(AccountsTestCase):
    """A service that fails in the middle, or answers what was not asked."""

    async def test_unavailable(self) -> None:
        """Whichever part fails, the login does not fail but is unavailable."""
        self.drop_emails()
        self.add_auth_user(self.user)
        for faulty in ("/rest/v1/imap_tokens", "/rest/v1/users", "/auth"):
            for fault in (AWAY, Fault(Reply(401, b"{}", JSON)), Fault(Reply(200, b"{}", JSON))):
                self.project.fail(fault, faulty)
                with self.assertRaises(StoreUnavailable):
                    await self.accounts.find_login(TOKEN)
                self.accounts._emails.clear()
                with self.assertRaises(StoreUnavailable):
                    await self.accounts.find_logins([self.token_id])

    async def test_another_token(self) -> None:
        """A row of another token lets nobody in."""
        row = f'[{{"id": "{self.token_id}", "user_id": "{self.user}", "token": "other", "expires_at": null}}]'
        self.project.fail(Fault(Reply(200, row.encode(), JSON)), "/rest/v1/imap_tokens")
        self.assertIsNone(await self.accounts.find_login(TOKEN))

    async def test_another_user(self) -> None:
        """Neither does a row of another account."""
        row = f'[{{"id": "{uuid4()}", "email": "{EMAIL}", "subscription_status": "active"}}]'
        self.project.fail(Fault(Reply(200, row.encode(), JSON)), "/rest/v1/users")
        self.assertIsNone(await self.accounts.find_login(TOKEN))


class RowTests(AccountsTestCase):
    """Typed reading."""

    def test_moments(self) -> None:
        """Times as PostgreSQL makes JSON of them; one that cannot be printed becomes the nearest that can."""
        for text, expected in (
            ("2026-03-01T12:00:00+00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
            ("2026-03-01T12:00:00.12345+05:30", datetime(2026, 3, 1, 6, 30, 0, 123450, tzinfo=UTC)),
            ("2026-03-01T12:00:00", datetime(2026, 3, 1, 12, tzinfo=UTC)),
            ("infinity", datetime(9000, 1, 1, tzinfo=UTC)),
            ("-infinity", datetime(1000, 1, 1, tzinfo=UTC)),
            ("0044-03-15T00:00:00+00:00 BC", datetime(1000, 1, 1, tzinfo=UTC)),
            ("0001-01-01T00:00:00+14:00", datetime(1000, 1, 1, tzinfo=UTC)),
            ("9999-12-31T23:59:59-12:00", datetime(9000, 1, 1, tzinfo=UTC)),
            ("294276-12-31T23:59:59+00:00", datetime(9000, 1, 1, tzinfo=UTC)),
        ):
            self.assertEqual(Row({"at": text}).moment("at"), expected, text)
        self.assertIsNone(Row({"at": None}).moment("at"))

    def test_wrong(self) -> None:
        """What is of another type is refused; the error does not quote it."""
        for read in (
            lambda: Row([]),
            lambda: Row({"at": 1}).moment("at"),
            lambda: Row({"at": TOKEN}).moment("at"),
            lambda: Row({"id": TOKEN}).uuid("id"),
            lambda: Row({"id": 7}).uuid("id"),
            lambda: Row({}).uuid("id"),
            lambda: Row({"id": True}).key("id"),
            lambda: Row({"a": "true"}).boolean("a"),
            lambda: Row({"a": {"b": TOKEN}}).text("a"),
        ):
            error = self.assertRaises(WrongRow, read)
            self.assertNotIn(TOKEN, str(error))
