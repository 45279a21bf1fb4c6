"""Limits of a connection: sizes, mistakes, failed logins."""

from __future__ import annotations

from cybertemp_imap.protocol.limits import Limits
from test.wire import TOKEN, USER, Client, WireTestCase


class SizeTests(WireTestCase):
    """Lines and literals before and after login."""

    def test_line_before_login(self) -> None:
        """8 KiB, then BAD with the tag; the next command is read as usual."""
        client = self.wire.connect()
        self.assertEqual(client.command("NOOP" + " " * 8000).status, "OK")
        answer = client.command("NOOP " + "x" * 9000)
        self.assertEqual(answer.tagged.raw, b"t2 BAD The command is too long.\r\n")
        client.ok("NOOP")

    def test_line_after_login(self) -> None:
        """64 KiB after login: a set of thousands of UIDs is one command."""
        client = self.wire.session("INBOX")
        uids = ",".join(str(10_000_000 + 2 * n) for n in range(7000))
        client.ok(f"UID FETCH {uids} FLAGS")
        self.assertStatus(client.command(f"UID FETCH {uids},1 FLAGS (" + "x" * 9000), "BAD")

    def test_line_without_end(self) -> None:
        """A line that goes on and on ends the connection, with little kept in memory."""
        for client, limit in ((self.wire.connect(), 8 * 1024), (self.wire.session(), 64 * 1024)):
            client.take()
            for _ in range(100):
                if not client.closed:
                    client.send(b"x" * 5000)
                self.assertLess(client.server.reader.buffered, limit + 6000)
            self.assertEqual([r.name for r in client.responses()], [b"BAD", b"BYE"])
            self.assertTrue(client.closed)

    def test_literal_before_login(self) -> None:
        """4 KiB, then NO with TOOBIG at once; the octets of one that comes unasked are skipped (RFC 7888)."""
        client = self.wire.connect()
        client.take()
        client.send(b"a LOGIN {5000}\r\n")
        client.send(b"b LOGIN {5000+}\r\n" + b"c NOOP\r\n" * 625 + b" x\r\nd NOOP\r\n")
        found = [(r.tag, r.name, r.code) for r in client.responses()]
        big = (b"TOOBIG", None)
        self.assertEqual(found, [(b"a", b"NO", big), (b"b", b"NO", big), (b"d", b"OK", None)])

    def test_literals_after_login(self) -> None:
        """64 KiB each and 1 MiB together after login."""
        client = self.wire.session("INBOX")
        client.ok(b"SEARCH TEXT {65536+}\r\n" + b"x" * 65536)
        self.assertStatus(client.command(b"SEARCH TEXT {65537+}\r\n" + b"x" * 65537), "NO", "TOOBIG")
        many = b"SEARCH" + (b" TEXT {65536+}\r\n" + b"x" * 65536) * 17
        self.assertStatus(client.command(many), "NO", "TOOBIG")
        client.ok("NOOP")

    def test_search_depth(self) -> None:
        """100 levels of search keys, or as many as are set; more are BAD, also in a line that is read in a thread."""
        client = self.wire.session("INBOX")
        client.ok("SEARCH " + "(" * 100 + "SEEN" + ")" * 100)
        for key in ("NOT " * 101 + "SEEN", "OR SEEN " * 5000 + "SEEN"):
            self.assertEqual(client.command("SEARCH " + key).tagged.text, b"Search keys are nested too deeply")
        self.wire.factory.limits = Limits(search_depth=2)
        client = self.wire.session("INBOX")
        client.ok("SEARCH NOT NOT SEEN")
        self.assertStatus(client.command("SEARCH NOT NOT NOT SEEN"), "BAD")

    def test_impossible_literals(self) -> None:
        """A size of any number of digits is refused; one too large to be skipped ends the connection."""
        client = self.wire.session()
        self.assertStatus(client.command("SELECT {99999999999999999999999999}"), "NO", "TOOBIG")
        client.take()
        client.send(b"a SELECT {99999999999999999999999999+}\r\n")
        self.assertEqual([r.name for r in client.responses()], [b"BYE"])
        self.assertTrue(client.closed)

    def test_read_ahead(self) -> None:
        """While a command runs, no more is taken from the socket than the read-ahead."""
        client = self.wire.connect()
        client.send(b"a LOGIN x y\r\n")
        client.send(b"b NOOP\r\n" * 100_000)
        self.assertFalse(client.transport.reading)
        self.assertLess(client.server.reader.buffered, 256 * 1024)
        self.assertGreater(client.transport.unread, 500_000)
        client.take()
        self.wire.later(2)
        self.assertEqual(len(client.responses()), 100_001)


class MistakeTests(WireTestCase):
    """Bad commands, echoed answers, other protocols."""

    def count(self, client: Client, line: bytes) -> int:
        """Return how many such lines a connection takes before BYE."""
        for number in range(1, 50):
            client.take()
            client.send(line + b"\r\n")
            if client.closed:
                self.assertEqual(client.lines()[-1], b"* BYE Too many bad commands.")
                return number
        return 0

    def test_bad_commands(self) -> None:
        """3 before login, 20 after, then BYE; a good command does not start the count again, a login does."""
        for line in (b"a FOO", b"a SELECT", b"", b"a FETCH 1 UID", b"(", b"a LOGIN x {9999999}"):
            self.assertEqual(self.count(self.wire.connect(), line), 3, line)
            self.assertEqual(self.count(self.wire.session(), line if b"LOGIN" not in line else b"a FOO"), 20, line)
        client = self.wire.connect()
        for line in (b"a FOO", b"a FOO", b"a NOOP", f"a LOGIN {USER} {TOKEN}".encode()):
            client.send(line + b"\r\n")
        self.assertEqual(self.count(client, b"a FOO"), 20)

    def test_echo(self) -> None:
        """A server's answers sent back are not answered, and count (they could make a loop of two servers)."""
        for line in (
            b"* OK ready",
            b"* BAD A command begins with a tag",
            b"* 5 EXISTS",
            b"+ Go ahead",
            b"+",
            b"*",
            b"a1 OK NOOP completed",
            b"a1 NO [NONEXISTENT] There is no such mailbox.",
            b"a1 bad There is no such command.",
            b"OK SUBSCRIBE completed",
            b"OK DELETE completed",
            b"ok",
            b"NO LOGOUT",
            b"BAD x",
        ):
            client = self.wire.session()
            client.take()
            for _ in range(19):
                client.send(line + b"\r\n")
            self.assertEqual(client.take(), b"", line)
            client.send(line + b"\r\n")
            self.assertEqual(client.take(), b"* BYE Too many bad commands.\r\n", line)
            self.assertTrue(client.closed)

    def test_tags_that_are_no_echo(self) -> None:
        """A tag may begin like an answer."""
        client = self.wire.session()
        client.take()
        client.send(b"OKAY NOOP\r\nNO1 NOOP\r\nBAD_ NOOP\r\n")
        self.assertEqual([response.tag for response in client.responses()], [b"OKAY", b"NO1", b"BAD_"])

    def test_http(self) -> None:
        """An HTTP request is refused and the connection closed; nothing of what follows is carried out."""
        for request in (
            b"GET / HTTP/1.1",
            b"POST /a%20b?c={1} HTTP/1.1",
            b"OPTIONS * HTTP/1.0",
            b"CONNECT example.com:443 HTTP/1.1",
            b"PRI * HTTP/2.0",
        ):
            client = self.wire.connect()
            client.take()
            client.send(request + b"\r\nHost: x\r\n\r\n" + f"a LOGIN {USER} {TOKEN}\r\n".encode())
            self.assertEqual([r.name for r in client.responses()], [b"BYE"], request)
            self.assertTrue(client.closed)

    def test_tls_on_a_plain_port(self) -> None:
        """A TLS hello and other binary noise do no harm."""
        client = self.wire.connect()
        client.take()
        client.send(bytes(range(256)) * 30 + b"\r\n\x16\x03\x01\x02\x00\r\nx\r\n")
        self.assertTrue(client.closed)


class FailedLoginTests(WireTestCase):
    """What failing logins cost."""

    def test_pipelined_guesses(self) -> None:
        """Guesses in one packet are tried one after the other, 2 seconds each, three of them."""
        client = self.wire.connect()
        client.take()
        client.send(b"".join(b"a%d LOGIN me@example.com guess%d\r\n" % (n, n) for n in range(10)))
        self.assertEqual(client.take(), b"")
        for number in range(3):
            self.wire.later(1.9)
            self.assertEqual(client.take(), b"")
            self.wire.later(0.1)
            self.assertEqual(client.responses()[0].tag, b"a%d" % number)
        self.wire.later(60)
        self.assertTrue(client.closed)
        self.assertEqual(client.take(), b"")

    def test_mixed(self) -> None:
        """LOGIN and AUTHENTICATE count together."""
        client = self.wire.connect()
        for line in (b"a LOGIN x y", b"b AUTHENTICATE PLAIN AHgAeQ==", b"c LOGIN x y"):
            client.send(line + b"\r\n")
            self.wire.later(2)
        self.assertTrue(client.closed)
        self.assertEqual(client.responses()[-1].raw, b"* BYE Too many failed logins.\r\n")

    def test_unavailable_is_no_failure(self) -> None:
        """A store that cannot be reached says nothing about a token, and does not count."""
        client = self.wire.connect()
        self.store.available = False
        for _ in range(5):
            self.assertStatus(client.command(f"LOGIN {USER} {TOKEN}"), "NO", "UNAVAILABLE")
        self.store.available = True
        client.login()
