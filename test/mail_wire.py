"""A server of SMTP or LMTP over connections without a network, above a store in memory."""

from __future__ import annotations

from typing import Any, cast

from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.delivery.factory import MailFactory
from cybertemp_imap.delivery.limits import MailLimits
from cybertemp_imap.mime.render import render
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import DomainRow
from test.wire_transport import WireClock, WireTransport

BOX = "box@example.com"
OTHER = "other@example.com"
SENDER = "sender@good.example"
LETTER = b"From: Sender <sender@good.example>\r\nTo: box@example.com\r\nSubject: A letter\r\n\r\nHello.\r\n"


class Sending:
    """A sender: :meth:`send` returns what the server answers."""

    def __init__(self, factory: MailFactory, clock: WireClock, peer: str = "192.0.2.7") -> None:
        self.clock = clock
        self.transport = WireTransport(clock, peer)
        self.session: Any = factory.buildProtocol(None)
        self.transport.protocol = self.session
        self.session.makeConnection(self.transport)
        clock.settle()

    def send(self, *octets: bytes) -> list[bytes]:
        """Send octets, each piece by itself, and return the lines that came since the last time."""
        for piece in octets:
            self.transport.arrive(piece)
            self.clock.settle()
        return self.told()

    def told(self) -> list[bytes]:
        """Return the lines that came since the last time."""
        lines = bytes(self.transport.taken).split(b"\r\n")
        self.transport.taken.clear()
        assert lines.pop() == b"", lines
        return lines

    def codes(self, *octets: bytes) -> list[int]:
        """Send octets and return the codes of the answers."""
        return [int(line[:3]) for line in self.send(*octets) if line[3:4] != b"-"]


class MailWireTestCase(SynchronousTestCase):
    """A factory over a store in memory that has the domain example.com."""

    lmtp = False

    def setUp(self) -> None:
        self.clock = WireClock()
        self.store = MemoryStore()
        self.store.domains.append(DomainRow("example.com", None, True, True))
        self.store.domains.append(DomainRow("asleep.example", None, False, True))
        self.user = self.store.add_user("me@example.org")
        self.store.add_address(self.user, BOX)
        self.events: list[LogEvent] = []
        keep = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(keep)
        self.addCleanup(globalLogPublisher.removeObserver, keep)
        self.factory = self.make_factory()

    def make_factory(self, **limits: Any) -> MailFactory:
        """Return a factory with other limits."""
        return MailFactory(
            self.store,
            self.store.read_domains,
            lmtp=self.lmtp,
            limits=MailLimits(**limits),
            host="mx.example.com",
            reactor=self.clock,
        )

    def connect(self, greeted: bool = True, **limits: Any) -> Sending:
        """Connect, and greet."""
        sending = Sending(self.make_factory(**limits) if limits else self.factory, self.clock)
        sending.told()
        if greeted:
            sending.send(b"LHLO me.example\r\n" if self.lmtp else b"EHLO me.example\r\n")
        return sending

    def begun(self, *recipients: str, **limits: Any) -> Sending:
        """Connect, and go as far as the text of a message."""
        sending = self.connect(**limits)
        sending.send(f"MAIL FROM:<{SENDER}>\r\n".encode())
        for recipient in recipients or (BOX,):
            self.assertEqual(sending.codes(f"RCPT TO:<{recipient}>\r\n".encode()), [250])
        self.assertEqual(sending.codes(b"DATA\r\n"), [354])
        return sending

    def stored(self) -> list[bytes]:
        """Return the messages in the store, with their trace lines."""
        return [render(email.row) for email in self.store.emails.values()]

    def messages(self) -> list[bytes]:
        """Return the messages in the store, without their trace lines."""
        found = []
        for message in self.stored():
            self.assertTrue(message.startswith(b"Return-Path: <"), message[:100])
            _, _, rest = message.partition(b"\tfor <")
            found.append(rest.partition(b"\r\n")[2])
        return found

    def logged(self) -> str:
        """Return all that was logged."""
        return "\n".join(formatEvent(event) for event in self.events)
