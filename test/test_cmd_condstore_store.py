"""Conditional STORE, and HIGHESTMODSEQ after expunging (RFC 7162 sections 3.1.3, 3.2.7 to 3.2.9)."""

from __future__ import annotations

from test.test_cmd_condstore import CondstoreCase, highest, mod_seqs
from test.wire import MINE


class ConditionalStoreTests(CondstoreCase):
    """UNCHANGEDSINCE."""

    def test_unchanged(self) -> None:
        """Messages that were not changed since are changed, and told with their new mod-sequence."""
        known = mod_seqs(self.client)
        answer = self.client.ok(f"STORE 1:4 (UNCHANGEDSINCE {known[4]}) +FLAGS (x)")
        self.assertStatus(answer, "OK")
        self.assertEqual(answer.flags(), {seq: {b"x"} for seq in known})
        told = {seq: items[b"MODSEQ"] for seq, items in answer.fetched().items()}
        self.assertEqual(told, mod_seqs(self.client))
        self.assertTrue(all(told[seq] > known[4] for seq in told))
        self.assertEqual(self.client.ok("NOOP").responses, [])

    def test_modified(self) -> None:
        """Those that were are left as they are, named in MODIFIED, and told; the others are changed (example 5)."""
        self.client.ok("ENABLE CONDSTORE")
        known = mod_seqs(self.client)
        self.wire.session(MINE).ok("STORE 2,4 +FLAGS (theirs)")
        for uid in ("", "UID "):
            answer = self.client.command(f"{uid}STORE 1:4 (UNCHANGEDSINCE {known[4]}) +FLAGS (mine{len(uid)})")
            self.assertStatus(answer, "OK", "MODIFIED")
            self.assertEqual(answer.tagged.code, (b"MODIFIED", b"2,4" if not uid else b"1:4"))
            self.assertEqual({seq for seq in answer.flags() if b"theirs" in answer.flags()[seq]}, {2, 4})
            self.assertTrue(all(b"MODSEQ" in items for items in answer.fetched().values()))
        flags = self.client.ok("FETCH 1:* FLAGS").flags()
        self.assertEqual(flags, {1: {b"mine0"}, 2: {b"theirs"}, 3: {b"mine0"}, 4: {b"theirs"}})

    def test_modified_uids(self) -> None:
        """MODIFIED is in UIDs after UID STORE, in sequence numbers after STORE."""
        self.client.ok("STORE 1 +FLAGS (\\Deleted)")
        self.client.ok("EXPUNGE")
        for uid, expected in (("UID ", b"2,4"), ("", b"1,3")):
            answer = self.client.command(f"{uid}STORE {expected.decode()} (UNCHANGEDSINCE 1) +FLAGS (x)")
            self.assertEqual(answer.tagged.code, (b"MODIFIED", expected))

    def test_of_other_programs(self) -> None:
        """What another program wrote, and nobody has noticed yet, counts as a change."""
        known = mod_seqs(self.client)
        self.store.set_flags_elsewhere(self.ids[2], ["\\Answered"])
        answer = self.client.command(f"STORE 3 (UNCHANGEDSINCE {known[4]}) FLAGS (\\Seen)")
        self.assertEqual(answer.tagged.code, (b"MODIFIED", b"3"))
        self.assertEqual(answer.flags(), {3: {b"\\Answered"}})
        again = answer.fetched()[3][b"MODSEQ"]
        self.assertStatus(self.client.command(f"STORE 3 (UNCHANGEDSINCE {again}) FLAGS (\\Seen)"), "OK")
        self.assertEqual(self.store.flags_of(self.ids[2]), ("\\Seen",))

    def test_zero(self) -> None:
        """0 is before every message: nothing is changed (section 3.1.3)."""
        answer = self.client.command("STORE 1:* (UNCHANGEDSINCE 0) +FLAGS (x)")
        self.assertEqual(answer.tagged.code, (b"MODIFIED", b"1:4"))
        self.assertEqual({seq: bool(flags) for seq, flags in answer.flags().items()}, dict.fromkeys(range(1, 5), False))

    def test_silent(self) -> None:
        """With ``.SILENT`` the new mod-sequences are told all the same, without the flags (section 3.1.3)."""
        known = mod_seqs(self.client)
        for command in (f"STORE 1:2 (UNCHANGEDSINCE {known[2]}) +FLAGS.SILENT (x)", "UID STORE 3 FLAGS.SILENT (z)"):
            answer = self.client.ok(command)
            self.assertTrue(answer.fetched())
            for seq, items in answer.fetched().items():
                self.assertEqual(set(items), {b"UID", b"MODSEQ"})
                self.assertEqual(items[b"MODSEQ"], mod_seqs(self.client)[seq])
        self.assertEqual(self.client.ok("NOOP").responses, [])

    def test_silent_after_others(self) -> None:
        """With ``.SILENT``, what others did to the same message is told with its flags."""
        self.client.ok("ENABLE CONDSTORE")
        self.wire.session(MINE).ok("STORE 1 +FLAGS (theirs)")
        answer = self.client.ok("STORE 1:2 +FLAGS.SILENT (x)")
        self.assertEqual(answer.flags(), {1: {b"theirs", b"x"}})
        self.assertEqual(sorted(answer.fetched()), [1, 2])

    def test_nothing_to_change(self) -> None:
        """Flags that are there already change nothing, not even the mod-sequence."""
        first = self.client.ok("STORE 1 (UNCHANGEDSINCE 1000) +FLAGS (x)").fetched()[1][b"MODSEQ"]
        answer = self.client.ok(f"STORE 1 (UNCHANGEDSINCE {first}) +FLAGS (X)")
        self.assertEqual(answer.fetched()[1][b"MODSEQ"], first)

    def test_gone(self) -> None:
        """Expunged messages are neither changed nor MODIFIED; by number they are NO (examples 9 to 11)."""
        known = mod_seqs(self.client)
        other = self.wire.session(MINE)
        other.ok("STORE 2 +FLAGS (\\Deleted)")
        other.ok("EXPUNGE")
        other.ok("STORE 1 +FLAGS (theirs)")
        condition = f"(UNCHANGEDSINCE {known[4]})"
        answer = self.client.command(f"STORE 1:3 {condition} +FLAGS (x)")
        self.assertEqual((answer.status, answer.tagged.code), ("NO", (b"MODIFIED", b"1")))
        self.assertEqual(answer.flags(), {1: {b"theirs"}, 3: {b"x"}})
        answer = self.client.command(f"UID STORE 2,4 {condition} +FLAGS (x)")
        self.assertStatus(answer, "OK")
        self.assertEqual(sorted(answer.fetched()), [4])
        self.assertStatus(self.client.command(f"STORE 2,4 {condition} +FLAGS (y)"), "NO", "MODIFIED")

    def test_one_of_two(self) -> None:
        """Of two sessions that change a message on the same condition, one does."""
        sessions = [self.client, self.wire.session(MINE)]
        known = mod_seqs(self.client)[1]
        answers = [session.command(f"STORE 1 (UNCHANGEDSINCE {known}) +FLAGS (taken)") for session in sessions]
        self.assertEqual([answer.code for answer in answers], [None, "MODIFIED"])


class HighestTests(CondstoreCase):
    """HIGHESTMODSEQ of what expunges, and what it promises."""

    def setUp(self) -> None:
        """Have the client know mod-sequences."""
        super().setUp()
        self.client.ok("ENABLE CONDSTORE")

    def test_expunge(self) -> None:
        """EXPUNGE, UID EXPUNGE and MOVE tell it when they expunge something (sections 3.2.7 and 3.2.9)."""
        self.client.ok("STORE 1:2 +FLAGS (\\Deleted)")
        for command in ("UID EXPUNGE 1", "EXPUNGE", "MOVE 1 Archive"):
            answer = self.client.command(command)
            self.assertEqual(answer.numbers("EXPUNGE"), [1])
            assert answer.tagged.code is not None
            name, value = answer.tagged.code
            looking = self.wire.session()
            self.assertEqual((name, value), (b"HIGHESTMODSEQ", highest(looking)))
        for command in ("EXPUNGE", "UID EXPUNGE 4", "UID MOVE 99 Archive"):
            self.assertStatus(self.client.command(command), "OK")

    def test_close(self) -> None:
        """CLOSE expunges untold, so that it cannot tell one."""
        self.client.ok("STORE 1 +FLAGS (\\Deleted)")
        answer = self.client.command("CLOSE")
        self.assertStatus(answer, "OK")
        self.assertEqual(answer.responses, [])

    def test_not_without(self) -> None:
        """Who knows nothing of it is told nothing of it."""
        client = self.wire.session(MINE)
        client.ok("STORE 1 +FLAGS (\\Deleted)")
        self.assertStatus(client.command("EXPUNGE"), "OK")

    def test_others_in_between(self) -> None:
        """What others did is told before, with flags that are new and messages that have come."""
        self.client.ok("STORE 1 +FLAGS (\\Deleted)")
        self.store.set_flags_elsewhere(self.ids[2], ["theirs"])
        self.wire.deliver(1)
        answer = self.client.command("EXPUNGE")
        self.assertEqual(answer.code, "HIGHESTMODSEQ")
        self.assertEqual((answer.numbers("EXPUNGE"), answer.numbers("EXISTS")), ([1], [4]))
        self.assertEqual(answer.flags()[2], {b"theirs"})
        self.assertEqual(self.client.ok("NOOP").responses, [])
        assert answer.tagged.code is not None
        self.assertEqual(answer.tagged.code[1], highest(self.client))

    def test_never_ahead(self) -> None:
        """Who is told a mod-sequence was told, by the end of the command, of every flag that changed before."""
        self.store.set_flags_elsewhere(self.ids[3], ["theirs"])
        answer = self.client.ok("STORE 1 +FLAGS (mine)")
        self.assertEqual(answer.flags(), {1: {b"mine"}, 4: {b"theirs"}})
        self.store.set_flags_elsewhere(self.ids[3], [])
        answer = self.client.ok("FETCH 2 (BODY[TEXT])")
        self.assertEqual(answer.flags(), {2: {b"\\Seen"}, 4: set()})
