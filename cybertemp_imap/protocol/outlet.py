"""The way out: what a session sends, held back to the client's pace.

A client that reads slowly, or not at all, costs at most the transport's buffer and one page of an answer: commands that
send much call :meth:`Outlet.ready` between pieces, and wait there until the client has taken in what it was sent.

The transport is given a little at a time and asks for more when that is gone, so a client that takes in anything within
the time-out is told from one that takes in nothing, however much waits for it.

While a command is carried out, what it writes is gathered (:meth:`Outlet.gather`), so that an answer of several parts
is one system call here, one packet on its way and one awakening there: each costs more than printing most answers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from cybertemp_imap.pace import Pace

PIECE = 64 * 1024
"""Octets given to the transport at a time."""


class Gone(Exception):
    """The client is no longer there; what was to be sent to it is of no use."""


def _holds_octets(transport: tcp.Connection) -> bool:
    """Tell whether octets wait in a transport, so that others must not overtake them, or whether it has TLS between."""
    return bool(transport.TLS or transport.dataBuffer or transport._tempDataLen or transport.disconnecting)


@implementer(IPushProducer)
class Outlet:
    """Writes to a transport, as the producer that the transport pauses when its buffer is full.

    ``closed`` tells that nothing more can be sent; what was sent before may still be on its way.
    """

    def __init__(self, transport: Any, reactor: Any, stall_timeout: float, on_stall: Callable[[], None]) -> None:
        """``on_stall`` is called when the client has taken in nothing for ``stall_timeout`` seconds."""
        self._transport = transport
        self._reactor = reactor
        self.stall_timeout = stall_timeout
        self._on_stall = on_stall
        self._held: deque[memoryview] = deque()
        self._gathering = False
        self._gathered: list[bytes] = []
        self._gathered_octets = 0
        self._waiting: Deferred[None] | None = None
        self._paused = False
        self._finished = False
        self._timer: Any = None
        self.closed = False
        self.octets = 0
        self.pace = Pace(reactor)
        transport.registerProducer(self, True)

    def write(self, data: bytes) -> None:
        """Send; nothing happens once the connection is closed."""
        if self.closed or not data:
            return
        self.octets += len(data)
        if self._gathered_octets + len(data) > PIECE:
            self._send_gathered()
        if self._gathering and len(data) <= PIECE:
            self._gathered.append(data)
            self._gathered_octets += len(data)
        else:
            self._send(data)

    def gather(self) -> None:
        """Keep what is written from now on, up to a piece of it; :meth:`ready` sends it, :meth:`release` ends it."""
        self._gathering = True

    def release(self) -> None:
        """Send what was gathered, and at once what is written from now on."""
        self._gathering = False
        self._send_gathered()

    def _send_gathered(self) -> None:
        if self._gathered:
            gathered, self._gathered, self._gathered_octets = self._gathered, [], 0
            self._send(b"".join(gathered))

    def _send(self, data: bytes) -> None:
        if self._paused or len(data) > PIECE:
            self._held.append(memoryview(data))
            self._feed()
        else:
            self._give(data)

    def _give(self, data: bytes) -> None:
        """Give octets to the transport: at once as many as it takes where none wait in it.

        That spares the reactor a turn and two system calls, more than half of what telling many sessions costs.
        """
        transport = self._transport
        if isinstance(transport, tcp.Connection) and not _holds_octets(transport):
            sent = transport.writeSomeData(data)
            # Anything else is an error, which the reactor finds again and makes known to the connection.
            if isinstance(sent, int):
                data = data[sent:]
        if data:
            transport.write(data)

    async def ready(self, more: bool = True) -> None:
        """Return when more may be sent and, where there is ``more`` to do, it is this session's turn.

        Raises :class:`Gone`.
        """
        self._send_gathered()
        if self._paused and not self.closed:
            self._waiting = Deferred()
            await self._waiting
            self.pace.begin()
        if self.closed:
            raise Gone
        if more:
            await self.pace.breathe()

    def close(self) -> None:
        """Close the connection when all is sent."""
        if not self.closed:
            self.release()
            self.closed = True
            self._wake()
            if not self._held:
                self._finish()

    def lost(self) -> None:
        """Take note that the connection is gone."""
        self.closed = self._finished = True
        self._held.clear()
        self._gathered.clear()
        self._stop_timer()
        self._wake()

    def _feed(self) -> None:
        """Give the transport what it takes."""
        while self._held and not self._paused:
            data = self._held.popleft()
            if len(data) > PIECE:
                self._held.appendleft(data[PIECE:])
            self._transport.write(bytes(data[:PIECE]))

    def _finish(self) -> None:
        """Leave the last octets to the transport, which may not take for ever either."""
        if not self._finished:
            self._finished = True
            self._start_timer()
            # A producer would keep the transport from closing after its last octet.
            self._transport.unregisterProducer()
            self._transport.loseConnection()

    # -- IPushProducer ------------------------------------------------------------------------------------------------

    def pauseProducing(self) -> None:
        """Hold back: the transport's buffer is full."""
        self._paused = True
        self._start_timer()

    def resumeProducing(self) -> None:
        """Go on: the client has taken in what was sent."""
        self._paused = False
        self._stop_timer()
        self._feed()
        if self._paused:
            return
        if self.closed:
            self._finish()
        else:
            self._wake()

    def stopProducing(self) -> None:
        """Stop: the connection is gone."""
        self.lost()

    # -- waiting ------------------------------------------------------------------------------------------------------

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self._reactor.callLater(self.stall_timeout, self._stalled)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stalled(self) -> None:
        self._timer = None
        self._on_stall()

    def _wake(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.callback(None)
