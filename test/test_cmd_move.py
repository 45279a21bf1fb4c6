"""MOVE and UID MOVE (RFC 9051 section 6.4.8, RFC 6851)."""

from __future__ import annotations

from test.wire import MINE, MINE_TOO, NOBODYS, THEIRS, WireTestCase


class MoveTests(WireTestCase):
    """Messages go to another mailbox."""

    def setUp(self) -> None:
        """Open a mailbox."""
        super().setUp()
        self.ids = self.wire.deliver(5)
        self.client = self.wire.session(MINE)

    def uids(self, name: str) -> list[int]:
        """Return the UIDs in a mailbox, as another session sees them."""
        fetched = self.wire.session(name).ok("UID FETCH 1:* (UID)").fetched()
        return [items[b"UID"] for items in fetched.values()]

    def uid_validity(self, name: str) -> int:
        """Return a mailbox's UIDVALIDITY."""
        found: int = self.client.ok(f"STATUS {name} (UIDVALIDITY)").data("STATUS")[0][1]["UIDVALIDITY"]
        return found

    def test_copyuid(self) -> None:
        """COPYUID is untagged and comes before EXPUNGE (RFC 6851 section 4.3)."""
        validity = self.uid_validity("Archive")
        for command, old, new, gone in (
            ("MOVE 2,4 Archive", b"2,4", b"1:2", [4, 2]),
            ("UID MOVE 4:* Archive", b"5", b"3", [3]),
            ("MOVE 1:* Archive", b"1,3", b"4:5", [2, 1]),
        ):
            answer = self.client.ok(command)
            self.assertEqual(answer.responses[0].name, b"OK")
            self.assertEqual(answer.responses[0].code, (b"COPYUID", (validity, old, new)))
            self.assertEqual(answer.numbers("EXPUNGE"), gone)
            self.assertEqual(answer.named("FETCH"), [])
            self.assertIsNone(answer.code)
        self.assertEqual((self.uids(MINE), self.uids("Archive")), ([], [1, 2, 3, 4, 5]))

    def test_the_same_message(self) -> None:
        """Flags, date and octets come along, ``\\Deleted`` too; it is the same row for other programs."""
        self.client.ok("STORE 2 +FLAGS.SILENT (\\Deleted $Junk)")
        items = "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY.PEEK[])"
        before = self.client.ok(f"FETCH 2 {items}").fetched()[2]
        self.client.ok("MOVE 2 Archive")
        after = self.wire.session("Archive").ok(f"FETCH 1 {items}").fetched()[1]
        self.assertEqual(set(after.pop(b"FLAGS")) - {b"\\Recent"}, set(before.pop(b"FLAGS")) - {b"\\Recent"})
        self.assertEqual(after, before)
        self.assertEqual(self.store.emails[self.ids[1]].row.folder, "Archive")

    def test_there_and_back(self) -> None:
        """A message that comes back has another UID."""
        self.client.ok("MOVE 1:5 Archive")
        other = self.wire.session("Archive")
        self.assertEqual(other.ok(f"MOVE 2 {MINE}").copied, (b"2", b"6"))
        self.assertEqual(self.client.ok("NOOP").numbers("EXISTS"), [1])
        self.assertEqual(self.uids(MINE), [6])

    def test_told(self) -> None:
        """Sessions in both mailboxes and in INBOX are told, idling ones at once."""
        names = (MINE, "Archive", "INBOX")
        others = [self.wire.session(name) for name in names]
        idling = [self.wire.session(name) for name in names]
        for session in idling:
            session.send(b"a IDLE\r\n")
            session.take()
        self.client.ok("MOVE 2 Archive")
        for session, expected in zip(idling, (b"* 2 EXPUNGE\r\n", b"* 1 EXISTS\r\n", b"* 2 EXPUNGE\r\n"), strict=True):
            self.assertIn(expected, session.take())
        self.assertEqual([each.ok("NOOP").numbers("EXPUNGE") for each in others], [[2], [], [2]])
        self.assertEqual(others[1].ok("FETCH 1 UID").numbers("FETCH"), [1])

    def test_read_only(self) -> None:
        """Nothing is moved out of a mailbox that is open for reading only."""
        self.client.ok(f"EXAMINE {MINE}")
        for command in ("MOVE 1 Archive", "UID MOVE 1 Archive", "UID MOVE 77 Archive"):
            self.assertStatus(self.client.command(command), "NO", "READ-ONLY")
        self.assertEqual(len(self.uids(MINE)), 5)

    def test_there_already(self) -> None:
        """What would stay where it is, or is there already, cannot be moved: NO, and nothing is."""
        for name in (MINE, "INBOX"):
            self.assertStatus(self.client.command(f"MOVE 1:2 {name}"), "NO", "CANNOT")
        inbox = self.wire.session("INBOX")
        for name in (MINE, MINE_TOO, "INBOX"):
            self.assertStatus(inbox.command(f"MOVE 1 {name}"), "NO", "CANNOT")
        self.assertEqual(self.uids(MINE), [1, 2, 3, 4, 5])

    def test_between_addresses(self) -> None:
        """From one address to another; INBOX shows it all the time."""
        inbox = self.wire.session("INBOX")
        self.client.ok(f"MOVE 1 {MINE_TOO}")
        inbox.ok("NOOP")
        self.assertEqual((self.uids(MINE), self.uids(MINE_TOO)), ([2, 3, 4, 5], [1]))
        self.assertEqual(len(self.uids("INBOX")), 5)
        self.assertEqual(len(inbox.ok("FETCH 1:* UID").fetched()), 5)

    def test_from_inbox(self) -> None:
        """Out of INBOX it goes out of its address as well."""
        inbox = self.wire.session("INBOX")
        self.assertEqual(inbox.ok("MOVE 1 Archive").numbers("EXPUNGE"), [1])
        self.assertEqual(self.client.ok("NOOP").numbers("EXPUNGE"), [1])

    def test_try_create(self) -> None:
        """A mailbox that is not there: TRYCREATE, alike for what is another's; nothing is moved."""
        for name in ("Nothing", THEIRS, NOBODYS, f"{MINE}/Nothing"):
            for command in ("MOVE 1:*", "UID MOVE 1:*", "UID MOVE 77"):
                self.assertStatus(self.client.command(f"{command} {name}"), "NO", "TRYCREATE")
        self.assertEqual(len(self.uids(MINE)), 5)

    def test_nothing_named(self) -> None:
        """UIDs that are not there are no error, and then there is no COPYUID; sequence numbers are BAD."""
        self.assertEqual(self.client.ok("UID MOVE 77,99 Archive").responses, [])
        self.assertStatus(self.client.command("MOVE 6 Archive"), "BAD")

    def test_expunged_elsewhere(self) -> None:
        """What is there is moved, and COPYUID says which; the rest is told as EXPUNGE like the others."""
        other = self.wire.session(MINE)
        other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        self.client.ok("FETCH 1 FLAGS")
        answer = self.client.ok("MOVE 1:3 Archive")
        self.assertEqual(answer.copied, (b"1,3", b"1:2"))
        self.assertEqual(answer.numbers("EXPUNGE"), [3, 2, 1])

    def test_malformed(self) -> None:
        """MOVE has two arguments and is for the selected state."""
        for command in ("MOVE", "MOVE 1", "MOVE x Archive", "MOVE 1 Archive x", "UID MOVE 1"):
            self.assertStatus(self.client.command(command), "BAD")
        for command in ("MOVE 1 Archive", "UID MOVE 1 Archive"):
            self.assertStatus(self.wire.session().command(command), "BAD")
