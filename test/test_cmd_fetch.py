"""FETCH and UID FETCH (RFC 9051 section 6.4.5): items, macros, sets, errors."""

from __future__ import annotations

from cybertemp_imap.mime.render import render
from cybertemp_imap.protocol.commands import fetch, fetch_flags
from test.wire import MINE, WireTestCase, letter

FAST = {b"FLAGS", b"INTERNALDATE", b"RFC822.SIZE"}
ALL = FAST | {b"ENVELOPE"}


class FetchItemTests(WireTestCase):
    """What each item holds, compared with the message itself."""

    def setUp(self) -> None:
        """Deliver one message and open the mailbox."""
        super().setUp()
        row = letter(subject="Grüße", body="Hallo.\n", html="<b>Hallo.</b>", from_addr='"A, B" <a@b.example>')
        self.store.deliver(row, ["\\Seen", "$Junk"])
        self.source = render(row)
        self.head, _, self.text = self.source.partition(b"\r\n\r\n")
        self.head += b"\r\n\r\n"
        self.row = row
        self.wire.session(MINE).hang_up()
        self.client = self.wire.session(MINE)

    def fetch(self, items: str) -> dict[bytes, object]:
        """Fetch the one message."""
        return self.client.ok(f"FETCH 1 {items}").fetched()[1]

    def test_attributes(self) -> None:
        """Each item alone, bare and in parentheses, in any case, answers itself and nothing else."""
        for item, expected in (
            ("FLAGS", (b"\\Seen", b"$Junk")),
            ("UID", 1),
            ("INTERNALDATE", b"01-Mar-2026 12:00:00 +0000"),
            ("RFC822.SIZE", len(self.source)),
            ("RFC822", self.source),
            ("RFC822.HEADER", self.head),
            ("RFC822.TEXT", self.text),
            ("BODY[]", self.source),
        ):
            for form in (item, f"({item})", item.lower()):
                self.assertEqual(self.fetch(form), {item.encode(): expected}, form)

    def test_envelope(self) -> None:
        """ENVELOPE is made of the header; encoded words stay (section 7.5.2)."""
        envelope = self.fetch("ENVELOPE")[b"ENVELOPE"]
        sender = ((b"A, B", None, b"a", b"b.example"),)
        expected = (b"Sun, 01 Mar 2026 12:00:00 +0000", b"=?utf-8?b?R3LDvMOfZQ==?=", sender, sender, sender)
        self.assertEqual(envelope[:5], expected)  # type: ignore[index]
        identifier = f"<{self.row.id}@example.com>".encode()
        rest = (((None, None, b"box", b"example.com"),), (), (), None, identifier)
        self.assertEqual(envelope[5:], rest)  # type: ignore[index]

    def test_structures(self) -> None:
        """BODY has no extension data, BODYSTRUCTURE all of it; both agree (section 7.5.2)."""
        found = self.fetch("(BODY BODYSTRUCTURE)")
        body, structure = found[b"BODY"], found[b"BODYSTRUCTURE"]
        for each in (body, structure):
            self.assertEqual([child.subtype for child in each.children], [b"plain", b"html"])  # type: ignore[attr-defined]
        self.assertIsNone(body.extension)  # type: ignore[attr-defined]
        self.assertIn(b"boundary", structure.params)  # type: ignore[attr-defined]

    def test_macros(self) -> None:
        """FAST, ALL and FULL stand for items (section 6.4.5), alone and outside parentheses only."""
        for macro, expected in (("FAST", FAST), ("ALL", ALL), ("FULL", ALL | {b"BODY"}), ("full", ALL | {b"BODY"})):
            self.assertEqual(set(self.fetch(macro)), expected)
        self.assertStatus(self.client.command("FETCH 1 (FAST)"), "BAD")
        self.assertStatus(self.client.command("FETCH 1 FAST FLAGS"), "BAD")

    def test_repeated_items(self) -> None:
        """An item asked for twice is answered once."""
        self.assertEqual(list(self.fetch("(UID FLAGS uid BODY[] body[])")), [b"UID", b"FLAGS", b"BODY[]"])

    def test_recent(self) -> None:
        """``\\Recent`` is there in the first session that is told of a message, and in no other (RFC 3501 2.3.2)."""
        self.wire.deliver(1)
        self.client.ok("NOOP")
        other = self.wire.session(MINE)
        self.assertEqual(self.client.ok("FETCH 2 FLAGS").flags()[2], {b"\\Recent"})
        self.assertEqual(self.client.ok("FETCH 2 (FLAGS ENVELOPE)").flags()[2], {b"\\Recent"})
        self.assertEqual(other.ok("FETCH 2 FLAGS").flags()[2], set())


class FetchSetTests(WireTestCase):
    """Which messages, by number and by UID."""

    limits = {"bad_commands": 100}  # noqa: RUF012

    def setUp(self) -> None:
        """Deliver five messages, of which the second is gone: UIDs 1, 3, 4, 5."""
        super().setUp()
        ids = self.wire.deliver(5)
        self.wire.session(MINE).hang_up()
        self.store.delete_elsewhere(ids[1])
        self.client = self.wire.session(MINE)

    def test_sets(self) -> None:
        """Numbers, ranges either way round, ``*``; answered in the order of the mailbox, each once (section 9)."""
        for numbers, seqs, uids in (
            ("1", [1], [1]),
            ("*", [4], [5]),
            ("1:*", [1, 2, 3, 4], [1, 3, 4, 5]),
            ("3:1", [1, 2, 3], [1, 3]),
            ("*:3", [3, 4], [3, 4, 5]),
            ("4,1,1:2", [1, 2, 4], [1, 4]),
            ("2", [2], []),
        ):
            for items in ("UID", "(UID FLAGS)", "(UID RFC822.SIZE)", "(UID BODY.PEEK[HEADER])", "(UID BODY.PEEK[])"):
                self.assertEqual(self.client.ok(f"FETCH {numbers} {items}").numbers("FETCH"), seqs, numbers)
                told = [data[b"UID"] for data in self.client.ok(f"UID FETCH {numbers} {items}").data("FETCH")]
                self.assertEqual(told, uids, numbers)

    def test_uid_is_always_told(self) -> None:
        """Every answer to UID FETCH has the UID (section 6.4.9), also where only something else is asked for."""
        fields = "(BODY.PEEK[HEADER.FIELDS (To)])"
        for item in ("FLAGS", "ENVELOPE", "BODY[]", "FAST", fields, "RFC822.TEXT", "BINARY.SIZE[1]"):
            answer = self.client.ok(f"UID FETCH 3 {item}")
            self.assertEqual([data[b"UID"] for data in answer.data("FETCH")], [3], item)
            self.assertEqual(answer.numbers("FETCH"), [2])

    def test_beyond(self) -> None:
        """A sequence number that is not there is BAD; a UID is passed over, ``n:*`` has the last (section 6.4.9)."""
        for numbers in ("5", "1:5", "99", "5:*"):
            self.assertStatus(self.client.command(f"FETCH {numbers} FLAGS"), "BAD")
        self.assertEqual(self.client.ok("UID FETCH 99 FLAGS").responses, [])
        self.assertEqual(self.client.ok("UID FETCH 99:* UID").data("FETCH"), [{b"UID": 5}])

    def test_empty_mailbox(self) -> None:
        """There is nothing to be fetched from an empty mailbox by UID, and no number."""
        self.client.select("Drafts")
        self.assertEqual(self.client.ok("UID FETCH 1:* (FLAGS BODY[])").responses, [])
        self.assertStatus(self.client.command("FETCH 1 FLAGS"), "BAD")

    def test_malformed(self) -> None:
        """What is no FETCH, or asks for extensions that are not announced."""
        for arguments in (
            "",
            " 1",
            " 1 ()",
            " 1 FOO",
            " 1 (FLAGS",
            " 1 FLAGS UID",
            " 0 FLAGS",
            " a FLAGS",
            " 1: FLAGS",
            " 1 BODY[FOO]",
            " 1 BODY[0]",
            " 1 BODY[1.]",
            " 1 BODY[MIME]",
            " 1 BODY[HEADER.FIELDS]",
            " 1 BODY[HEADER.FIELDS ()]",
            " 1 BODY[]<1>",
            " 1 BODY[]<1.0>",
            " 1 BODY.PEEK",
            " 1 BINARY[TEXT]",
            " 1 FLAGS (CHANGEDSINCE 1 VANISHED)",
            " 1 FLAGS (CHANGEDSINCE -1)",
        ):
            for command in ("FETCH", "UID FETCH"):
                self.assertStatus(self.client.command(command + arguments), "BAD")
        self.assertStatus(self.wire.session().command("FETCH 1 FLAGS"), "BAD")

    def test_saved_result(self) -> None:
        """``$`` stands for what was saved, in both commands; nothing where nothing was (RFC 5182)."""
        self.assertEqual(self.client.ok("FETCH $ UID").responses, [])
        self.client.ok("SEARCH RETURN (SAVE) UID 3:4")
        self.assertEqual(self.client.ok("FETCH $ UID").numbers("FETCH"), [2, 3])
        self.assertEqual([data[b"UID"] for data in self.client.ok("UID FETCH $ FLAGS").data("FETCH")], [3, 4])


class FetchPageTests(WireTestCase):
    """More messages than are read or printed at a time."""

    def test_many(self) -> None:
        """All are sent, in order, whatever must be read for it."""
        count = fetch_flags.PAGE + 20
        self.wire.deliver(count, flags=["\\Seen"])
        client = self.wire.session(MINE)
        for items in ("FLAGS", "(UID FLAGS)", "UID"):
            self.assertEqual(client.ok(f"FETCH 1:* {items}").numbers("FETCH"), list(range(1, count + 1)))
        part = fetch.PAGE * 2 + 10
        for items in ("ENVELOPE", "BODY.PEEK[HEADER.FIELDS (Subject)]", "BODY.PEEK[]"):
            self.assertEqual(client.ok(f"FETCH 1:{part} {items}").numbers("FETCH"), list(range(1, part + 1)))

    def test_large(self) -> None:
        """Messages larger than a page are sent whole."""
        bodies = ["x" * 70 + "\n", ("y" * 70 + "\n") * 30_000, ("z" * 70 + "\n") * 10_000, "w\n"]
        for body in bodies:
            self.wire.deliver(1, body=body)
        found = self.wire.session(MINE).ok("FETCH 1:* (RFC822.SIZE BODY.PEEK[TEXT] BODY.PEEK[])").fetched()
        for number, body in enumerate(bodies, 1):
            self.assertEqual(found[number][b"BODY[TEXT]"], body.replace("\n", "\r\n").encode())
            self.assertEqual(found[number][b"RFC822.SIZE"], len(found[number][b"BODY[]"]))
