"""A server of ours, a way to PostgreSQL that can be broken, and a PostgreSQL that can be killed."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import psycopg2
from psycopg2.extensions import parse_dsn
from twisted.internet import reactor

from test.clients.case import ClientTestCase
from test.database_proxy import DatabaseProxy
from test.mortal_postgres import MortalPostgres
from test.reactor_clock import ReactorClock
from test.replaying import HungUp, Session

WAIT = 1.0
"""Seconds that commands of these tests wait for a connection, unless a test says otherwise."""

LONGEST_PAUSE = 0.1
"""Seconds for which the reactor may do one thing, whatever goes wrong."""

LETTER = "Subject: {}\r\n\r\nHello\r\n"

ADDRESS = "me@example.com"

_ACCOUNT = """
    WITH added AS (
        INSERT INTO users (id, email, subscription_status) VALUES (gen_random_uuid(), %(email)s, 'active') RETURNING id
    ), token AS (
        INSERT INTO imap_tokens (user_id, token, expires_at) SELECT id, %(token)s, now() + interval '1 day' FROM added
    )
    INSERT INTO inbox (email_address, user_id) SELECT %(address)s, id FROM added
"""
_DELIVER = """
    INSERT INTO emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, timestamp)
    VALUES (%s, 'INBOX', %s, 'Hello', 'a@b.example', '{}', now())
"""

_servers: list[MortalPostgres] = []


def mortal_postgres() -> MortalPostgres:
    """Return the one of this process; each test that has ended it starts it again."""
    if not _servers:
        server = MortalPostgres()
        _servers.append(server)
        atexit.register(server.remove)
        server.start()
    if not _servers[0].running:
        # A test that failed half-way must not have all others fail.
        _servers[0].start_again()
    return _servers[0]


class FaultTestCase(ClientTestCase):
    """An account with one address, in a database of the test's."""

    timeout = 90
    user = "user@example.com"
    token = "s3cret-token"
    options: ClassVar[dict[str, Any]] = {"acquire_timeout": WAIT}
    """Of the store."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start all three."""
        self.folder = Path(tempfile.mkdtemp(prefix="imap-fault-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.postgres = self.choose_postgres()
        self.direct = self.postgres.create()
        self.proxy = DatabaseProxy(self.direct)
        self.addCleanup(self.proxy.close)
        self.addCleanup(self._drop)
        self._add_account()
        self.dsn = await self.reach()
        self.port = await self.serve(**self.options)
        self.clock = ReactorClock(reactor)
        self.addCleanup(self._check_clock)
        self.clock.begin()

    def choose_postgres(self) -> MortalPostgres:
        """Return a PostgreSQL that runs."""
        return mortal_postgres()

    def _check_clock(self) -> None:
        """Check that nothing has held the reactor up."""
        self.clock.end()
        self.assertLess(self.clock.longest, LONGEST_PAUSE)

    async def reach(self) -> str:
        """Return the connection string that the server is to have."""
        return self.proxy.dsn

    def _drop(self) -> None:
        """Remove the database, from the server that there is after a test that has ended it."""
        if self.postgres.running:
            name = parse_dsn(self.direct)["dbname"]
            self.postgres.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _add_account(self) -> None:
        connection = psycopg2.connect(self.direct)
        with connection, connection.cursor() as cursor:
            cursor.execute(_ACCOUNT, {"email": self.user, "token": self.token, "address": ADDRESS})
        connection.close()

    def deliver_here(self, subject: str) -> None:
        """Deliver a message to the account's address, not by way of the proxy."""
        connection = psycopg2.connect(self.direct)
        with connection, connection.cursor() as cursor:
            cursor.execute(_DELIVER, (ADDRESS, subject))
        connection.close()

    def session(self, mailbox: str = "Drafts") -> Session:
        """Log in and open a mailbox."""
        session = Session(self.port, self.user, self.token)
        self.addCleanup(session.close)
        assert session.select(mailbox)
        return session

    def append(self, session: Session, subject: str, mailbox: str = "Drafts", size: int = 0) -> Any:
        """Append a message, and return the answer."""
        message = LETTER.format(subject) + "x" * size
        return session.command(f"APPEND {mailbox} {{{len(message)}+}}\r\n{message}")

    def unavailable(self, answer: Any) -> None:
        """Check that a command was refused because there is no database."""
        self.assertEqual((answer.status, answer.code), ("NO", "UNAVAILABLE"), answer.tagged.raw)

    def eventually(self, session: Session, command: str) -> Any:
        """Give a command until it is not refused because there is no database."""
        while True:
            answer = session.command(command)
            if answer.status == "OK":
                return answer
            self.unavailable(answer)

    def subjects(self, mailbox: str) -> list[str]:
        """Return the subjects of all messages of a mailbox, as a new session sees them."""
        session = self.session(mailbox)
        session.learn()
        return [subject for subject, _ in session.contents.values()]

    def hung_up(self, session: Session, tag: bytes) -> str:
        """Return what a command's session was told before it was closed, in place of an answer."""
        try:
            answer = session.answer(tag)
        except HungUp as end:
            return str(end)
        raise AssertionError(f"it was answered {answer.tagged.raw!r}")
