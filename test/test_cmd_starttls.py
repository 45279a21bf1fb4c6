"""STARTTLS (RFC 9051 section 6.2.1), and logging in without it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from test.wire import TOKEN, USER, Client, WireTestCase

ELSEWHERE = "203.0.113.9"
PLAIN = b64encode(f"\0{USER}\0{TOKEN}".encode())


class StartTlsTests(WireTestCase):
    """A server with a certificate, and clients on other machines."""

    def setUp(self) -> None:
        """Have a certificate."""
        super().setUp()
        self.certificate: Any = object()
        self.wire.factory.certificate = self.certificate

    def announced(self, client: Client) -> list[bytes]:
        """Return the capabilities."""
        found: list[bytes] = client.ok("CAPABILITY").data("CAPABILITY")[0]
        return found

    def test_begins(self) -> None:
        """OK in the clear, then TLS with the certificate; logging in is possible there."""
        client = self.wire.connect(ELSEWHERE)
        self.assertIsNone(client.transport.tls)
        self.assertEqual(client.command("STARTTLS").tagged.raw, b"t1 OK Begin TLS now\r\n")
        self.assertIs(client.transport.tls, self.certificate)
        client.login()

    def test_announced(self) -> None:
        """It is announced, in the greeting too, until TLS is on; then the ways to log in are."""
        client = self.wire.connect(ELSEWHERE)
        (greeting,) = client.responses()
        assert greeting.code is not None
        for names in (greeting.code[1], self.announced(client)):
            self.assertIn(b"STARTTLS", names)
            self.assertIn(b"LOGINDISABLED", names)
            self.assertNotIn(b"AUTH=PLAIN", names)
        client.ok("STARTTLS")
        names = self.announced(client)
        self.assertIn(b"AUTH=PLAIN", names)
        self.assertNotIn(b"STARTTLS", names)
        self.assertNotIn(b"LOGINDISABLED", names)
        client.login()
        self.assertNotIn(b"STARTTLS", self.announced(client))

    def test_not_announced(self) -> None:
        """Where it cannot be done it is not announced, and BAD: without a certificate, and under TLS."""
        for client in (self.wire.connect(ELSEWHERE, tls=True), self.started()):
            self.assertNotIn(b"STARTTLS", self.announced(client))
            self.assertStatus(client.command("STARTTLS"), "BAD")
        self.wire.factory.certificate = None
        client = self.wire.connect(ELSEWHERE)
        self.assertNotIn(b"STARTTLS", self.announced(client))
        self.assertStatus(client.command("STARTTLS"), "BAD")

    def started(self) -> Client:
        """Connect and begin TLS."""
        client = self.wire.connect(ELSEWHERE)
        client.ok("STARTTLS")
        return client

    def test_from_this_machine(self) -> None:
        """A client on this machine may log in either way."""
        client = self.wire.connect()
        self.assertIn(b"STARTTLS", self.announced(client))
        self.assertIn(b"AUTH=PLAIN", self.announced(client))
        client.ok("STARTTLS")
        client.login()

    def test_pipelined(self) -> None:
        """What follows in the clear is not carried out, in whatever pieces it comes, and the connection is closed."""
        for behind in (b"b NOOP\r\n", f"b LOGIN {USER} {TOKEN}\r\n".encode(), b"b", b"\x16\x03\x01"):
            client = self.wire.connect(ELSEWHERE)
            client.take()
            client.send(b"a STARTTLS\r\n" + behind)
            self.assertEqual([(r.tag, r.name) for r in client.responses()], [(b"*", b"BYE")], behind)
            self.assertTrue(client.closed)
            self.assertIsNone(client.transport.tls)
            self.assertIsNone(client.server.account)

    def test_behind_another_command(self) -> None:
        """A command before it in the same packet does no harm."""
        client = self.wire.connect(ELSEWHERE)
        client.take()
        client.send(b"a NOOP\r\nb STARTTLS\r\n")
        self.assertEqual([(r.tag, r.name) for r in client.responses()], [(b"a", b"OK"), (b"b", b"OK")])
        client.login()

    def test_every_login_before(self) -> None:
        """Without TLS every way to log in is refused alike, right or wrong, and nothing is looked up."""

        async def find_login(token: str) -> None:
            raise AssertionError("looked up")

        self.patch(self.store, "find_login", find_login)
        for command in (
            f"LOGIN {USER} {TOKEN}".encode(),
            f"LOGIN {USER} wrong".encode(),
            b"LOGIN {14+}\r\nme@example.com {14+}\r\ntok-3141592653",
            b"AUTHENTICATE PLAIN",
            b"AUTHENTICATE PLAIN " + PLAIN,
            b"AUTHENTICATE PLAIN =",
            b"AUTHENTICATE LOGIN",
            b"AUTHENTICATE LOGIN bWU=",
            b"authenticate plain " + PLAIN,
        ):
            client = self.wire.connect(ELSEWHERE)
            self.assertStatus(client.command(command), "NO", "PRIVACYREQUIRED")
            client.ok("STARTTLS")

    def test_after_login(self) -> None:
        """It is for the not authenticated state."""
        client = self.wire.session()
        self.assertStatus(client.command("STARTTLS"), "BAD")

    def test_malformed(self) -> None:
        """It has no arguments."""
        self.assertStatus(self.wire.connect(ELSEWHERE).command("STARTTLS now"), "BAD")

    def test_time_goes_on(self) -> None:
        """The time to log in is not begun again."""
        client = self.wire.connect(ELSEWHERE)
        self.wire.later(50)
        client.ok("STARTTLS")
        self.wire.later(10)
        self.assertTrue(client.closed)


class AllowedPlaintextTests(WireTestCase):
    """The operator says that secrets may be sent in the clear."""

    limits: dict[str, Any] = {"allow_plaintext": True}  # noqa: RUF012

    def test_login(self) -> None:
        """Logging in works from anywhere."""
        self.wire.connect(ELSEWHERE).login()
