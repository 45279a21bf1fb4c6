"""STATUS (RFC 9051 section 6.3.11)."""

from __future__ import annotations

from test.wire import MINE, MINE_TOO, THEIRS, WireTestCase

ITEMS = "MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE DELETED APPENDLIMIT"


class StatusTests(WireTestCase):
    """Counting without opening."""

    def test_every_item(self) -> None:
        """All items, with what was delivered a moment ago."""
        self.wire.deliver(2)
        self.wire.deliver(1, flags=["\\Seen", "\\Deleted"])
        client = self.wire.session()
        ((name, counts),) = client.ok(f"STATUS {MINE} ({ITEMS})").data("STATUS")
        validity = counts.pop("UIDVALIDITY")
        self.assertEqual(name, MINE.encode())
        self.assertGreater(validity, 0)
        sizes = client.select().ok("FETCH 1:* RFC822.SIZE").fetched().values()
        total = sum(items[b"RFC822.SIZE"] for items in sizes)
        self.assertEqual(counts.pop("APPENDLIMIT"), 25 << 20)
        self.assertEqual(counts, {"MESSAGES": 3, "RECENT": 3, "UIDNEXT": 4, "UNSEEN": 2, "DELETED": 1, "SIZE": total})

    def test_each_item_alone(self) -> None:
        """Only what was asked for is answered, once, in the order asked."""
        client = self.wire.session()
        for item in ITEMS.split():
            ((_, counts),) = client.ok(f"STATUS INBOX ({item})").data("STATUS")
            self.assertEqual(list(counts), [item])
        raw = client.ok("STATUS INBOX (unseen messages UNSEEN)").responses[0].raw
        self.assertEqual(raw, b'* STATUS "INBOX" (UNSEEN 0 MESSAGES 0)\r\n')

    def test_recent_is_left(self) -> None:
        """STATUS takes no ``\\Recent`` away (section 6.3.11), SELECT does."""
        self.wire.deliver(2)
        client = self.wire.session()
        for command, expected in (("NOOP", 2), ("STATUS INBOX (RECENT)", 2), (f"SELECT {MINE}", 0)):
            client.ok(command)
            self.assertEqual(client.ok(f"STATUS {MINE} (RECENT)").data("STATUS")[0][1], {"RECENT": expected})

    def test_same_as_select(self) -> None:
        """UIDVALIDITY and UIDNEXT are those that SELECT tells."""
        self.wire.deliver(2)
        client = self.wire.session()
        for name in (MINE, MINE_TOO, "INBOX", "Drafts"):
            counts = client.ok(f"STATUS {name} (UIDVALIDITY UIDNEXT)").data("STATUS")[0][1]
            codes = dict(response.code for response in client.ok(f"SELECT {name}").named("OK") if response.code)
            self.assertEqual(counts, {"UIDVALIDITY": codes[b"UIDVALIDITY"], "UIDNEXT": codes[b"UIDNEXT"]})

    def test_selected(self) -> None:
        """STATUS of the selected mailbox is allowed, and right."""
        self.wire.deliver(1)
        client = self.wire.session(MINE)
        self.wire.deliver(1)
        self.assertEqual(client.ok(f"STATUS {MINE} (MESSAGES)").data("STATUS")[0][1], {"MESSAGES": 2})

    def test_refused(self) -> None:
        """A name that is not there is NO, an item that is not known BAD; nothing is created (section 6.3.11)."""
        client = self.wire.session()
        for name in (THEIRS, "nobody@example.com", "Nothing", f"{MINE}/Nothing"):
            self.assertStatus(client.command(f"STATUS {name} (UIDVALIDITY)"), "NO", "NONEXISTENT")
        self.assertNotIn(b"Nothing", client.ok('LIST "" *').raw)
        for arguments in ("", " INBOX", " INBOX ()", " INBOX MESSAGES", " INBOX (X)", " INBOX (MODSEQ)"):
            self.assertStatus(client.command(f"STATUS{arguments}"), "BAD")
        self.assertStatus(self.wire.connect().command("STATUS INBOX (MESSAGES)"), "BAD")
