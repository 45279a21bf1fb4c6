"""ID (RFC 2971)."""

from __future__ import annotations

from cybertemp_imap import __version__
from test.wire import MINE, WireTestCase


class IdTests(WireTestCase):
    """Who the server says it is."""

    def test_answer(self) -> None:
        """Whatever the client says of itself, it is told who the server is, in every state."""
        ours = {b"name": b"cybertemp-imap", b"version": __version__.encode()}
        clients = (self.wire.connect(), self.wire.session(), self.wire.session(MINE))
        for client in clients:
            for arguments in ("NIL", "()", '("name" "x" "version" NIL)', "nil"):
                self.assertEqual(client.ok(f"ID {arguments}").data("ID"), [ours])
            self.assertEqual(client.ok(b'ID ("name" {3+}\r\nfoo)').data("ID"), [ours])

    def test_malformed(self) -> None:
        """A parameter list has pairs of strings."""
        for arguments in ("", " x", ' ("name")', " (name x)", ' ("name" "x"'):
            self.assertStatus(self.wire.session().command(f"ID{arguments}"), "BAD")
