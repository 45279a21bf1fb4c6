"""QRESYNC (RFC 7162 section 3.2): what a client that was away is told, and VANISHED in the place of EXPUNGE."""

from __future__ import annotations

from cybertemp_imap.protocol.responses import RANGES_A_LINE
from test.wire import MINE, MINE_TOO, Answer, Client, WireTestCase


class QresyncCase(WireTestCase):
    """Eight messages, of which ``changes`` expunges three and marks two, after a client has seen them all."""

    def setUp(self) -> None:
        """Deliver, and take note of what the client knows."""
        super().setUp()
        self.ids = self.wire.deliver(8)
        self.other = self.wire.session(MINE)
        self.uid_validity, self.mod_seq = self.numbers(self.resyncing().ok(f"SELECT {MINE}"))

    def numbers(self, answer: Answer) -> tuple[int, int]:
        """Return UIDVALIDITY and HIGHESTMODSEQ as SELECT told them."""
        codes = dict(response.code for response in answer.named("OK") if response.code)
        return codes[b"UIDVALIDITY"], codes[b"HIGHESTMODSEQ"]

    def resyncing(self) -> Client:
        """Return a session that has enabled QRESYNC."""
        client = self.wire.session()
        client.ok("ENABLE QRESYNC")
        return client

    def changes(self) -> None:
        """Expunge 2, 3 and 6; mark 4 and 8; deliver 9."""
        self.other.ok("UID STORE 2:3,6 +FLAGS (\\Deleted)")
        self.other.ok("EXPUNGE")
        self.other.ok("UID STORE 4,8 +FLAGS (marked)")
        self.wire.deliver(1)
        self.other.ok("NOOP")

    def forget(self) -> None:
        """Have the store forget what was expunged."""
        self.store.forget_expunged(self.other.server.mbox.shared.ref, 0)

    def resync(self, parameters: str = "", client: Client | None = None) -> Answer:
        """Select with what the client knew before, and perhaps more parameters."""
        client = client or self.resyncing()
        return client.ok(f"SELECT {MINE} (QRESYNC ({self.uid_validity} {self.mod_seq}{parameters}))")

    def fetched_uids(self, answer: Answer) -> list[int]:
        """Return the UIDs told by FETCH, each with its flags and mod-sequence."""
        for items in answer.fetched().values():
            self.assertEqual(set(items), {b"UID", b"FLAGS", b"MODSEQ"})
        return [items[b"UID"] for items in answer.data("FETCH")]


class SelectTests(QresyncCase):
    """Section 3.2.5."""

    def test_needs_enable(self) -> None:
        """Without ENABLE it is BAD, and the mailbox that is open stays open."""
        for enabling in ("NOOP", "ENABLE CONDSTORE"):
            client = self.wire.session(MINE)
            client.ok(enabling)
            for command in (f"SELECT {MINE} (QRESYNC (1 1))", "UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)"):
                self.assertStatus(client.command(command), "BAD")
            client.ok("FETCH 1 UID")

    def test_changes(self) -> None:
        """What is gone is told by UID, what has changed or come by FETCH; after the usual, before the answer."""
        self.changes()
        answer = self.resync()
        self.assertEqual(answer.vanished(earlier=True), [2, 3, 6])
        self.assertEqual(self.fetched_uids(answer), [4, 8, 9])
        names = [response.name for response in answer.responses]
        self.assertEqual(names[-4:], [b"VANISHED", b"FETCH", b"FETCH", b"FETCH"])
        self.assertEqual(answer.numbers("EXISTS"), [6])
        self.assertEqual((answer.status, answer.code), ("OK", "READ-WRITE"))

    def test_nothing_new(self) -> None:
        """Where nothing has changed, nothing is told; nor to a client that knows what has not come to pass."""
        for mod_seq in (self.mod_seq, self.mod_seq + 1000, (1 << 63) - 1):
            answer = self.resyncing().ok(f"EXAMINE {MINE} (QRESYNC ({self.uid_validity} {mod_seq}))")
            self.assertEqual(answer.named("VANISHED") + answer.named("FETCH"), [])

    def test_other_mailbox(self) -> None:
        """Where UIDVALIDITY is another, the client knows nothing, and the parameter is ignored."""
        self.changes()
        for uid_validity in (self.uid_validity + 1000, 1, 4294967295):
            answer = self.resyncing().ok(f"SELECT {MINE} (QRESYNC ({uid_validity} 1 1:8))")
            self.assertEqual(answer.named("VANISHED") + answer.named("FETCH"), [])
            self.assertEqual(answer.numbers("EXISTS"), [6])

    def test_known_uids(self) -> None:
        """Nothing is told of UIDs that the client does not know of."""
        self.changes()
        for known, gone, changed in (
            ("1:8", [2, 3, 6], [4, 8]),
            ("3,8:5", [3, 6], [8]),
            ("1", [], []),
            ("1:4294967295", [2, 3, 6], [4, 8, 9]),
            ("100:200", [], []),
        ):
            answer = self.resync(f" {known}")
            self.assertEqual((answer.vanished(earlier=True), self.fetched_uids(answer)), (gone, changed), known)

    def test_forgotten(self) -> None:
        """Where it is forgotten what was expunged, all known UIDs that are not there are gone."""
        self.changes()
        self.forget()
        self.other.ok("UID STORE 9 +FLAGS (\\Deleted)")
        self.other.ok("EXPUNGE")
        for parameters, gone in (
            ("", [2, 3, 6, 9]),
            (" 1:8", [2, 3, 6]),
            (" 3:4,6", [3, 6]),
            # Number 4 is UID 7 by now: up to UID 1 nothing is missing, as the pairs show (section 3.2.5.2).
            (" 1:8 (1,4,8 1,4,8)", [2, 3, 6]),
            (" 2:8 (2:3 4:5)", [6]),
            (" (3,5 5,8)", [9]),
        ):
            self.assertEqual(self.resync(parameters).vanished(earlier=True), gone, parameters)

    def test_match_changes_nothing(self) -> None:
        """Where it is not forgotten, sequence numbers make no difference."""
        self.changes()
        for match in (" (1,4,8 1,4,8)", " (2:3 4:5)", " (1:8 1:8)", " (99 1)"):
            self.assertEqual(self.resync(match).vanished(earlier=True), [2, 3, 6], match)

    def test_malformed(self) -> None:
        """Numbers and UIDs come in pairs, both ascending, without ``*``; UIDVALIDITY is not zero."""
        client = self.resyncing()
        for parameters in (
            *("(1)", "(0 1)", "(1 x)", "(1 1 *)", "(1 1 1:*)", "(1 1 1:3 (1 2 3))", "(1 1 (1:3 1:2))", "1 1"),
            *("(1 1 (2,1 1,2))", "(1 1 (1:3 1,2))", "(1 1 (1,1 1,2))", "(1 1 (1 *))", "(1 9223372036854775808)"),
        ):
            self.assertStatus(client.command(f"SELECT {MINE} (QRESYNC {parameters})"), "BAD")

    def test_many(self) -> None:
        """A long list is cut into lines that clients can take (section 4)."""
        count = 2 * RANGES_A_LINE + 10
        self.wire.deliver(2 * count, MINE_TOO)
        self.other.ok(f"SELECT {MINE_TOO}")
        numbers = self.numbers(self.resyncing().ok(f"SELECT {MINE_TOO}"))
        odd = ",".join(str(uid) for uid in range(1, 2 * count, 2))
        self.other.ok(f"UID STORE {odd} +FLAGS.SILENT (\\Deleted)")
        self.other.ok("EXPUNGE")
        answer = self.resyncing().ok(f"SELECT {MINE_TOO} (QRESYNC ({numbers[0]} {numbers[1]}))")
        self.assertEqual(answer.vanished(earlier=True), list(range(1, 2 * count, 2)))
        self.assertTrue(all(len(response.raw) < 8192 for response in answer.named("VANISHED")))

    def test_reselect(self) -> None:
        """The mailbox that was open is CLOSED first (section 3.2.11)."""
        client = self.resyncing()
        self.resync(client=client)
        self.changes()
        answer = self.resync(client=client)
        self.assertEqual(answer.responses[0].code, (b"CLOSED", None))
        self.assertEqual(answer.vanished(earlier=True), [2, 3, 6])


class FetchTests(QresyncCase):
    """Section 3.2.6: UID FETCH with VANISHED."""

    def test_vanished(self) -> None:
        """Of the UIDs named, those gone and those changed since are told; ``*`` may be gone itself."""
        self.changes()
        self.other.ok("UID STORE 9 +FLAGS (\\Deleted)")
        self.other.ok("EXPUNGE")
        client = self.resyncing().select(MINE)
        for uids, gone, changed in (
            ("1:*", [2, 3, 6, 9], [4, 8]),
            ("3:6", [3, 6], [4]),
            ("6,2:1", [2, 6], []),
            ("50:60", [], []),
        ):
            answer = client.ok(f"UID FETCH {uids} (FLAGS) (CHANGEDSINCE {self.mod_seq} VANISHED)")
            self.assertEqual(answer.vanished(earlier=True), gone, uids)
            self.assertEqual(self.fetched_uids(answer), changed, uids)
        client.ok("UID SEARCH RETURN (SAVE) ALL")
        answer = client.ok(f"UID FETCH $ FLAGS (VANISHED CHANGEDSINCE {self.mod_seq})")
        self.assertEqual((answer.vanished(earlier=True), self.fetched_uids(answer)), ([], [4, 8]))
        self.forget()
        answer = client.ok(f"UID FETCH 1:5 FLAGS (CHANGEDSINCE {self.mod_seq} VANISHED)")
        self.assertEqual(answer.vanished(earlier=True), [2, 3])

    def test_still_numbered(self) -> None:
        """What still has a number is not EARLIER: it vanishes at the end of the command, and once."""
        client = self.resyncing().select(MINE)
        self.changes()
        answer = client.ok(f"UID FETCH 1:* FLAGS (CHANGEDSINCE {self.mod_seq} VANISHED)")
        self.assertEqual((answer.vanished(earlier=True), answer.vanished()), ([], [2, 3, 6]))
        answer = client.ok(f"UID FETCH 1:* FLAGS (CHANGEDSINCE {self.mod_seq} VANISHED)")
        self.assertEqual((answer.vanished(earlier=True), answer.vanished()), ([2, 3, 6], []))

    def test_number_only(self) -> None:
        """It is for UID FETCH with CHANGEDSINCE (section 3.2.6)."""
        client = self.resyncing().select(MINE)
        for command in ("FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "UID FETCH 1 FLAGS (VANISHED)"):
            self.assertStatus(client.command(command), "BAD")

    def test_mod_seq(self) -> None:
        """UID FETCH always tells mod-sequences (section 3.2.4)."""
        client = self.resyncing().select(MINE)
        for items in ("FLAGS", "ENVELOPE", "BODY.PEEK[TEXT]"):
            self.assertIn(b"MODSEQ", client.ok(f"UID FETCH 2 {items}").fetched()[2])


class VanishedTests(QresyncCase):
    """Section 3.2.10: VANISHED everywhere in the place of EXPUNGE."""

    def setUp(self) -> None:
        """Open the mailbox."""
        super().setUp()
        self.client = self.resyncing().select(MINE)

    def delete(self, uids: str, client: Client | None = None) -> None:
        """Expunge in the other session, or mark in a client's."""
        (client or self.other).ok(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
        if client is None:
            self.other.ok("EXPUNGE")

    def test_own(self) -> None:
        """EXPUNGE, UID EXPUNGE and MOVE, whose HIGHESTMODSEQ is then that of the mailbox."""
        self.delete("1:4", self.client)
        for command, gone in (
            ("UID EXPUNGE 2:3", [2, 3]),
            ("EXPUNGE", [1, 4]),
            ("MOVE 1:2 Archive", [5, 6]),
            ("UID MOVE 8 Archive", [8]),
        ):
            answer = self.client.command(command)
            self.assertEqual(answer.code, "HIGHESTMODSEQ", command)
            self.assertEqual((answer.vanished(), answer.named("EXPUNGE")), (gone, []), command)
            assert answer.tagged.code is not None
            self.assertEqual(answer.tagged.code[1], self.numbers(self.wire.session().ok(f"SELECT {MINE}"))[1])
        self.assertEqual(self.client.ok("FETCH 1:* UID").data("FETCH"), [{b"UID": 7}])

    def test_of_others(self) -> None:
        """NOOP and IDLE tell it, FETCH, STORE and SEARCH of sequence numbers do not, those of UIDs do."""
        self.delete("1,3")
        for command in ("FETCH 1:* UID", "STORE 2 +FLAGS (x)", "SEARCH ALL"):
            self.assertEqual(self.client.command(command).named("VANISHED"), [], command)
        self.assertEqual(self.client.ok("NOOP").vanished(), [1, 3])
        for number, command in enumerate(("UID FETCH 8 FLAGS", "UID STORE 8 +FLAGS (x)", "UID SEARCH ALL"), 4):
            self.delete(str(number))
            self.assertEqual(self.client.ok(command).vanished(), [number])
        self.assertEqual(self.client.send(b"i IDLE\r\n").responses()[-1].name, b"+")
        self.delete("2,7")
        told = self.client.responses()[-1]
        self.assertEqual((told.name, told.data), (b"VANISHED", {"earlier": False, "ranges": [(2, 2), (7, 7)]}))
        self.client.send(b"DONE\r\n")

    def test_close(self) -> None:
        """CLOSE tells nothing (section 3.2.8)."""
        self.delete("1:4", self.client)
        answer = self.client.command("CLOSE")
        self.assertStatus(answer, "OK")
        self.assertEqual(answer.responses, [])

    def test_others_keep_numbers(self) -> None:
        """Who has not enabled it is told EXPUNGE."""
        self.delete("1:2", self.client)
        self.client.ok("EXPUNGE")
        answer = self.other.ok("NOOP")
        self.assertEqual((answer.numbers("EXPUNGE"), answer.named("VANISHED")), ([2, 1], []))

    def test_banned_sender(self) -> None:
        """Mail that a ban hides vanishes, and returns under other UIDs."""
        self.wire.deliver(1, from_addr="spam@bad.example")
        self.client.ok("NOOP")
        ban = self.store.ban("sender", "spam@bad.example")
        self.assertEqual(self.client.ok("NOOP").vanished(), [9])
        self.store.lift(ban)
        self.assertEqual(self.client.ok("NOOP").numbers("EXISTS"), [9])
        self.assertEqual(self.client.ok("UID FETCH 10 UID").data("FETCH")[0][b"UID"], 10)
