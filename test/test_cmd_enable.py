"""ENABLE (RFC 9051 section 6.3.1, RFC 5161)."""

from __future__ import annotations

from cybertemp_imap.protocol.commands import enable
from test.wire import WireTestCase


class EnableTests(WireTestCase):
    """What can be enabled, and what cannot."""

    def test_nothing_to_enable(self) -> None:
        """What is not announced cannot be enabled, and is passed over."""
        client = self.wire.session()
        for arguments in ("UIDONLY", "X-UNKNOWN"):
            self.assertEqual(client.ok(f"ENABLE {arguments}").data("ENABLED"), [()])

    def test_states(self) -> None:
        """ENABLE is for the authenticated state, and needs an argument."""
        self.assertStatus(self.wire.connect().command("ENABLE CONDSTORE"), "BAD")
        self.assertStatus(self.wire.session().command("ENABLE"), "BAD")

    def test_implied(self) -> None:
        """What is enabled brings along what it implies; ENABLED names what was asked for, also when asked again."""
        self.patch(enable, "CAN_BE_ENABLED", {"ONE": ("TWO",), "TWO": ()})
        client = self.wire.session()
        self.assertEqual(client.ok("ENABLE X-UNKNOWN one").data("ENABLED"), [(b"ONE",)])
        self.assertEqual(client.server.enabled, {"ONE", "TWO"})
        self.assertEqual(client.ok("ENABLE TWO ONE TWO").data("ENABLED"), [(b"TWO", b"ONE")])
