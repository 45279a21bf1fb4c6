"""What a command writes is gathered, so that its answer goes in one piece."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.protocol.outlet import PIECE, Outlet
from test.wire_transport import WireClock, WireTransport


def responses(sizes: Iterable[int]) -> list[bytes]:
    """Return responses of these sizes, each with a number of its own."""
    return [b"* OK %05d %b\r\n" % (number, b"x" * (size - 13)) for number, size in enumerate(sizes)]


class GatherTests(SynchronousTestCase):
    """An outlet that gathers."""

    def setUp(self) -> None:
        """Make one, over a connection whose client reads."""
        self.clock = WireClock()
        self.transport = WireTransport(self.clock, "127.0.0.1")
        self.outlet = Outlet(self.transport, self.clock, 60, lambda: None)
        self.outlet.gather()

    def test_in_one_piece(self) -> None:
        """What was written goes in one piece when more may be sent, and it is gathered on until that is ended."""
        first = responses([20, 30, 40])
        for each in first:
            self.outlet.write(each)
        self.assertEqual(self.transport.writes, 0)
        self.successResultOf(Deferred.fromCoroutine(self.outlet.ready()))
        self.assertEqual((self.transport.writes, bytes(self.transport.taken)), (1, b"".join(first)))
        self.outlet.write(first[0])
        self.assertEqual(self.transport.writes, 1)
        self.outlet.release()
        self.outlet.write(first[1])
        self.assertEqual((self.transport.writes, bytes(self.transport.taken)), (3, b"".join([*first, *first[:2]])))

    def test_order(self) -> None:
        """However much is written, its order is kept, and no more than a piece of it is kept back."""
        sizes = [20, PIECE, 30, PIECE - 30, 40, 3 * PIECE, 50, PIECE - 20, *[1000] * 200]
        written = 0
        for each in responses(sizes):
            self.outlet.write(each)
            written += len(each)
            self.assertLessEqual(written - len(self.transport.taken), PIECE)
        self.outlet.release()
        self.assertTrue(bytes(self.transport.taken) == b"".join(responses(sizes)))
        self.assertLess(self.transport.writes, 20)

    def test_closed(self) -> None:
        """What was gathered is sent before the connection is closed."""
        self.outlet.write(b"* BYE gone\r\n")
        self.transport.protocol = _Nobody()
        self.outlet.close()
        self.assertEqual(bytes(self.transport.taken), b"* BYE gone\r\n")
        self.assertTrue(self.transport.closing)
        self.outlet.lost()


class _Nobody:
    def connectionLost(self, reason: object) -> None:
        """Do nothing."""
