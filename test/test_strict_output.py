"""What servers send in tests is read strictly, also where a test does not look at it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.protocol.outlet import Outlet
from test.response_parser import Malformed
from test.wire_transport import WireClock, WireTransport


class _OtherTransport:
    """A transport as a network's; what is written counts for nothing."""

    def registerProducer(self, producer: object, streaming: bool) -> None:
        """Do nothing."""

    def write(self, data: bytes) -> None:
        """Do nothing."""


class StrictOutputTests(SynchronousTestCase):
    """Every write of every session."""

    def faults(self, *written: bytes) -> int:
        """Return how many failures the log is told of when this is written."""
        outlet = Outlet(_OtherTransport(), WireClock(), 60, lambda: None)
        for data in written:
            outlet.write(data)
        return len(self.flushLoggedErrors(Malformed))

    def test_what_fails(self) -> None:
        """Whatever is no response, or is only part of one, fails the test in which it was sent."""
        self.assertEqual(self.faults(b"* OK ready\r\n", b"* 3 EXISTS\r\na OK done\r\n"), 0)
        for data in (
            b"* 3 EXISTS",
            b'* LIST () "/" "a\r\nb"\r\n',
            b"* 1 FETCH (FLAGS (a b\r\n",
            b"* OK a\r\nb OK [x\r\n",
            b"* 1 FETCH (BODY[] {9}\r\nabc)\r\n",
            b'* STATUS "a"b" (MESSAGES 1)\r\n',
        ):
            self.assertEqual(self.faults(data), 1, data)

    def test_enabled(self) -> None:
        """What a client has enabled is remembered: UTF-8 in quoted strings is right from then on."""
        name = '* LIST () "/" "ü"\r\n'.encode()
        self.assertEqual(self.faults(name), 1)
        self.assertEqual(self.faults(b"* ENABLED UTF8=ACCEPT\r\n", name), 0)

    def test_wire(self) -> None:
        """Tests without a network look at it themselves, as a whole, at their end."""
        outlet = Outlet(WireTransport(WireClock(), "127.0.0.1"), WireClock(), 60, lambda: None)
        outlet.write(b"* 3 EXISTS")
        self.assertEqual(self.flushLoggedErrors(Malformed), [])
