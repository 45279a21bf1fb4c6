"""CLOSE and UNSELECT (RFC 9051 sections 6.4.1 and 6.4.2)."""

from __future__ import annotations

from test.wire import MINE, WireTestCase


class CloseTests(WireTestCase):
    """Leaving a mailbox, with and without expunging."""

    def setUp(self) -> None:
        """Deliver a message that stays and one that is to go."""
        super().setUp()
        self.wire.deliver(1)
        self.wire.deliver(1, flags=["\\Deleted"])

    def test_close(self) -> None:
        """CLOSE expunges without telling, and the session is in the authenticated state (section 6.4.1)."""
        client = self.wire.session(MINE)
        self.assertEqual(client.ok("CLOSE").responses, [])
        self.assertEqual(len(self.store.emails), 1)
        self.assertStatus(client.command("FETCH 1 UID"), "BAD")
        client.select()

    def test_close_read_only(self) -> None:
        """After EXAMINE, CLOSE expunges nothing (section 6.4.1)."""
        client = self.wire.session()
        client.ok(f"EXAMINE {MINE}")
        client.ok("CLOSE")
        self.assertEqual(len(self.store.emails), 2)

    def test_unselect(self) -> None:
        """UNSELECT expunges nothing (section 6.4.2)."""
        client = self.wire.session(MINE)
        self.assertEqual(client.ok("UNSELECT").responses, [])
        self.assertEqual(len(self.store.emails), 2)
        self.assertStatus(client.command("UNSELECT"), "BAD")

    def test_others_are_told(self) -> None:
        """What CLOSE expunges, other sessions are told."""
        other = self.wire.session(MINE)
        self.wire.session(MINE).ok("CLOSE")
        self.assertEqual(other.ok("NOOP").numbers("EXPUNGE"), [2])

    def test_mailbox_is_gone(self) -> None:
        """A mailbox that is no longer there can be left all the same: CLOSE has no NO (section 6.4.1)."""
        for command in ("CLOSE", "UNSELECT"):
            client = self.wire.session(MINE)
            self.store.remove_address(MINE)
            client.ok(command)
            client.ok("SELECT INBOX")
            self.store.add_address(self.wire.user, MINE)

    def test_states(self) -> None:
        """Both are for the selected state and have no arguments."""
        for command in ("CLOSE", "UNSELECT"):
            self.assertStatus(self.wire.connect().command(command), "BAD")
            self.assertStatus(self.wire.session().command(command), "BAD")
            self.assertStatus(self.wire.session(MINE).command(f"{command} x"), "BAD")
