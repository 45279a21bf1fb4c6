"""NOOP (RFC 9051 section 6.1.2) and CHECK (RFC 3501 section 6.4.1)."""

from __future__ import annotations

from test.wire import MINE, WireTestCase


class NoopTests(WireTestCase):
    """Taking in what others have done."""

    def test_every_state(self) -> None:
        """NOOP is allowed always, CHECK in the selected state only."""
        client = self.wire.connect()
        self.assertEqual(client.ok("NOOP").raw, b"t1 OK NOOP completed\r\n")
        self.assertStatus(client.command("CHECK"), "BAD")
        client.login().ok("NOOP")
        self.assertStatus(client.command("CHECK"), "BAD")
        client.select().ok("NOOP")
        client.ok("CHECK")

    def test_tells_news(self) -> None:
        """NOOP and CHECK tell new mail, changed flags and expunged messages of a mailbox (section 6.1.2)."""
        for command in ("NOOP", "CHECK"):
            first, second, _ = self.wire.deliver(3)
            client = self.wire.session(MINE)
            self.assertEqual(client.ok(command).responses, [])
            self.store.delete_elsewhere(first)
            self.store.set_flags_elsewhere(second, ["\\Flagged"])
            self.wire.deliver(1)
            answer = client.ok(command)
            self.assertEqual([r.name for r in answer.responses], [b"EXPUNGE", b"EXISTS", b"RECENT", b"FETCH"])
            self.assertIn({b"\\Flagged", b"\\Recent"}, list(answer.flags().values()))
            self.assertEqual(client.ok(command).responses, [])
            for left in list(self.store.emails):
                self.store.delete_elsewhere(left)

    def test_mailbox_is_gone(self) -> None:
        """When the selected mailbox is no longer there, NOOP ends the connection (RFC 2180 section 3.3)."""
        client = self.wire.session(MINE)
        self.store.remove_address(MINE)
        client.send(b"a NOOP\r\n")
        self.assertEqual(client.take().splitlines()[-1], b"* BYE The selected mailbox is gone.")
        self.assertTrue(client.closed)

    def test_bans(self) -> None:
        """Mail of a banned sender vanishes by EXPUNGE, and comes back as new when the ban is lifted."""
        self.wire.deliver(1)
        self.wire.deliver(1, from_addr="bad@evil.example")
        client = self.wire.session(MINE)
        ban = self.store.ban("sender", "bad@evil.example")
        self.assertEqual(client.ok("NOOP").numbers("EXPUNGE"), [2])
        self.store.lift(ban)
        self.assertEqual(client.ok("NOOP").numbers("EXISTS"), [2])
        self.assertEqual(client.ok("FETCH 2 UID").fetched()[2][b"UID"], 3)
