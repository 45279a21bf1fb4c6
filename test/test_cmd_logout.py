"""LOGOUT (RFC 9051 section 6.1.3)."""

from __future__ import annotations

from test.wire import MINE, WireTestCase


class LogoutTests(WireTestCase):
    """The end of a session."""

    def test_every_state(self) -> None:
        """BYE, then OK, then the connection is closed."""
        for client in (self.wire.connect(), self.wire.session(), self.wire.session(MINE)):
            answer = client.command("LOGOUT")
            self.assertEqual([response.name for response in answer.responses], [b"BYE"])
            self.assertEqual(answer.status, "OK")
            self.assertTrue(client.closed)

    def test_nothing_after(self) -> None:
        """What comes after LOGOUT is not looked at."""
        client = self.wire.session()
        client.take()
        client.send(b"a LOGOUT\r\nb NOOP\r\nc NOOP\r\n")
        self.assertEqual([response.tag for response in client.responses()], [b"*", b"a"])

    def test_nothing_is_expunged(self) -> None:
        """LOGOUT does not expunge (section 6.1.3)."""
        self.wire.deliver(1, flags=["\\Deleted"])
        self.wire.session(MINE).ok("LOGOUT")
        self.assertEqual(len(self.store.emails), 1)
