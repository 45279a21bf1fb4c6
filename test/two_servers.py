"""Two servers over one database, with nothing else in common, and accounts for tests to use them."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import psycopg2
import psycopg2.extras

from test.clients.case import ClientTestCase
from test.mail_truth import Tables
from test.postgres import create_database, drop_database
from test.replaying import Session

_numbers = itertools.count(1)


_ACCOUNT = "INSERT INTO users (id, email, subscription_status) VALUES (%s, %s, 'active')"
_TOKEN = """
    INSERT INTO imap_tokens (id, user_id, token, expires_at) VALUES (%s, %s, %s, now() + interval '1 day')
"""
_LIMIT = "INSERT INTO imap.token_limit (token_id, addresses, read_only) VALUES (%s, %s, %s)"
_DOMAIN = """
    INSERT INTO domains (domain, active, cloudflare_domain) SELECT 'example.com', true, true
    WHERE NOT EXISTS (SELECT 1 FROM domains)
"""


@dataclass(frozen=True)
class Owner:
    """An account of its own with its addresses: what is done to it is nobody else's.

    ``limited`` is a token that reaches the first address alone, ``reading`` one that changes nothing.
    """

    dsn: str
    ports: tuple[int, ...]
    user: UUID
    email: str
    number: int
    words: tuple[str, ...]
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    limited: str = field(default_factory=lambda: secrets.token_hex(8))
    reading: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def account(self) -> str:
        """The owner of the account's own folders."""
        return f"account:{self.user}"

    @property
    def reach(self) -> frozenset[str]:
        """What the limited token reaches."""
        return frozenset([self.address(self.words[0])])

    def address(self, word: str) -> str:
        """Return an address that no other account has."""
        return f"{word}{self.number}@example.com"

    def session(self, server: int, *enabling: str) -> Session:
        """Log in to one of the servers, and enable extensions."""
        return Session(self.ports[server], self.email, self.token, *enabling)

    def limited_session(self, server: int, *enabling: str) -> Session:
        """Log in with the token that is limited to an address."""
        return Session(self.ports[server], self.email, self.limited, *enabling, reach=self.reach)

    def reading_session(self, server: int, *enabling: str) -> Session:
        """Log in with the token that is for reading only."""
        return Session(self.ports[server], self.email, self.reading, *enabling, reads_only=True)

    def tables(self) -> Tables:
        """Return another program's connection to the database."""
        return Tables(self.dsn, self.user)

    def make(self) -> None:
        """Write the account's rows; blocks."""
        psycopg2.extras.register_uuid()
        tokens = {token: uuid4() for token in (self.token, self.limited, self.reading)}
        connection = psycopg2.connect(self.dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(_DOMAIN)
            cursor.execute(_ACCOUNT, (self.user, self.email))
            for token, number in tokens.items():
                cursor.execute(_TOKEN, (number, self.user, token))
            cursor.execute(_LIMIT, (tokens[self.limited], list(self.reach), False))
            cursor.execute(_LIMIT, (tokens[self.reading], None, True))
            for word in self.words:
                row = (self.address(word), self.user)
                cursor.execute("INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)", row)
        connection.close()


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
        number = next(_numbers)
        owner = Owner(self.dsn, self.ports, uuid4(), f"user{number}@example.com", number, words)
        owner.make()
        return owner
