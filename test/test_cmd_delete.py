"""DELETE (RFC 9051 section 6.3.5)."""

from __future__ import annotations

from test.wire import MINE, NOBODYS, THEIRS, WireTestCase


class DeleteTests(WireTestCase):
    """Removing folders."""

    def setUp(self) -> None:
        """Make folders with a message each."""
        super().setUp()
        self.client = self.wire.session()
        self.client.ok("CREATE a/b")
        for name in ("a", "a/b"):
            self.client.ok(f"APPEND {name} {{13+}}\r\nSubject: x\r\n\r\n")

    def names(self) -> set[str]:
        """Return the names of mailboxes that can be opened."""
        found = self.client.ok('LIST "" *').data("LIST")
        return {data["name"].decode() for data in found if b"\\NonExistent" not in data["attributes"]}

    def test_deleted(self) -> None:
        """The folder and its messages are gone for every session."""
        other = self.wire.session()
        self.client.ok("DELETE a/b")
        self.assertNotIn("a/b", self.names())
        self.assertEqual(len(self.store.emails), 1)
        for command in ("SELECT a/b", "STATUS a/b (MESSAGES)", "DELETE a/b"):
            self.assertStatus(other.command(command), "NO", "NONEXISTENT")

    def test_children_stay(self) -> None:
        """What is below stays, with its messages; the name is then one that only groups (section 6.3.5)."""
        self.client.ok("DELETE a")
        (data,) = self.client.ok('LIST "" a').data("LIST")
        self.assertEqual(set(data["attributes"]), {b"\\NonExistent", b"\\Noselect", b"\\HasChildren"})
        self.assertEqual(self.client.ok("SELECT a/b").numbers("EXISTS"), [1])
        self.assertStatus(self.client.command("DELETE a"), "NO", "NONEXISTENT")
        self.client.ok("CREATE a")
        self.assertEqual(self.client.ok("SELECT a").numbers("EXISTS"), [0])

    def test_created_again(self) -> None:
        """A folder of the same name is another one: UIDVALIDITY is higher (section 6.3.5)."""
        before = self.client.ok("STATUS a/b (UIDVALIDITY)").data("STATUS")[0][1]["UIDVALIDITY"]
        self.client.ok("DELETE a/b")
        self.client.ok("CREATE a/b")
        after = self.client.ok("STATUS a/b (UIDVALIDITY MESSAGES)").data("STATUS")[0][1]
        self.assertGreater(after["UIDVALIDITY"], before)
        self.assertEqual(after["MESSAGES"], 0)

    def test_special_use(self) -> None:
        """A special-use folder can be deleted, and does not come back by itself."""
        self.client.ok("DELETE Junk")
        self.assertNotIn("Junk", self.names())
        self.client = self.wire.session()
        self.assertNotIn("Junk", self.names())

    def test_refused(self) -> None:
        """INBOX cannot be deleted; another's addresses are as much as not there."""
        before = self.names()
        for name in ("INBOX", "inbox"):
            self.assertStatus(self.client.command(f"DELETE {name}"), "NO", "CANNOT")
        for name in (THEIRS, NOBODYS, f"{THEIRS}/Work", "Nothing", "A", f"{MINE}/Nothing"):
            self.assertStatus(self.client.command(f"DELETE {name}"), "NO", "NONEXISTENT")
        for name in ('""', "a/", '"a*"'):
            self.assertStatus(self.client.command(f"DELETE {name}"), "NO", "CANNOT")
        self.assertEqual(self.names(), before)

    def test_selected_here(self) -> None:
        """Deleting the selected mailbox closes it; the session goes on without one."""
        self.client.select("a/b")
        self.assertEqual(self.client.ok("DELETE a/b").responses, [])
        self.assertStatus(self.client.command("FETCH 1 FLAGS"), "BAD")
        self.client.ok("SELECT a")

    def test_another_is_selected(self) -> None:
        """Deleting another mailbox leaves the selected one as it is."""
        self.client.select("a")
        self.client.ok("DELETE a/b")
        self.assertEqual(self.client.ok("FETCH 1 UID").numbers("FETCH"), [1])

    def test_selected_elsewhere(self) -> None:
        """A session that is in it is closed at the latest when it looks (RFC 2180 section 3.3)."""
        sessions = [self.wire.session("a/b") for _ in range(6)]
        self.client.ok("DELETE a/b")
        commands = ("NOOP", "CHECK", "STORE 1 +FLAGS (x)", "EXPUNGE", "COPY 1 a", "IDLE")
        for session, command in zip(sessions, commands, strict=True):
            session.take()
            session.send(f"a {command}\r\n".encode())
            self.assertEqual(session.take(), b"* BYE The selected mailbox is gone.\r\n", command)
            self.assertTrue(session.closed)
        self.client.ok("NOOP")

    def test_selected_elsewhere_and_left(self) -> None:
        """It can be left for another."""
        other = self.wire.session("a/b")
        self.client.ok("DELETE a/b")
        other.ok("SELECT a")
        other.ok("NOOP")

    def test_malformed(self) -> None:
        """DELETE has one argument, and is for after login."""
        for arguments in ("", " ", " a b", " (a)"):
            self.assertStatus(self.client.command(f"DELETE{arguments}"), "BAD")
        self.assertStatus(self.wire.connect().command("DELETE a"), "BAD")
