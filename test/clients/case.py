"""The server that clients read from, and running clients that are programs of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import psycopg2
from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

from cybertemp_imap.account import Account
from cybertemp_imap.auth import Realm, TokenChecker
from cybertemp_imap.demo.account import USER
from cybertemp_imap.demo.loader import prepare
from cybertemp_imap.protocol.factory import ImapFactory
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.protocol.server import ImapServer
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.upkeep import Upkeep
from test.clients.expected import ExpectedMessage, expected_mailboxes
from test.postgres import create_database, drop_database

_DELIVER = """
    INSERT INTO public.emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, "timestamp")
    VALUES (%s, 'INBOX', %s, 'Hello', %s, %s, '{}', now()) RETURNING id
"""

T = TypeVar("T")

tcp = cast(IReactorTCP, reactor)

CLIENT_TIMEOUT = 45
"""Seconds after which a client is taken to hang."""


class WatchedServer(ImapServer):
    """A connection whose end can be waited for."""

    factory: WatchedFactory

    def connectionMade(self) -> None:
        """Note the connection."""
        self.factory.connections.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Forget the connection."""
        super().connectionLost(reason)
        self.factory.connections.discard(self)
        self.factory.look()


class WatchedFactory(ImapFactory):
    """Serves as usual, and knows the open connections."""

    protocol = WatchedServer

    def __init__(self, portal: Portal, limits: Limits) -> None:
        super().__init__(portal, limits)
        self.connections: set[WatchedServer] = set()
        self._empty: Deferred[None] | None = None

    def end(self) -> Deferred[None]:
        """Close what clients left open; returns when no connection is there."""
        self._empty = Deferred()
        for connection in list(self.connections):
            connection.transport.abortConnection()
        ended = self._empty
        self.look()
        return ended

    def look(self) -> None:
        """Tell who waits when the last connection has gone."""
        if self._empty is not None and not self.connections:
            waiting, self._empty = self._empty, None
            waiting.callback(None)


class ClientTestCase(TestCase):
    """The demonstration's mail on a PostgreSQL database of its own, served on a port of the loopback interface.

    :ivar mailboxes: what a client has to find, by the mailbox's name.
    :ivar folder: a folder of the test's, and the home folder of the programs it runs.
    """

    timeout = 2 * CLIENT_TIMEOUT
    factory: WatchedFactory
    program: str | None = None
    """The client, where it is a program that a machine may lack."""

    user = USER

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server."""
        if self.program is not None and shutil.which(self.program) is None:
            raise SkipTest(f"{self.program} is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="imap-client-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        token = prepare(self.dsn, self.folder)
        assert token is not None
        self.token = token
        self.mailboxes = expected_mailboxes(self.dsn)
        self.port = await self.serve()

    async def serve(self, *, listen: bool = True, poll_interval: float = 60.0, **options: Any) -> int:
        """Start a server over the test's database and return its port; ``listen``: whether it hears notifications.

        ``options`` are those of the store.
        """
        store = PostgresStore(self.dsn, **{"pool_size": 4, **options})
        if not listen:
            store._listener.start = lambda: None  # type: ignore[method-assign]
        shared = SharedMailboxes(store)
        upkeep = Upkeep(store, shared, poll_interval, reactor)
        await upkeep.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(upkeep.stop()))
        portal = Portal(Realm(lambda identity: Account(identity, shared)), [TokenChecker(store)])
        factory = self.factory = WatchedFactory(portal, Limits(login_delay=0.1))
        self.addCleanup(factory.end)
        listening = tcp.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[arg-type]
        self.addCleanup(listening.stopListening)
        return cast(IPv4Address, listening.getHost()).port

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Do to the database what other programs do, in a transaction; return the rows. It blocks."""
        connection = psycopg2.connect(self.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def deliver(self, owner: str, subject: str, sender: str = "ada@work.example") -> str:
        """Deliver a message as the receiver does; return its id."""
        ((email,),) = self.execute(_DELIVER, owner, subject, sender, [owner])
        return str(email)

    async def run_program(
        self, *arguments: str | Path, status: int = 0, environ: Mapping[str, str] | None = None
    ) -> bytes:
        """Run a program in the test's folder and return what it prints; fail when it leaves with another status."""
        command = [str(argument) for argument in arguments]
        done = await deferToThread(_run, command, self.folder, {**environment(self.folder), **(environ or {})})
        if done.returncode != status:
            output = (done.stdout + done.stderr).decode("utf-8", "replace").replace(self.token, "…")
            self.fail(f"{arguments[0]} left with status {done.returncode}: {output[-4000:]}")
        return done.stdout

    def assert_messages(self, found: Sequence[bytes], expected: Sequence[ExpectedMessage]) -> None:
        """Messages with CRLF line ends are the expected ones, in their order, octet for octet."""
        self.assert_octets(found, [message.source for message in expected])

    def assert_octets(self, found: Sequence[bytes], expected: Sequence[bytes]) -> None:
        """Two lists of octets are equal; tells where the first difference is, as messages can be long."""
        self.assertEqual(len(found), len(expected))
        for number, (ours, theirs) in enumerate(zip(found, expected, strict=True), 1):
            if ours != theirs:
                place = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), len(ours))
                before = max(0, place - 60)
                near = f"{ours[before : place + 60]!r} instead of {theirs[before : place + 60]!r}"
                self.fail(f"message {number} differs at octet {place} of {len(theirs)}: {near}")


def in_thread(test: Callable[[Any], T]) -> Callable[[Any], Coroutine[Any, Any, T]]:
    """Make a test of a function that blocks; it runs in a thread, while the server serves."""

    async def threaded(self: Any) -> T:
        result: T = await deferToThread(test, self)
        return result

    threaded.__doc__, threaded.__name__ = test.__doc__, test.__name__
    return threaded


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a client: nobody's settings, and a home folder that is thrown away."""
    return {"HOME": str(folder), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _run(arguments: list[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        arguments,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=CLIENT_TIMEOUT,
        check=False,
    )
