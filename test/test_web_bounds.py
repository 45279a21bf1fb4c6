"""How many connections HTTP has, and how long they last."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from cybertemp_imap.web import http


class BoundsTests(SynchronousTestCase):
    """Connections to a site."""

    def setUp(self) -> None:
        """Make one."""
        self.clock = Clock()
        self.site = http.site_of(Resource(), self.clock)

    def connect(self, peer: str = "203.0.113.1") -> Any:
        """Return the transport of a new connection, None where it was refused."""
        kind = IPv6Address if ":" in peer else IPv4Address
        protocol = self.site.buildProtocol(kind("TCP", peer, 1))
        if protocol is None:
            return None
        transport: Any = StringTransportWithDisconnection(peerAddress=kind("TCP", peer, 1))
        transport.protocol = protocol
        transport.abortConnection = transport.loseConnection
        protocol.makeConnection(transport)
        return transport

    def test_from_one_address(self) -> None:
        """One address, or one IPv6 network, has so many; when one has gone there is room again."""
        for one, same, other in (
            ("203.0.113.1", "203.0.113.1", "203.0.113.2"),
            ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"),
        ):
            first, *_ = [self.connect(one) for _ in range(http.MAX_FROM_ONE)]
            self.assertIsNone(self.connect(same))
            self.assertIsNotNone(self.connect(other))
            first.loseConnection()
            self.assertIsNotNone(self.connect(same))

    def test_from_this_machine(self) -> None:
        """A proxy on this machine has as many as there are, and no more."""
        for _ in range(http.MAX_CONNECTIONS):
            self.assertIsNotNone(self.connect("127.0.0.1"))
        self.assertIsNone(self.connect("127.0.0.1"))
        self.assertIsNone(self.connect())

    def test_slow(self) -> None:
        """Who sends an octet now and then is cut off all the same, and nothing is left behind."""
        transport = self.connect()
        for octet in b"GET / HTTP/1.1\r\n":
            transport.protocol.dataReceived(bytes([octet]))
            self.clock.advance(http.TIMEOUT / 2)
        self.assertFalse(transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_quiet(self) -> None:
        """Who says nothing is cut off sooner."""
        transport = self.connect()
        self.clock.advance(http.TIMEOUT)
        self.assertFalse(transport.connected)
