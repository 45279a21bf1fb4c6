"""Decoded text for SEARCH and previews."""

from __future__ import annotations

import time
from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.mime.markup import text_of
from cybertemp_imap.mime.parse import parse
from cybertemp_imap.mime.text import body_text, full_text, header_texts, preview, sent_date
from test.test_mime_parse import MESSAGES

MESSAGE = (
    b"From: =?utf-8?q?J=C3=B6rg?= <j@x>\r\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n"
    b"X-Tag: one\r\nx-tag: two\r\n three\r\n"
    b"Content-Type: multipart/mixed; boundary=o\r\n\r\n"
    b"--o\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    b"--i\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Der Schl=C3=BC=\r\nssel ist 123456.\r\n\r\n"
    b"--i\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"PHA+RGVyIFNjaGw8Yj78PC9iPnNzZWw8L3A+\r\n--i--\r\n"
    b"--o\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?b?w6k=?= inner\r\n\r\ninner text\r\n"
    b"--o\r\nContent-Type: application/pdf\r\n\r\nnot a text\r\n--o--\r\n"
)


class TextTests(unittest.SynchronousTestCase):
    """RFC 9051 section 6.4.4."""

    def test_header_texts(self) -> None:
        """All fields of a name, without case, unfolded and decoded."""
        header = MESSAGE[: parse(MESSAGE).header_end]
        self.assertEqual(header_texts(header, b"SUBJECT"), ["Grüße"])
        self.assertEqual(header_texts(header, b"x-tag"), ["one", "two three"])
        self.assertEqual(header_texts(header, b"x-none"), [])

    def test_body_text(self) -> None:
        """Text is decoded from transfer encoding and charset; HTML is there as written and as read."""
        text = body_text(MESSAGE, parse(MESSAGE))
        for wanted in ("Schlüssel ist 123456", "<b>ü</b>", "Der Schlüssel\n", "é inner", "inner text"):
            self.assertIn(wanted, text)
        for unwanted in ("not a text", "Grüße", "--o"):
            self.assertNotIn(unwanted, text)

    def test_full_text(self) -> None:
        """The header is there too, decoded."""
        text = full_text(MESSAGE, parse(MESSAGE))
        for wanted in ("From: Jörg <j@x>", "Subject: Grüße", "x-tag: two three", "Schlüssel"):
            self.assertIn(wanted, text)

    def test_preview(self) -> None:
        """The text a person reads first, on one line, within the limit."""
        self.assertEqual(preview(MESSAGE, parse(MESSAGE)), "Der Schlüssel ist 123456.")
        self.assertEqual(preview(MESSAGE, parse(MESSAGE), limit=5), "Der S")
        html = b"Content-Type: text/html\r\n\r\n<style>p {}</style><p>Hi&nbsp;there<br>you<!-- x --></p>"
        self.assertEqual(preview(html, parse(html)), "Hi there you")
        attached = b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nx"
        self.assertEqual(preview(attached, parse(attached)), "")
        long = b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "é".encode() * 100_001
        self.assertEqual(preview(long, parse(long)), "é" * 200)

    @settings(deadline=None)
    @given(MESSAGES)
    def test_any_octets(self, message: bytes) -> None:
        """Never raises, and all text has a form in UTF-8; a preview keeps its limit and is one line."""
        root = parse(message)
        full_text(message, root).encode()
        line = preview(message, root, 20)
        line.encode()
        self.assertTrue(len(line) <= 20 and "\n" not in line)


class MarkupTests(unittest.SynchronousTestCase):
    """HTML as it is read."""

    def test_table(self) -> None:
        """Tags, comments, scripts and styles are left out, entities are decoded."""
        for document, text in (
            ("a<b>b</b>c", "abc"),
            ("<p>a</p>b", "\na\nb"),
            ("1 < 2 &amp; 3 &#62; 2", "1 < 2 & 3 > 2"),
            ("<script>x<y></script >a<STYLE>b</style>c", "ac"),
            ("<!DOCTYPE html><!--[if x]><p>a<![endif]-->b", "b"),
            ("a<!-- b", "a"),
            ("a<style>b", "a"),
            ("a<\u017ftyle>b<\u017fcript x>c", "a<\u017ftyle>b<\u017fcript x>c"),
            ("<a href='x'>İstanbul</a>", "İstanbul"),
        ):
            self.assertEqual(text_of(document), text, document)

    @settings(deadline=None)
    @given(st.lists(st.sampled_from(["<", ">", "/", "style", "p", " ", "!--", "--", "&amp", ";", "ſ"]) | st.text()))
    def test_any_text(self, pieces: list[str]) -> None:
        """Never raises."""
        text_of("".join(pieces))

    def test_growth(self) -> None:
        """Four times the input takes nothing like sixteen times the time."""
        for unit in ("<", "<a ", "<style>", "<!--", "</style", "&", "&#x1", "<p>"):
            start = time.process_time()
            text_of(unit * 10_000)
            middle = time.process_time()
            text_of(unit * 40_000)
            self.assertLess(time.process_time() - middle, 12 * (middle - start) + 0.05, unit)


class SentDateTests(unittest.SynchronousTestCase):
    """SENTBEFORE, SENTON and SENTSINCE disregard time and zone."""

    def test_table(self) -> None:
        """The day as it is written, in the standard form, obsolete ones and others that occur."""
        for value, expected in (
            (b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)", date(1996, 7, 17)),
            (b"1 Feb 2024 23:59:59 +1400", date(2024, 2, 1)),
            (b"Thu,\r\n 13\r\n Feb 1969 23:32 -0330", date(1969, 2, 13)),
            (b"21 Nov 97 09:55:06 GMT", date(1997, 11, 21)),
            (b"Fri, 21 Nov 103 09:55:06 GMT", date(2003, 11, 21)),
            (b"Tue, 1-December-2020 10:00:00", date(2020, 12, 1)),
            (b"Mon Jan  2 15:04:05 2006", date(2006, 1, 2)),
            (b"Mon Jan  2 15:04:05 PST 2006", date(2006, 1, 2)),
            (b"Jan 2, 2006", date(2006, 1, 2)),
            (b"2024-02-29T10:00:00Z", date(2024, 2, 29)),
            (b"31 Feb 2024 10:00:00 +0000", None),
            (b"0 Feb 2024", None),
            (b"99999999 Feb 2024", None),
            (b"yesterday", None),
            (b"", None),
        ):
            self.assertEqual(sent_date(b"Subject: x\r\nDate: " + value + b"\r\n\r\n"), expected, value)
        self.assertIsNone(sent_date(b"Subject: x\r\n\r\n"))

    @settings(deadline=None)
    @given(
        st.lists(st.sampled_from([b"1", b"31", b"Feb", b"2024", b"0000", b" ", b"-", b",", b":", b"\xff"])).map(
            b"".join
        )
    )
    def test_any_octets(self, value: bytes) -> None:
        """Never raises."""
        sent_date(b"Date: " + value + b"\r\n\r\n")
