"""CAPABILITY (RFC 9051 section 6.1.1): what is announced in each state, and where."""

from __future__ import annotations

from test.wire import MINE, TOKEN, USER, WireTestCase

ALWAYS = {b"IMAP4rev1", b"IMAP4rev2", b"LITERAL+", b"SASL-IR", b"ID", b"ENABLE"}
BEFORE_LOGIN = ALWAYS | {b"AUTH=PLAIN", b"AUTH=LOGIN"}
AFTER_LOGIN = ALWAYS | {
    b"NAMESPACE",
    b"CHILDREN",
    b"UNSELECT",
    b"SPECIAL-USE",
    b"LIST-EXTENDED",
    b"LIST-STATUS",
    b"ESEARCH",
    b"SEARCHRES",
    b"WITHIN",
    b"IDLE",
    b"UIDPLUS",
    b"MOVE",
    b"MULTIAPPEND",
    b"CREATE-SPECIAL-USE",
    b"APPENDLIMIT=26214400",
    b"STATUS=SIZE",
    b"OBJECTID",
    b"SAVEDATE",
    b"BINARY",
    b"UTF8=ACCEPT",
    b"CONDSTORE",
    b"QRESYNC",
}


class CapabilityTests(WireTestCase):
    """The greeting, CAPABILITY and the answer to a login say the same of the same state."""

    def test_states(self) -> None:
        """What is announced, by state and by how safe the connection is (RFC 3501 section 6.2.3, LOGINDISABLED)."""
        for client, expected in (
            (self.wire.connect(), BEFORE_LOGIN),
            (self.wire.connect(peer="203.0.113.9"), ALWAYS | {b"LOGINDISABLED"}),
            (self.wire.connect(peer="203.0.113.9", tls=True), BEFORE_LOGIN),
            (self.wire.session(), AFTER_LOGIN),
            (self.wire.session(MINE), AFTER_LOGIN),
        ):
            (announced,) = client.ok("CAPABILITY").data("CAPABILITY")
            self.assertEqual(set(announced), expected)

    def test_greeting(self) -> None:
        """The greeting holds what CAPABILITY answers (RFC 9051 section 7.1)."""
        for peer in ("127.0.0.1", "203.0.113.9"):
            client = self.wire.connect(peer=peer)
            (greeting,) = client.responses()
            self.assertEqual((greeting.tag, greeting.name), (b"*", b"OK"))
            self.assertEqual(
                [(b"CAPABILITY", each) for each in client.ok("CAPABILITY").data("CAPABILITY")], [greeting.code]
            )

    def test_no_delay(self) -> None:
        """Answers are not held back by Nagle's algorithm."""
        self.assertTrue(self.wire.connect().transport.no_delay)

    def test_loopback(self) -> None:
        """Clients of this machine may log in without TLS, whatever family their address is of."""
        for peer, allowed in (
            ("127.0.0.1", True),
            ("127.9.9.9", True),
            ("::1", True),
            ("::ffff:127.0.0.1", True),
            ("10.0.0.1", False),
            ("::ffff:10.0.0.1", False),
            ("2001:db8::1", False),
        ):
            answer = self.wire.connect(peer=peer).command(f"LOGIN {USER} {TOKEN}")
            self.assertEqual(answer.status, "OK" if allowed else "NO", peer)

    def test_arguments(self) -> None:
        """CAPABILITY has no arguments; spaces at the end of a command are forgiven."""
        client = self.wire.connect()
        self.assertStatus(client.command("CAPABILITY x"), "BAD")
        self.assertStatus(client.command("CAPABILITY  "), "OK")


class PlaintextAllowedTests(WireTestCase):
    """An operator may allow logging in without TLS."""

    limits = {"allow_plaintext": True}  # noqa: RUF012

    def test_login(self) -> None:
        """Then the mechanisms are announced, and LOGIN works from anywhere."""
        client = self.wire.connect(peer="203.0.113.9")
        self.assertEqual(set(client.ok("CAPABILITY").data("CAPABILITY")[0]), BEFORE_LOGIN)
        client.login()
