"""STORE and UID STORE (RFC 9051 sections 6.4.6 and 6.4.9)."""

from __future__ import annotations

from cybertemp_imap.protocol.commands.store import MAX_FLAGS, PAGE
from test.wire import MINE, WireTestCase

RECENT = b"\\Recent"


class StoreTests(WireTestCase):
    """Changing flags in one session."""

    def setUp(self) -> None:
        """Deliver, and let another session take ``\\Recent``."""
        super().setUp()
        self.ids = self.wire.deliver(4, flags=["\\Seen", "old"])
        self.wire.session(MINE).ok("LOGOUT")
        self.client = self.wire.session(MINE)

    def test_forms(self) -> None:
        """Replace, add, remove; lists, bare flags, nothing; any case (section 6.4.6)."""
        for item, expected in (
            ("+FLAGS (\\Flagged)", {"\\Seen", "old", "\\Flagged"}),
            ("+flags \\flagged \\DRAFT", {"\\Seen", "old", "\\Flagged", "\\Draft"}),
            ("-FLAGS (\\SEEN OLD)", {"\\Flagged", "\\Draft"}),
            ("FLAGS (new $Junk)", {"new", "$Junk"}),
            ("+FLAGS ()", {"new", "$Junk"}),
            ("-FLAGS (nothing)", {"new", "$Junk"}),
            ("FLAGS NEW", {"new"}),
            ("FLAGS (\\Answered \\answered)", {"\\Answered"}),
            ("FLAGS ()", set()),
        ):
            told = self.client.ok(f"STORE 2 {item}").flags()
            self.assertEqual(told, {2: {flag.encode() for flag in expected}}, item)
            self.assertEqual(set(self.store.flags_of(self.ids[1])), expected, item)
            self.assertEqual(self.client.ok("FETCH 2 FLAGS").flags(), told)

    def test_silent(self) -> None:
        """With ``.SILENT`` nothing is told that the client can know (section 6.4.6)."""
        for item in ("+FLAGS.SILENT (\\Flagged)", "-FLAGS.SILENT \\Seen", "flags.silent (a b)"):
            self.assertEqual(self.client.ok(f"STORE 1:* {item}").named("FETCH"), [])
        self.assertEqual(self.client.ok("NOOP").responses, [])
        self.assertEqual(self.client.ok("FETCH 3 FLAGS").flags(), {3: {b"a", b"b"}})

    def test_silent_tells_what_others_did(self) -> None:
        """A flag that somebody else has set in between is told even so (section 6.4.6)."""
        self.store.set_flags_elsewhere(self.ids[0], ["\\Answered"])
        answer = self.client.ok("STORE 1:2 +FLAGS.SILENT (\\Flagged)")
        self.assertEqual(answer.flags(), {1: {b"\\Answered", b"\\Flagged"}})

    def test_sets(self) -> None:
        """Sequence numbers that are there, UIDs whether there or not; all are told in order."""
        for numbers, expected in (("1,3", [1, 3]), ("*", [4]), ("3:*", [3, 4]), ("*:3,1", [1, 3, 4])):
            answer = self.client.ok(f"STORE {numbers} +FLAGS (x)")
            self.assertEqual(answer.numbers("FETCH"), expected)
            answer = self.client.ok(f"UID STORE {numbers} -FLAGS (x)")
            self.assertEqual([data[b"UID"] for data in answer.data("FETCH")], expected)
        self.assertEqual(self.client.ok("UID STORE 99,100:200 +FLAGS (x)").responses, [])
        self.assertEqual(self.client.ok("UID STORE 99:* +FLAGS (x)").numbers("FETCH"), [4])
        for numbers in ("5", "1:5", "0", "4294967296"):
            self.assertStatus(self.client.command(f"STORE {numbers} +FLAGS (x)"), "BAD")

    def test_refused_flags(self) -> None:
        """``\\Recent`` and system flags there are not cannot be stored; nothing is changed then."""
        for flags in ("\\Recent", "(\\Flagged \\Recent)", "(\\Foo)", "(\\Foo \\Seen)", "a" * 300):
            self.assertStatus(self.client.command(f"STORE 1 FLAGS {flags}"), "NO", "CANNOT")
        many = " ".join(map(str, range(MAX_FLAGS + 1)))
        self.assertStatus(self.client.command(f"STORE 1 FLAGS ({many})"), "NO", "LIMIT")
        self.assertEqual(self.store.flags_of(self.ids[0]), ("\\Seen", "old"))

    def test_recent_is_told(self) -> None:
        """``\\Recent`` is told where the session has it, and not stored."""
        self.wire.deliver(1)
        self.client.ok("NOOP")
        self.assertEqual(self.client.ok("STORE 5 FLAGS (\\Seen)").flags(), {5: {b"\\Seen", RECENT}})

    def test_read_only(self) -> None:
        """After EXAMINE nothing is stored."""
        self.client.ok(f"EXAMINE {MINE}")
        for command in ("STORE 1 +FLAGS (x)", "UID STORE 1:* FLAGS.SILENT ()"):
            self.assertStatus(self.client.command(command), "NO", "READ-ONLY")
        self.assertEqual(self.store.flags_of(self.ids[0]), ("\\Seen", "old"))

    def test_flags_of_other_programs(self) -> None:
        """What is no IMAP flag is never told, and no STORE removes it."""
        self.store.set_flags_elsewhere(self.ids[0], ["not a flag", "\\Weird", "ünicode", "fine"])
        self.client.ok("NOOP")
        self.assertEqual(self.client.ok("STORE 1 FLAGS (\\Seen)").flags(), {1: {b"\\Seen"}})
        self.assertEqual(self.store.flags_of(self.ids[0]), ("not a flag", "\\Weird", "ünicode", "\\Seen"))

    def test_malformed(self) -> None:
        """What is no STORE."""
        for arguments in (
            "",
            " 1",
            " 1 FLAGS",
            " 1 FOO (a)",
            " 1 +FLAGS (a",
            " 1 +FLAGS (a b) c",
            " x +FLAGS (a)",
            " 1 (UNCHANGEDSINCE) +FLAGS (a)",
            " 1 +FLAGS (%)",
        ):
            for command in ("STORE", "UID STORE"):
                self.assertStatus(self.client.command(command + arguments), "BAD")
        self.assertStatus(self.wire.session().command("STORE 1 +FLAGS (a)"), "BAD")

    def test_empty_mailbox(self) -> None:
        """There is no sequence number in an empty mailbox, and no UID."""
        self.client.select("Drafts")
        self.assertStatus(self.client.command("STORE 1:* +FLAGS (x)"), "BAD")
        self.assertEqual(self.client.ok("UID STORE 1:* +FLAGS (x)").responses, [])

    def test_many(self) -> None:
        """More messages than one statement changes."""
        self.wire.deliver(PAGE + 10)
        self.client.ok("NOOP")
        answer = self.client.ok("STORE 1:* +FLAGS (x)")
        self.assertEqual(answer.numbers("FETCH"), list(range(1, PAGE + 15)))


class TwoSessionTests(WireTestCase):
    """Two sessions that change the same messages."""

    def setUp(self) -> None:
        """Open a mailbox twice."""
        super().setUp()
        self.ids = self.wire.deliver(2)
        self.one = self.wire.session(MINE)
        self.two = self.wire.session(MINE)

    def test_both_flags_stay(self) -> None:
        """Two sessions that add different flags lose neither, and each is told the other's."""
        self.one.ok("STORE 1 +FLAGS.SILENT (a)")
        self.assertEqual(self.two.ok("STORE 1 +FLAGS (b)").flags(), {1: {b"a", b"b"}})
        self.assertEqual(self.one.ok("NOOP").flags(), {1: {b"a", b"b", RECENT}})
        self.assertEqual(self.two.ok("NOOP").responses, [])

    def test_told_once(self) -> None:
        """What one session stores the other is told with its next answer, once, with the UID (section 7.5.2)."""
        self.one.ok("STORE 1:2 FLAGS.SILENT (\\Seen)")
        answer = self.two.ok("SEARCH ALL")
        self.assertEqual(answer.fetched(), {n: {b"UID": n, b"FLAGS": (b"\\Seen",)} for n in (1, 2)})
        self.assertEqual(self.two.ok("NOOP").responses, [])

    def test_silent_in_both(self) -> None:
        """A silent STORE of one is news for the other even if that one set the same flag."""
        self.one.ok("STORE 1 +FLAGS.SILENT (a)")
        self.assertEqual(self.two.ok("STORE 1 +FLAGS.SILENT (a)").flags(), {1: {b"a"}})

    def test_silent_after_another(self) -> None:
        """What the other session did before, and was not told yet, is not lost by a silent STORE (section 6.4.6)."""
        self.one.ok("STORE 1 +FLAGS.SILENT (a)")
        self.assertEqual(self.two.ok("STORE 1 +FLAGS.SILENT (b)").flags(), {1: {b"a", b"b"}})
