"""HTTP as far as this server needs it: short requests, bounded in everything, and answers that say no more than needed.

Nothing that a client sends is put into an answer but what a resource has checked; the ``Host`` field never is.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from cybertemp_imap.rules.origin import is_local, network_of

MAX_BODY = 16 * 1024
"""Octets of a request's body; what Outlook sends has less than one kilobyte."""

MAX_CONNECTIONS = 200
"""Connections at a time; of one more nothing is read."""

MAX_FROM_ONE = 20
"""Of them from one address, or IPv6 /64, of another machine."""

TIMEOUT = 15.0
"""Seconds that a connection may be quiet."""

LONGEST = 120.0
"""Seconds that a connection may last, however busy: what is asked here is answered at once."""

HEADERS = {
    b"Content-Security-Policy": b"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'",
    b"X-Content-Type-Options": b"nosniff",
    b"X-Frame-Options": b"DENY",
    b"Referrer-Policy": b"no-referrer",
    b"Cross-Origin-Resource-Policy": b"same-origin",
    b"Permissions-Policy": b"camera=(), geolocation=(), microphone=()",
}
"""What every answer says to browsers."""


_TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BoundedRequest(Request):
    """A request whose body has a limit."""

    _received = 0
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Refuse a body that is announced as too long, before any of it is taken."""
        if length is not None and length > MAX_BODY:
            self._too_large()
            length = 0
        super().gotLength(length)

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body; one without a length may turn out to be too long."""
        self._received += len(data)
        if self._received > MAX_BODY:
            self._too_large()
        if not self._refused:
            super().handleContentChunk(data)

    def process(self) -> None:
        """Answer, unless that was done before the body had come."""
        if not self._refused:
            super().process()

    def _too_large(self) -> None:
        if not self._refused:
            self._refused = True
            transport: Any = self.channel.transport
            transport.write(_TOO_LARGE)
            self.channel.loseConnection()

    def render(self, resrc: Any) -> None:
        """Have a resource answer, with the fields that every answer has."""
        self.responseHeaders.removeHeader(b"server")
        for name, value in HEADERS.items():
            self.setHeader(name, value)
        super().render(resrc)


class Brief(ProtocolWrapper):
    """A connection that ends in time: one that sends an octet now and then would otherwise never."""

    factory: Bounded
    network: str
    _end: Any = None

    def connectionMade(self) -> None:
        """Begin to count the time."""
        super().connectionMade()
        self._end = self.factory.reactor.callLater(LONGEST, self._too_long)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Let go of everything."""
        if self._end is not None:
            self._end.cancel()
            self._end = None
        super().connectionLost(reason)

    def _too_long(self) -> None:
        self._end = None
        transport: Any = self.transport
        transport.abortConnection()


class Bounded(WrappingFactory):
    """A site with a bounded number of connections."""

    noisy = False
    protocol = Brief

    def __init__(self, site: Site, reactor: Any) -> None:
        super().__init__(site)
        self.reactor = reactor

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the protocol of a new connection, None when there are too many."""
        host = getattr(addr, "host", None)
        network = network_of(host)
        near = sum(each.network == network for each in self.protocols)
        if len(self.protocols) >= MAX_CONNECTIONS or (near >= MAX_FROM_ONE and not is_local(host)):
            return None
        connection: Any = super().buildProtocol(addr)
        connection.network = network
        return connection

    def disconnect(self) -> None:
        """End all connections."""
        for protocol in list(self.protocols):
            protocol.transport.abortConnection()


def site_of(root: Resource, reactor: Any) -> Bounded:
    """Return what serves the resources below ``root``."""
    site = Site(root, requestFactory=BoundedRequest, timeout=TIMEOUT, reactor=reactor)
    site.noisy = False
    site.displayTracebacks = False
    return Bounded(site, reactor)


class Text(Resource):
    """An answer that is always the same."""

    isLeaf = True

    def __init__(self, content: bytes, content_type: bytes) -> None:
        super().__init__()
        self._content = content
        self._type = content_type

    def render_GET(self, request: Request) -> bytes:
        """Return it."""
        request.setHeader(b"Content-Type", self._type)
        request.setHeader(b"Cache-Control", b"max-age=300")
        return self._content


def argument(request: Request, name: bytes) -> str | None:
    """Return an argument of a request's query, None where there is none or it is not UTF-8. It is not to be trusted."""
    values = (request.args or {}).get(name) or [b""]
    try:
        return values[0].decode() or None
    except UnicodeDecodeError:
        return None
