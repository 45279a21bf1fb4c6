"""One IMAP connection: commands in, one at a time and in order, answers out.

A subclass of Twisted's ``IMAP4Server`` that keeps its portal, challengers, account, states, ``state_COMMAND`` tables,
greeting and time-outs, and replaces how lines are read, arguments parsed and commands carried out. An entry of the
tables is a :class:`~cybertemp_imap.protocol.rule.CommandRule`; a subclass adds a command by adding entries and, for its
arguments, one to :data:`cybertemp_imap.protocol.grammar.parse.COMMANDS`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.logger import Logger
from twisted.mail import imap4
from twisted.python.failure import Failure

from cybertemp_imap.account import Account
from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.capability import capabilities
from cybertemp_imap.protocol.command import Command
from cybertemp_imap.protocol.commands.table import RULES, name_of
from cybertemp_imap.protocol.grammar.parse import UnknownCommand, parse_command
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.protocol.outlet import Gone, Outlet
from cybertemp_imap.protocol.reader import (
    CommandReader,
    CommandReady,
    ContinuationWanted,
    Event,
    LineTooLong,
    LiteralRefused,
    Runaway,
)
from cybertemp_imap.protocol.rule import Bad, CommandRule, Completion
from cybertemp_imap.protocol.tokens import SyntaxFault

READ_AHEAD = 64 * 1024
"""Octets taken from the socket beyond the command in hand, before reading pauses."""

# Some clients and middle boxes send a server's answers back.
_ECHO = re.compile(rb"(?:\*|\+|OK|NO|BAD)(?: |$)|[^ ]+ (?:OK|NO|BAD)(?: |$)", re.IGNORECASE)
_HTTP = re.compile(rb"[A-Z]{3,8} [^ ]+ HTTP/[0-9.]+$")


class ImapServer(imap4.IMAP4Server):
    """The server's side of a connection."""

    IDENT = b"cybertemp-imap ready"
    log: ClassVar[Logger] = Logger()

    portal: Portal  # type: ignore[assignment]
    challengers: dict[bytes, Callable[[], Any]]
    transport: Any
    account: Account | None
    mbox: Mailbox | None

    def __init__(
        self, portal: Portal, challengers: dict[bytes, Callable[[], Any]], limits: Limits, reactor: Any
    ) -> None:
        super().__init__(chal=dict(challengers))
        self.portal = portal
        self.limits = limits
        self.reactor = reactor
        self.reader = CommandReader(limits.before_login)
        self.enabled: set[str] = set()
        self.saved_uids: Sequence[int] = ()
        self.failed_logins = 0
        self._bad_commands = 0
        self._serving = False
        self._reading_paused = False
        self._line_wanted: Deferred[None] | None = None
        self._login_timer: Any = None

    def callLater(self, period: float, function: Callable[[], None]) -> Any:
        """Use this connection's reactor for ``TimeoutMixin``."""
        return self.reactor.callLater(period, function)

    # -- the connection -----------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Greet."""
        self.outlet = Outlet(self.transport, self.reactor, self.limits.write_timeout, self._stalled)
        if hasattr(self.transport, "setTcpNoDelay"):
            # An answer in several pieces would otherwise wait for the client's delayed acknowledgement.
            self.transport.setTcpNoDelay(True)
        self._login_timer = self.reactor.callLater(self.limits.login_timeout, self._login_timed_out)
        self.sendServerGreeting()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Let go of everything."""
        self.outlet.lost()
        self._cancel_login_timer()
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

    def dataReceived(self, data: bytes) -> None:
        """Take what came; what goes beyond the read-ahead stays in the socket."""
        if self.outlet.closed:
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
        if full and not self._reading_paused:
            self._reading_paused = True
            self.transport.pauseProducing()
        elif self._reading_paused and not full and not self.outlet.closed:
            self._reading_paused = False
            self.transport.resumeProducing()

    def timeoutConnection(self) -> None:
        """Say good-bye to a client that has been quiet for too long."""
        self.bye("Autologout: nothing was heard for too long.")

    def _login_timed_out(self) -> None:
        self._login_timer = None
        self.bye("Logging in took too long.")

    def _stalled(self) -> None:
        self.log.info("A client takes nothing in; closing its connection")
        self.transport.abortConnection()

    def _broken(self, failure: Failure) -> None:
        self.log.failure("A connection failed", failure)
        self.transport.abortConnection()

    def _cancel_login_timer(self) -> None:
        if self._login_timer is not None:
            self._login_timer.cancel()
            self._login_timer = None

    # -- sending ------------------------------------------------------------------------------------------------------

    def sendLine(self, line: bytes) -> None:
        """Send a line."""
        self.outlet.write(line + b"\r\n")

    def capabilities(self) -> dict[bytes, Any]:
        """Return what is announced now, as the base class has it: names with values or None."""
        return capabilities(self)

    def listCapabilities(self) -> list[bytes]:
        """Return the announced capabilities as they are printed."""
        listed: list[bytes] = []
        for name, values in self.capabilities().items():
            listed += [name] if values is None else [name + b"=" + value for value in values]
        return listed

    def untagged(self, *lines: bytes) -> None:
        """Send untagged responses in one piece."""
        self.outlet.write(b"".join(b"* " + line + b"\r\n" for line in lines))

    def bye(self, text: str, code: str | None = None) -> None:
        """Say BYE and close the connection (RFC 9051 section 7.1.5)."""
        self.untagged(responses.status("BYE", text, code))
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection when all is sent."""
        self.state = "logout"
        self.outlet.close()

    # -- reading ------------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Carry out commands until there is none; then the next octets begin again."""
        try:
            while not self.outlet.closed:
                event = self.reader.next_event()
                if event is None:
                    break
                await self._take(event)
                self._pace_reading()
                await self.outlet.ready()
        except Gone:
            pass
        finally:
            self._serving = False
            self._pace_reading()

    async def _take(self, event: Event) -> None:
        match event:
            case CommandReady(data, streamed):
                await self._command(data, streamed)
            case ContinuationWanted():
                self.sendContinuationRequest(b"Go ahead")
            case LiteralRefused(tag, _, _, non_sync):
                self._refuse_literal(tag, non_sync)
            case LineTooLong(tag):
                self._bad(tag, "The command is too long.")
            case Runaway():
                self.bye("The command is much too long.")

    async def read_line(self, limit: int) -> bytes:
        """Read a line that is no command; raises Bad when it is too long, Gone when the client leaves."""
        while (line := self.reader.take_line(limit)) is None:
            self._line_wanted = Deferred()
            await self._line_wanted
        if isinstance(line, bytes):
            return line
        if isinstance(line, Runaway):
            self.bye("The line is much too long.")
            raise Gone
        raise Bad("The line is too long.")

    # -- commands -----------------------------------------------------------------------------------------------------

    async def _command(self, data: bytes, streamed: tuple[tuple[int, int], ...]) -> None:
        try:
            tag, command = parse_command(data, streamed)
        except SyntaxFault as fault:
            self._not_understood(data, fault.tag, str(fault))
            return
        except UnknownCommand as unknown:
            self._not_understood(data, unknown.tag, "There is no such command.")
            return
        rule = self.lookupCommand(name_of(command))
        if rule is None:
            self._bad(tag, "The command is not allowed now.")
            return
        await self._carry_out(tag, command, rule)

    def lookupCommand(self, cmd: bytes | str) -> CommandRule | None:
        """Return the entry of the present state's table for a command's name."""
        name = cmd.decode("ascii", "replace") if isinstance(cmd, bytes) else cmd
        rule = getattr(self, f"{self.state}_{name.upper()}", None)
        return rule if isinstance(rule, CommandRule) else None

    async def _carry_out(self, tag: bytes, command: Command, rule: CommandRule) -> None:
        """Run a command and give its tagged answer. Once data was sent, a fault of the store ends the connection."""
        self.tag = tag
        sent = self.outlet.octets
        try:
            completion = await rule.run(self, command)
        except Bad as bad:
            self._bad(tag, bad.text)
            return
        except Refused as refused:
            self._refuse(tag, refused.refusal)
            return
        except StoreUnavailable:
            if self.outlet.octets > sent:
                self.bye("The mail store cannot be reached.", "UNAVAILABLE")
            else:
                self._refuse(tag, Refusal.UNAVAILABLE)
            return
        except Gone:
            raise
        except Exception:
            self._fail(tag, rule.name, self.outlet.octets > sent)
            return
        if completion is not None:
            self._report(rule.expunge)
            self._answer(tag, "OK", completion.text, completion.code)

    def _fail(self, tag: bytes, name: str, sent: bool) -> None:
        """Answer an unforeseen error with a number that finds it in the log, and nothing else of it."""
        reference = secrets.token_hex(4)
        self.log.failure("{command} failed, reference {reference}", command=name, reference=reference)
        text = f"{Refusal.INTERNAL.text} Reference {reference}."
        if sent:
            self.bye(text, Refusal.INTERNAL.code)
        else:
            self._answer(tag, "NO", text, Refusal.INTERNAL.code)

    def _refuse(self, tag: bytes, refusal: Refusal) -> None:
        self._report(expunge=False)
        if refusal.status == "BAD":
            self._bad(tag, refusal.text)
        else:
            self._answer(tag, refusal.status, refusal.text, refusal.code)

    def _answer(self, tag: bytes, status: str, text: str, code: str | None = None) -> None:
        self.outlet.write(tag + b" " + responses.status(status, text, code) + b"\r\n")

    # -- bad commands -------------------------------------------------------------------------------------------------

    def _not_understood(self, data: bytes, tag: bytes | None, text: str) -> None:
        if self.state == "unauth" and _HTTP.match(data):
            self.bye("This is an IMAP server, not a web server.")
        elif _ECHO.match(data):
            self._count_bad()
        else:
            self._bad(tag, text)

    def _bad(self, tag: bytes | None, text: str) -> None:
        self._answer(tag or b"*", "BAD", text)
        self._count_bad()

    def _count_bad(self) -> None:
        self._bad_commands += 1
        limit = self.limits.login_bad_commands if self.state == "unauth" else self.limits.bad_commands
        if self._bad_commands >= limit:
            self.bye("Too many bad commands.")

    def _refuse_literal(self, tag: bytes | None, non_sync: bool) -> None:
        """A literal beyond the limits; RFC 7888 section 4 on why a non-synchronizing one needs no closing."""
        if tag is None:
            self._bad(None, "The literal is too big.")
        else:
            self._answer(tag, Refusal.TOO_BIG.status, "The literal is too big.", Refusal.TOO_BIG.code)
            self._count_bad()

    # -- the session's state ------------------------------------------------------------------------------------------

    @property
    def encrypted(self) -> bool:
        """Whether the connection is under TLS."""
        return ISSLTransport(self.transport, None) is not None

    @property
    def login_allowed(self) -> bool:
        """Whether secrets may be sent: under TLS, from this machine, or because the operator says so."""
        if self.encrypted or self.limits.allow_plaintext:
            return True
        host = getattr(self.transport.getPeer(), "host", None)
        return host is None or host == "::1" or host.startswith(("127.", "::ffff:127."))

    def logged_in(self, account: Any, logout: Callable[[], None]) -> None:
        """Go on to the authenticated state."""
        self.account = account
        self._onLogout = logout
        self.state = "auth"
        self._bad_commands = 0
        self._cancel_login_timer()
        self.reader.limits = self.limits.after_login
        self.setTimeout(self.limits.idle_timeout)

    def enter_mailbox(self, mailbox: Mailbox) -> None:
        """Go on to the selected state."""
        self.mbox = mailbox
        self.state = "select"

    def leave_mailbox(self) -> None:
        """Go back to the authenticated state, if a mailbox is selected."""
        if self.mbox is not None:
            mailbox, self.mbox = self.mbox, None
            mailbox.close()
            self.saved_uids = ()
            self.state = "auth"

    @property
    def user(self) -> Account:
        """The account; only for commands that are allowed after login."""
        assert self.account is not None
        return self.account

    @property
    def mailbox(self) -> Mailbox:
        """The selected mailbox; only for commands that are allowed in the selected state."""
        assert self.mbox is not None
        return self.mbox

    def _report(self, expunge: bool) -> None:
        """Tell the session what it does not know yet of its mailbox."""
        if self.mbox is not None:
            self.outlet.write(responses.report(self.mbox.report(expunge), self.mbox.view, "CONDSTORE" in self.enabled))


def _install(rules: Sequence[CommandRule]) -> None:
    """Fill the dispatch tables: ours in, and every stock entry out, whose functions must not be reached."""
    for attribute in dir(imap4.IMAP4Server):
        if attribute.startswith(("unauth_", "auth_", "select_", "logout_")):
            setattr(ImapServer, attribute, None)
    for rule in rules:
        for state in rule.states:
            setattr(ImapServer, f"{state}_{rule.name}", rule)


_install(RULES)


__all__ = ["Completion", "ImapServer"]
