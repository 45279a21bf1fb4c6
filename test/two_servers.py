"""Two servers over one database, with nothing else in common, and accounts for tests to use them."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID, uuid4

import psycopg2
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from cybertemp_imap.store.interface import MailboxRef
from cybertemp_imap.store.postgres import PostgresStore
from test.clients.case import ClientTestCase
from test.mail_truth import Tables
from test.postgres import create_database, drop_database
from test.replaying import Session

T = TypeVar("T")

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
    store: PostgresStore

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

    def changed(self, mailbox: int, since: int) -> dict[int, int]:
        """Return the mod-sequences, by UID, of messages that the store says to have changed; blocks."""
        states = waited_for(self.store.changes(MailboxRef(self.user, mailbox), since, 0, 1_000_000))
        return {state.uid: state.mod_seq for state in states}

    def expunged(self, mailbox: int, since: int) -> set[int]:
        """Return the UIDs that the store says to have been expunged since a mod-sequence; blocks."""
        uids = waited_for(self.store.expunged_since(MailboxRef(self.user, mailbox), since))
        assert uids is not None, "the store has forgotten what was expunged"
        return set(uids)


def waited_for(work: Coroutine[Any, Any, T]) -> T:
    """Do work in the reactor's thread, from another one, and wait for its end."""
    result: T = blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(work))  # type: ignore[arg-type]
    return result


class TwoServersTestCase(ClientTestCase):
    """Two servers in this process, wired as the service does."""

    timeout = 1800

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the servers; there is no mail."""
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        self.ports = (await self.serve(), await self.serve())
        self.store = PostgresStore(self.dsn, pool_size=1)
        await self.store.pool.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))

    def account(self, *words: str) -> Owner:
        """Make an account that has these addresses; blocks."""
        number = next(_numbers)
        email = f"user{number}@example.com"
        owner = Owner(self.dsn, self.ports, uuid4(), email, secrets.token_hex(8), number, self.store)
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
