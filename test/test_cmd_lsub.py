"""LSUB (RFC 3501 section 6.3.9)."""

from __future__ import annotations

from cybertemp_imap.naming import account_key
from test.wire import MINE, MINE_TOO, Answer, WireTestCase

SPECIAL = {"Archive", "Drafts", "Junk", "Sent", "Trash"}
EVERYTHING = {"INBOX", MINE, MINE_TOO, f"{MINE}/Work", "Tree/Leaf", *SPECIAL}


def listed(answer: Answer) -> dict[str, set[str]]:
    """Return the attributes listed, by name."""
    return {data["name"].decode(): {each.decode() for each in data["attributes"]} for data in answer.data("LSUB")}


class LsubTests(WireTestCase):
    """What is subscribed, as the older command tells it."""

    def setUp(self) -> None:
        """Create folders."""
        super().setUp()
        self.store.add_folder(MINE, "Work")
        self.store.add_folder(account_key(self.wire.user), "Tree/Leaf")
        self.client = self.wire.session()

    def test_everything_at_first(self) -> None:
        """Every mailbox is subscribed until a client says otherwise; a name that is none is not."""
        self.assertEqual(set(listed(self.client.ok('LSUB "" *'))), EVERYTHING)

    def test_unsubscribed(self) -> None:
        """What is not subscribed is not listed."""
        self.client.ok(f"UNSUBSCRIBE {MINE_TOO}")
        self.client.ok("UNSUBSCRIBE INBOX")
        self.assertEqual(set(listed(self.client.ok('LSUB "" *'))), EVERYTHING - {MINE_TOO, "INBOX"})

    def test_levels(self) -> None:
        """``%`` lists a level above a subscribed name as ``\\Noselect`` where it is not subscribed itself."""
        self.client.ok(f"UNSUBSCRIBE {MINE}")
        found = listed(self.client.ok('LSUB "" %'))
        self.assertEqual(found[MINE], {"\\Noselect"})
        self.assertEqual(found["Tree"], {"\\Noselect"})
        self.assertEqual(found[MINE_TOO], set())
        self.assertNotIn(MINE, listed(self.client.ok('LSUB "" *')))

    def test_gone(self) -> None:
        """A subscribed name stays when its mailbox goes (RFC 3501 section 6.3.6)."""
        self.client.ok(f"SUBSCRIBE {MINE_TOO}")
        self.store.remove_address(MINE_TOO)
        self.assertIn(MINE_TOO, listed(self.client.ok('LSUB "" *')))
        self.client.ok(f"UNSUBSCRIBE {MINE_TOO}")
        self.assertNotIn(MINE_TOO, listed(self.client.ok('LSUB "" *')))

    def test_reference(self) -> None:
        """The reference is joined with the pattern."""
        self.assertEqual(set(listed(self.client.ok(f'LSUB "{MINE}/" "*"'))), {f"{MINE}/Work"})

    def test_malformed(self) -> None:
        """LSUB has two arguments, and no options."""
        for arguments in ("", ' ""', ' "" * x', ' () "" *', ' "" (a b)'):
            self.assertStatus(self.client.command(f"LSUB{arguments}"), "BAD")
        self.assertStatus(self.wire.connect().command('LSUB "" *'), "BAD")
