"""A test with a Supabase project of its own, and a client of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from cybertemp_imap.supabase.client import SupabaseClient
from test.postgres import create_database, drop_database
from test.postgrest import KEY, Project

TOKEN = "tok-3141592653"
EMAIL = "me@example.com"


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
