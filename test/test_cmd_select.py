"""SELECT and EXAMINE (RFC 9051 sections 6.3.2 and 6.3.3)."""

from __future__ import annotations

from cybertemp_imap.naming import account_key
from test.wire import MINE, MINE_TOO, THEIRS, Answer, WireTestCase

SYSTEM = (b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Seen", b"\\Draft")


def codes(answer: Answer) -> dict[str, object]:
    """Return the response codes of untagged OK responses."""
    return {response.code[0].decode(): response.code[1] for response in answer.named("OK") if response.code}


class SelectTests(WireTestCase):
    """Opening mailboxes."""

    def test_responses(self) -> None:
        """Everything that both versions of IMAP require (section 6.3.2, RFC 3501 section 6.3.1)."""
        self.wire.deliver(2, flags=["\\Seen", "$Junk"])
        self.wire.deliver(1)
        answer = self.wire.session().ok(f"SELECT {MINE}")
        self.assertEqual(answer.data("FLAGS"), [(*SYSTEM, b"$Junk")])
        self.assertEqual((answer.numbers("EXISTS"), answer.numbers("RECENT")), ([3], [3]))
        told = codes(answer)
        self.assertEqual(told.pop("PERMANENTFLAGS"), (*SYSTEM, b"$Junk", b"\\*"))
        self.assertGreater(told.pop("UIDVALIDITY"), 0)  # type: ignore[misc]
        self.assertEqual(told, {"UNSEEN": 3, "UIDNEXT": 4, "HIGHESTMODSEQ": 2, "MAILBOXID": b"F1"})
        self.assertEqual(answer.code, "READ-WRITE")

    def test_one_piece(self) -> None:
        """The whole answer, that the mailbox before is closed included, is one packet to those who wait for its end."""
        client = self.wire.session(MINE)
        before = client.transport.writes
        client.ok(f"SELECT {MINE_TOO}")
        self.assertEqual(client.transport.writes, before + 1)

    def test_examine(self) -> None:
        """EXAMINE is the same but read-only, and takes no ``\\Recent`` away (section 6.3.3)."""
        self.wire.deliver(2)
        client = self.wire.session()
        answer = client.ok(f"EXAMINE {MINE}")
        self.assertEqual(answer.code, "READ-ONLY")
        self.assertEqual(codes(answer)["PERMANENTFLAGS"], ())
        self.assertEqual(answer.numbers("RECENT"), [2])
        self.assertEqual(client.ok(f"SELECT {MINE}").numbers("RECENT"), [2])
        self.assertEqual(client.ok(f"SELECT {MINE}").numbers("RECENT"), [0])

    def test_empty(self) -> None:
        """An empty mailbox has no first unseen message."""
        answer = self.wire.session().ok("SELECT Drafts")
        self.assertEqual(answer.numbers("EXISTS"), [0])
        self.assertNotIn("UNSEEN", codes(answer))

    def test_names(self) -> None:
        """INBOX in any case, addresses in any case, folders as they are, in every form of string."""
        self.store.add_folder(account_key(self.wire.user), "Entwürfe")
        self.store.add_folder(MINE, "Work")
        client = self.wire.session()
        for name in (
            b"inbox",
            b'"INBOX"',
            b"BOX@Example.com",
            b"Drafts",
            b'"box@example.com/Work"',
            b'"Entw&APw-rfe"',
            b"{15+}\r\nbox@example.com",
            '"Entwürfe"'.encode(),
        ):
            client.ok(b"SELECT " + name)
        for name in (b"drafts", b"box@example.com/work", b"inbox/x"):
            self.assertStatus(client.command(b"SELECT " + name), "NO", "NONEXISTENT")

    def test_inbox_is_all_addresses(self) -> None:
        """INBOX shows the mail of every address, with UIDs of its own and the same flags."""
        self.wire.deliver(1, MINE)
        self.wire.deliver(1, MINE_TOO)
        client = self.wire.session("INBOX")
        self.assertEqual(len(client.ok("FETCH 1:* UID").responses), 2)
        client.ok("STORE 2 +FLAGS.SILENT (\\Flagged)")
        self.assertIn(b"\\Flagged", client.select(MINE_TOO).ok("FETCH 1 FLAGS").flags()[1])

    def test_closed(self) -> None:
        """Opening another mailbox closes the one that was open (section 6.3.2, CLOSED), also when it fails."""
        self.wire.deliver(1, flags=["\\Deleted"])
        client = self.wire.session(MINE)
        answer = client.ok("SELECT INBOX")
        self.assertEqual(answer.responses[0].code, (b"CLOSED", None))
        self.assertEqual(len(self.store.emails), 1)
        answer = client.command("SELECT Nothing")
        self.assertEqual(answer.responses[0].code, (b"CLOSED", None))
        self.assertStatus(answer, "NO", "NONEXISTENT")
        self.assertStatus(client.command("FETCH 1 UID"), "BAD")
        self.assertNotIn("CLOSED", codes(client.ok("SELECT INBOX")))

    def test_refused(self) -> None:
        """Names that are not there, not possible, or another person's; nothing is created."""
        client = self.wire.session()
        for name in (THEIRS, "nobody@example.com", "Nothing", f"{MINE}/Nothing"):
            self.assertStatus(client.command(f"SELECT {name}"), "NO", "NONEXISTENT")
        for name in ('""', '"a*b"', '"a//b"', '"a&b"', f"{MINE}/inbox"):
            self.assertStatus(client.command(f"SELECT {name}"), "NO", "CANNOT")
        for arguments in ("", " a b", " INBOX (X)", " INBOX (QRESYNC (1 1))"):
            self.assertStatus(client.command(f"SELECT{arguments}"), "BAD")
        self.assertStatus(self.wire.connect().command("SELECT INBOX"), "BAD")

    def test_uids_stay(self) -> None:
        """UIDs and UIDVALIDITY are the same in every session; new mail gets larger ones (section 2.3.1.1)."""
        self.wire.deliver(2)
        first = self.wire.session()
        before = codes(first.ok(f"SELECT {MINE}"))
        self.wire.deliver(1)
        second = self.wire.session()
        after = codes(second.ok(f"SELECT {MINE}"))
        self.assertEqual(before["UIDVALIDITY"], after["UIDVALIDITY"])
        self.assertEqual((before["UIDNEXT"], after["UIDNEXT"]), (3, 4))
        self.assertEqual([each[b"UID"] for each in second.ok("FETCH 1:* UID").fetched().values()], [1, 2, 3])

    def test_banned_mail_is_not_there(self) -> None:
        """Mail of banned senders is in no count."""
        self.store.ban("sender", "evil.example", "contains")
        self.wire.deliver(1)
        self.wire.deliver(3, from_addr="x@evil.example")
        client = self.wire.session()
        self.assertEqual(client.ok(f"SELECT {MINE}").numbers("EXISTS"), [1])
        self.assertEqual(client.ok("SELECT INBOX").numbers("EXISTS"), [1])
