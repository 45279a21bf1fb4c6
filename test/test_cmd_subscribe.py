"""SUBSCRIBE and UNSUBSCRIBE (RFC 9051 sections 6.3.7 and 6.3.8)."""

from __future__ import annotations

from test.wire import MINE, THEIRS, WireTestCase


class SubscribeTests(WireTestCase):
    """What a client says of a mailbox is kept for every session of the user."""

    def subscribed(self, name: str) -> bool:
        """Tell what another session is told."""
        return bool(self.wire.session().ok(f'LIST (SUBSCRIBED) "" {name}').responses)

    def test_both_ways(self) -> None:
        """The last word counts, however often it is said, whatever the case of an address or of INBOX."""
        client = self.wire.session()
        for name, other in ((MINE, MINE.upper()), ("INBOX", "inbox"), ("Drafts", "Drafts")):
            for command, expected in (("UNSUBSCRIBE", False), ("UNSUBSCRIBE", False), ("SUBSCRIBE", True)):
                self.assertEqual(client.ok(f"{command} {other}").responses, [])
                self.assertEqual(self.subscribed(name), expected)

    def test_others_are_not_touched(self) -> None:
        """A subscription is one user's."""
        self.wire.session().ok("UNSUBSCRIBE INBOX")
        theirs = self.wire.connect().login("they@example.net", "tok-2718281828")
        self.assertTrue(theirs.ok('LIST (SUBSCRIBED) "" INBOX').responses)

    def test_no_such_mailbox(self) -> None:
        """A name that is not there is refused (section 6.3.7); one that is gone can be taken off."""
        client = self.wire.session()
        for name in (THEIRS, "nobody@example.com", "Nothing", f"{MINE}/Nothing"):
            self.assertStatus(client.command(f"SUBSCRIBE {name}"), "NO", "NONEXISTENT")
            self.assertStatus(client.command(f"UNSUBSCRIBE {name}"), "NO", "NONEXISTENT")
        client.ok(f"SUBSCRIBE {MINE}")
        self.store.remove_address(MINE)
        client.ok(f"UNSUBSCRIBE {MINE}")

    def test_impossible_names(self) -> None:
        """What can be no name is refused as such."""
        client = self.wire.session()
        for name in ('""', '"a*b"', '"a//b"', '"a&b"', '"&AGE-"', f"{MINE}/INBOX", '"x\x01y"'):
            self.assertStatus(client.command(f"SUBSCRIBE {name}"), "NO", "CANNOT")

    def test_malformed(self) -> None:
        """One argument, after login."""
        client = self.wire.session()
        for arguments in ("", " a b", " (a)", " a*"):
            self.assertStatus(client.command(f"SUBSCRIBE{arguments}"), "BAD")
            self.assertStatus(client.command(f"UNSUBSCRIBE{arguments}"), "BAD")
        self.assertStatus(self.wire.connect().command("SUBSCRIBE INBOX"), "BAD")
