"""A session of SMTP (RFC 5321) or LMTP (RFC 2033) that takes mail for addresses of this service, and for no others.

One command at a time is done, in the order in which they come (PIPELINING, RFC 2920). The order of things is: greeting,
MAIL, RCPT, DATA. A message is answered by 250 only when it is committed. LMTP answers for each recipient, here all
alike, since they are delivered to in one transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from cybertemp_imap.delivery import grammar
from cybertemp_imap.delivery.deposit import Deposit
from cybertemp_imap.delivery.replies import Reply, Turned
from cybertemp_imap.delivery.stream import DotStream
from cybertemp_imap.delivery.trace import Transfer, transmission
from cybertemp_imap.delivery.wire import CHUNK, Wire
from cybertemp_imap.protocol import faultlog, strangers
from cybertemp_imap.protocol.outlet import Gone
from cybertemp_imap.rules.origin import shown

if TYPE_CHECKING:
    from cybertemp_imap.delivery.factory import MailFactory

COMMANDS = 2_000
"""Commands without a message in between after which a connection is closed."""

MISTAKES = 100
"""Commands that could not be done after which a connection is closed: recipients that there are not count too."""

_TERMINAL = frozenset({Reply.LINE_TOO_LONG, Reply.CLEAR_TEXT_FOLLOWS, Reply.NOT_MAIL, Reply.BYE})


class MailSession(Wire):
    """One connection."""

    _log = Logger()

    def __init__(self, factory: MailFactory) -> None:
        self.limits = factory.limits
        super().__init__(factory.reactor, self.limits.mail_timeout)
        self.factory: MailFactory = factory
        self.lmtp = factory.lmtp
        self.id = uuid4().hex[:12]
        self._stopping = False
        self._extended = False
        self._helo = ""
        self._commands = self._mistakes = self._messages = 0
        self._sender: grammar.Sender | None = None
        self._recipients: list[str] = []
        self._does: dict[str, Callable[[bytes], Awaitable[Reply | None]]] = {
            **dict.fromkeys(("LHLO",) if self.lmtp else ("EHLO", "HELO"), self._greet),
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "STARTTLS": self._starttls,
        }

    # -- beginning and end --------------------------------------------------------------------------------------------

    def connectionMade(self) -> None:
        """Greet, unless there are too many connections."""
        super().connectionMade()
        if not self.factory.enter(self):
            self.end(Reply.TOO_MANY_CONNECTIONS)
            return
        protocol = "LMTP" if self.lmtp else "ESMTP"
        self.outlet.write(f"220 {self.factory.host} {protocol} ready\r\n".encode())
        Deferred.fromCoroutine(self._serve())

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Be gone."""
        super().connectionLost(reason)
        self.factory.leave(self)

    def stop(self) -> None:
        """End as soon as no command is in hand."""
        self._stopping = True
        if self.waiting and self._sender is None:
            self.end(Reply.SHUTTING_DOWN)

    async def _serve(self) -> None:
        try:
            while not self.outlet.closed:
                await self.outlet.ready()
                reply = await self._next()
                if reply is not None:
                    self._answer(reply)
        except Gone:
            return
        except Exception as fault:
            self._log.error("A fault in a session of {id}\n{trace}", id=self.id, trace=faultlog.trace(fault))
            self.end(Reply.FAULT)

    async def _next(self) -> Reply | None:
        """Read a command and do it."""
        try:
            line = await self.line(self.limits.mail_line_limit)
            self._commands += 1
            if self._commands == 1 and strangers.of_line(line) in ("http", "ssh"):
                return Reply.NOT_MAIL
            verb, argument = grammar.verb(line)
            does = self._does.get(verb)
            return self._said_without_deed(verb) if does is None else await does(argument)
        except Turned as turned:
            return turned.reply

    def _answer(self, reply: Reply) -> None:
        if reply in _TERMINAL:
            self.end(reply)
            return
        self.outlet.write(reply.line)
        # A sender may have more recipients than are taken at once, and no mistake is in that.
        self._mistakes += reply.code >= 500
        if self._stopping and self._sender is None:
            self.end(Reply.SHUTTING_DOWN)
        elif self._mistakes > MISTAKES:
            self.end(Reply.TOO_MANY_ERRORS)
        elif self._commands > COMMANDS:
            self.end(Reply.TOO_MANY_COMMANDS)

    # -- commands -----------------------------------------------------------------------------------------------------

    def _said_without_deed(self, verb: str) -> Reply:
        if verb == "RSET":
            self._forget()
            return Reply.OK
        return {
            "NOOP": Reply.OK,
            "QUIT": Reply.BYE,
            "VRFY": Reply.CANNOT_VERIFY,
            "HELP": Reply.HELP,
            "EXPN": Reply.NOT_IMPLEMENTED,
            "AUTH": Reply.NOT_IMPLEMENTED,
            "BDAT": Reply.NOT_IMPLEMENTED,
        }.get(verb, Reply.UNKNOWN_COMMAND)

    async def _greet(self, argument: bytes) -> None:
        self._helo = grammar.greeting_name(argument)
        self._forget()
        # HELO is the only one that is asked for no extensions; both begin with what sets them apart.
        lines = [self.factory.host, "PIPELINING", f"SIZE {self.limits.mail_size}", "8BITMIME", "SMTPUTF8"]
        lines += ["STARTTLS"] if self._can_start_tls else []
        lines += ["ENHANCEDSTATUSCODES"]
        text = [f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"]
        self.outlet.write("".join(f"{line}\r\n" for line in text).encode())
        self._extended = True

    @property
    def _can_start_tls(self) -> bool:
        return not (self.lmtp or self.encrypted) and self.factory.certificate is not None

    async def _starttls(self, argument: bytes) -> Reply | None:
        if not self._can_start_tls:
            return Reply.BAD_SEQUENCE if self.encrypted else Reply.NOT_IMPLEMENTED
        if argument:
            return Reply.BAD_ARGUMENT
        # What is known from before TLS may be somebody else's word (RFC 3207 section 4.2).
        self._forget()
        self._helo, self._extended = "", False
        return None if self.start_tls(self.factory.certificate) else Reply.CLEAR_TEXT_FOLLOWS

    async def _mail(self, argument: bytes) -> Reply:
        if self._sender is not None or not self._helo:
            return Reply.BAD_SEQUENCE
        sender = grammar.sender(argument)
        if sender.size > self.limits.mail_size:
            return Reply.TOO_BIG
        self._sender = sender
        return Reply.SENDER_OK

    async def _rcpt(self, argument: bytes) -> Reply:
        if self._sender is None:
            return Reply.BAD_SEQUENCE
        if len(self._recipients) >= self.limits.mail_recipients:
            return Reply.TOO_MANY_RECIPIENTS
        text = grammar.recipient(argument, self._sender.utf8)
        self._recipients.append(await self.factory.recipients.accept(text))
        return Reply.RECIPIENT_OK

    async def _data(self, argument: bytes) -> Reply | None:
        if argument:
            return Reply.BAD_ARGUMENT
        if self._sender is None:
            return Reply.BAD_SEQUENCE
        if not self._recipients:
            return Reply.NO_RECIPIENT
        self.outlet.write(Reply.GO_AHEAD.line)
        sender, recipients = self._sender, self._recipients
        deposit = Deposit(self.factory.store, self.limits.mail_size, self.reactor)
        began = self.reactor.seconds()
        try:
            await self._take(deposit)
            reply = await self._deliver(deposit, sender, list(dict.fromkeys(recipients)))
        finally:
            await deposit.close()
        self._forget()
        self._commands = 0
        self._note(reply, len(recipients), deposit.size, self.reactor.seconds() - began)
        # RFC 2033 section 4.2: one reply for each recipient, in the order of RCPT.
        self.outlet.write(reply.line * (len(recipients) - 1 if self.lmtp else 0))
        return reply

    async def _take(self, deposit: Deposit) -> None:
        """Read a message to its end."""
        limit = self.reactor.callLater(self.limits.mail_data_timeout, self.too_slow)
        try:
            stream, waiting = DotStream(), bytearray()
            while not stream.over:
                octets, behind = stream.feed(await self.chunk())
                waiting += octets
                if stream.over or len(waiting) >= CHUNK:
                    await deposit.take(bytes(waiting))
                    waiting.clear()
                if deposit.size > 2 * self.limits.mail_size:
                    # Whoever goes on so far past what was announced is not worth the time.
                    self.end(Reply.TOO_BIG)
                    raise Gone
            self.give_back(behind)
        finally:
            if limit.active():
                limit.cancel()

    async def _deliver(self, deposit: Deposit, sender: grammar.Sender, recipients: list[str]) -> Reply:
        transfer = Transfer(
            protocol=transmission(self.lmtp, self._extended, self.encrypted, sender.utf8),
            helo=self._helo,
            peer=None if self.peer_host is None else shown(self.peer_host),
            host=self.factory.host,
            id=uuid4().hex[:16],
            received_at=datetime.now(UTC),
        )
        try:
            await deposit.deliver(transfer, sender.address, recipients)
        except Turned as turned:
            return turned.reply
        return Reply.DELIVERED

    def _forget(self) -> None:
        """Forget the message that was begun."""
        self._sender, self._recipients = None, []

    def _note(self, reply: Reply, recipients: int, size: int, seconds: float) -> None:
        """Log a message by what the server knows itself: nobody's address, and nothing of the text."""
        self.factory.note(
            event="mail",
            session=self.id,
            peer=shown(self.peer_host),
            protocol="lmtp" if self.lmtp else "smtp",
            status=reply.code,
            recipients=recipients,
            size=size,
            seconds=round(seconds, 4),
        )
