"""Times of a connection: logging in, being quiet, not reading; and what a client that does not read costs."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface.verify import verifyObject

from cybertemp_imap.protocol.commands.fetch import PAGE_OCTETS
from test.response_parser import parse_responses
from test.wire import MINE, MINE_TOO, TOKEN, USER, Client, WireTestCase


class LoginTimeTests(WireTestCase):
    """60 seconds from the connection to a login."""

    def test_absolute(self) -> None:
        """However busy the client is: it is the time from the connection that counts."""
        client = self.wire.connect()
        for _ in range(59):
            self.wire.later(1)
            client.ok("NOOP")
        self.wire.later(1)
        self.assertEqual(client.take(), b"* BYE Logging in took too long.\r\n")
        self.assertTrue(client.closed)

    def test_over_after_login(self) -> None:
        """A login ends it."""
        client = self.wire.connect()
        self.wire.later(59)
        client.login()
        self.wire.later(120)
        client.ok("NOOP")

    def test_slow_octets(self) -> None:
        """Sending an octet now and then does not help."""
        client = self.wire.connect()
        for _ in range(70):
            if not client.closed:
                client.send(b"x")
            self.wire.later(1)
        self.assertTrue(client.closed)


class QuietTimeTests(WireTestCase):
    """30 minutes without a sign of life (RFC 9051 section 5.4)."""

    def test_quiet(self) -> None:
        """BYE after 30 minutes of nothing; anything that comes starts the time again."""
        client = self.wire.session(MINE)
        self.wire.later(1799)
        client.ok("NOOP")
        self.wire.later(1000)
        client.send(b"a NO")
        self.wire.later(1799)
        self.assertFalse(client.closed)
        client.take()
        self.wire.later(1)
        self.assertTrue(client.take().startswith(b"* BYE Autologout"))
        self.assertTrue(client.closed)

    def test_not_while_answering(self) -> None:
        """A client that is still taking in an answer is not quiet, however long that takes."""
        self.wire.deliver(40, body="x" * 70_000)
        client = self.wire.session(MINE)
        client.transport.client_reads = False
        client.send(b"a FETCH 1:* BODY.PEEK[]\r\n")
        while client.transport.waiting:
            self.wire.later(100)
            self.assertFalse(client.closed)
            client.transport.drain()
            self.wire.clock.settle()
        self.assertGreater(self.wire.clock.seconds(), 1800)
        client.transport.client_reads = True
        self.assertIn(b"a OK", client.take())
        client.ok("NOOP")


class StalledTests(WireTestCase):
    """A client that does not read what it asked for."""

    def setUp(self) -> None:
        """Deliver much, and stop reading."""
        super().setUp()
        self.wire.deliver(100, body="y" * 100_000)
        self.client = self.wire.session(MINE)
        self.client.take()
        self.client.transport.client_reads = False

    def served(self, client: Client, command: bytes) -> None:
        """Send a command that answers much."""
        client.send(b"big " + command + b"\r\n")

    def test_memory(self) -> None:
        """What waits for the client is bounded: the transport's buffer, not the answer (some 10 MB here)."""
        self.served(self.client, b"FETCH 1:* BODY.PEEK[]")
        self.assertLess(self.client.transport.most_waiting, 256 * 1024)
        held = sum(len(each) for each in self.client.server.outlet._held)
        self.assertLess(held, PAGE_OCTETS + 200_000)

    def test_memory_of_flags(self) -> None:
        """The same for answers of many small lines, and for many commands."""
        # Where nobody looks yet: each delivery to an open mailbox is looked at.
        self.wire.deliver(8_000, MINE_TOO)
        other = self.wire.session(MINE_TOO)
        other.transport.client_reads = False
        for _ in range(100):
            self.served(other, b"FETCH 1:* (UID FLAGS)")
        self.assertLess(other.transport.most_waiting, 256 * 1024)
        self.assertLess(other.server.reader.buffered, 256 * 1024)
        other.hang_up()

    def test_stalled(self) -> None:
        """After 2 minutes in which nothing was taken in, the connection is cut; others are served meanwhile."""
        self.served(self.client, b"FETCH 1:* BODY.PEEK[]")
        other = self.wire.session(MINE)
        other.ok("FETCH 1 BODY.PEEK[]")
        self.wire.later(119)
        self.assertFalse(self.client.transport.aborted)
        self.wire.later(1)
        self.assertTrue(self.client.transport.aborted)
        other.ok("NOOP")
        # What was taken of a response is no whole one.
        self.client.transport.taken = self.client.transport.taken[: self.client._seen]

    def test_slow(self) -> None:
        """A client that takes in a little in every 2 minutes is served to the end."""
        self.served(self.client, b"FETCH 1:20 BODY.PEEK[]")
        transport = self.client.transport
        while transport.waiting:
            self.wire.later(119)
            transport.drain()
            self.wire.clock.settle()
        self.assertFalse(transport.aborted)
        self.assertEqual(len(parse_responses(self.client.take())), 21)

    def test_one_large_message(self) -> None:
        """That holds within a single message too: its size does not count, only that something goes out."""
        self.wire.deliver(1, body=("z" * 99 + "\n") * 50_000)
        self.client.transport.client_reads = True
        self.client.ok("NOOP")
        self.client.transport.client_reads = False
        self.served(self.client, b"FETCH 101 BODY.PEEK[]")
        transport = self.client.transport
        rounds = 0
        while transport.waiting:
            self.assertLess(len(transport.waiting), 256 * 1024)
            self.wire.later(100)
            transport.drain()
            self.wire.clock.settle()
            rounds += 1
        self.assertGreater(rounds, 20)
        self.assertFalse(transport.aborted)
        self.assertEqual(len(parse_responses(self.client.take())), 2)

    def test_commands_wait(self) -> None:
        """Commands behind it are carried out when the client reads again, in order."""
        self.served(self.client, b"FETCH 1:5 BODY.PEEK[]\r\nb NOOP\r\nc LOGOUT")
        self.client.transport.client_reads = True
        self.client.transport.drain()
        self.wire.clock.settle()
        tags = [response.tag for response in self.client.responses() if response.tag != b"*"]
        self.assertEqual(tags, [b"big", b"b", b"c"])
        self.assertTrue(self.client.closed)

    def test_closing(self) -> None:
        """A connection that is being closed does not wait for ever for its last octets to be read."""
        self.client.send(b"a NOOP\r\n" + b"".join(b"x FOO\r\n" for _ in range(20)))
        self.assertTrue(self.client.server.outlet.closed)
        self.assertFalse(self.client.closed)
        self.wire.later(120)
        self.assertTrue(self.client.transport.aborted)

    def test_closing_with_much_to_send(self) -> None:
        """A time-out that comes while a large answer waits closes the connection after what was begun."""
        self.wire.deliver(1, body=("z" * 99 + "\n") * 4_000)
        self.served(self.client, b"NOOP\r\nlarge FETCH 101 BODY.PEEK[]")
        self.assertTrue(self.client.server.outlet._held)
        self.client.server.bye("Shutting down.")
        self.client.transport.client_reads = True
        self.client.transport.drain()
        self.wire.clock.settle()
        self.assertTrue(self.client.closed)
        self.assertEqual([r.name for r in self.client.responses()], [b"EXISTS", b"RECENT", b"OK", b"FETCH", b"BYE"])

    def test_gone(self) -> None:
        """A client that leaves while much waits ends the work."""
        self.served(self.client, b"FETCH 1:* BODY.PEEK[]")
        self.client.hang_up()
        self.assertFalse(self.client.server._serving)
        self.client.transport.taken = self.client.transport.taken[: self.client._seen]

    def test_interface(self) -> None:
        """The outlet is the producer that transports know."""
        self.assertTrue(verifyObject(IPushProducer, self.client.server.outlet))


class ShortTimesTests(WireTestCase):
    """The times are settings."""

    limits: dict[str, Any] = {"login_timeout": 5.0, "idle_timeout": 7.0, "login_delay": 0.0}  # noqa: RUF012

    def test_settings(self) -> None:
        """Each is what it was set to."""
        client = self.wire.connect()
        client.take()
        client.send(b"a LOGIN x y\r\n")
        self.assertEqual(client.responses()[0].tag, b"a")
        self.wire.later(5)
        self.assertTrue(client.closed)
        client = self.wire.connect().login(USER, TOKEN)
        self.wire.later(7)
        self.assertTrue(client.closed)
