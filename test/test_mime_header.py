"""Header blocks: fields, unfolding, subsets and encoded words."""

from __future__ import annotations

import email.header

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.mime.charset import codec_for, decode
from cybertemp_imap.mime.header import decode_words, field_pattern, fields, pick, subset, unfold
from cybertemp_imap.mime.parameters import MAX_PARAMETERS, parameter, split_value

HEADER = (
    b"Received: one\r\n\tby two\r\nFrom: a@b\r\nSubject : x\r\n  y\r\nno field\r\nreceived: three\r\nEmpty:\r\n\r\n"
)

BLOCKS = st.lists(
    st.one_of(
        st.sampled_from([b"From: ", b"To", b":", b"\r\n", b"\n", b" ", b"\t", b"\0", b"\r", b"\xff", b"X-A: b\r\n"]),
        st.binary(max_size=6),
    ),
    max_size=40,
).map(b"".join)


class FieldTests(unittest.SynchronousTestCase):
    """RFC 5322 section 2.2."""

    def test_fields(self) -> None:
        """Names, raw values and exact offsets, in order; a line that is no field is passed over."""
        found = list(fields(HEADER))
        self.assertEqual([field.name for field in found], [b"Received", b"From", b"Subject", b"received", b"Empty"])
        self.assertEqual(found[0].value, b" one\r\n\tby two\r")
        self.assertEqual(HEADER[found[2].start : found[2].end], b"Subject : x\r\n  y\r\n")
        self.assertEqual(unfold(found[2].value), b"x  y")
        self.assertEqual(unfold(found[4].value), b"")

    def test_pick(self) -> None:
        """Fields are found by name without case, the first line of the block included."""
        self.assertEqual(
            [(name, unfold(value)) for name, value in pick(HEADER, field_pattern(b"received", b"subject"))],
            [(b"received", b"one\tby two"), (b"subject", b"x  y"), (b"received", b"three")],
        )

    def test_bare_line_feeds(self) -> None:
        """A header whose lines end in LF alone has the same fields."""
        found = list(fields(HEADER.replace(b"\r\n", b"\n")))
        self.assertEqual([unfold(field.value) for field in found], [b"one\tby two", b"a@b", b"x  y", b"three", b""])

    @settings(deadline=None)
    @given(BLOCKS)
    def test_pick_agrees(self, header: bytes) -> None:
        """For any octets the quick search finds the fields that the full one finds."""
        wanted = (b"from", b"to", b"x-a")
        quick = [(name, unfold(value)) for name, value in pick(header, field_pattern(*wanted))]
        full = [(f.name.lower(), unfold(f.value)) for f in fields(header) if f.name.lower() in wanted]
        self.assertEqual(quick, full)


class SubsetTests(unittest.SynchronousTestCase):
    """HEADER.FIELDS and HEADER.FIELDS.NOT (RFC 9051 section 6.4.5.1)."""

    def test_fields(self) -> None:
        """Exact octets in message order, repeated fields included, then the empty line."""
        self.assertEqual(
            subset(HEADER, [b"SUBJECT", b"Received"], False),
            b"Received: one\r\n\tby two\r\nSubject : x\r\n  y\r\nreceived: three\r\n\r\n",
        )
        self.assertEqual(subset(HEADER, [b"None"], False), b"\r\n")

    def test_fields_not(self) -> None:
        """All others, without lines that are no field."""
        self.assertEqual(subset(HEADER, [b"received", b"subject"], True), b"From: a@b\r\nEmpty:\r\n\r\n")

    def test_unended(self) -> None:
        """A last field without a line end gets one, so that the empty line is one."""
        self.assertEqual(subset(b"From: a\r\nTo: b", [b"to"], False), b"To: b\r\n\r\n")

    @settings(deadline=None)
    @given(BLOCKS, st.lists(st.sampled_from([b"From", b"To", b"X-A"])), st.booleans())
    def test_partition(self, header: bytes, names: list[bytes], exclude: bool) -> None:
        """Named fields and the others together are all fields; each answer ends in an empty line."""
        one, other = subset(header, names, exclude), subset(header, names, not exclude)
        self.assertTrue(one == b"\r\n" or one.endswith(b"\n\r\n"))
        self.assertEqual(len(list(fields(one))) + len(list(fields(other))), len(list(fields(header))))


class EncodedWordTests(unittest.SynchronousTestCase):
    """RFC 2047."""

    def test_rfc_examples(self) -> None:
        """The examples of RFC 2047 section 8, and what senders really write."""
        for value, text in (
            (b"(=?ISO-8859-1?Q?a?=)", "(a)"),
            (b"(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            (b"(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
            (b"(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            (b"(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
            (b"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld Jørn Simonsen <keld@dkuug.dk>"),
            (b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=", "If you can read this yo"),
            (b"=?utf-8?B?ww==?= =?UTF-8?B?qQ==?=", "é"),
            (b"=?utf-8*en?q?caf=C3=A9?= au lait", "café au lait"),
            (b"=?utf-8?Q?with space?=", "with space"),
            (b"=?x-unknown?Q?=C3=A9?=", "é"),
            (b"=?utf-8?X?abc?=", "=?utf-8?X?abc?="),
            (b"caf\xc3\xa9", "café"),
            (b"caf\xe9", "café"),
            (b"100=? yes", "100=? yes"),
        ):
            self.assertEqual(decode_words(value), text, value)

    @settings(deadline=None)
    @given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp", "Cs"]), max_size=100))
    def test_agrees_with_standard_library(self, text: str) -> None:
        """What the standard library encodes is decoded to the same text, however it folds it."""
        encoded = email.header.Header(text, "utf-8", maxlinelen=75).encode()
        self.assertEqual(decode_words(unfold(encoded.encode())), text)

    @settings(deadline=None)
    @given(
        st.binary() | st.lists(st.sampled_from([b"=?", b"utf-8", b"?", b"q", b"B", b"?=", b" ", b"=E9"])).map(b"".join)
    )
    def test_any_octets(self, value: bytes) -> None:
        """Never raises, and the text has a form in UTF-8."""
        decode_words(value).encode()


class CharsetTests(unittest.SynchronousTestCase):
    """Character sets named by strangers."""

    def test_names(self) -> None:
        """Names in the wild are understood, and nothing but character sets is looked up."""
        for name, codec in (
            (b"UTF-8", "utf_8_sig"),
            (b'"utf8"', "utf_8_sig"),
            (b"ISO-8859-1", "cp1252"),
            (b"windows-1251", "cp1251"),
            (b"Shift_JIS", "cp932"),
            (b"us-ascii", None),
            (b"idna", None),
            (b"punycode", None),
            (b"zlib", None),
            (b"rot13", None),
            (b"unicode_escape", None),
            (b"\xff" * 1000, None),
        ):
            self.assertEqual(codec_for(name), codec, name)

    @settings(deadline=None)
    @given(
        st.binary(),
        st.sampled_from([b"utf-7", b"utf-16", b"utf-8", b"gb2312", b"iso-2022-jp", b"hz", b"nonsense", None]),
    )
    def test_any_octets(self, data: bytes, name: bytes | None) -> None:
        """Never raises, and the text has a form in UTF-8."""
        decode(data, name).encode()


class ParameterTests(unittest.SynchronousTestCase):
    """RFC 2045 section 5.1 and RFC 2231."""

    def test_table(self) -> None:
        """Quoted and bare values, comments, continuations joined, extended values kept for the client."""
        for value, expected in (
            (b"text/plain", (b"text/plain", ())),
            (b"Text/Plain; Charset=US-ASCII", (b"text/plain", ((b"charset", b"US-ASCII"),))),
            (b"text/plain; charset=us-ascii (Plain text)", (b"text/plain", ((b"charset", b"us-ascii"),))),
            (b'a/b; name="x; \\"y\\" (1).pdf"', (b"a/b", ((b"name", b'x; "y" (1).pdf'),))),
            (b"a/b; name=my file (1).pdf; x=y", (b"a/b", ((b"name", b"my file (1).pdf"), (b"x", b"y")))),
            (b'a/b;;; x="unclosed', (b"a/b", ((b"x", b"unclosed"),))),
            (
                b'message/external-body; access-type=URL; URL*0="ftp://"; URL*1="cs.utk.edu/pub"',
                (b"message/external-body", ((b"access-type", b"URL"), (b"url", b"ftp://cs.utk.edu/pub"))),
            ),
            (
                b"application/x-stuff; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
                (b"application/x-stuff", ((b"title*", b"us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"),)),
            ),
            (
                b"a/b; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*0*=us-ascii'en'This%20; title*2=\"isn't it!\"",
                (b"a/b", ((b"title*", b"us-ascii'en'This%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it%21"),)),
            ),
        ):
            self.assertEqual(split_value(value), expected, value)

    def test_decoded(self) -> None:
        """A parameter can be asked for by its plain name, whichever form it has."""
        _, params = split_value(b"a/b; filename*0*=iso-8859-1'de'gr%FC; filename*1=\"n.txt\"; charset=x")
        self.assertEqual(parameter(params, b"filename"), "grün.txt".encode())
        self.assertEqual(parameter(params, b"charset"), b"x")
        self.assertIsNone(parameter(params, b"name"))

    def test_bounded(self) -> None:
        """Of 50,000 parameters no more than the limit are kept."""
        _, params = split_value(b"a/b" + b"".join(b"; p%d*0*=x" % number for number in range(50_000)))
        self.assertEqual(len(params), MAX_PARAMETERS)

    @settings(deadline=None)
    @given(
        st.binary()
        | st.lists(st.sampled_from([b";", b"a", b"*", b"0", b"1", b"=", b'"', b"'", b"%41", b" "])).map(b"".join)
    )
    def test_any_octets(self, value: bytes) -> None:
        """Never raises; a parameter that is there can be asked for."""
        _, params = split_value(value)
        for name, _ in params:
            self.assertIsNotNone(parameter(params, name))
