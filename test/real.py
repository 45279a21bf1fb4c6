"""A server with real ports, over a store in memory."""

from __future__ import annotations

from typing import Any, cast

from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from cybertemp_imap.account import Account
from cybertemp_imap.auth import Realm, TokenChecker
from cybertemp_imap.config import Settings
from cybertemp_imap.listening import Places
from cybertemp_imap.protocol.factory import ImapFactory
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.protocol.server import ImapServer
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.memory import MemoryStore
from test.wire import MINE, TOKEN, USER


class RealServer:
    """Serves one account, and one address of it, where settings say; ``limits`` are those of its connections."""

    def __init__(self, **limits: Any) -> None:
        self.store = MemoryStore()
        user = self.store.add_user(USER)
        self.store.add_token(user, TOKEN)
        self.store.add_address(user, MINE)
        mailboxes = SharedMailboxes(self.store)
        portal = Portal(Realm(lambda identity: Account(identity, mailboxes)), [TokenChecker(self.store)])
        self.sessions: list[Any] = []
        self.factory = _Watched(portal, Limits(**{"login_delay": 0.0, **limits}))
        self.factory.made = self.sessions
        self.places: list[Places] = []
        self._ports: list[IListeningPort] = []

    async def listen(self, **settings: Any) -> list[int]:
        """Listen where these settings say, and return the ports."""
        places = Places(Settings(**{"bind": None, **settings}), reactor)
        self.places.append(places)
        self.factory.certificate = places.starttls
        found = [await place.listen(cast(Factory, self.factory)) for place in places.all]
        self._ports += found
        return [cast(Any, port.getHost()).port for port in found]

    async def stop(self) -> None:
        """Close everything."""
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        for session in self.sessions:
            if not session.over:
                session.transport.abortConnection()
        while not all(session.over for session in self.sessions):
            await deferLater(cast(IReactorTime, reactor), 0.01)


class _WatchedServer(ImapServer):
    over = True

    def connectionMade(self) -> None:
        """Note that it has begun."""
        self.over = False
        super().connectionMade()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Note that it is over."""
        super().connectionLost(reason)
        self.over = True


class _Watched(ImapFactory):
    protocol = _WatchedServer
    made: list[Any]

    def buildProtocol(self, addr: Any) -> Any:
        """Note the session."""
        session = super().buildProtocol(addr)
        self.made.append(session)
        return session
