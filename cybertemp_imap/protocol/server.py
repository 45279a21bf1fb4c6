"""One IMAP session: commands in, one at a time and in order, answers out.

A subclass of Twisted's ``IMAP4Server`` that keeps its portal, challengers, account, states, ``state_COMMAND`` tables,
greeting and time-outs, and replaces how lines are read, arguments parsed and commands carried out. An entry of the
tables is a :class:`~cybertemp_imap.protocol.rule.CommandRule`; a subclass adds a command by adding entries and, for its
arguments, one to :data:`cybertemp_imap.protocol.grammar.parse.COMMANDS`.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.mail import imap4
from twisted.python.failure import Failure

from cybertemp_imap.account import Account
from cybertemp_imap.errors import OutcomeUnknown, Refusal, Refused, StoreUnavailable
from cybertemp_imap.incoming import Incoming
from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.protocol import responses, strangers
from cybertemp_imap.protocol.capability import capabilities
from cybertemp_imap.protocol.command import Command
from cybertemp_imap.protocol.commands import append, condstore
from cybertemp_imap.protocol.commands.table import APPEND_RULE, RULES, name_of
from cybertemp_imap.protocol.connection import Connection
from cybertemp_imap.protocol.faultlog import trace
from cybertemp_imap.protocol.grammar.append import awaits_message
from cybertemp_imap.protocol.grammar.parse import UnknownCommand, parse_command, parse_tag
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.protocol.outlet import Gone
from cybertemp_imap.protocol.reader import (
    CommandReady,
    ContinuationWanted,
    Event,
    LineTooLong,
    LiteralChunk,
    LiteralDecision,
    LiteralRefused,
    LiteralStarted,
    Runaway,
)
from cybertemp_imap.protocol.rule import SELECTED, Bad, CommandRule, Completion
from cybertemp_imap.protocol.tokens import SyntaxFault

# Some clients and middle boxes send a server's answers back, with their tag or without. The latter is looked for first:
# ``OK DELETE completed`` would be a command.
_ECHO_UNTAGGED = re.compile(rb"(?:\*|\+|OK|NO|BAD)(?: |$)", re.IGNORECASE)
_ECHO_TAGGED = re.compile(rb"[^ ]+ (?:OK|NO|BAD)(?: |$)", re.IGNORECASE)
LONG = 4096
"""Octets of a command above which it is parsed in a thread: the costliest take some ten slices of the reactor's time.
Sets of a thousand messages, as clients send them, are shorter or cheap, and a thread costs less than a slice."""

_WITHIN_COMMAND = (ContinuationWanted, LiteralStarted, LiteralChunk)
"""Events after which more of a command is to come."""


class ImapServer(Connection):
    """The server's side of a session."""

    portal: Portal  # type: ignore[assignment]
    challengers: dict[bytes, Callable[[], Any]]
    account: Account | None
    mbox: Mailbox | None

    def __init__(
        self, portal: Portal, challengers: dict[bytes, Callable[[], Any]], limits: Limits, reactor: Any
    ) -> None:
        super().__init__(dict(challengers), limits, reactor)
        self.portal = portal
        self.enabled: set[str] = set()
        self.saved_uids: Sequence[int] = ()
        self.failed_logins = 0
        self.status = "OK"
        self.incoming: list[Incoming] = []
        self._bad_commands = 0
        self.reader.literal_policy = self._literal_policy

    def capabilities(self) -> dict[bytes, Any]:
        """Return what is announced now, as the base class has it: names with values or None."""
        return capabilities(self)

    def listCapabilities(self) -> list[bytes]:
        """Return the announced capabilities as they are printed."""
        listed: list[bytes] = []
        for name, values in self.capabilities().items():
            listed += [name] if values is None else [name + b"=" + value for value in values]
        return listed

    # -- commands -----------------------------------------------------------------------------------------------------

    async def take_event(self, event: Event) -> None:
        """Do what an event of the reader asks for."""
        try:
            await self._take(event)
        finally:
            if self.outlet.closed or not isinstance(event, _WITHIN_COMMAND):
                await append.discard(self)

    async def _take(self, event: Event) -> None:
        match event:
            case CommandReady(data, streamed):
                await self._command(data, streamed)
            case ContinuationWanted():
                self.sendContinuationRequest(b"Go ahead")
            case LiteralStarted(prefix, _, _, binary):
                await self._begin_message(prefix, binary)
            case LiteralChunk(octets):
                await self._take_octets(octets)
            case LiteralRefused(tag, _, _, non_sync):
                self._refuse_literal(tag, non_sync)
            case LineTooLong(tag):
                self._bad(tag, "The command is too long.")
            case Runaway():
                self.bye("The command is much too long.")

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Let go of everything, also of messages that are not whole."""
        super().connectionLost(reason)
        if not self._serving:
            Deferred.fromCoroutine(append.discard(self)).addErrback(self._broken)

    # -- messages on their way in -------------------------------------------------------------------------------------

    def _literal_policy(self, prefix: bytes, size: int, non_sync: bool) -> LiteralDecision:
        """Have the messages of APPEND streamed; every other literal is held within the reader's limits."""
        if self.account is None or not awaits_message(prefix):
            return LiteralDecision.ACCEPT
        return LiteralDecision.STREAM if size <= self.limits.append_limit else LiteralDecision.REFUSE

    async def _begin_message(self, prefix: bytes, binary: bool) -> None:
        """Before a message is sent, refuse one that could not be added."""
        tag = parse_tag(prefix)
        assert tag is not None
        self.tag = tag[0]
        try:
            await append.begin(self, prefix, binary)
        except (Refused, Bad, StoreUnavailable) as error:
            await self._abandon_messages(error)

    async def _take_octets(self, octets: bytes) -> None:
        try:
            await self.incoming[-1].take(octets)
        except StoreUnavailable as error:
            await self._abandon_messages(error)

    async def _abandon_messages(self, error: Exception) -> None:
        """Give up an APPEND in the middle; the reader passes over what still comes of it."""
        self.reader.abandon()
        await append.discard(self)
        if isinstance(error, Bad):
            self._bad(self.tag, error.text)
        else:
            self._failed(self.tag, error, APPEND_RULE, sent=False)

    async def _command(self, data: bytes, streamed: tuple[tuple[int, int], ...]) -> None:
        if _ECHO_UNTAGGED.match(data):
            self._count_bad()
            return
        try:
            tag, command = await self._parsed(data, streamed)
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

    async def _parsed(self, data: bytes, streamed: tuple[tuple[int, int], ...]) -> tuple[bytes, Command]:
        """Read a command as :func:`parse_command` does, in a thread when it is long."""
        depth = self.limits.search_depth
        if len(data) < LONG:
            return parse_command(data, streamed, depth)
        read = partial(parse_command, data, streamed, depth)
        parsed: tuple[bytes, Command] = await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), read)
        return parsed

    def lookupCommand(self, cmd: bytes | str) -> CommandRule | None:
        """Return the entry of the present state's table for a command's name."""
        name = cmd.decode("ascii", "replace") if isinstance(cmd, bytes) else cmd
        rule = getattr(self, f"{self.state}_{name.upper()}", None)
        return rule if isinstance(rule, CommandRule) else None

    async def _carry_out(self, tag: bytes, command: Command, rule: CommandRule) -> None:
        """Run a command and give its tagged answer."""
        self.tag, self.status = tag, "OK"
        began = self.reactor.seconds()
        try:
            await self._attempt(tag, command, rule)
        finally:
            self.notes.command(rule.name, self.status, began)

    async def _attempt(self, tag: bytes, command: Command, rule: CommandRule) -> None:
        sent = self.outlet.octets
        try:
            completion = await rule.run(self, command)
        except Gone:
            self.status = "-"
            raise
        except Bad as bad:
            self._bad(tag, bad.text)
            return
        except Exception as error:
            self._failed(tag, error, rule, self.outlet.octets > sent)
            return
        if completion is not None:
            if self.mbox is not None and self.mbox.shared.ahead and condstore.tells_mod_seqs(self):
                await self.mbox.shared.look()
            # RFC 7162 section 3.2.10: VANISHED gives UIDs, so a command that names messages by them may be answered so.
            self._report(rule.expunge or (condstore.tells_vanished(self) and getattr(command, "uid", False)))
            self._answer(tag, "OK", completion.text, completion.code)

    def _failed(self, tag: bytes, error: Exception, rule: CommandRule, sent: bool) -> None:
        """Answer a command that failed; where part of a longer answer was ``sent``, close the connection instead."""
        if isinstance(error, Refused):
            if error.refusal is Refusal.NO_SUCH_MAILBOX and rule.states == SELECTED:
                self.mailbox_is_gone()
            else:
                self._refuse(tag, error.refusal, error.code)
            return
        refusal = Refusal.UNCERTAIN if isinstance(error, OutcomeUnknown) else Refusal.UNAVAILABLE
        text = refusal.text
        if not isinstance(error, StoreUnavailable):
            # The number finds it in the log; nothing else of it reaches the client.
            reference = secrets.token_hex(4)
            refusal, text = Refusal.INTERNAL, f"{Refusal.INTERNAL.text} Reference {reference}."
            self.log.error(
                "{command} failed, reference {reference}, session {session}: {trace}",
                session=self.notes.id,
                command=rule.name,
                reference=reference,
                trace=trace(error),
            )
        if sent and rule.streams:
            self.bye(text, refusal.code)
        else:
            self._report(expunge=False)
            self._answer(tag, refusal.status, text, refusal.code)

    def mailbox_is_gone(self) -> None:
        """Close the connection: there is no answer for "the mailbox you are in is gone" (RFC 2180 section 3.3)."""
        self.bye("The selected mailbox is gone.")

    def _gone_meanwhile(self) -> None:
        """Say that the mailbox is gone, unless a command is under way, which may find out by itself."""
        if not self._serving:
            self.mailbox_is_gone()

    def _refuse(self, tag: bytes, refusal: Refusal, code: str | None) -> None:
        self._report(expunge=False)
        if refusal.status == "BAD":
            self._bad(tag, refusal.text)
        else:
            self._answer(tag, refusal.status, refusal.text, code)

    def _answer(self, tag: bytes, status: str, text: str, code: str | None = None) -> None:
        self.status = status
        self.outlet.write(tag + b" " + responses.status(status, text, code) + b"\r\n")

    # -- bad commands -------------------------------------------------------------------------------------------------

    def _not_understood(self, data: bytes, tag: bytes | None, text: str) -> None:
        protocol = strangers.of_line(data) if self.state == "unauth" else None
        if protocol is not None:
            self.stranger(protocol)
        elif _ECHO_TAGGED.match(data):
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
            self.bye("Too many bad commands.", why="bad_commands")

    def _refuse_literal(self, tag: bytes | None, non_sync: bool) -> None:
        """A literal beyond the limits; RFC 7888 section 4 on why a non-synchronizing one needs no closing."""
        if tag is None:
            self._bad(None, "The literal is too big.")
        else:
            self._answer(tag, Refusal.TOO_BIG.status, "The literal is too big.", Refusal.TOO_BIG.code)
            self._count_bad()

    # -- the session's state ------------------------------------------------------------------------------------------

    def logged_in(self, account: Any, logout: Callable[[], None]) -> None:
        """Go on to the authenticated state."""
        self.account = account
        account.on_end = self.turn_out
        self._onLogout = logout
        self.state = "auth"
        self._bad_commands = 0
        self.login_is_over()
        self.reader.limits = self.limits.after_login
        self.setTimeout(self.limits.idle_timeout)

    def enter_mailbox(self, mailbox: Mailbox) -> None:
        """Go on to the selected state."""
        self.mbox = mailbox
        self.state = "select"
        mailbox.view.on_gone = self._gone_meanwhile

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
        """The selected mailbox; only for commands that are allowed in the selected state.

        Raises :class:`Gone` when the connection has ended meanwhile, and the mailbox was left with it.
        """
        if self.mbox is None and self.outlet.closed:
            raise Gone
        assert self.mbox is not None
        return self.mbox

    def tell_news(self) -> None:
        """Tell an idling session what has happened to its mailbox."""
        if self.mbox is not None and self.mbox.shared.gone:
            self.mailbox_is_gone()
        else:
            self._report(expunge=True)

    def tell_keywords(self) -> None:
        """Tell of keywords that have come up since the session was told which there are (RFC 9051 section 7.3.5)."""
        if self.mailbox.view.take_keywords():
            keywords = self.mailbox.shared.messages.keywords.values()
            self.untagged(*responses.flags_lines(keywords, self.mailbox.read_only))

    def _report(self, expunge: bool) -> None:
        """Tell the session what it does not know yet of its mailbox."""
        if self.mbox is not None:
            self.tell_keywords()
            told = (condstore.tells_mod_seqs(self), condstore.tells_vanished(self))
            self.outlet.write(responses.report(self.mbox.report(expunge), self.mbox.view, *told))


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
