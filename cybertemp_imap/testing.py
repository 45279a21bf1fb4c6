"""A real IMAP server over a store in memory, for tests of programs that read mail.

In a program without Twisted, such as one tested by pytest, it runs in a thread::

    with serving() as server:
        server.deliver(server.address, subject="Your code", body="It is 123456.")
        client = IMAPClient(server.host, server.port, ssl=False)
        client.login(server.user, server.token)

In a program that runs Twisted's reactor itself, :class:`MemoryServer` is started and stopped in it::

    async with MemoryServer() as server:
        ...

There is no TLS, and nothing listens but on the loopback. Failed logins are answered at once. Whatever else there is to
be set up (limited tokens, bans, subscriptions) the store has: see :class:`cybertemp_imap.store.memory.MemoryStore`.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID, uuid4

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import blockingCallFromThread

from cybertemp_imap.account import watched_realm
from cybertemp_imap.auth import TokenChecker
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.protocol.factory import ImapFactory
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.watch import SessionWatch

__all__ = ["MemoryServer", "MemoryStore", "ServerThread", "serving"]

USER = "me@example.com"
ADDRESS = "box@example.com"
SENDER = "sender@example.net"
HOST = "127.0.0.1"

_PLENTY = {
    "login_delay": 0.0,
    "login_wait": 0.0,
    "ip_connections": 10_000,
    "user_connections": 10_000,
    "ip_failures": 100_000,
    "account_failures": 100_000,
}
"""Limits that would be in the way of a test."""

_LAST = 1.0
"""Seconds that a command in hand has when the server stops."""

T = TypeVar("T")


class MemoryServer:
    """A server in a reactor that somebody else runs, with one account to begin with.

    :ivar store: the store; mail can be put into it, and looked at, at any time.
    :ivar user: the account's e-mail address, which is the user name.
    :ivar token: its token, which is the password.
    :ivar address: the first of its addresses.
    :ivar port: where it listens; 0 until it does.
    """

    host = HOST

    def __init__(
        self,
        user: str = USER,
        token: str | None = None,
        addresses: Sequence[str] = (ADDRESS,),
        *,
        reactor: Any = None,
        **limits: Any,
    ) -> None:
        """``limits`` are those of :class:`cybertemp_imap.protocol.limits.Limits`, without most of which it is here."""
        if reactor is None:
            from twisted.internet import reactor
        self._reactor = reactor
        self.store = MemoryStore()
        self.user = user
        self.token = self.add_account(user, addresses, token)
        self.address = addresses[0] if addresses else ""
        self.port = 0
        # No mailbox rests: a timer would outlive the test.
        mailboxes = SharedMailboxes(self.store, lambda _, call: reactor.callLater(0, call))
        realm = watched_realm(SessionWatch(self.store), mailboxes)
        portal = Portal(realm, [TokenChecker(self.store, reactor=reactor)])
        self._factory = ImapFactory(portal, Limits(**{**_PLENTY, **limits}), reactor=reactor)
        self._listening: IListeningPort | None = None

    def add_account(self, user: str, addresses: Sequence[str] = (), token: str | None = None) -> str:
        """Add an account that owns these addresses, and return its token, a random one unless one is given."""
        token = token or secrets.token_urlsafe(12)
        user_id = self.store.add_user(user)
        self.store.add_token(user_id, token)
        for address in addresses:
            self.store.add_address(user_id, address)
        return token

    def deliver(
        self,
        address: str,
        subject: str = "",
        body: str = "",
        *,
        html: str | None = None,
        sender: str = SENDER,
        source: bytes | None = None,
    ) -> UUID:
        """Deliver a message as the mail receiver does, and return its id; idling clients are told at once.

        ``source``, when given, is the message itself, which clients get octet for octet.
        """
        now = datetime.now(UTC)
        row = EmailRow(uuid4(), address, "INBOX", subject, body, html, sender, (address,), now, now, source=source)
        self.store.deliver(row)
        return row.id

    async def start(self) -> None:
        """Listen on a free port."""
        endpoint = TCP4ServerEndpoint(self._reactor, 0, interface=HOST)
        listening: Any = await endpoint.listen(self._factory)
        self._listening, self.port = listening, listening.getHost().port

    async def stop(self) -> None:
        """Stop listening, and end every connection."""
        listening, self._listening = self._listening, None
        if listening is not None:
            await maybeDeferred(listening.stopListening)
            await self._factory.sessions.stop(self._reactor, _LAST)

    async def __aenter__(self) -> MemoryServer:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *reason: object) -> None:
        """Stop."""
        await self.stop()


class ServerThread:
    """A :class:`MemoryServer` in a thread, with a reactor of its own, for programs that have none.

    Whatever is asked of it is done in that thread.
    """

    host = HOST

    def __init__(
        self, user: str = USER, token: str | None = None, addresses: Sequence[str] = (ADDRESS,), **limits: Any
    ) -> None:
        """Take what :class:`MemoryServer` takes."""
        from twisted.internet.selectreactor import SelectReactor

        self._reactor: Any = SelectReactor()
        self._server = MemoryServer(user, token, addresses, reactor=self._reactor, **limits)
        self._thread = threading.Thread(target=self._run, name="cybertemp-imap", daemon=True)
        self.user, self.token, self.address = user, self._server.token, self._server.address
        self.port = 0

    def _run(self) -> None:
        self._reactor.run(installSignalHandlers=False)

    def start(self) -> None:
        """Start; returns when it listens."""
        self._thread.start()
        self._wait(self._server.start)
        self.port = self._server.port

    def stop(self) -> None:
        """Stop; returns when the thread has ended."""
        self._wait(self._server.stop)
        self._reactor.callFromThread(self._reactor.stop)
        self._thread.join()

    def call(self, function: Callable[[MemoryStore], T]) -> T:
        """Return what ``function`` returns for the store: what is in it, or what is changed there."""
        result: T = blockingCallFromThread(self._reactor, function, self._server.store)
        return result

    def add_account(self, user: str, addresses: Sequence[str] = (), token: str | None = None) -> str:
        """Add an account that owns these addresses, and return its token."""
        made: str = blockingCallFromThread(self._reactor, self._server.add_account, user, addresses, token)
        return made

    def deliver(self, address: str, subject: str = "", body: str = "", **more: Any) -> UUID:
        """Deliver a message, with what :meth:`MemoryServer.deliver` takes, and return its id."""
        made: UUID = blockingCallFromThread(self._reactor, lambda: self._server.deliver(address, subject, body, **more))
        return made

    def _wait(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        def begin() -> Any:
            return Deferred.fromCoroutine(function())

        blockingCallFromThread(self._reactor, begin)


@contextmanager
def serving(
    user: str = USER, token: str | None = None, addresses: Sequence[str] = (ADDRESS,), **limits: Any
) -> Iterator[ServerThread]:
    """Have a server in a thread for as long as the context lasts; it takes what :class:`MemoryServer` takes."""
    server = ServerThread(user, token, addresses, **limits)
    server.start()
    try:
        yield server
    finally:
        server.stop()
