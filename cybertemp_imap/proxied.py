"""Connections through a proxy that tells who the client is (the PROXY protocol, versions 1 and 2).

Twisted's wrapper greets a client before the header has come, when its address is not known yet. Here the session begins
with the header, so that every rule about addresses sees the client's.
"""

from __future__ import annotations

import struct
from typing import Any, ClassVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress, ITransport
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.protocols.haproxy._wrapper import HAProxyProtocolWrapper, HAProxyWrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, providedBy

HEADER_TIMEOUT = 5.0
"""Seconds from the connection to the whole header, which a proxy sends at once."""

UNKNOWN = IPv4Address("TCP", "0.0.0.0", 0)
"""Who a client is that the proxy knows nothing of: nobody on this machine, and all of them together one."""

# What HAProxy sends of a client it knows nothing of; Twisted's parser wants a space behind it. It also lets errors of
# malformed headers through.
_BARE_UNKNOWN = b"PROXY UNKNOWN\r\n"


class ProxiedConnection(HAProxyProtocolWrapper):
    """Reads the header, then begins the session; without a header the connection is closed."""

    log: ClassVar[Logger] = Logger()
    factory: ProxiedFactory

    def __init__(self, factory: Any, wrappedProtocol: Any) -> None:
        self._session = wrappedProtocol
        self._rest = _Rest()
        self._begun = False
        self._timer: Any = None
        super().__init__(factory, self._rest)

    def makeConnection(self, transport: ITransport) -> None:
        """Wait for the header."""
        directlyProvides(self, providedBy(transport))
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)
        self._timer = self.factory.reactor.callLater(HEADER_TIMEOUT, self._too_late)

    def dataReceived(self, data: bytes) -> None:
        """Take octets, of the header first."""
        if not self._begun and data.startswith(_BARE_UNKNOWN):
            data = _BARE_UNKNOWN.replace(b"\r", b" \r") + data[len(_BARE_UNKNOWN) :]
        try:
            super().dataReceived(data)
        except (ValueError, KeyError, struct.error):
            if self._begun:
                raise
            self.loseConnection()
        if not self._begun and self._proxyInfo is not None:
            self._stop_timer()
            self._begun = True
            self.wrappedProtocol = self._session
            self._session.makeConnection(self)
            if self._rest.octets:
                self._session.dataReceived(bytes(self._rest.octets))

    def getPeer(self) -> IAddress:
        """Return the client's address."""
        source = self._proxyInfo.source if self._proxyInfo is not None else None
        return source if isinstance(source, IPv4Address | IPv6Address) else UNKNOWN

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Tell the session, if it had begun."""
        self._stop_timer()
        if not self._begun:
            self.log.debug("A connection without a PROXY header was closed.")
        super().connectionLost(reason)

    def _too_late(self) -> None:
        self._timer = None
        self.transport.abortConnection()  # type: ignore[union-attr]

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class ProxiedFactory(HAProxyWrappingFactory):
    """Adds the PROXY protocol to the connections of a factory."""

    protocol = ProxiedConnection
    noisy = False

    def __init__(self, wrapped: Any, reactor: Any) -> None:
        super().__init__(wrapped)
        self.reactor = reactor

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the protocol of a new connection, None when the factory wants none."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


class _Rest(Protocol):
    """Keeps what came behind the header until the session begins."""

    def __init__(self) -> None:
        self.octets = bytearray()

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.octets += data
