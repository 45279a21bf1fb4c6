"""EXPUNGE (RFC 9051 section 6.4.3), UID EXPUNGE (section 6.4.9), and when EXPUNGE may be told (section 7.5.1)."""

from __future__ import annotations

from test.wire import MINE, Client, WireTestCase


class ExpungeTests(WireTestCase):
    """Removing messages for ever."""

    def deleted(self, client: Client, numbers: str) -> None:
        """Mark messages by sequence number."""
        client.ok(f"STORE {numbers} +FLAGS.SILENT (\\Deleted)")

    def uids(self, client: Client) -> list[int]:
        """Return what the session says is there."""
        return [items[b"UID"] for items in client.ok("UID FETCH 1:* (UID)").fetched().values()]

    def test_numbers(self) -> None:
        """Each EXPUNGE has the number that the message has at that moment (section 7.5.1)."""
        self.wire.deliver(6)
        client = self.wire.session(MINE)
        self.deleted(client, "2,4:5")
        told = client.ok("EXPUNGE").numbers("EXPUNGE")
        left = [1, 2, 3, 4, 5, 6]
        for number in told:
            assert number is not None
            del left[number - 1]
        self.assertEqual(left, [1, 3, 6])
        self.assertEqual(self.uids(client), [1, 3, 6])
        self.assertEqual(client.ok("EXPUNGE").responses, [])

    def test_uid_expunge(self) -> None:
        """Only messages that are named and have ``\\Deleted`` go; UIDs that are not there do no harm."""
        self.wire.deliver(5)
        client = self.wire.session(MINE)
        self.deleted(client, "1,3,5")
        self.assertEqual(client.ok("UID EXPUNGE 2:3,99").numbers("EXPUNGE"), [3])
        self.assertEqual(client.ok("UID EXPUNGE 77").responses, [])
        self.assertEqual(client.ok("UID EXPUNGE *").numbers("EXPUNGE"), [4])
        self.assertEqual(self.uids(client), [1, 2, 4])

    def test_gone_everywhere(self) -> None:
        """What is expunged in INBOX is gone from its address as well, and the other way round."""
        self.wire.deliver(2)
        client = self.wire.session("INBOX")
        self.deleted(client, "1")
        client.ok("EXPUNGE")
        other = self.wire.session(MINE)
        self.assertEqual(len(self.uids(other)), 1)
        self.deleted(other, "1")
        other.ok("EXPUNGE")
        self.assertEqual(client.ok("NOOP").numbers("EXPUNGE"), [1])

    def test_read_only(self) -> None:
        """A mailbox opened by EXAMINE is not changed."""
        self.wire.deliver(1, flags=["\\Deleted"])
        client = self.wire.session()
        client.ok(f"EXAMINE {MINE}")
        for command in ("EXPUNGE", "UID EXPUNGE 1:*"):
            self.assertStatus(client.command(command), "NO", "READ-ONLY")
        self.assertEqual(len(self.store.emails), 1)

    def test_malformed(self) -> None:
        """EXPUNGE has no argument, UID EXPUNGE one."""
        client = self.wire.session(MINE)
        for command in ("EXPUNGE 1", "UID EXPUNGE", "UID EXPUNGE x", "UID EXPUNGE 1 2"):
            self.assertStatus(client.command(command), "BAD")
        self.assertStatus(self.wire.session().command("EXPUNGE"), "BAD")


class TwoSessionTests(WireTestCase):
    """What one session expunges, the other learns when it may be told."""

    def setUp(self) -> None:
        """Open a mailbox twice."""
        super().setUp()
        self.wire.deliver(5)
        self.one = self.wire.session(MINE)
        self.two = self.wire.session(MINE)
        self.one.ok("STORE 2,4 +FLAGS.SILENT (\\Deleted)")
        self.two.ok("NOOP")
        self.one.ok("EXPUNGE")

    def test_held_back(self) -> None:
        """FETCH, STORE and SEARCH keep the numbers, told only afterwards (section 7.5.1)."""
        for command in (
            "FETCH 1:5 FLAGS",
            "FETCH 1:5 (UID ENVELOPE)",
            "FETCH 1,3,5 BODY.PEEK[]",
            "UID FETCH 1:* FLAGS",
            "STORE 1:5 +FLAGS (\\Flagged)",
            "UID STORE 3 -FLAGS (\\Flagged)",
            "SEARCH ALL",
            "UID SEARCH TEXT hello",
        ):
            # The harness sees to it that there is no EXPUNGE.
            self.two.command(command)
        self.assertEqual(self.two.ok("FETCH 3,5 UID").fetched(), {3: {b"UID": 3}, 5: {b"UID": 5}})
        self.assertEqual(self.two.ok("NOOP").numbers("EXPUNGE"), [4, 2])
        self.assertEqual(self.two.ok("FETCH 2:3 UID").fetched(), {2: {b"UID": 3}, 3: {b"UID": 5}})

    def test_fetch_of_what_is_gone(self) -> None:
        """FETCH of a message that another session expunged is NO with EXPUNGEISSUED, after the others were sent."""
        for items in ("FLAGS", "ENVELOPE", "BODY.PEEK[HEADER]", "BODY.PEEK[]", "BODYSTRUCTURE", "(UID FLAGS)"):
            answer = self.two.command(f"FETCH 1:5 {items}")
            self.assertStatus(answer, "NO", "EXPUNGEISSUED")
            self.assertEqual(sorted(answer.fetched()), [1, 3, 5])

    def test_uid_fetch_of_what_is_gone(self) -> None:
        """A UID that is not there any more is no error (section 6.4.9)."""
        for items in ("FLAGS", "ENVELOPE", "BODY.PEEK[HEADER]", "BODY.PEEK[]"):
            self.assertEqual(sorted(self.two.ok(f"UID FETCH 1:* {items}").fetched()), [1, 3, 5])
            self.assertEqual(self.two.ok(f"UID FETCH 2 {items}").fetched(), {})

    def test_store_of_what_is_gone(self) -> None:
        """STORE changes what is there, and says by NO that not all of it was (RFC 2180 section 4.2)."""
        answer = self.two.command("STORE 1:3 +FLAGS (\\Flagged)")
        self.assertStatus(answer, "NO", "EXPUNGEISSUED")
        self.assertEqual(sorted(answer.fetched()), [1, 3])
        self.assertEqual(sorted(self.two.ok("UID STORE 1:3 +FLAGS (\\Draft)").fetched()), [1, 3])

    def test_search_leaves_it_out(self) -> None:
        """SEARCH finds no message that is gone, and keeps the numbers of the others."""
        self.assertEqual(self.two.ok("SEARCH ALL").data("SEARCH"), [(1, 3, 5)])
        self.assertEqual(self.two.ok("UID SEARCH NOT TEXT xyz").data("SEARCH"), [(1, 3, 5)])

    def test_told_with_other_commands(self) -> None:
        """Any other command may tell it: here STATUS, LIST and NOOP."""
        for command in ("STATUS INBOX (MESSAGES)", 'LIST "" ""', "NOOP", "EXPUNGE", "CHECK"):
            self.two.ok("UNSELECT")
            self.two.select()
            (new,) = self.wire.deliver(1)
            self.two.ok("NOOP")
            self.one.ok("NOOP")
            count = self.one.ok(f"SEARCH SUBJECT {self.store.emails[new].row.subject!r}".replace("'", '"'))
            (number,) = count.data("SEARCH")[0]
            self.one.ok(f"STORE {number} +FLAGS.SILENT (\\Deleted)")
            self.one.ok("EXPUNGE")
            self.assertEqual(self.two.ok(command).numbers("EXPUNGE"), [number], command)

    def test_new_mail_meanwhile(self) -> None:
        """New mail is numbered after what is gone and not yet told."""
        self.wire.deliver(1)
        self.one.ok("NOOP")
        answer = self.two.ok("SEARCH ALL")
        self.assertEqual((answer.data("SEARCH"), answer.numbers("EXISTS")), ([(1, 3, 5)], [6]))
        self.assertEqual(self.two.ok("FETCH 6 UID").fetched(), {6: {b"UID": 6}})
        self.assertEqual(self.two.ok("NOOP").numbers("EXPUNGE"), [4, 2])
        self.assertEqual(self.two.ok("FETCH 4 UID").fetched(), {4: {b"UID": 6}})

    def test_both_expunge(self) -> None:
        """Two sessions may expunge the same messages; each is told once."""
        self.one.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.assertEqual(self.two.ok("EXPUNGE").numbers("EXPUNGE"), [4, 2, 1])
        self.assertEqual(self.one.ok("EXPUNGE").numbers("EXPUNGE"), [1])
