"""A sender's connection: octets in, held back while one is busy; octets out, held back to the sender's pace; time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from cybertemp_imap.delivery.replies import Reply, Turned
from cybertemp_imap.protocol.outlet import Gone, Outlet

READ_AHEAD = 64 * 1024
"""Octets that may wait to be worked on before nothing more is read."""

CHUNK = 32 * 1024
"""Octets of a message that are taken together, however few of them come at a time."""

STALL = 60.0
"""Seconds within which a sender must take in something of what waits for it."""


class Wire(Protocol):
    """Gives octets to whoever awaits them; one at a time does."""

    def __init__(self, reactor: Any, timeout: float) -> None:
        """``timeout``: seconds for a whole command line, and for the next octets of a message."""
        self.reactor = reactor
        self._timeout = timeout
        self._buffer = bytearray()
        self._wanted: Deferred[None] | None = None
        self._reading = True
        self._timer: Any = None
        self._tls_started = False
        self.outlet: Outlet

    def connectionMade(self) -> None:
        """Take hold of the transport."""
        self.outlet = Outlet(self.transport, self.reactor, STALL, self._stalled)
        for option in ("setTcpNoDelay", "setTcpKeepAlive"):
            if hasattr(self.transport, option):
                getattr(self.transport, option)(True)

    def dataReceived(self, data: bytes) -> None:
        """Keep octets, and stop reading where there are too many."""
        if self.outlet.closed:
            return
        self._buffer += data
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            wanted.callback(None)
        if len(self._buffer) > READ_AHEAD and self._wanted is None:
            self._read(False)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Tell who waits."""
        self.outlet.lost()
        self._buffer.clear()
        self._stop_timer()
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted.errback(Gone())

    # -- what a session asks ------------------------------------------------------------------------------------------

    @property
    def peer_host(self) -> str | None:
        """The sender's address; None where the connection has none."""
        host: str | None = getattr(self.transport.getPeer(), "host", None)  # type: ignore[union-attr]
        return host

    @property
    def encrypted(self) -> bool:
        """Whether TLS is on."""
        return self._tls_started or ISSLTransport.providedBy(self.transport)

    @property
    def waiting(self) -> bool:
        """Whether the session waits for the sender."""
        return self._wanted is not None

    def start_tls(self, certificate: Any) -> bool:
        """Encrypt from here on; false where something came behind the command that asked for it."""
        if self._buffer:
            self._buffer.clear()
            return False
        self.outlet.write(Reply.TLS_READY.line)
        self._tls_started = True
        self.transport.startTLS(certificate)  # type: ignore[union-attr]
        return True

    async def line(self, limit: int) -> bytes:
        """Return a command line without its end. Raises :class:`Turned` for what is none, :class:`Gone`."""
        searched = 0
        self._start_timer()
        try:
            while (end := self._buffer.find(b"\n", searched)) < 0 and len(self._buffer) <= limit:
                searched = len(self._buffer)
                await self._more()
        finally:
            self._stop_timer()
        if not 0 <= end <= limit:
            raise Turned(Reply.LINE_TOO_LONG)
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        # Who ends lines otherwise may be somebody's message: nothing of it is done (RFC 5321 section 2.3.8).
        if not line.endswith(b"\r") or b"\r" in line[:-1] or b"\0" in line:
            raise Turned(Reply.BAD_LINE)
        return line[:-1]

    async def chunk(self) -> bytes:
        """Return whatever there is of a message."""
        self._start_timer()
        try:
            while not self._buffer:
                await self._more()
        finally:
            self._stop_timer()
        chunk = bytes(self._buffer)
        self._buffer.clear()
        return chunk

    def give_back(self, octets: bytes) -> None:
        """Have octets come again that were behind a message."""
        self._buffer[:0] = octets

    def end(self, reply: Reply) -> None:
        """Say something last, and close the connection."""
        self.outlet.write(reply.line)
        self.outlet.close()
        self._buffer.clear()
        # What else comes is thrown away, so that the sender can read what was said.
        self._read(True)

    async def _more(self) -> None:
        if self.outlet.closed:
            raise Gone
        self._wanted = Deferred()
        self._read(True)
        await self._wanted

    def _read(self, wanted: bool) -> None:
        if wanted != self._reading and not self.outlet.closed:
            self._reading = wanted
            change = "resumeProducing" if wanted else "pauseProducing"
            getattr(self.transport, change)()

    # -- time ---------------------------------------------------------------------------------------------------------

    def _start_timer(self) -> None:
        self._timer = self.reactor.callLater(self._timeout, self._timed_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _timed_out(self) -> None:
        self._timer = None
        self.too_slow()

    def too_slow(self) -> None:
        """End the connection of a sender that took too long."""
        self.end(Reply.TOO_SLOW)
        wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted.errback(Gone())

    def _stalled(self) -> None:
        self.transport.abortConnection()  # type: ignore[union-attr]
