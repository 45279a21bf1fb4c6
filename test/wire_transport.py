"""A connection without a network: what Twisted's transports do, at the pace that a test sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import ISSLTransport, ITCPTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer

HIGH_WATER = 64 * 1024
"""Octets that wait for the client before the producer is paused, as in Twisted's TCP transport."""

PIECE = 64 * 1024
"""Octets given to the protocol at a time."""


class _Threads:
    """A thread pool that has none: work is done at once."""

    def callInThreadWithCallback(self, done: Callable[[bool, Any], None], work: Callable[..., Any], *args: Any) -> None:
        """Do the work and tell what came of it."""
        try:
            result = work(*args)
        except Exception:
            done(False, Failure())
        else:
            done(True, result)


class WireClock(Clock):
    """A reactor whose time is the test's, and whose threads are none."""

    def getThreadPool(self) -> Any:
        """Return what does the work of threads."""
        return _Threads()

    def callFromThread(self, function: Callable[..., Any], *args: Any) -> None:
        """Call at once."""
        function(*args)

    def settle(self) -> None:
        """Let everything happen that is due now."""
        for _ in range(1_000_000):
            due = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
            if not due:
                return
            self.advance(0)
        raise AssertionError("the server never comes to rest")


@implementer(ITCPTransport)
class WireTransport:
    """The server's end. ``taken`` is what the client has read, ``waiting`` what it has not, while it does not read."""

    def __init__(self, clock: WireClock, peer: str) -> None:
        self._clock = clock
        self._peer = IPv4Address("TCP", peer, 50143)
        self.protocol: Any = None
        self.taken = bytearray()
        self.waiting = bytearray()
        self.most_waiting = 0
        self.writes = 0
        self.no_delay = False
        self.keep_alive = False
        self.client_reads = True
        self.reading = True
        self.closing = False
        self.lost = False
        self.aborted = False
        self.tls: Any = None
        self._unread = bytearray()
        self._producer: Any = None
        self._producer_paused = False

    # -- the client's side --------------------------------------------------------------------------------------------

    def arrive(self, data: bytes) -> None:
        """Let octets come in; they stay in the socket while the protocol does not read."""
        self._unread += data
        while self._unread and self.reading and not self.closing and not self.lost:
            piece = bytes(self._unread[:PIECE])
            del self._unread[:PIECE]
            self.protocol.dataReceived(piece)

    @property
    def unread(self) -> int:
        """Octets that the client has sent and the protocol has not taken."""
        return len(self._unread)

    def drain(self, count: int | None = None) -> None:
        """Have the client read octets that wait, all of them by default."""
        count = len(self.waiting) if count is None else count
        self.taken += self.waiting[:count]
        del self.waiting[:count]
        if self.waiting or self.lost:
            return
        if self._producer is not None and self._producer_paused:
            self._producer_paused = False
            self._producer.resumeProducing()
        elif self.closing and self._producer is None:
            self._lose(ConnectionDone())

    def hang_up(self) -> None:
        """Have the client go away."""
        self._lose(ConnectionDone())

    def _lose(self, reason: Exception) -> None:
        if not self.lost:
            self.lost = True
            self._clock.callLater(0, self.protocol.connectionLost, Failure(reason))

    # -- ITransport ---------------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send octets, or have them wait for the client."""
        assert isinstance(data, bytes)
        if self.lost or not data:
            return
        self.writes += 1
        self.waiting += data
        if self.client_reads:
            self.taken += self.waiting
            self.waiting.clear()
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        if len(self.waiting) > HIGH_WATER and self._producer is not None:
            self._producer_paused = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        """Send pieces."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close when all is sent and there is no producer."""
        self.closing = True
        if not self.waiting and self._producer is None:
            self._lose(ConnectionDone())

    def abortConnection(self) -> None:
        """Close at once."""
        self.aborted = self.closing = True
        self._lose(ConnectionAborted())

    def loseWriteConnection(self) -> None:
        """Do nothing: no protocol here does that."""

    def getPeer(self) -> IPv4Address:
        """Return the client's address."""
        return self._peer

    def getHost(self) -> IPv4Address:
        """Return the server's address."""
        return IPv4Address("TCP", "127.0.0.1", 143)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Take note."""
        self.no_delay = enabled

    def getTcpNoDelay(self) -> bool:
        """Return what was set."""
        return self.no_delay

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Take note."""
        self.keep_alive = enabled

    def getTcpKeepAlive(self) -> bool:
        """Return what was set."""
        return self.keep_alive

    def startTLS(self, context: Any, normal: bool = True) -> None:
        """Be as if under TLS: what is written and what arrives stays as it is."""
        self.tls = context
        directlyProvides(self, ISSLTransport)

    # -- producers ----------------------------------------------------------------------------------------------------

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause this producer while too much waits."""
        assert self._producer is None and streaming
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Let go of the producer."""
        self._producer = None
        if self.closing and not self.waiting:
            self._lose(ConnectionDone())

    def pauseProducing(self) -> None:
        """Stop reading."""
        self.reading = False

    def resumeProducing(self) -> None:
        """Read again, in the next turn."""
        if not self.reading:
            self.reading = True
            self._clock.callLater(0, self.arrive, b"")

    def stopProducing(self) -> None:
        """Close."""
        self.loseConnection()


@implementer(ISSLTransport)
class TlsWireTransport(WireTransport):
    """The same under TLS."""

    def getPeerCertificate(self) -> None:
        """Return that the client has none."""
