"""CREATE (RFC 9051 section 6.3.4), with special uses (RFC 6154 section 3)."""

from __future__ import annotations

from test.wire import MINE, NOBODYS, THEIRS, Client, WireTestCase


class CreateTests(WireTestCase):
    """Making folders."""

    def setUp(self) -> None:
        """Log in."""
        super().setUp()
        self.client = self.wire.session()

    def listed(self, client: Client | None = None) -> dict[str, set[bytes]]:
        """Return the names there are, with their attributes."""
        found = (client or self.client).ok('LIST "" *').data("LIST")
        return {data["name"].decode(): set(data["attributes"]) for data in found}

    def test_created(self) -> None:
        """A folder is there for every session, empty, can be opened, and takes no other name's place."""
        other = self.wire.session()
        before = self.listed()
        self.assertStatus(self.client.command("CREATE Projects"), "OK", "MAILBOXID")
        for client in (self.client, other):
            self.assertEqual(self.listed(client), before | {"Projects": {b"\\HasNoChildren"}})
        self.assertEqual(other.ok("SELECT Projects").numbers("EXISTS"), [0])
        self.assertNotIn("Projects", self.listed(self.wire.connect().login("they@example.net", "tok-2718281828")))

    def test_above(self) -> None:
        """What is missing above it is created too, and can be opened."""
        self.client.ok("CREATE a/b/c")
        for name, children in (("a", b"\\HasChildren"), ("a/b", b"\\HasChildren"), ("a/b/c", b"\\HasNoChildren")):
            self.assertEqual(self.listed()[name], {children})
            self.client.ok(f"SELECT {name}")
        self.client.ok("CREATE a/b/d")
        self.client.ok(f"CREATE {MINE}/Work/2026")
        self.assertEqual(self.listed()[f"{MINE}/Work"], {b"\\HasChildren"})

    def test_delimiter_at_the_end(self) -> None:
        """A name that ends with the delimiter is created without it (section 6.3.4)."""
        self.client.ok("CREATE a/")
        self.client.ok("CREATE a/b/")
        self.assertEqual({"a", "a/b"} & set(self.listed()), {"a", "a/b"})
        self.assertStatus(self.client.command("CREATE a/"), "NO", "ALREADYEXISTS")

    def test_existing(self) -> None:
        """What is there already is refused, INBOX in every spelling among it."""
        self.client.ok("CREATE a/b")
        for name in ("INBOX", "inbox", "InBox/", "Sent", "a", "a/b", MINE, MINE.upper()):
            self.assertStatus(self.client.command(f"CREATE {name}"), "NO", "ALREADYEXISTS")

    def test_addresses(self) -> None:
        """Without a domain no address is created: somebody's and nobody's alike, and nothing below them either."""
        before = self.listed()
        for use in ("", " (USE (\\Flagged))", " (USE ())"):
            answers = {self.client.command(f"CREATE {name}{use}").tagged.raw[3:] for name in (THEIRS, NOBODYS)}
            self.assertEqual(len(answers), 1, answers)
        for name in (THEIRS, NOBODYS, "new@example.com"):
            self.assertStatus(self.client.command(f"CREATE {name}"), "NO", "NOPERM")
        for name in ("@", "a@b/"):
            self.assertStatus(self.client.command(f"CREATE {name}"), "NO", "CANNOT")
        for name in (f"{THEIRS}/Work", f"{NOBODYS}/Work", f"{THEIRS}/a/b"):
            self.assertStatus(self.client.command(f"CREATE {name}"), "NO", "NOPERM")
        self.assertEqual(self.listed(), before)

    def test_impossible_names(self) -> None:
        """Names that no mailbox can have."""
        before = self.listed()
        for name in ('""', "/", "//", "/a", "a//b", "a//", '"a*b"', '"a%b"', f"{MINE}/inbox", "&AAAA-", "x" * 1001):
            self.assertStatus(self.client.command(f"CREATE {name}"), "NO", "CANNOT")
        self.assertEqual(self.listed(), before)

    def test_below_inbox(self) -> None:
        """INBOX is one name, also above others."""
        self.client.ok("CREATE inbox/Receipts")
        self.assertEqual(self.listed()["INBOX"], {b"\\HasChildren"})
        self.assertIn("INBOX/Receipts", self.listed())
        self.assertStatus(self.client.command("CREATE INBOX/Receipts"), "NO", "ALREADYEXISTS")
        self.client.ok("SELECT InBox/Receipts")

    def test_international(self) -> None:
        """Names in modified UTF-7 come back as they were given (RFC 3501 section 5.1.3); names are told by case."""
        self.client.ok('CREATE "Entw&APw-rfe &- mehr"')
        self.client.ok("CREATE sent")
        self.assertIn("Entw&APw-rfe &- mehr", self.listed())
        self.assertTrue({"sent", "Sent"} <= set(self.listed()))

    def test_special_use(self) -> None:
        """A use that is free is given; it is listed with the mailbox."""
        self.client.ok("DELETE Trash")
        self.client.ok("CREATE Bin/Mine (USE (\\trash))")
        self.assertEqual(self.listed()["Bin/Mine"], {b"\\Trash", b"\\HasNoChildren"})
        self.assertEqual(self.listed()["Bin"], {b"\\HasChildren"})
        self.client.ok("CREATE Plain (USE ())")

    def test_special_use_refused(self) -> None:
        """A use that is taken, that is none here, or more than one: USEATTR, and nothing is created."""
        before = self.listed()
        for uses in ("\\Sent", "\\SENT", "\\All", "\\Flagged", "\\Important", "\\Inbox", "\\Drafts \\Sent"):
            self.assertStatus(self.client.command(f"CREATE Box/Other (USE ({uses}))"), "NO", "USEATTR")
        self.assertEqual(self.listed(), before)
        self.assertStatus(self.client.command("CREATE Sent (USE (\\Sent))"), "NO", "ALREADYEXISTS")

    def test_quota(self) -> None:
        """Only so many folders are possible; one more is refused with OVERQUOTA."""
        self.store.folder_quota = 6
        self.client.ok("CREATE a")
        self.assertStatus(self.client.command("CREATE b"), "NO", "OVERQUOTA")
        self.assertStatus(self.client.command("CREATE a"), "NO", "ALREADYEXISTS")

    def test_unavailable(self) -> None:
        """Without the store nothing is answered OK."""
        self.store.available = False
        for command in ("CREATE a", "DELETE Sent", "RENAME Sent a", "RENAME INBOX a"):
            self.assertStatus(self.client.command(command), "NO", "UNAVAILABLE")

    def test_malformed(self) -> None:
        """Wrong arguments are BAD, and so is CREATE before login."""
        for arguments in ("", " ", " a b", " a (USE)", " a (USE \\Sent)", " a (USE (Sent))", " a (X (\\Sent))", " (a)"):
            self.assertStatus(self.client.command(f"CREATE{arguments}"), "BAD")
        self.assertStatus(self.wire.connect().command("CREATE a"), "BAD")
