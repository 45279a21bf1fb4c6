"""Limits of connections by address and by user, and what other protocols meet."""

from __future__ import annotations

from typing import Any

from test.wire import THEIR_TOKEN, THEIR_USER, TOKEN, USER, WireTestCase

PEER, OTHER = "203.0.113.9", "198.51.100.7"


class ConnectionTests(WireTestCase):
    """30 an address, 20 a user."""

    limits: dict[str, Any] = {"ip_connections": 30, "user_connections": 20}  # noqa: RUF012

    def refused(self, peer: str, tls: bool = False) -> bool:
        """Connect, and tell whether that was refused."""
        client = self.wire.connect(peer, tls)
        found = client.responses()
        if found[0].name == b"OK":
            return False
        self.assertEqual(found[0].raw, b"* BYE [LIMIT] Too many connections from your address.\r\n")
        self.assertTrue(client.closed)
        return True

    def test_address(self) -> None:
        """The 31st connection from an address is refused; one that ends makes room, others are not concerned."""
        clients = [self.wire.connect(PEER, tls=number % 2 == 0) for number in range(30)]
        self.assertTrue(self.refused(PEER))
        self.assertTrue(self.refused(PEER, tls=True))
        self.assertFalse(self.refused(OTHER))
        clients[7].hang_up()
        self.assertFalse(self.refused(PEER))
        self.assertTrue(self.refused(PEER))

    def test_refused_are_forgotten(self) -> None:
        """Connections that were refused do not count once they are gone."""
        clients = [self.wire.connect(PEER) for _ in range(30)]
        for _ in range(100):
            self.assertTrue(self.refused(PEER))
        for client in clients:
            client.hang_up()
        self.assertEqual(len(self.wire.factory.sessions), 0)
        self.assertFalse(self.refused(PEER))

    def test_ipv6(self) -> None:
        """A /64 counts as one address."""
        for number in range(30):
            self.wire.connect(f"2001:db8:1:2::{number:x}")
        self.assertTrue(self.refused("2001:db8:1:2:a:b:c:d"))
        self.assertFalse(self.refused("2001:db8:1:3::1"))

    def test_refused_and_silent(self) -> None:
        """One that is refused and does not read why is cut off after a few seconds."""
        for _ in range(30):
            self.wire.connect(PEER)
        client = self.wire.connect(PEER, reads=False)
        self.assertFalse(client.closed)
        self.wire.later(5)
        self.assertTrue(client.transport.aborted)

    def test_user(self) -> None:
        """The 21st login of a user is refused, from wherever; nobody else is concerned, and an end makes room."""
        clients = [self.wire.connect(f"127.0.0.{number}").login() for number in range(1, 21)]
        late = self.wire.connect("127.0.1.1")
        self.assertStatus(late.command(f"LOGIN {USER} {TOKEN}"), "NO", "LIMIT")
        self.wire.connect("127.0.1.2").login(THEIR_USER, THEIR_TOKEN)
        clients[3].ok("LOGOUT")
        late.login()
        self.assertStatus(self.wire.connect("127.0.1.3").command(f"LOGIN {USER} {TOKEN}"), "NO", "LIMIT")

    def test_keep_alive(self) -> None:
        """The kernel looks whether clients are still there."""
        self.assertTrue(self.wire.connect().transport.keep_alive)


class StrangerTests(WireTestCase):
    """Other protocols are turned away at once, before login."""

    def test_binary(self) -> None:
        """The first octets tell TLS and noise; no line end is waited for, and nothing said."""
        for data in (
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"\x16\x03",
            b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
            b"\x03\x00\x00\x13",
            b"\x05\x01\x00",
            b"\x80\x9e\x01\x03\x01",
            b"abc\x00",
            b"\xff\xf4",
        ):
            client = self.wire.connect()
            client.take()
            client.send(data)
            self.assertTrue(client.closed, data)
            self.assertEqual(client.take(), b"")

    def test_lines(self) -> None:
        """The first line tells HTTP, SMTP and SSH; what follows is not carried out."""
        for line, name in (
            (b"GET / HTTP/1.1", b"HTTP"),
            (b"PROPFIND /x HTTP/1.0", b"HTTP"),
            (b"EHLO mail.example.com", b"SMTP"),
            (b"helo x", b"SMTP"),
            (b"MAIL FROM:<a@b.example>", b"SMTP"),
            (b"SSH-2.0-OpenSSH_9.2", b"SSH"),
        ):
            client = self.wire.connect()
            client.take()
            client.send(line + f"\r\na LOGIN {USER} {TOKEN}\r\n".encode())
            self.assertEqual(
                client.take(), b"* BYE This is an IMAP server, and you seem to speak " + name + b".\r\n", line
            )
            self.assertTrue(client.closed)

    def test_no_strangers(self) -> None:
        """Tags that look a little like it, and octets beyond ASCII behind the tag, are IMAP."""
        client = self.wire.connect()
        client.take()
        client.send(b"EHLO NOOP\r\nGET NOOP\r\nSSH NOOP\r\nMAIL NOOP\r\n")
        self.assertEqual([response.tag for response in client.responses()], [b"EHLO", b"GET", b"SSH", b"MAIL"])
        client = self.wire.connect()
        client.take()
        client.send('a LOGIN "ü@example.com" x\r\n'.encode())
        self.wire.later(2)
        self.assertEqual([response.tag for response in client.responses()], [b"a"])

    def test_later(self) -> None:
        """After login such a line is a bad command like any other."""
        client = self.wire.session()
        self.assertStatus(client.command("\x00"), "BAD")
        client.ok("NOOP")
