"""BODY[…] and BINARY[…]: part numbers, sections, and decoding."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.mime.parse import parse
from cybertemp_imap.mime.section import UnknownEncoding, binary, section
from cybertemp_imap.mime.transfer import decode_base64, decode_quoted_printable
from cybertemp_imap.protocol.command import BodySection, Section
from test.test_mime_parse import MESSAGES, walk
from test.test_mime_structure import numbered

INNER = (
    b"Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    b"--i\r\n\r\nplain\r\n--i\r\nContent-Type: text/html\r\n\r\n<p>\r\n--i--"
)
SIMPLE = b"From: s@x\r\nSubject: simple\r\n\r\nsimple body"
MESSAGE = (
    b"From: a@b\r\nTo: c@d\r\nSubject: outer\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\npreamble\r\n"
    b"--o\r\nContent-ID: <1>\r\n\r\none\r\n"
    b"--o\r\nContent-Type: message/rfc822\r\nContent-ID: <2>\r\n\r\n" + INNER + b"\r\n"
    b"--o\r\nContent-Type: message/rfc822\r\n\r\n" + SIMPLE + b"\r\n"
    b"--o\r\nContent-Type: multipart/mixed; boundary=n\r\n\r\n--n\r\n\r\nfour one\r\n--n--\r\n"
    b"--o--\r\nepilogue"
)


def get(message: bytes, spec: str, *fields: bytes) -> bytes | None:
    """The section that a client would write as ``spec``."""
    numbers = [word for word in spec.split(".") if word.isdigit()]
    name = ".".join(word for word in spec.split(".") if word and not word.isdigit())
    return section(message, parse(message), BodySection(tuple(map(int, numbers)), Section(name), fields))


class SectionTests(unittest.SynchronousTestCase):
    """RFC 9051 section 6.4.5.1."""

    def test_numbers(self) -> None:
        """Parts of multiparts, of encapsulated messages, and of messages that are no multipart."""
        inner_header = INNER[: INNER.index(b"--i")]
        for spec, expected in (
            ("", MESSAGE),
            ("TEXT", MESSAGE[MESSAGE.index(b"preamble") :]),
            ("HEADER", MESSAGE[: MESSAGE.index(b"preamble")]),
            ("1", b"one"),
            ("1.MIME", b"Content-ID: <1>\r\n\r\n"),
            ("2", INNER),
            ("2.MIME", b"Content-Type: message/rfc822\r\nContent-ID: <2>\r\n\r\n"),
            ("2.HEADER", inner_header),
            ("2.TEXT", INNER[len(inner_header) :]),
            ("2.1", b"plain"),
            ("2.1.MIME", b"\r\n"),
            ("2.2", b"<p>"),
            ("2.2.MIME", b"Content-Type: text/html\r\n\r\n"),
            ("3", SIMPLE),
            ("3.HEADER", b"From: s@x\r\nSubject: simple\r\n\r\n"),
            ("3.TEXT", b"simple body"),
            ("3.1", b"simple body"),
            ("4", b"--n\r\n\r\nfour one\r\n--n--"),
            ("4.1", b"four one"),
        ):
            self.assertEqual(get(MESSAGE, spec), expected, spec)

    def test_missing(self) -> None:
        """What does not exist is None: numbers too high, parts of leaves, HEADER and TEXT of what is no message."""
        for spec in (
            "5",
            "0",
            "1.1",
            "2.3",
            "2.1.1",
            "3.2",
            "3.1.1",
            "4.2",
            "4.1.1",
            "1.HEADER",
            "1.TEXT",
            "4.HEADER",
            "2.1.TEXT",
            "MIME",
        ):
            self.assertIsNone(get(MESSAGE, spec), spec)
        self.assertIsNone(get(SIMPLE, "2"))
        self.assertIsNone(get(SIMPLE, "1.1"))
        self.assertIsNone(get(SIMPLE, "1.HEADER"))

    def test_simple_message(self) -> None:
        """A message that is no multipart has part 1, its body, whose MIME header is the message's."""
        self.assertEqual(get(SIMPLE, "1"), b"simple body")
        self.assertEqual(get(SIMPLE, "1.MIME"), b"From: s@x\r\nSubject: simple\r\n\r\n")

    def test_message_in_a_message(self) -> None:
        """A message whose body is a message: part 1 is that message, 1.1 its body."""
        message = b"Content-Type: message/rfc822\r\n\r\n" + SIMPLE
        self.assertEqual(get(message, "1"), SIMPLE)
        self.assertEqual(get(message, "1.1"), b"simple body")
        self.assertEqual(get(message, "1.HEADER"), b"From: s@x\r\nSubject: simple\r\n\r\n")
        self.assertEqual(get(message, "HEADER"), b"Content-Type: message/rfc822\r\n\r\n")
        self.assertIsNone(get(message, "1.1.1"))

    def test_fields(self) -> None:
        """Header fields of the message and of an encapsulated one."""
        self.assertEqual(get(MESSAGE, "HEADER.FIELDS", b"subject", b"FROM"), b"From: a@b\r\nSubject: outer\r\n\r\n")
        self.assertEqual(get(MESSAGE, "3.HEADER.FIELDS", b"from"), b"From: s@x\r\n\r\n")
        self.assertEqual(get(MESSAGE, "3.HEADER.FIELDS.NOT", b"from"), b"Subject: simple\r\n\r\n")
        self.assertIsNone(get(MESSAGE, "1.HEADER.FIELDS", b"from"))

    def test_header_only(self) -> None:
        """A message without an empty line has a header and an empty text."""
        self.assertEqual(get(b"Subject: x\r\n", "HEADER"), b"Subject: x\r\n")
        self.assertEqual(get(b"Subject: x\r\n", "TEXT"), b"")
        self.assertEqual(get(b"Subject: x\r\n", "1"), b"")

    @settings(deadline=None)
    @given(MESSAGES)
    def test_sections_make_the_message(self, message: bytes) -> None:
        """HEADER and TEXT together are the message, of any octets and of any message within."""
        self.assertEqual((get(message, "HEADER") or b"") + (get(message, "TEXT") or b""), message)
        root = parse(message)
        for part, expected in numbered(root):
            mime = section(message, root, BodySection(part, Section.MIME))
            whole = section(message, root, BodySection(part))
            assert mime is not None and whole is not None
            self.assertEqual(mime + whole, message[expected.header_start : expected.body_end])
            header = section(message, root, BodySection(part, Section.HEADER))
            text = section(message, root, BodySection(part, Section.TEXT))
            self.assertEqual(header is not None, expected.is_message)
            if header is not None and text is not None:
                self.assertEqual(header + text, whole)

    @settings(deadline=None)
    @given(MESSAGES, st.lists(st.integers(-1, 4), max_size=5).map(tuple), st.sampled_from(Section))
    def test_any_request(self, message: bytes, part: tuple[int, ...], name: Section) -> None:
        """Never raises; only parts that exist are answered."""
        root = parse(message)
        octets = section(message, root, BodySection(part, name, (b"Subject",)))
        if octets is not None and part:
            self.assertIn(part, dict(numbered(root)))

    @settings(deadline=None)
    @given(MESSAGES)
    def test_every_leaf_has_a_number(self, message: bytes) -> None:
        """No part is out of reach."""
        root = parse(message)
        reached = {id(part) for _, part in numbered(root)}
        self.assertTrue(all(id(part) in reached for part in walk(root) if not part.children))


class BinaryTests(unittest.SynchronousTestCase):
    """RFC 3516."""

    def octets(self, encoding: bytes, body: bytes) -> bytes | None:
        message = b"Content-Type: image/png\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (encoding, body)
        return binary(message, parse(message), (1,))

    def test_encodings(self) -> None:
        """Each transfer encoding is decoded."""
        self.assertEqual(self.octets(b"base64", b"aGVs\r\nbG8=\r\n"), b"hello")
        self.assertEqual(self.octets(b"Quoted-Printable", b"a=3Db=\r\nc  \r\nd"), b"a=bc\r\nd")
        for encoding in (b"7bit", b"8bit", b"BINARY", b""):
            self.assertEqual(self.octets(encoding, b"a=3D\xff"), b"a=3D\xff")

    def test_unknown(self) -> None:
        """An encoding that is not known is an error of its own."""
        self.assertRaises(UnknownEncoding, self.octets, b"x-uuencode", b"begin 644 x")

    def test_composite(self) -> None:
        """The whole message, messages and multiparts are as they are; a missing part is None."""
        root = parse(MESSAGE)
        self.assertEqual(binary(MESSAGE, root, ()), MESSAGE)
        self.assertEqual(binary(MESSAGE, root, (3,)), SIMPLE)
        self.assertEqual(binary(MESSAGE, root, (4, 1)), b"four one")
        self.assertIsNone(binary(MESSAGE, root, (9,)))

    def test_broken_base64(self) -> None:
        """Foreign characters, missing padding and several pieces in a row are all read."""
        for data, expected in (
            (b"aGVsbG8", b"hello"),
            (b"aGVsbG8=aGVsbG8=", b"hellohello"),
            (b"aG!Vs\0bG8=\r\n--\r\n", b"hello"),
            (b"aGVsbG8h=====x", b"hello!"),
            (b"a", b""),
        ):
            self.assertEqual(decode_base64(data), expected, data)

    def test_broken_quoted_printable(self) -> None:
        """Padding before soft line breaks is ignored; what is no escape stays."""
        for data, expected in ((b"a= \r\nb", b"ab"), (b"a=", b"a"), (b"=zz=3d", b"=zz="), (b"a \t\nb", b"a\nb")):
            self.assertEqual(decode_quoted_printable(data), expected, data)

    @settings(deadline=None)
    @given(st.binary())
    def test_any_octets(self, data: bytes) -> None:
        """Never raises."""
        decode_base64(data)
        decode_quoted_printable(data)
