"""Tests with a Supabase project of their own, and a client of it."""

from __future__ import annotations

from io import StringIO
from typing import Any
from uuid import UUID, uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface import provider

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.supabase import client as client_module
from cybertemp_imap.supabase import filters
from cybertemp_imap.supabase.breaker import Breaker
from cybertemp_imap.supabase.client import SupabaseClient
from cybertemp_imap.supabase.rows import Row
from test.postgres import create_database, drop_database
from test.postgrest import KEY, Project

TOKEN = "tok-3141592653"
EMAIL = "me@example.com"
SECRET = filters.eq("token", TOKEN)
JSON = {"Content-Type": "application/json"}


class SupabaseTestCase(TestCase):
    """A project over a database of its own; :attr:`supabase` asks it."""

    timeout = 120
    request_timeout = 20.0

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the project."""
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        self.project = Project(self.dsn)
        self.project.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.project.stop()))
        self.supabase = self.client()

    def client(self, key: str = KEY, **changes: Any) -> SupabaseClient:
        """Return a client of the project."""
        given = {"timeout": self.request_timeout, "reactor": reactor, **changes}
        client = SupabaseClient(self.project.url, key, **given)
        self.addCleanup(lambda: Deferred.fromCoroutine(client.stop()))
        return client

    def add_user(self, email: str | None = EMAIL, status: str | None = "active") -> UUID:
        """Add an account to ``users``; return its id."""
        user = uuid4()
        statement = "INSERT INTO users (id, email, subscription_status) VALUES (%s, %s, %s)"
        self.project.execute(statement, str(user), email, status)
        return user

    def add_token(self, user: UUID, token: str = TOKEN, expires: str = "2100-01-01 00:00+00") -> UUID:
        """Add a token; return its id."""
        statement = "INSERT INTO imap_tokens (user_id, token, expires_at) VALUES (%s, %s, %s) RETURNING id::text"
        ((added,),) = self.project.execute(statement, str(user), token, expires)
        return UUID(added)


def text_of(row: Row) -> str | None:
    """Read what the tests ask for."""
    return row.text("token")


class ClientTestCase(SupabaseTestCase):
    """A project with a token; everything logged is looked through for secrets."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Add the token."""
        await super().setUp()
        self.user = self.add_user()
        self.token_id = self.add_token(self.user)
        self.logged = StringIO()

        @provider(ILogObserver)
        def observer(event: LogEvent) -> None:
            self.logged.write(eventAsText(event, includeTraceback=True) + "\n")
            self.logged.write(repr({key: value for key, value in event.items() if key != "log_logger"}) + "\n")

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.addCleanup(self._look_for_secrets)

    def _look_for_secrets(self) -> None:
        for secret in (KEY, TOKEN, EMAIL):
            self.assertNotIn(secret, self.logged.getvalue())

    def quick(self, **changes: Any) -> None:
        """Have no wait between repeats, and a circuit that stays closed unless a test is about it."""
        self.patch(client_module, "FIRST_RETRY", 0.0)
        self.patch(client_module, "Breaker", lambda seconds: Breaker(seconds) if changes else _Closed(seconds))
        self.supabase = self.client(**changes)

    async def ask(self) -> list[str | None]:
        """Ask for the token."""
        return await self.supabase.rows("imap_tokens", ("token",), [SECRET], text_of)

    async def unavailable(self) -> StoreUnavailable:
        """Ask for the token in vain; the error quotes nothing."""
        try:
            await self.ask()
        except StoreUnavailable as error:
            for secret in (KEY, TOKEN):
                self.assertNotIn(secret, f"{error!r} {error.__cause__!r}")
            return error
        raise AssertionError("there was an answer")


class _Closed(Breaker):
    def failed(self) -> bool:
        """Never open."""
        return False
