"""The way out: what a session sends, held back to the client's pace.

A client that reads slowly, or not at all, costs at most the transport's buffer and one page of an answer: commands that
send much call :meth:`Outlet.ready` between pieces, and wait there until the client has taken in what it was sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from cybertemp_imap.pace import Pace


class Gone(Exception):
    """The client is no longer there; what was to be sent to it is of no use."""


@implementer(IPushProducer)
class Outlet:
    """Writes to a transport, as the producer that the transport pauses when its buffer is full."""

    def __init__(self, transport: Any, reactor: Any, stall_timeout: float, on_stall: Callable[[], None]) -> None:
        """``on_stall`` is called when the buffer has stayed full for ``stall_timeout`` seconds."""
        self._transport = transport
        self._reactor = reactor
        self._stall_timeout = stall_timeout
        self._on_stall = on_stall
        self._waiting: Deferred[None] | None = None
        self._paused = False
        self._timer: Any = None
        self.closed = False
        self.octets = 0
        self.pace = Pace(reactor)
        transport.registerProducer(self, True)

    def write(self, data: bytes) -> None:
        """Send; nothing happens once the connection is closed."""
        if not self.closed:
            self.octets += len(data)
            self._transport.write(data)

    async def ready(self) -> None:
        """Return when more may be sent and it is this session's turn; raises :class:`Gone`."""
        if self._paused and not self.closed:
            self._waiting = Deferred()
            await self._waiting
            self.pace.begin()
        if self.closed:
            raise Gone
        await self.pace.breathe()

    def close(self) -> None:
        """Close the connection when all is sent."""
        if not self.closed:
            # A paused producer would keep the transport from closing after its last octet.
            self._transport.unregisterProducer()
            self._transport.loseConnection()
            self._end()

    def lost(self) -> None:
        """Take note that the connection is gone."""
        self._end()

    def _end(self) -> None:
        self.closed = True
        self._stop_timer()
        self._wake()

    # -- IPushProducer ------------------------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Hold back: the transport's buffer is full."""
        self._paused = True
        if self._timer is None:
            self._timer = self._reactor.callLater(self._stall_timeout, self._stalled)

    def resumeProducing(self) -> None:
        """Go on: the client has taken in what was sent."""
        self._paused = False
        self._stop_timer()
        self._wake()

    def stopProducing(self) -> None:
        """Stop: the connection is gone."""
        self.lost()

    def _stalled(self) -> None:
        self._timer = None
        self._on_stall()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)
