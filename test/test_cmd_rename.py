"""RENAME (RFC 9051 section 6.3.6)."""

from __future__ import annotations

from test.wire import MINE, MINE_TOO, NOBODYS, THEIRS, Client, WireTestCase

STATE = "(MESSAGES UIDNEXT UIDVALIDITY)"


class RenameTests(WireTestCase):
    """Giving folders other names."""

    def setUp(self) -> None:
        """Make folders with messages."""
        super().setUp()
        self.client = self.wire.session()
        for name in ("a", "a/b", "a/b/c", "ab"):
            self.client.ok(f"CREATE {name}")
            self.client.ok(f"APPEND {name} {{13+}}\r\nSubject: x\r\n\r\n")

    def names(self, client: Client | None = None) -> set[str]:
        """Return the names that LIST shows."""
        return {data["name"].decode() for data in (client or self.client).ok('LIST "" *').data("LIST")}

    def state(self, name: str) -> dict[str, int]:
        """Return what STATUS tells of a mailbox."""
        state: dict[str, int] = self.client.ok(f"STATUS {name} {STATE}").data("STATUS")[0][1]
        return state

    def test_renamed(self) -> None:
        """The messages come along with their UIDs and flags, and UIDVALIDITY stays; the old name is free."""
        self.client.select("ab")
        self.client.ok("STORE 1 +FLAGS (\\Seen $Junk)")
        before = self.state("ab")
        self.client.ok("RENAME ab Other")
        self.assertEqual(self.state("Other"), before)
        self.assertNotIn("ab", self.names())
        fetched = self.wire.session("Other").ok("FETCH 1 (UID FLAGS BODY.PEEK[])").fetched()[1]
        self.assertEqual(fetched[b"UID"], 1)
        self.assertEqual(set(fetched[b"FLAGS"]), {b"\\Seen", b"$Junk"})
        self.client.ok("CREATE ab")

    def test_children(self) -> None:
        """What is below comes along; what only begins with the same letters does not."""
        before = [self.state(name) for name in ("a", "a/b", "a/b/c")]
        self.client.ok("RENAME a z")
        self.assertEqual([self.state(name) for name in ("z", "z/b", "z/b/c")], before)
        self.assertIn("ab", self.names())
        self.assertFalse({"a", "a/b", "a/b/c"} & self.names())

    def test_above(self) -> None:
        """What is missing above the new name is created; a delimiter at its end is left out."""
        self.client.ok("RENAME ab x/y/z/")
        self.assertTrue({"x", "x/y", "x/y/z"} <= self.names())
        self.client.ok("SELECT x/y")
        self.client.ok("RENAME a/b/c c")
        self.assertTrue({"a", "a/b", "c"} <= self.names())

    def test_between_addresses(self) -> None:
        """Folders can go below an address of one's own and back."""
        self.client.ok(f"RENAME a {MINE}/a")
        self.assertEqual(self.client.ok(f"SELECT {MINE}/a/b").numbers("EXISTS"), [1])
        self.client.ok(f"RENAME {MINE}/a {MINE_TOO}/q")
        self.client.ok(f"RENAME {MINE_TOO}/q q")
        self.assertTrue({"q", "q/b", "q/b/c"} <= self.names())
        self.assertEqual(self.client.ok(f"SELECT {MINE}").numbers("EXISTS"), [0])

    def test_existing(self) -> None:
        """Nothing is renamed to what is there, nor to itself; the children's new names must be free too."""
        before = self.names()
        for source, destination in (("a", "ab"), ("a", "a"), ("a", "Sent"), ("a/b", "a")):
            self.assertStatus(self.client.command(f"RENAME {source} {destination}"), "NO", "ALREADYEXISTS")
        self.client.ok("CREATE z/b")
        self.client.ok("DELETE z")
        self.assertStatus(self.client.command("RENAME a z"), "NO", "ALREADYEXISTS")
        self.assertEqual(self.names(), before | {"z", "z/b"})

    def test_into_itself(self) -> None:
        """A folder does not go below itself."""
        before = self.names()
        for destination in ("a/x", "a/b", "a/b/x", "a/b/c/d"):
            self.assertStatus(self.client.command(f"RENAME a {destination}"), "NO", "CANNOT")
        self.assertEqual(self.names(), before)

    def test_refused(self) -> None:
        """What is not there, addresses and INBOX as new names; somebody's addresses as nobody's."""
        before = self.names()
        for source in ("Nothing", THEIRS, NOBODYS, f"{THEIRS}/Work", f"{NOBODYS}/Work"):
            self.assertStatus(self.client.command(f"RENAME {source} q"), "NO", "NONEXISTENT")
        for destination in ("INBOX", "inbox", MINE, THEIRS, NOBODYS, '"q*"', '""', "/"):
            self.assertStatus(self.client.command(f"RENAME a {destination}"), "NO", "CANNOT")
        for destination in (f"{THEIRS}/q", f"{NOBODYS}/q"):
            self.assertStatus(self.client.command(f"RENAME a {destination}"), "NO", "NOPERM")
        for destination in ("q", f"{MINE}/q", MINE_TOO):
            self.assertStatus(self.client.command(f"RENAME {MINE} {destination}"), "NO", "CANNOT")
        self.assertEqual(self.names(), before)

    def test_special_use(self) -> None:
        """A special use stays with its mailbox."""
        self.client.ok("RENAME Trash Bin")
        (data,) = self.client.ok('LIST "" Bin').data("LIST")
        self.assertIn(b"\\Trash", data["attributes"])
        self.assertNotIn("Trash", self.names(self.wire.session()))

    def test_selected(self) -> None:
        """Sessions that are in it stay in it, here and elsewhere."""
        other = self.wire.session("a/b")
        self.client.select("a")
        self.client.ok("RENAME a z")
        for client, name in ((self.client, "z"), (other, "z/b")):
            client.ok("STORE 1 +FLAGS (\\Seen)")
            client.ok(f"APPEND {name} {{1+}}\r\nx")
            self.assertEqual(client.ok("FETCH 1:2 UID").numbers("FETCH"), [1, 2])

    def test_malformed(self) -> None:
        """RENAME has two arguments, and is for after login."""
        for arguments in ("", " a", " a ", " a b c"):
            self.assertStatus(self.client.command(f"RENAME{arguments}"), "BAD")
        self.assertStatus(self.wire.connect().command("RENAME a b"), "BAD")


class InboxTests(WireTestCase):
    """RENAME of INBOX moves its messages and leaves it there, empty (section 6.3.6)."""

    def setUp(self) -> None:
        """Deliver mail to two addresses."""
        super().setUp()
        self.wire.deliver(2)
        self.wire.deliver(1, MINE_TOO, flags=["\\Seen"])
        self.client = self.wire.session()
        self.client.ok("CREATE INBOX/Below")

    def test_moved(self) -> None:
        """All that INBOX shows is in the new folder, and INBOX goes on; what is below INBOX stays."""
        other = self.wire.session("INBOX")
        address = self.wire.session(MINE)
        self.client.ok("RENAME inbox Old/2026")
        self.assertEqual(self.client.ok("SELECT Old/2026").numbers("EXISTS"), [3])
        self.assertEqual(self.client.ok("FETCH 1:* FLAGS").flags()[3], {b"\\Seen", b"\\Recent"})
        self.assertEqual(other.ok("NOOP").numbers("EXPUNGE"), [3, 2, 1])
        self.assertEqual(address.ok("NOOP").numbers("EXPUNGE"), [2, 1])
        names = [data["name"] for data in self.client.ok('LIST "" *').data("LIST")]
        self.assertTrue({b"INBOX", b"INBOX/Below", b"Old", b"Old/2026"} <= set(names))
        self.wire.deliver(1)
        self.assertEqual(other.ok("NOOP").numbers("EXISTS"), [1])

    def test_empty(self) -> None:
        """An empty INBOX is renamed to an empty folder."""
        self.client.ok("RENAME INBOX One")
        self.client.ok("RENAME INBOX Two")
        self.assertEqual(self.client.ok("SELECT Two").numbers("EXISTS"), [0])

    def test_refused(self) -> None:
        """The new name must be free, and no address."""
        for destination, code in (("Sent", "ALREADYEXISTS"), ("INBOX", "ALREADYEXISTS"), (MINE, "ALREADYEXISTS")):
            self.assertStatus(self.client.command(f"RENAME INBOX {destination}"), "NO", code)
        for destination in (THEIRS, NOBODYS):
            self.assertStatus(self.client.command(f"RENAME INBOX {destination}"), "NO", "CANNOT")
        self.assertEqual(self.client.ok("SELECT INBOX").numbers("EXISTS"), [3])
