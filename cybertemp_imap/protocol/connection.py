"""One connection, as far as it does not matter what is said: octets in and out, times, and the end of it.

What Twisted's ``IMAP4Server`` does with lines is replaced; its names and its greeting are kept.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import Logger
from twisted.mail import imap4
from twisted.python.failure import Failure

from cybertemp_imap.errors import Refusal
from cybertemp_imap.protocol import responses, strangers
from cybertemp_imap.protocol.faultlog import trace
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.protocol.outlet import Gone, Outlet
from cybertemp_imap.protocol.reader import CommandReader, Event, Runaway
from cybertemp_imap.protocol.rule import Bad
from cybertemp_imap.protocol.sessions import SHUTTING_DOWN
from cybertemp_imap.rules.origin import Origin, origin_of

READ_AHEAD = 64 * 1024
"""Octets taken from the socket beyond the command in hand, before reading pauses."""

REFUSED_TIMEOUT = 5.0
"""Seconds that a client which is turned away has to take in the reason."""


class Connection(imap4.IMAP4Server):
    """The server's side of a connection, without its commands."""

    IDENT = b"cybertemp-imap ready"
    log: ClassVar[Logger] = Logger()

    transport: Any
    factory: Any
    origin: Origin
    """Where the client is, from the connection on."""

    def __init__(self, challengers: dict[bytes, Callable[[], Any]], limits: Limits, reactor: Any) -> None:
        super().__init__(chal=challengers)
        self.limits = limits
        self.reactor = reactor
        self.reader = CommandReader(limits.before_login)
        self._serving = False
        self._reading_paused = False
        self._line_wanted: Deferred[None] | None = None
        self._login_timer: Any = None
        self._tls_started = False
        self._tls_below = False
        self._heard = False
        self._stopping = False
        self.octets_in = 0

    @abstractmethod
    async def take_event(self, event: Event) -> None:
        """Do what an event of the reader asks for."""

    @abstractmethod
    def leave_mailbox(self) -> None:
        """Let go of the selected mailbox."""

    def callLater(self, period: float, function: Callable[[], None]) -> Any:
        """Use this connection's reactor for ``TimeoutMixin``."""
        return self.reactor.callLater(period, function)

    # -- beginning and end --------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Greet."""
        self.origin = origin_of(self.peer_host)
        self._tls_below = ISSLTransport(self.transport, None) is not None
        self.notes = self.factory.session_log.session(self)
        self.outlet = Outlet(self.transport, self.reactor, self.limits.write_timeout, self._stalled)
        if hasattr(self.transport, "setTcpNoDelay"):
            # An answer in several pieces would otherwise wait for the client's delayed acknowledgement.
            self.transport.setTcpNoDelay(True)
        if hasattr(self.transport, "setTcpKeepAlive"):
            self.transport.setTcpKeepAlive(True)
        if not self.factory.sessions.enter(self):
            self.outlet.stall_timeout = REFUSED_TIMEOUT
            self.notes.note("refused", reason="connections")
            self.bye("Too many connections from your address.", "LIMIT", why="refused")
            return
        self._login_timer = self.reactor.callLater(self.limits.login_timeout, self._login_timed_out)
        self.sendServerGreeting()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Let go of everything."""
        self.outlet.lost()
        self.factory.sessions.leave(self)
        if reason.check(SSL.Error):
            self.notes.note("tls-failed")
        self.notes.ended()
        self.login_is_over()
        self.setTimeout(None)
        self.leave_mailbox()
        self.state = "logout"
        self.reader.clear()
        if self._line_wanted is not None:
            wanted, self._line_wanted = self._line_wanted, None
            wanted.errback(Gone())
        logout, self._onLogout = self._onLogout, None
        if logout is not None:
            logout()

    def bye(self, text: str, code: str | None = None, why: str = "server") -> None:
        """Say BYE and close the connection (RFC 9051 section 7.1.5); ``why`` is for the log."""
        self.notes.ending(why)
        if self.state == "unauth":
            # Also one that never ends its TLS handshake, and so cannot be told.
            self.outlet.stall_timeout = REFUSED_TIMEOUT
        self.untagged(responses.status("BYE", text, code))
        self.hang_up()

    def turn_out(self, reason: Refusal) -> None:
        """End the session because nobody has a right to it any more, whatever it is doing."""
        self.bye(reason.text, reason.code, why="turned_out")

    def stranger(self, protocol: str) -> None:
        """Turn away a client that does not speak IMAP: one that speaks in lines is told so."""
        self.notes.note("stranger", protocol=protocol)
        self.notes.ending("stranger")
        self.outlet.stall_timeout = REFUSED_TIMEOUT
        if protocol not in ("tls", "binary"):
            self.untagged(responses.status("BYE", f"This is an IMAP server, and you seem to speak {protocol.upper()}."))
        self.hang_up()

    def stop(self) -> None:
        """End the session as soon as no command is in hand."""
        self._stopping = True
        self.outlet.stall_timeout = REFUSED_TIMEOUT
        waits_for_client = not self._serving or self._line_wanted is not None
        if waits_for_client and self.reader.between_commands:
            self.bye(*SHUTTING_DOWN, why="shutdown")

    def hang_up(self) -> None:
        """Close the connection when all is sent."""
        self.state = "logout"
        if self._reading_paused and not self.outlet.closed:
            # The end of TLS is something to be read.
            self._reading_paused = False
            self.transport.resumeProducing()
        self.outlet.close()

    # -- times --------------------------------------------------------------------------------------------------------

    def timeoutConnection(self) -> None:
        """Say good-bye to a client that has been quiet for too long; one that is still being answered has not been."""
        if self._serving:
            self.setTimeout(self.limits.idle_timeout)
        else:
            self.bye("Autologout: nothing was heard for too long.", why="quiet")

    def login_is_over(self) -> None:
        """Stop the time that there is to log in."""
        if self._login_timer is not None:
            self._login_timer.cancel()
            self._login_timer = None

    def _login_timed_out(self) -> None:
        self._login_timer = None
        self.bye("Logging in took too long.", why="login_timeout")

    def _stalled(self) -> None:
        self.notes.ending("stalled")
        self.log.info("A client takes nothing in; closing its connection")
        self.transport.abortConnection()

    # -- TLS ----------------------------------------------------------------------------------------------------------

    @property
    def encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return self._tls_started or self._tls_below

    @property
    def can_start_tls(self) -> bool:
        """Whether STARTTLS can be done now."""
        return not self.encrypted and self.factory.certificate is not None and hasattr(self.transport, "startTLS")

    def start_tls(self) -> None:
        """Encrypt from here on; what was read in the clear and not acted on is forgotten."""
        self.reader.clear()
        self._tls_started = True
        self.outlet.release()
        self.transport.startTLS(self.factory.certificate)

    @property
    def login_allowed(self) -> bool:
        """Whether secrets may be sent: under TLS, from this machine, or because the operator says so."""
        return self.origin.local or self.limits.allow_plaintext or self.encrypted

    @property
    def peer_host(self) -> str | None:
        """The client's address; None where the connection has none."""
        host: str | None = getattr(self.transport.getPeer(), "host", None)
        return host

    # -- sending ------------------------------------------------------------------------------------------------------

    def sendLine(self, line: bytes) -> None:
        """Send a line."""
        self.outlet.write(line + b"\r\n")

    def untagged(self, *lines: bytes) -> None:
        """Send untagged responses in one piece."""
        self.outlet.write(b"".join(b"* " + line + b"\r\n" for line in lines))

    # -- reading ------------------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Take what came; what goes beyond the read-ahead stays in the socket."""
        if self.outlet.closed:
            return
        self.octets_in += len(data)
        if not self._heard:
            self._heard = True
            protocol = strangers.of_octets(data)
            if protocol is not None:
                self.stranger(protocol)
                return
        self.resetTimeout()
        self.reader.feed(data)
        if self._line_wanted is not None:
            wanted, self._line_wanted = self._line_wanted, None
            wanted.callback(None)
        elif not self._serving:
            self._serving = True
            Deferred.fromCoroutine(self._serve()).addErrback(self._broken)
        self._pace_reading()

    def _pace_reading(self) -> None:
        """Read from the socket only while there is room for what comes."""
        full = self._serving and self.reader.buffered > READ_AHEAD
        if self.outlet.closed or full == self._reading_paused:
            return
        self._reading_paused = full
        if full:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()

    async def _serve(self) -> None:
        """Take events until there is none; then the next octets begin again."""
        self.outlet.pace.begin()
        try:
            while not self.outlet.closed:
                event = self.reader.next_event()
                if event is None:
                    break
                self.outlet.gather()
                await self.take_event(event)
                if self._stopping and self.reader.between_commands:
                    self.bye(*SHUTTING_DOWN, why="shutdown")
                self._pace_reading()
                await self.outlet.ready(more=self.reader.buffered > 0)
        except Gone:
            pass
        finally:
            self.outlet.release()
            self._serving = False
            self._pace_reading()

    async def read_line(self, limit: int) -> bytes:
        """Read a line that is no command; raises Bad when it is too long, Gone when the client leaves."""
        self.outlet.release()
        while (line := self.reader.take_line(limit)) is None:
            self._line_wanted = Deferred()
            await self._line_wanted
        if isinstance(line, bytes):
            return line
        if isinstance(line, Runaway):
            self.bye("The line is much too long.")
            raise Gone
        raise Bad("The line is too long.")

    def _broken(self, failure: Failure) -> None:
        assert failure.value is not None
        self.log.error("A connection failed: {trace}", trace=trace(failure.value))
        self.transport.abortConnection()
