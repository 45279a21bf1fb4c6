"""COPY and UID COPY (RFC 9051 sections 6.4.7 and 6.4.9), with COPYUID (RFC 4315)."""

from __future__ import annotations

from typing import Any

from test.wire import MINE, NOBODYS, THEIRS, WireTestCase


class CopyTests(WireTestCase):
    """Copies of messages in another mailbox."""

    def setUp(self) -> None:
        """Open a mailbox whose UIDs are 1, 3, 4 and 6."""
        super().setUp()
        self.wire.deliver(6)
        self.client = self.wire.session(MINE)
        self.client.ok("STORE 2,5 +FLAGS.SILENT (\\Deleted)")
        self.client.ok("EXPUNGE")
        self.client.ok("STORE 3 +FLAGS.SILENT (\\Flagged $Junk)")

    def messages(self, name: str, items: str = "UID") -> list[dict[bytes, Any]]:
        """Return what another session fetches of a mailbox."""
        return list(self.wire.session(name).ok(f"UID FETCH 1:* ({items})").fetched().values())

    def uid_validity(self, name: str) -> int:
        """Return a mailbox's UIDVALIDITY."""
        found: int = self.client.ok(f"STATUS {name} (UIDVALIDITY)").data("STATUS")[0][1]["UIDVALIDITY"]
        return found

    def test_copyuid(self) -> None:
        """The UIDs of both mailboxes, in the same order; the originals stay."""
        for command, old, new in (
            ("COPY 2 Archive", b"3", b"1"),
            ("UID COPY 1,4:6 Archive", b"1,4,6", b"2:4"),
            ("COPY 4,1:2 Archive", b"1,3,6", b"5:7"),
            ("UID COPY * Archive", b"6", b"8"),
        ):
            answer = self.client.ok(command)
            self.assertEqual(answer.tagged.code, (b"COPYUID", (self.uid_validity("Archive"), old, new)))
            self.assertEqual(answer.responses, [])
        self.assertEqual(len(self.messages("Archive")), 8)
        self.assertEqual([each[b"UID"] for each in self.messages(MINE)], [1, 3, 4, 6])

    def test_the_same_message(self) -> None:
        """A copy has the same octets, flags and INTERNALDATE, and is ``\\Recent`` (section 6.4.7)."""
        self.client.ok("COPY 1:4 Archive")
        items = "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[]"
        originals, copies = self.messages(MINE, items), self.messages("Archive", items)
        for original, copy in zip(originals, copies, strict=True):
            self.assertEqual(set(copy.pop(b"FLAGS")) - {b"\\Recent"}, set(original.pop(b"FLAGS")) - {b"\\Recent"})
            del original[b"UID"], copy[b"UID"]
            self.assertEqual(copy, original)

    def test_a_message_of_its_own(self) -> None:
        """What happens to the copy does not happen to the original."""
        self.client.ok("COPY 1 Archive")
        other = self.wire.session("Archive")
        other.ok("STORE 1 FLAGS (\\Deleted)")
        other.ok("EXPUNGE")
        self.assertEqual(self.client.ok("FETCH 1 (FLAGS BODY.PEEK[])").named("FETCH")[0].number, 1)
        self.assertEqual(len(self.messages(MINE)), 4)

    def test_to_the_same_mailbox(self) -> None:
        """The copies are told before the answer."""
        answer = self.client.ok(f"COPY 1:2 {MINE}")
        self.assertEqual(answer.numbers("EXISTS"), [6])
        self.assertEqual(answer.tagged.code, (b"COPYUID", (self.uid_validity(MINE), b"1,3", b"7:8")))
        self.assertEqual(self.client.ok(f"COPY 1:* {MINE}").numbers("EXISTS"), [12])

    def test_to_inbox(self) -> None:
        """A message of an address can be copied to INBOX, which shows it twice then."""
        self.client.ok("COPY 1 INBOX")
        self.assertEqual(len(self.messages("INBOX")), 5)
        self.assertEqual(len(self.messages(MINE)), 4)

    def test_read_only(self) -> None:
        """Copying from a mailbox that is open for reading only is allowed."""
        self.client.ok(f"EXAMINE {MINE}")
        self.assertStatus(self.client.command("COPY 1 Archive"), "OK", "COPYUID")

    def test_try_create(self) -> None:
        """A mailbox that is not there: TRYCREATE, alike for what is another's; nothing is copied."""
        for name in ("Nothing", THEIRS, NOBODYS, f"{MINE}/Nothing"):
            for command in ("COPY 1:*", "UID COPY 1:*", "UID COPY 77"):
                self.assertStatus(self.client.command(f"{command} {name}"), "NO", "TRYCREATE")
        self.assertStatus(self.client.command('COPY 1 "a*b"'), "NO", "CANNOT")
        self.assertEqual(len(self.store.emails), 4)

    def test_nothing_named(self) -> None:
        """UIDs that are not there are no error, and then there is no COPYUID; sequence numbers are BAD."""
        self.assertStatus(self.client.command("UID COPY 2,5,77 Archive"), "OK")
        self.assertStatus(self.client.command("UID COPY 5:6,77 Archive"), "OK", "COPYUID")
        for numbers in ("5", "1:5", "0", "1,,2"):
            self.assertStatus(self.client.command(f"COPY {numbers} Archive"), "BAD")
        self.assertEqual(len(self.messages("Archive")), 1)

    def test_saved_result(self) -> None:
        """``$`` is the saved result (RFC 5182)."""
        self.client.ok("SEARCH RETURN (SAVE) FLAGGED")
        self.assertEqual(
            self.client.ok("COPY $ Archive").tagged.code, (b"COPYUID", (self.uid_validity("Archive"), b"4", b"1"))
        )
        self.client.ok("SEARCH RETURN (SAVE) DRAFT")
        self.assertStatus(self.client.command("COPY $ Archive"), "OK")

    def test_expunged_elsewhere(self) -> None:
        """COPY is all or nothing (section 6.4.7); with UIDs what is not there is passed over."""
        other = self.wire.session(MINE)
        other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        self.client.ok("FETCH 1 FLAGS")
        answer = self.client.command("COPY 1:4 Archive")
        self.assertStatus(answer, "NO", "EXPUNGEISSUED")
        self.assertEqual(answer.numbers("EXPUNGE"), [])
        self.assertEqual(self.messages("Archive"), [])
        self.assertEqual(self.client.ok("NOOP").numbers("EXPUNGE"), [2])
        self.assertEqual(self.client.ok("UID COPY 1:4 Archive").copied, (b"1,4", b"1:2"))

    def test_unavailable(self) -> None:
        """Without the store nothing is answered OK, and nothing copied."""
        self.store.available = False
        for command in ("COPY 1 Archive", "UID COPY 1 Archive", "MOVE 1 Archive", "UID MOVE 1 Archive"):
            self.assertStatus(self.client.command(command), "NO", "UNAVAILABLE")
        self.store.available = True
        self.assertEqual(self.messages("Archive"), [])

    def test_told(self) -> None:
        """Sessions in the other mailbox are told, idling ones at once."""
        other, idling = self.wire.session("Archive"), self.wire.session("Archive")
        idling.send(b"a IDLE\r\n")
        idling.take()
        self.client.ok("COPY 1:3 Archive")
        self.assertIn(b"* 3 EXISTS\r\n", idling.take())
        self.assertEqual(other.ok("NOOP").numbers("EXISTS"), [3])

    def test_malformed(self) -> None:
        """COPY has two arguments and is for the selected state."""
        for command in ("COPY", "COPY 1", "COPY x Archive", "COPY 1 Archive x", "UID COPY 1", "COPY (1) Archive"):
            self.assertStatus(self.client.command(command), "BAD")
        for command in ("COPY 1 Archive", "UID COPY 1 Archive"):
            self.assertStatus(self.wire.session().command(command), "BAD")
