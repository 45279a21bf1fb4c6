"""Sections of FETCH (RFC 9051 section 6.4.5, RFC 3516): parts, headers, partials, decoded parts, and ``\\Seen``."""

from __future__ import annotations

from typing import Any

from test.wire import MINE, WireTestCase, letter

INNER = b"Subject: inner\r\nContent-Type: text/plain\r\n\r\nInner text\r\n"
HEAD = (
    b"From: a@b.example\r\nTo: c@d.example\r\nSubject: outer\r\nReceived: from one\r\nReceived: from two\r\n"
    b"X-Folded: first\r\n\tsecond\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=BB\r\n\r\n"
)
PART_1 = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
TEXT_1 = b"Gr=C3=BC=C3=9Fe =\r\nund mehr"
PART_2 = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n"
TEXT_2 = b"AAECAw=="
PART_3 = b"Content-Type: message/rfc822\r\n\r\n"
PART_4 = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-unknown\r\n\r\n"
TEXT_4 = b"as it is"
BODY = (
    b"preamble\r\n--BB\r\n"
    + PART_1
    + TEXT_1
    + b"\r\n--BB\r\n"
    + PART_2
    + TEXT_2
    + b"\r\n--BB\r\n"
    + PART_3
    + INNER
    + b"\r\n--BB\r\n"
    + PART_4
    + TEXT_4
    + b"\r\n--BB--\r\n"
)
WHOLE = HEAD + BODY


class SectionTestCase(WireTestCase):
    """One message of several parts, two plain ones, and a session that has seen them."""

    def setUp(self) -> None:
        """Deliver and open."""
        super().setUp()
        self.store.deliver(letter(source=WHOLE))
        self.wire.deliver(2)
        self.wire.session(MINE).hang_up()
        self.client = self.wire.session(MINE)

    def fetch(self, items: str, number: int = 1) -> dict[bytes, Any]:
        """Fetch of one message."""
        return self.client.ok(f"FETCH {number} ({items})").fetched()[number]


class BodySectionTests(SectionTestCase):
    """BODY[…]."""

    def test_sections(self) -> None:
        """Every kind of section, octet for octet; a part that is not there is NIL."""
        for section, expected in (
            ("", WHOLE),
            ("HEADER", HEAD),
            ("TEXT", BODY),
            ("1", TEXT_1),
            ("1.MIME", PART_1),
            ("2", TEXT_2),
            ("2.MIME", PART_2),
            ("3", INNER),
            ("3.MIME", PART_3),
            ("3.HEADER", b"Subject: inner\r\nContent-Type: text/plain\r\n\r\n"),
            ("3.TEXT", b"Inner text\r\n"),
            ("3.1", b"Inner text\r\n"),
            ("3.1.MIME", b"Subject: inner\r\nContent-Type: text/plain\r\n\r\n"),
            ("3.HEADER.FIELDS (Subject)", b"Subject: inner\r\n\r\n"),
            ("4", TEXT_4),
            ("5", None),
            ("1.1", None),
            ("1.HEADER", None),
            ("3.2", None),
            ("99999999", None),
        ):
            found = self.fetch(f"BODY.PEEK[{section}]")
            self.assertEqual(found, {f"BODY[{section}]".encode(): expected})

    def test_one_part(self) -> None:
        """A message that is no multipart has its text as part 1 (section 6.4.5)."""
        found = self.fetch("BODY.PEEK[1] BODY.PEEK[TEXT] BODY.PEEK[1.MIME] BODY.PEEK[2]", 2)
        self.assertEqual(found[b"BODY[1]"], b"Hello.\r\n")
        self.assertEqual(found[b"BODY[TEXT]"], b"Hello.\r\n")
        self.assertTrue(found[b"BODY[1.MIME]"].startswith(b"From: "))
        self.assertIsNone(found[b"BODY[2]"])

    def test_header_fields(self) -> None:
        """Fields as they are in the message, in its order, repeated and folded ones too; names without case."""
        end = b"\r\n"
        for section, expected in (
            ("HEADER.FIELDS (Subject From)", b"From: a@b.example\r\nSubject: outer\r\n" + end),
            ("HEADER.FIELDS (rEcEiVeD)", b"Received: from one\r\nReceived: from two\r\n" + end),
            ("HEADER.FIELDS (X-Folded)", b"X-Folded: first\r\n\tsecond\r\n" + end),
            ("HEADER.FIELDS (Nothing)", end),
            (
                "HEADER.FIELDS.NOT (Received X-Folded MIME-Version Content-Type)",
                b"From: a@b.example\r\nTo: c@d.example\r\nSubject: outer\r\n" + end,
            ),
            ("HEADER.FIELDS.NOT (Nothing)", HEAD),
        ):
            self.assertEqual(self.fetch(f"BODY.PEEK[{section}]"), {f"BODY[{section}]".encode(): expected})

    def test_field_names_as_sent(self) -> None:
        """The answer names fields as they were asked for, in a form that can be read (section 7.5.2)."""
        answer = self.client.ok('FETCH 1 BODY.PEEK[HEADER.FIELDS ("Subject" "a b" NIL)]')
        self.assertIn(b'BODY[HEADER.FIELDS (Subject "a b" "NIL")]', answer.raw)
        answer = self.client.ok(b"FETCH 1 BODY.PEEK[HEADER.FIELDS ({7+}\r\nSubject)]")
        self.assertIn(b"BODY[HEADER.FIELDS (Subject)]", answer.raw)

    def test_partial(self) -> None:
        """``<first.count>`` cuts; beyond the end there is the empty string; the origin is told (section 6.4.5)."""
        for section, partial, octets in (
            ("", "0.10", WHOLE[:10]),
            ("", "5.10", WHOLE[5:15]),
            ("", "0.99999999", WHOLE),
            ("", f"{len(WHOLE) - 3}.10", WHOLE[-3:]),
            ("", f"{len(WHOLE)}.10", b""),
            ("", "4294967295.4294967295", b""),
            ("TEXT", "2.4", BODY[2:6]),
            ("1", "0.3", TEXT_1[:3]),
            ("HEADER.FIELDS (Subject)", "1.4", b"ubje"),
            ("9", "0.5", None),
        ):
            origin = partial.split(".", maxsplit=1)[0]
            found = self.fetch(f"BODY.PEEK[{section}]<{partial}>")
            self.assertEqual(found, {f"BODY[{section}]<{origin}>".encode(): octets})

    def test_together(self) -> None:
        """Several sections of a message in one answer."""
        found = self.fetch("UID BODY.PEEK[1] BODY.PEEK[1]<0.2> BODY.PEEK[HEADER] RFC822.SIZE BODY")
        self.assertEqual(len(found), 6)
        self.assertEqual(found[b"RFC822.SIZE"], len(WHOLE))

    def test_nul(self) -> None:
        """NUL, which no literal can hold, is shown as another octet, so that sizes stay right (section 4.3)."""
        self.store.deliver(letter(source=b"Subject: x\r\n\r\na\0b\r\n"))
        self.client.ok("NOOP")
        found = self.fetch("BODY.PEEK[] RFC822.SIZE BODY.PEEK[TEXT]", 4)
        self.assertEqual(found[b"BODY[TEXT]"], b"a\x80b\r\n")
        self.assertEqual(found[b"RFC822.SIZE"], len(found[b"BODY[]"]))


class BinaryTests(SectionTestCase):
    """BINARY[…] and BINARY.SIZE[…] (section 6.4.5, RFC 3516)."""

    def test_decoded(self) -> None:
        """The transfer encoding is undone; what holds NUL is a literal8; partials count decoded octets."""
        text = "Grüße und mehr".encode()
        for section, expected in (("1", text), ("2", b"\0\1\2\3"), ("9", None), ("3", INNER)):
            self.assertEqual(self.fetch(f"BINARY.PEEK[{section}]"), {f"BINARY[{section}]".encode(): expected})
        self.assertIn(b"BINARY[2] ~{4}\r\n\0\1\2\3", self.client.ok("FETCH 1 BINARY.PEEK[2]").raw)
        self.assertEqual(self.fetch("BINARY.PEEK[1]<2.3>"), {b"BINARY[1]<2>": text[2:5]})
        sizes = {b"BINARY.SIZE[1]": len(text), b"BINARY.SIZE[2]": 4}
        self.assertEqual(self.fetch("BINARY.SIZE[1] BINARY.SIZE[2]"), sizes)
        self.assertEqual(self.fetch("BINARY.PEEK[]", 2)[b"BINARY[]"], self.fetch("BODY.PEEK[]", 2)[b"BODY[]"])

    def test_unknown_encoding(self) -> None:
        """A part that cannot be decoded is NO with UNKNOWN-CTE (RFC 3516 section 4.3); the others are sent."""
        answer = self.client.command("FETCH 1:3 BINARY.PEEK[1]")
        self.assertStatus(answer, "OK")
        self.store.deliver(letter(source=PART_4 + TEXT_4))
        self.wire.deliver(1)
        self.client.ok("NOOP")
        for item in ("BINARY.PEEK[1]", "BINARY.SIZE[1]", "BINARY[1]"):
            answer = self.client.command(f"FETCH 1:* {item}")
            self.assertStatus(answer, "NO", "UNKNOWN-CTE")
            self.assertEqual(sorted(answer.fetched()), [1, 2, 3, 5])
            self.assertStatus(self.client.command(f"UID FETCH 4 {item}"), "NO", "UNKNOWN-CTE")


class SeenTests(SectionTestCase):
    """What sets ``\\Seen`` (section 6.4.5)."""

    def test_sets_seen(self) -> None:
        """BODY[…], BINARY[…], RFC822 and RFC822.TEXT set it, and tell the flags; the others do not."""
        for item, sets in (
            ("BODY[]", True),
            ("BODY[HEADER]", True),
            ("BODY[TEXT]<0.1>", True),
            ("BODY[99]", True),
            ("BINARY[1]", True),
            ("RFC822", True),
            ("RFC822.TEXT", True),
            ("RFC822.HEADER", False),
            ("BODY.PEEK[]", False),
            ("BINARY.PEEK[1]", False),
            ("BINARY.SIZE[1]", False),
            ("FULL", False),
            ("BODYSTRUCTURE", False),
        ):
            self.client.ok("STORE 2 FLAGS.SILENT (kept)")
            answer = self.client.ok(f"FETCH 2 {item}")
            self.assertEqual(len(answer.responses), 1)
            if sets:
                self.assertEqual(answer.flags(), {2: {b"kept", b"\\Seen"}}, item)
            flags = self.client.ok("FETCH 2 FLAGS").flags()[2]
            self.assertEqual(b"\\Seen" in flags, sets, item)
            # Once it is set, nothing is told any more.
            self.assertEqual(self.client.ok(f"FETCH 2 {item}").flags().keys(), {2} if item == "FULL" else set())

    def test_flags_asked_for(self) -> None:
        """Where FLAGS are asked for too, they are the new ones, once."""
        found = self.fetch("FLAGS BODY[TEXT]", 2)
        self.assertEqual(found[b"FLAGS"], (b"\\Seen",))
        self.assertEqual(self.client.ok("NOOP").responses, [])

    def test_read_only(self) -> None:
        """After EXAMINE nothing is set."""
        self.client.ok(f"EXAMINE {MINE}")
        self.assertEqual(set(self.fetch("BODY[]", 2)), {b"BODY[]"})
        self.assertEqual(self.fetch("FLAGS", 2)[b"FLAGS"], ())

    def test_told_to_others(self) -> None:
        """Another session is told of ``\\Seen``; the one that fetched was told already."""
        other = self.wire.session(MINE)
        self.client.ok("FETCH 1:* BODY[TEXT]")
        self.assertEqual(other.ok("NOOP").flags(), {number: {b"\\Seen"} for number in (1, 2, 3)})
        self.assertEqual(self.client.ok("NOOP").responses, [])
