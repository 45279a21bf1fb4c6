"""AUTHENTICATE (RFC 9051 section 6.2.2), SASL PLAIN and LOGIN, and initial responses (RFC 4959)."""

from __future__ import annotations

from base64 import b64encode

from test.response_parser import parse_responses
from test.wire import TOKEN, USER, Client, WireTestCase

PLAIN = b64encode(f"\0{USER}\0{TOKEN}".encode())
PLAIN_AS_ONESELF = b64encode(f"{USER}\0{USER}\0{TOKEN}".encode())
USER64, TOKEN64 = b64encode(USER.encode()), b64encode(TOKEN.encode())


class AuthenticateTests(WireTestCase):
    """Both mechanisms, each in every way of being talked through."""

    def talk(self, *lines: bytes, chunk: int | None = None) -> tuple[Client, list[bytes], bytes]:
        """Send lines; return the client, the challenges, and the tagged answer after any delay."""
        client = self.wire.connect()
        client.take()
        for line in lines:
            client.send(line + b"\r\n", chunk)
        self.wire.later(2)
        raw = client.take()
        responses = parse_responses(raw)
        tagged = [response.raw for response in responses if response.tag == b"a"]
        return client, [response.raw for response in responses if response.tag == b"+"], tagged[0] if tagged else b""

    def test_succeeds(self) -> None:
        """Every way to log in; an empty challenge is ``+ `` with its space (RFC 9051 section 6.2.2)."""
        username, password = b"+ VXNlcm5hbWU6\r\n", b"+ UGFzc3dvcmQ6\r\n"
        for lines, challenges in (
            ([b"a AUTHENTICATE PLAIN", PLAIN], [b"+ \r\n"]),
            ([b"a authenticate plain", PLAIN_AS_ONESELF], [b"+ \r\n"]),
            ([b"a AUTHENTICATE PLAIN " + PLAIN], []),
            ([b"a AUTHENTICATE LOGIN", USER64, TOKEN64], [username, password]),
            ([b"a AUTHENTICATE LOGIN " + USER64, TOKEN64], [password]),
        ):
            for chunk in (None, 1):
                client, asked, answer = self.talk(*lines, chunk=chunk)
                self.assertEqual(asked, challenges)
                self.assertTrue(answer.startswith(b"a OK [CAPABILITY IMAP4rev1 "), answer)
                client.ok("SELECT INBOX")

    def test_pipelined(self) -> None:
        """What follows in the same packet is the response, then commands."""
        client = self.wire.connect()
        client.take()
        client.send(b"a AUTHENTICATE PLAIN\r\n" + PLAIN + b"\r\nb NOOP\r\n")
        self.assertEqual([response.tag for response in client.responses()], [b"+", b"a", b"b"])

    def test_credentials_that_fail(self) -> None:
        """Wrong or impossible credentials fail as a wrong LOGIN does, and count as such."""
        for blob in (
            b"\0me@example.com\0wrong",
            b"they@example.net\0me@example.com\0" + TOKEN.encode(),
            b"me@example.com\0" + TOKEN.encode(),
            b"",
            b"\0\0",
            b"\0me@example.com\0" + TOKEN.encode() + b"\0",
        ):
            for lines in (
                [b"a AUTHENTICATE PLAIN", b64encode(blob)],
                [b"a AUTHENTICATE PLAIN " + (b64encode(blob) or b"=")],
            ):
                client, _, answer = self.talk(*lines)
                expected = b"a NO [AUTHENTICATIONFAILED] The e-mail address or the token is not right.\r\n"
                self.assertEqual(answer, expected)
                self.assertEqual(client.server.failed_logins, 1)

    def test_cancel(self) -> None:
        """``*`` ends the exchange with BAD (RFC 9051 section 6.2.2), and logging in is still possible."""
        for lines in ([b"a AUTHENTICATE PLAIN", b"*"], [b"a AUTHENTICATE LOGIN", USER64, b"*"]):
            client, _, answer = self.talk(*lines)
            self.assertEqual(answer, b"a BAD Authentication cancelled.\r\n")
            client.login()

    def test_malformed_base64(self) -> None:
        """What is no base64 is answered with BAD (section 6.2.2)."""
        for lines in (
            [b"a AUTHENTICATE PLAIN", b"!!!!"],
            [b"a AUTHENTICATE PLAIN", b"AGE"],
            [b"a AUTHENTICATE PLAIN", PLAIN + b" "],
            [b"a AUTHENTICATE PLAIN", b"=" + PLAIN],
            [b"a AUTHENTICATE PLAIN !!!!"],
            [b"a AUTHENTICATE PLAIN ==="],
            [b"a AUTHENTICATE PLAIN " + PLAIN + b" x"],
        ):
            client, _, answer = self.talk(*lines)
            self.assertTrue(answer.startswith(b"a BAD "), (lines, answer))
            client.login()

    def test_too_long(self) -> None:
        """A response longer than any mechanism needs is refused; one without end closes the connection."""
        client, _, answer = self.talk(b"a AUTHENTICATE PLAIN", b"A" * 7000)
        self.assertEqual(answer, b"a BAD The line is too long.\r\n")
        client.login()
        client = self.wire.connect()
        client.send(b"a AUTHENTICATE PLAIN\r\n" + b"A" * 100_000)
        self.assertTrue(client.take().endswith(b"* BYE The line is much too long.\r\n") or client.closed)
        self.assertTrue(client.closed)

    def test_unknown_mechanism(self) -> None:
        """A mechanism that is not announced is refused with NO (section 6.2.2)."""
        for mechanism in (b"CRAM-MD5", b"XOAUTH2", b"ANONYMOUS"):
            client, asked, answer = self.talk(b"a AUTHENTICATE " + mechanism)
            self.assertEqual((asked, answer[:13]), ([], b"a NO [CANNOT]"))
            client.login()

    def test_plaintext(self) -> None:
        """Without TLS from elsewhere nothing is asked for, and what was sent anyway is not looked at."""
        client = self.wire.connect(peer="203.0.113.9")
        self.assertStatus(client.command(b"AUTHENTICATE PLAIN " + PLAIN), "NO", "PRIVACYREQUIRED")
        self.assertStatus(client.command(b"AUTHENTICATE PLAIN"), "NO", "PRIVACYREQUIRED")
        self.assertStatus(client.command("NOOP"), "OK")

    def test_after_login(self) -> None:
        """AUTHENTICATE is for the not authenticated state."""
        self.assertStatus(self.wire.session().command(b"AUTHENTICATE PLAIN " + PLAIN), "BAD")

    def test_gone_while_asked(self) -> None:
        """A client may leave in the middle."""
        client = self.wire.connect()
        client.send(b"a AUTHENTICATE LOGIN\r\n" + USER64[:3])
        client.hang_up()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_time_out_while_asked(self) -> None:
        """The time to log in runs on in the middle."""
        client = self.wire.connect()
        client.send(b"a AUTHENTICATE PLAIN\r\n")
        self.wire.later(60)
        self.assertTrue(client.closed)
        self.assertEqual(client.responses()[-1].name, b"BYE")
