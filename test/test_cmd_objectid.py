"""OBJECTID (RFC 8474): what identifies e-mails and mailboxes, beyond UIDs and names."""

from __future__ import annotations

from test.wire import MINE, MINE_TOO, Client, WireTestCase


def email_ids(client: Client, name: str) -> list[bytes]:
    """Return the EMAILIDs in a mailbox, by UID."""
    client.ok(f"SELECT {name}")
    return [items[b"EMAILID"] for items in client.ok("FETCH 1:* EMAILID").fetched().values()]


class EmailIdTests(WireTestCase):
    """EMAILID and THREADID, of messages that are in several places."""

    def setUp(self) -> None:
        """Deliver to two addresses."""
        super().setUp()
        self.wire.deliver(3)
        self.wire.deliver(1, MINE_TOO)
        self.client = self.wire.session(MINE)

    def test_fetch(self) -> None:
        """Each e-mail has an identifier of its own; there are no conversations (section 5)."""
        found = self.client.ok("UID FETCH 1:* (EMAILID THREADID FLAGS)").fetched()
        self.assertEqual(len({items[b"EMAILID"] for items in found.values()}), 3)
        self.assertEqual([items[b"THREADID"] for items in found.values()], [None] * 3)
        self.assertEqual([items[b"UID"] for items in found.values()], [1, 2, 3])
        self.assertTrue(all(items[b"EMAILID"][:1].isalpha() for items in found.values()))
        again = self.wire.session(MINE).ok("FETCH 2 EMAILID").fetched()[2]
        self.assertEqual(again[b"EMAILID"], found[2][b"EMAILID"])

    def test_in_inbox(self) -> None:
        """An e-mail is the same in INBOX and in its address."""
        apart = email_ids(self.client, MINE) + email_ids(self.client, MINE_TOO)
        self.assertEqual(email_ids(self.client, "INBOX"), apart)

    def test_moved_and_copied(self) -> None:
        """It stays with MOVE; a copy, and the copy of a copy, are the same e-mail (section 5.1)."""
        one, two, three = email_ids(self.client, MINE)
        self.client.ok(f"SELECT {MINE}")
        self.client.ok("COPY 1,2 Archive")
        self.client.ok("MOVE 2 Archive")
        self.client.ok("COPY 2 Archive")
        self.assertEqual(email_ids(self.client, "Archive"), [one, two, two, three])
        self.client.ok("COPY 1:3 Drafts")
        self.client.ok("MOVE 1,2 Drafts")
        self.assertEqual(email_ids(self.client, "Drafts"), [one, two, two, one, two])
        self.client.ok("RENAME Drafts Later")
        self.assertEqual(email_ids(self.client, "Later"), [one, two, two, one, two])

    def test_original_gone(self) -> None:
        """A copy keeps it when the original is expunged."""
        before = email_ids(self.client, MINE)
        self.client.ok("COPY 1:3 Archive")
        self.client.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        self.client.ok("EXPUNGE")
        self.assertEqual(email_ids(self.client, "Archive"), before)

    def test_appended(self) -> None:
        """What is appended twice is two e-mails: nobody compares them."""
        for _ in range(2):
            self.client.ok("APPEND Drafts {1+}\r\nx")
        one, two = email_ids(self.client, "Drafts")
        self.assertNotEqual(one, two)

    def test_search(self) -> None:
        """EMAILID finds all that are the same; THREADID finds nothing (section 6)."""
        one, two, three = email_ids(self.client, MINE)
        self.client.ok(f"SELECT {MINE}")
        self.assertEqual(self.client.ok(b"SEARCH EMAILID " + two).data("SEARCH"), [(2,)])
        self.assertEqual(self.client.ok(b"UID SEARCH NOT EMAILID " + two).data("SEARCH"), [(1, 3)])
        self.assertEqual(self.client.ok(b"SEARCH OR EMAILID " + one + b" EMAILID " + three).data("SEARCH"), [(1, 3)])
        self.assertEqual(self.client.ok(b"SEARCH EMAILID " + two.lower()).data("SEARCH"), [()])
        self.assertEqual(self.client.ok("SEARCH THREADID T1").data("SEARCH"), [()])
        self.client.ok("COPY 2 Archive")
        self.client.ok("COPY 2 Archive")
        self.client.ok("SELECT Archive")
        self.assertEqual(self.client.ok(b"SEARCH EMAILID " + two).data("SEARCH"), [(1, 2)])
        self.assertEqual(self.client.command("SEARCH EMAILID a.b").status, "BAD")


class MailboxIdTests(WireTestCase):
    """MAILBOXID."""

    def setUp(self) -> None:
        """Log in."""
        super().setUp()
        self.client = self.wire.session()

    def mailbox_id(self, name: str) -> bytes:
        """Return a mailbox's identifier as STATUS tells it."""
        found: bytes = self.client.ok(f"STATUS {name} (MAILBOXID)").data("STATUS")[0][1]["MAILBOXID"]
        return found

    def test_everywhere_the_same(self) -> None:
        """SELECT, EXAMINE, STATUS and LIST with STATUS tell the same; two mailboxes never have the same (section 4)."""
        found = {}
        for name in (MINE, MINE_TOO, "INBOX", "Archive"):
            found[name] = self.mailbox_id(name)
            for command in ("SELECT", "EXAMINE"):
                codes = [response.code for response in self.client.ok(f"{command} {name}").named("OK")]
                self.assertIn((b"MAILBOXID", found[name]), codes)
            listed = self.client.ok(f'LIST "" {name} RETURN (STATUS (MAILBOXID UIDNEXT))').data("STATUS")
            self.assertEqual(listed[0][1]["MAILBOXID"], found[name])
        self.assertEqual(len(set(found.values())), len(found))
        self.assertTrue(all(each[:1].isalpha() for each in found.values()))

    def test_create(self) -> None:
        """CREATE tells it; a mailbox made anew is another one (section 4.1)."""
        codes = []
        for _ in range(2):
            code = self.client.ok("CREATE Work").tagged.code
            self.assertEqual(code, (b"MAILBOXID", self.mailbox_id("Work")))
            codes.append(code)
            self.client.ok("DELETE Work")
        self.assertNotEqual(codes[0], codes[1])

    def test_rename(self) -> None:
        """It survives RENAME, also below the mailbox renamed (section 4.3)."""
        self.client.ok("CREATE Work/2024")
        before = self.mailbox_id("Work"), self.mailbox_id("Work/2024")
        self.client.ok("RENAME Work Play")
        self.assertEqual((self.mailbox_id("Play"), self.mailbox_id("Play/2024")), before)
        self.client.ok("CREATE Work")
        self.assertNotIn(self.mailbox_id("Work"), before)
