"""Two servers over one database, with nothing else in common, and accounts for tests to use them."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg2

from test.clients.case import ClientTestCase
from test.mail_truth import Tables
from test.postgres import create_database, drop_database
from test.replaying import Session

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Owner:
    """An account of its own with its addresses: what is done to it is nobody else's."""

    dsn: str
    ports: tuple[int, ...]
    user: UUID
    email: str
    token: str
    number: int

    @property
    def account(self) -> str:
        """The owner of the account's own folders."""
        return f"account:{self.user}"

    def address(self, word: str) -> str:
        """Return an address that no other account has."""
        return f"{word}{self.number}@example.com"

    def session(self, server: int) -> Session:
        """Log in to one of the servers."""
        return Session(self.ports[server], self.email, self.token)

    def tables(self) -> Tables:
        """Return another program's connection to the database."""
        return Tables(self.dsn, self.user)


class TwoServersTestCase(ClientTestCase):
    """Two servers in this process, wired as the service does."""

    timeout = 1800

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the servers; there is no mail."""
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        self.ports = (await self.serve(), await self.serve())

    def account(self, *words: str) -> Owner:
        """Make an account that has these addresses; blocks."""
        owner = Owner(self.dsn, self.ports, uuid4(), "", secrets.token_hex(8), next(_numbers))
        owner = Owner(self.dsn, self.ports, owner.user, owner.address("user"), owner.token, owner.number)
        with psycopg2.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO users (id, email, subscription_status) VALUES (%s, %s, 'active')",
                (str(owner.user), owner.email),
            )
            cursor.execute(
                "INSERT INTO imap_tokens (user_id, token, expires_at) VALUES (%s, %s, now() + interval '1 day')",
                (str(owner.user), owner.token),
            )
            for word in words:
                cursor.execute(
                    "INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)", (owner.address(word), str(owner.user))
                )
        connection.close()
        return owner
