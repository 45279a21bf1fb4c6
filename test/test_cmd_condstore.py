"""CONDSTORE (RFC 7162 section 3.1): mod-sequences in SELECT, STATUS, FETCH and SEARCH, and what enables them."""

from __future__ import annotations

from test.wire import MINE, MINE_TOO, Client, WireTestCase


def highest(client: Client, name: str = MINE, how: str = "SELECT") -> int:
    """Open a mailbox and return its HIGHESTMODSEQ."""
    codes = dict(response.code for response in client.ok(f"{how} {name}").named("OK") if response.code)
    return int(codes[b"HIGHESTMODSEQ"])


def mod_seqs(client: Client) -> dict[int, int]:
    """Return the mod-sequence of every message, by sequence number."""
    return {seq: told[b"MODSEQ"] for seq, told in client.ok("FETCH 1:* MODSEQ").fetched().items()}


class CondstoreCase(WireTestCase):
    """A mailbox with four messages of different mod-sequences; ``\\Recent`` is taken."""

    def setUp(self) -> None:
        """Deliver one after the other."""
        super().setUp()
        self.ids = []
        for _ in range(4):
            self.ids += self.wire.deliver(1)
            self.wire.session(MINE).ok("LOGOUT")
        self.client = self.wire.session(MINE)


class EnablingTests(CondstoreCase):
    """Section 3.1: what a client does that knows of mod-sequences."""

    def enables(self, *commands: str) -> None:
        """Check that a session is told no mod-sequence before some commands, and mod-sequences after them."""
        client = self.wire.session(MINE)
        self.store.set_flags_elsewhere(self.ids[0], ["before"])
        self.assertEqual(set(client.ok("NOOP").fetched()[1]), {b"UID", b"FLAGS"})
        for command in commands:
            client.ok(command)
        self.store.set_flags_elsewhere(self.ids[0], ["after", commands[0].split()[0]])
        told = client.ok("NOOP").fetched()[1]
        self.assertEqual(set(told), {b"UID", b"FLAGS", b"MODSEQ"}, commands)
        self.assertEqual(told[b"MODSEQ"], mod_seqs(client)[1])
        self.assertIn(b"MODSEQ", client.ok("STORE 1 FLAGS ()").fetched()[1])

    def test_enabling_commands(self) -> None:
        """Each of the commands of the list, in either of its forms."""
        for commands in (
            ("ENABLE CONDSTORE",),
            ("ENABLE QRESYNC",),
            (f"SELECT {MINE} (CONDSTORE)",),
            (f"EXAMINE {MINE} (CONDSTORE)", f"SELECT {MINE}"),
            ("STATUS Drafts (MESSAGES HIGHESTMODSEQ)",),
            ('LIST "" Drafts RETURN (STATUS (HIGHESTMODSEQ))',),
            ("FETCH 2 MODSEQ",),
            ("UID FETCH 1 (UID MODSEQ)",),
            ("FETCH 1:* FLAGS (CHANGEDSINCE 1000)",),
            ("STORE 2 (UNCHANGEDSINCE 1000) +FLAGS.SILENT (x)",),
            ("SEARCH MODSEQ 1000",),
            ("UID SEARCH RETURN (COUNT) NOT (OR SEEN (1 MODSEQ 1000))",),
        ):
            self.enables(*commands)

    def test_told_at_once(self) -> None:
        """The first of them tells HIGHESTMODSEQ of the selected mailbox, any further one does not (section 3.1.2.1)."""
        expected = highest(self.client)
        for command in ("FETCH 1 MODSEQ", "SEARCH MODSEQ 1", "STATUS Drafts (HIGHESTMODSEQ)", "ENABLE CONDSTORE"):
            client = self.wire.session(MINE)
            codes = [response.code for response in client.ok(command).named("OK")]
            self.assertEqual(codes, [(b"HIGHESTMODSEQ", expected)], command)
            self.assertEqual(client.ok(command).named("OK"), [], command)

    def test_without_mailbox(self) -> None:
        """With no mailbox selected there is none to tell."""
        client = self.wire.session()
        self.assertEqual(client.ok("ENABLE CONDSTORE").data("ENABLED"), [(b"CONDSTORE",)])
        self.assertEqual(client.ok("STATUS Drafts (HIGHESTMODSEQ)").named("OK"), [])

    def test_enabled(self) -> None:
        """ENABLE names what was asked for; QRESYNC brings CONDSTORE along (section 3.2.3)."""
        client = self.wire.session()
        self.assertEqual(client.ok("ENABLE QRESYNC").data("ENABLED"), [(b"QRESYNC",)])
        self.assertEqual(client.server.enabled, {"QRESYNC", "CONDSTORE"})
        self.assertEqual(client.ok("ENABLE CONDSTORE QRESYNC").data("ENABLED"), [(b"CONDSTORE", b"QRESYNC")])


class HighestTests(CondstoreCase):
    """HIGHESTMODSEQ of SELECT, EXAMINE and STATUS."""

    def test_rises(self) -> None:
        """It rises with every change, and only then; STATUS tells the same as SELECT to whoever has it not open."""
        looking, acting = self.wire.session(), self.client
        before = 0
        for change in (
            lambda: self.wire.deliver(1),
            lambda: self.store.set_flags_elsewhere(self.ids[1], ["x"]),
            lambda: acting.ok("STORE 1 +FLAGS (\\Deleted)"),
            lambda: acting.ok("EXPUNGE"),
            lambda: acting.ok(f"APPEND {MINE} {{1+}}\r\nx"),
            lambda: acting.ok(f"COPY 1 {MINE}"),
            lambda: acting.ok("MOVE 1 Archive"),
            lambda: acting.ok("FETCH 1 BODY[TEXT]"),
        ):
            change()
            status = looking.ok(f"STATUS {MINE} (HIGHESTMODSEQ)").data("STATUS")[0][1]["HIGHESTMODSEQ"]
            self.assertGreater(status, before)
            for how in ("SELECT", "EXAMINE"):
                self.assertEqual(highest(looking, how=how), status)
            looking.ok("UNSELECT")
            before = status
        acting.ok("STORE 1 +FLAGS (\\Seen)")
        acting.ok("NOOP")
        self.assertEqual(highest(looking), before)

    def test_empty(self) -> None:
        """A mailbox that never held anything has one, too (section 3.1.2.1: it is not zero)."""
        self.assertGreater(highest(self.client, "Drafts"), 0)
        self.assertGreater(highest(self.client, MINE_TOO, "EXAMINE"), 0)

    def test_of_selected(self) -> None:
        """STATUS of the selected mailbox promises no more than the session was told."""
        told = highest(self.client)
        self.store.set_flags_elsewhere(self.ids[3], ["x"])
        self.wire.session(MINE)
        answer = self.client.ok(f"STATUS {MINE} (HIGHESTMODSEQ)")
        self.assertEqual(answer.data("STATUS")[0][1]["HIGHESTMODSEQ"], told)
        changed = self.client.ok("NOOP").fetched().get(4) or answer.fetched()[4]
        self.assertGreater(changed[b"MODSEQ"], told)
        answer = self.client.ok(f"STATUS {MINE} (HIGHESTMODSEQ)")
        self.assertEqual(answer.data("STATUS")[0][1]["HIGHESTMODSEQ"], changed[b"MODSEQ"])


class FetchTests(CondstoreCase):
    """Sections 3.1.4.1 and 3.1.4.2."""

    def test_mod_seq(self) -> None:
        """MODSEQ is of each message, with every kind of item; never above HIGHESTMODSEQ."""
        known = mod_seqs(self.client)
        self.assertEqual(sorted(known.values()), list(known.values()))
        self.assertEqual(len(set(known.values())), 4)
        self.assertEqual(max(known.values()), highest(self.client))
        for items in ("FLAGS", "UID", "UID FLAGS", "ENVELOPE", "FLAGS RFC822.SIZE", "SAVEDATE", "BODY.PEEK[HEADER]"):
            told = self.client.ok(f"FETCH 1:* ({items} MODSEQ)").fetched()
            self.assertEqual({seq: told[seq][b"MODSEQ"] for seq in told}, known, items)
            self.assertEqual(len(told[1]), 1 + len(items.split()), items)

    def test_changed_since(self) -> None:
        """Only what was changed later is told, and always with MODSEQ; 0 is before everything."""
        known = mod_seqs(self.client)
        for items in ("FLAGS", "(UID FLAGS)", "ALL", "RFC822.SIZE", "(FLAGS MODSEQ)", "BODY.PEEK[TEXT]"):
            for since in (0, *known.values(), 1 << 62, (1 << 63) - 1):
                told = self.client.ok(f"FETCH 1:* {items} (CHANGEDSINCE {since})").fetched()
                expected = {seq: mod_seq for seq, mod_seq in known.items() if mod_seq > since}
                self.assertEqual({seq: told[seq][b"MODSEQ"] for seq in told}, expected, items)
        told = self.client.ok(f"UID FETCH 2:3 FLAGS (CHANGEDSINCE {known[2]})").fetched()
        self.assertEqual({seq: told[seq][b"UID"] for seq in told}, {3: 3})
        self.assertEqual(self.client.ok("UID FETCH 9:20 FLAGS (CHANGEDSINCE 1)").responses, [])

    def test_changed_since_of_gone(self) -> None:
        """What others have expunged meanwhile is passed over: it is no change of a message that is there."""
        self.client.ok("FETCH 1 MODSEQ")
        other = self.wire.session(MINE)
        other.ok("STORE 2 +FLAGS (\\Deleted)")
        other.ok("EXPUNGE")
        other.ok("STORE 3 +FLAGS (x)")
        told = self.client.ok("FETCH 1:* FLAGS (CHANGEDSINCE 1)").fetched()
        self.assertEqual(sorted(told), [1, 3, 4])
        self.assertEqual(self.client.ok("NOOP").numbers("EXPUNGE"), [2])

    def test_malformed(self) -> None:
        """Mod-sequences have 63 bits; VANISHED is for UID FETCH with CHANGEDSINCE, and needs QRESYNC."""
        for modifiers in ("CHANGEDSINCE", "CHANGEDSINCE x", "CHANGEDSINCE 9223372036854775808", "CHANGEDSINCE -1"):
            self.assertStatus(self.client.command(f"FETCH 1 FLAGS ({modifiers})"), "BAD")
        self.assertStatus(self.client.command("UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)"), "BAD")

    def test_seen(self) -> None:
        """Where reading sets ``\\Seen``, flags are told with UID and MODSEQ (section 3.2.4)."""
        self.client.ok("ENABLE CONDSTORE")
        before = mod_seqs(self.client)[2]
        for item in ("BODY[TEXT]", "(FLAGS BODY[1])", "(MODSEQ UID BODY[])"):
            told = self.client.ok(f"FETCH 2 {item}").fetched()[2]
            self.assertEqual(set(told) & {b"UID", b"FLAGS", b"MODSEQ"}, {b"UID", b"FLAGS", b"MODSEQ"}, item)
            self.assertGreater(told[b"MODSEQ"], before)
            self.assertEqual(told[b"MODSEQ"], mod_seqs(self.client)[2])
            before = self.client.ok("STORE 2 -FLAGS (\\Seen)").fetched()[2][b"MODSEQ"]
        self.assertEqual(self.client.ok("NOOP").responses, [])

    def test_flags_alone(self) -> None:
        """Flags that were changed by others are told with their mod-sequence, also when just fetched without."""
        self.client.ok("ENABLE CONDSTORE")
        self.wire.session(MINE).ok("STORE 3 +FLAGS (x)")
        for items in ("FLAGS", "(FLAGS INTERNALDATE)", "(FLAGS SAVEDATE)"):
            answer = self.client.ok(f"FETCH 3 {items}")
            self.assertEqual(answer.flags()[3], {b"x"})
            self.assertEqual(answer.fetched()[3][b"MODSEQ"], mod_seqs(self.client)[3])
            self.wire.session(MINE).ok("STORE 3 FLAGS (y)")
            self.wire.session(MINE).ok("STORE 3 FLAGS (x)")
        self.client.ok("FETCH 3 (FLAGS MODSEQ)")
        self.assertEqual(self.client.ok("NOOP").responses, [])


class SearchTests(CondstoreCase):
    """Section 3.1.5, and RFC 4731 section 3.2."""

    def test_search(self) -> None:
        """What has at least that mod-sequence is found; the answer has the highest of those found."""
        known = mod_seqs(self.client)
        for entry in ("", '"/flags/\\\\draft" all ', '"/flags/\\\\Seen" PRIV ', '"/flags/x" shared '):
            for uid in ("", "UID "):
                (found,) = self.client.ok(f"{uid}SEARCH MODSEQ {entry}{known[3]}").data("SEARCH")
                self.assertEqual(found, {"numbers": (3, 4), "MODSEQ": known[4]})
        self.assertEqual(self.client.ok(f"SEARCH MODSEQ {known[4] + 1}").data("SEARCH"), [()])
        self.assertEqual(self.client.ok("SEARCH ALL").data("SEARCH"), [(1, 2, 3, 4)])
        (found,) = self.client.ok(f"SEARCH 1:3 NOT MODSEQ {known[3]}").data("SEARCH")
        self.assertEqual(found, {"numbers": (1, 2), "MODSEQ": known[2]})
        (found,) = self.client.ok(f"SEARCH OR 1 MODSEQ {1 << 62}").data("SEARCH")
        self.assertEqual(found, {"numbers": (1,), "MODSEQ": known[1]})

    def test_extended(self) -> None:
        """MODSEQ is of what is told: the first, the last, or all of those found."""
        self.client.ok("STORE 2 +FLAGS (x)")
        known = mod_seqs(self.client)
        for options, expected in (
            ("MIN", known[1]),
            ("MAX", known[4]),
            ("MIN MAX", known[4]),
            ("ALL", known[2]),
            ("COUNT", known[2]),
            ("MIN COUNT", known[2]),
            ("", known[2]),
        ):
            (found,) = self.client.ok(f"SEARCH RETURN ({options}) MODSEQ 1").data("ESEARCH")
            self.assertEqual(found["MODSEQ"], expected, options)
        (found,) = self.client.ok("SEARCH RETURN (MIN COUNT) MODSEQ 1000").data("ESEARCH")
        self.assertNotIn("MODSEQ", found)
        (found,) = self.client.ok("SEARCH RETURN (ALL) ALL").data("ESEARCH")
        self.assertNotIn("MODSEQ", found)
        self.assertEqual(self.client.ok("SEARCH RETURN (SAVE) MODSEQ 1").responses, [])
        self.assertEqual(len(self.client.ok("FETCH $ UID").fetched()), 4)
