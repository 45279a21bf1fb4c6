"""Messages made from rows: what a reader of them finds is what the row holds, and nothing in a row breaks them."""

from __future__ import annotations

import email
import email.policy
import email.utils
import re
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.mime.charset import without_surrogates
from cybertemp_imap.mime.compose import PLACEHOLDER, UNKNOWN, mailboxes
from cybertemp_imap.mime.header import decode_words
from cybertemp_imap.mime.parse import parse
from cybertemp_imap.mime.render import ENCRYPTED_SUBJECT, RENDERER_VERSION, render
from cybertemp_imap.mime.row import EmailRow, internal_date
from cybertemp_imap.mime.text import header_texts, sent_date
from cybertemp_imap.mime.transfer import decode_quoted_printable, encode_text

ROW = EmailRow(
    id=uuid.UUID("12345678-1234-5678-1234-567812345678"),
    owner="me@temp.example",
    folder="INBOX",
    subject="Your code",
    body="123456\n",
    html=None,
    from_addr="shop@example.com",
    to_addrs=("me@temp.example",),
    timestamp=datetime(2024, 2, 29, 23, 30, 0, tzinfo=timezone(timedelta(hours=-1))),
    created_at=None,
)

HOSTILE = st.lists(
    st.sampled_from(
        ["\r", "\n", "\r\n", "\0", "\ud800", "\udc80", " ", "\t", "--", "=_", ":", "From: x", "é", "\u2028", "a" * 90]
    )
    | st.text(max_size=5)
    | st.characters(),
    max_size=30,
).map("".join)
"""Text with all that could break a message."""

ADDRESSES = HOSTILE | st.sampled_from(
    ["a@b.c", '"A, B" <a@b.c>', "A <a@b.c>", "jörg@exämple.de", "<>", "@", "a@b, c@d"]
)

MOMENTS = st.none() | st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))])
)

ROWS = st.builds(
    EmailRow,
    id=st.uuids(),
    owner=ADDRESSES,
    folder=st.just("INBOX"),
    subject=st.none() | HOSTILE,
    body=st.none() | HOSTILE,
    html=st.none() | HOSTILE,
    from_addr=st.none() | ADDRESSES,
    to_addrs=st.lists(ADDRESSES, max_size=5).map(tuple),
    timestamp=MOMENTS,
    created_at=MOMENTS,
    encrypted=st.just(False) | st.booleans(),
)

LINE_END = re.compile("\r\n|\r|\n")

RAW = "Received: from a by b; Mon, 1 Jan 2024 10:00:00 +0000\nFrom: a@b\nSubject: raw\n\nbody\n"


def read(message: bytes) -> EmailMessage:
    """The message as the standard library reads it."""
    return email.message_from_bytes(message, policy=email.policy.default)


def text_of(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return LINE_END.sub("\n", payload.decode())


def as_sent(text: str) -> str:
    """A row's text as a message holds it: line ends alike, the last line ended."""
    text = LINE_END.sub("\n", without_surrogates(text))
    return text + "\n" if text and not text.endswith("\n") else text


class SynthesizedTests(unittest.SynchronousTestCase):
    """Rows of text and HTML."""

    def test_for_ever(self) -> None:
        """These octets are what version 1 makes of these rows. Clients have them: they must never change."""
        self.assertEqual(RENDERER_VERSION, 1)
        self.assertEqual(
            render(ROW),
            b"From: shop@example.com\r\nTo: me@temp.example\r\nDate: Fri, 01 Mar 2024 00:30:00 +0000\r\n"
            b"Subject: Your code\r\nMessage-ID: <12345678-1234-5678-1234-567812345678@temp.example>\r\n"
            b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
            b"123456\r\n",
        )
        row = replace(ROW, subject="Grüße", html="<p>Grüße</p>", from_addr="Jörg, J. <j@example.com>", to_addrs=())
        self.assertEqual(
            render(row),
            b"From: =?utf-8?b?SsO2cmcsIEou?= <j@example.com>\r\nTo: me@temp.example\r\n"
            b"Date: Fri, 01 Mar 2024 00:30:00 +0000\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
            b"Message-ID: <12345678-1234-5678-1234-567812345678@temp.example>\r\nMIME-Version: 1.0\r\n"
            b'Content-Type: multipart/alternative; boundary="=_b535a42b3c0f6116e0ae472374f5405a"\r\n\r\n'
            b"--=_b535a42b3c0f6116e0ae472374f5405a\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 7bit\r\n\r\n"
            b"123456\r\n\r\n--=_b535a42b3c0f6116e0ae472374f5405a\r\nContent-Type: text/html; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\nPHA+R3LDvMOfZTwvcD4NCg==\r\n"
            b"\r\n--=_b535a42b3c0f6116e0ae472374f5405a--\r\n",
        )

    def test_parts(self) -> None:
        """Text, HTML, both, or neither."""
        for body, html, kinds in (
            ("x", None, ["text/plain"]),
            (None, "<p>", ["text/html"]),
            (" \n", "<p>", ["text/html"]),
            ("x", " ", ["text/plain"]),
            ("x", "<p>", ["multipart/alternative", "text/plain", "text/html"]),
            (None, None, ["text/plain"]),
        ):
            message = read(render(replace(ROW, body=body, html=html)))
            self.assertEqual([part.get_content_type() for part in message.walk()], kinds)

    def test_boundary_in_content(self) -> None:
        """The boundary occurs nowhere in the content, even in content that quotes it."""
        row = replace(ROW, html="<p>")
        for _ in range(3):
            message = render(row)
            boundary = dict(parse(message).params)[b"boundary"].decode()
            self.assertEqual(message.count(b"--" + boundary.encode()), 3)
            row = replace(row, body=f"{row.body}--{boundary}\r\n")

    def test_encodings(self) -> None:
        """7bit where it fits, else the shorter encoding; every line fits, and the text comes back."""
        for text, encoding in (
            ("x\r\n", b"7bit"),
            ("x" * 998 + "\r\n", b"7bit"),
            ("x" * 999 + "\r\n", b"quoted-printable"),
            ("nothing\0", b"quoted-printable"),
            ("é and more than enough ASCII \t\r\n", b"quoted-printable"),
            ("some = text " * 100 + "é\r\n \r\n\t\r\n", b"quoted-printable"),
            ("привет\r\n" * 20, b"base64"),
        ):
            found, octets = encode_text(text.encode())
            self.assertEqual(found, encoding, text)
            self.assertTrue(encoding == b"7bit" or max(map(len, octets.split(b"\r\n"))) <= 76)

    @settings(deadline=None)
    @given(HOSTILE.map(lambda text: LINE_END.sub("\r\n", without_surrogates(text))), st.integers(0, 100))
    def test_quoted_printable(self, text: str, pad: int) -> None:
        """Quoted-printable lines are at most 76 octets, end in no white space, and decode to the same octets."""
        data = ("é" + "x" * 50 + "y" * pad + text).encode()
        encoding, octets = encode_text(data)
        if encoding == b"quoted-printable":
            self.assertEqual(decode_quoted_printable(octets), data)
            for line in octets.split(b"\r\n"):
                self.assertTrue(len(line) <= 76 and line.rstrip(b" \t") == line and line.isascii())

    @settings(deadline=None)
    @given(ROWS)
    def test_reads_back(self, row: EmailRow) -> None:
        """For any row the message is well-formed, and subject, text and HTML come back from it."""
        message = render(row)
        self.assertEqual(message, render(replace(row)))
        self.assertTrue(message.isascii())
        self.assertNotIn(b"\0", message)
        self.assertNotIn(b"\n", message.replace(b"\r\n", b""))
        self.assertNotIn(b"\r", message.replace(b"\r\n", b""))
        self.assertLessEqual(max(map(len, message.split(b"\r\n"))), 998)
        header, _, _ = message.partition(b"\r\n\r\n")
        names = [line.split(b":")[0] for line in header.split(b"\r\n") if not line.startswith(b" ")]
        self.assertEqual(names[:6], [b"From", b"To", b"Date", b"Subject", b"Message-ID", b"MIME-Version"])
        self.assertTrue(set(names[6:]) <= {b"Content-Type", b"Content-Transfer-Encoding"}, names)
        if row.encrypted:
            return
        parsed = read(message)
        leaves = [part for part in parsed.walk() if not part.is_multipart()]
        has_html = bool((row.html or "").strip())
        texts = [row.body or ""] if not has_html or (row.body or "").strip() else []
        texts += [row.html or ""] if has_html else []
        self.assertEqual([text_of(part) for part in leaves], [as_sent(text) for text in texts])

    @settings(deadline=None)
    @given(HOSTILE)
    def test_subject(self, subject: str) -> None:
        """A subject comes back on one line; lines are folded within 76 octets."""
        message = render(replace(ROW, subject=subject))
        header = message[: parse(message).header_end]
        shown = re.sub("[\0-\x20\x7f-\x9f\u2028\u2029]+", " ", without_surrogates(subject)).strip(" ")
        if "=?" not in shown:
            self.assertEqual(header_texts(header, b"subject"), [shown])
        self.assertLessEqual(max(map(len, header.split(b"\r\n"))), 76)

    def test_long_values(self) -> None:
        """A subject of a megabyte and 10,000 recipients are all there, in short lines."""
        row = replace(
            ROW, subject="ü" * 500_000, to_addrs=tuple(f"Person {n} <p{n}@example.com>" for n in range(10_000))
        )
        message = render(row)
        self.assertLessEqual(max(map(len, message.split(b"\r\n"))), 76)
        header = message[: parse(message).header_end]
        self.assertEqual(header_texts(header, b"subject"), ["ü" * 500_000])
        found = email.utils.getaddresses(header_texts(header, b"to"))
        self.assertEqual(len(found), 10_000)
        self.assertEqual(found[9_999], ("Person 9999", "p9999@example.com"))

    def test_growth(self) -> None:
        """Four times the input takes nothing like sixteen times the time, whichever value holds it."""
        for column, unit in (
            ("subject", "\n"),
            ("subject", "=?utf-8?q?a"),
            ("subject", "\ud800"),
            ("from_addr", '"\\'),
            ("from_addr", "a@b,"),
            ("from_addr", "<@"),
            ("from_addr", "é"),
            ("owner", "@é"),
            ("body", "a: b\n"),
            ("body", "From: a\nMIME-Version: 1\n x\n"),
            ("body", "= \t\r"),
            ("html", "é a"),
        ):
            base = self.best_time(column, unit * (20_000 // len(unit)))
            more = self.best_time(column, unit * (80_000 // len(unit)))
            self.assertLess(more, 12 * base + 0.05, (column, unit))

    def best_time(self, column: str, value: str) -> float:
        changed: dict[str, Any] = {column: value}
        row = replace(ROW, **changed)
        times = []
        for _ in range(2):
            start = time.process_time()
            render(row)
            times.append(time.process_time() - start)
        return min(times)

    def test_already_encoded(self) -> None:
        """A subject or name that the receiver kept encoded is shown as it was meant."""
        row = replace(ROW, subject="=?utf-8?q?caf=C3=A9?=", from_addr="=?utf-8?q?J=C3=B6rg?= <j@x.y>")
        message = read(render(row))
        self.assertEqual((message["Subject"], message["From"]), ("café", "Jörg <j@x.y>"))
        row = replace(ROW, subject="=?utf-8?q?a=0D=0AEvil:_x?=")
        self.assertIsNone(read(render(row))["Evil"])


class AddressTests(unittest.SynchronousTestCase):
    """Addresses as receivers store them."""

    def test_table(self) -> None:
        """Envelope and header forms, names with specials, foreign domains, and what is no address."""
        for text, expected in (
            ("a@b.c", [("", b"a@b.c")]),
            ("<a@b.c>", [("", b"a@b.c")]),
            ('"A" <a@b.c>', [("A", b"a@b.c")]),
            ("Name N. <a@b.c> ", [("Name N.", b"a@b.c")]),
            ("Doe, John <j@d.e>", [("Doe, John", b"j@d.e")]),
            ('"D \\"x\\" J" <j@d.e>', [('D "x" J', b"j@d.e")]),
            ("a@b.c, D <d@e.f>", [("", b"a@b.c"), ("D", b"d@e.f")]),
            ("A <a@b.c>, D <d@e.f>", [("A", b"a@b.c"), ("D", b"d@e.f")]),
            ("a@bücher.example", [("", b"a@xn--bcher-kva.example")]),
            ("jörg@x.y", [("jörg@x.y", PLACEHOLDER)]),
            ('"john doe"@x.y', [("", b'"john doe"@x.y')]),
            ("a..b@x.y", [("", b'"a..b"@x.y')]),
            ("nobody", [("nobody", UNKNOWN)]),
            ("a@b\r\nBcc: c@d", [("a@b Bcc: c@d", UNKNOWN)]),
            ("", []),
            ("<>", []),
        ):
            if text.startswith("a@b\r\n"):
                self.assertNotIn("\n", mailboxes(text)[0][0])
                continue
            self.assertEqual(mailboxes(text), expected, text)

    @settings(deadline=None)
    @given(ADDRESSES)
    def test_reads_back(self, text: str) -> None:
        """The standard library reads the addresses that were meant, and no other."""
        message = read(render(replace(ROW, from_addr=text)))
        meant = mailboxes(text) or [("Unknown sender", b"unknown@unknown.invalid")]
        header = str(message["From"]).encode()
        self.assertNotIn(b"\n", header)
        raw = render(replace(ROW, from_addr=text))
        line = re.sub(rb"\r\n ", b" ", raw[: raw.index(b"\r\nTo:")])[6:]
        found = email.utils.getaddresses([line.decode()])
        self.assertEqual([spec.encode() for _, spec in found], [spec for _, spec in meant])
        self.assertEqual([decode_words(name.encode()) for name, _ in found], [name for name, _ in meant])


class OtherRowsTests(unittest.SynchronousTestCase):
    """Stored source, whole messages in ``body``, encrypted rows, and dates."""

    def test_source(self) -> None:
        """Stored source is the message, whatever else the row holds."""
        self.assertEqual(render(replace(ROW, source=b"any\xff\0\n", encrypted=True)), b"any\xff\0\n")

    def test_encrypted(self) -> None:
        """An encrypted row is a notice: no ciphertext, but sender, recipient and date."""
        row = replace(ROW, encrypted=True, subject="CIPHER", body="CIPHER", html="CIPHER")
        message = render(row)
        self.assertNotIn(b"CIPHER", message)
        parsed = read(message)
        self.assertEqual((parsed["Subject"], parsed["From"]), (ENCRYPTED_SUBJECT, "shop@example.com"))
        self.assertEqual(parsed.get_content_type(), "text/plain")

    def test_whole_message(self) -> None:
        """Older rows hold a raw message in ``body``: those octets, with CRLF line ends."""
        self.assertEqual(render(replace(ROW, body=RAW)), RAW.replace("\n", "\r\n").encode())
        self.assertEqual(render(replace(ROW, body=RAW.replace("\n", "\r\n"))), RAW.replace("\n", "\r\n").encode())
        self.assertEqual(
            render(replace(ROW, body=RAW + "é\udcff\rx\0")), (RAW + "é").replace("\n", "\r\n").encode() + b"\xff\r\nx"
        )
        self.assertEqual(render(replace(ROW, body=RAW + "\ud800"))[-1:], b"?")

    def test_dates(self) -> None:
        """The internal date is the row's, else when it was stored, else fixed; the Date field is in UTC."""
        moment = datetime(2024, 1, 1, tzinfo=UTC)
        self.assertEqual(internal_date(replace(ROW, timestamp=moment, created_at=None)), moment)
        self.assertEqual(internal_date(replace(ROW, timestamp=None, created_at=moment)), moment)
        self.assertEqual(internal_date(replace(ROW, timestamp=None, created_at=None)), datetime(1970, 1, 1, tzinfo=UTC))
        message = render(replace(ROW, timestamp=datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))))
        self.assertEqual(str(sent_date(message)), "2023-12-31")
        for extreme in (datetime.min, datetime.max):
            for hours in (-14, 14):
                render(replace(ROW, timestamp=extreme.replace(tzinfo=timezone(timedelta(hours=hours)))))
