"""Mailbox names on the wire."""

from __future__ import annotations

import contextlib
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.protocol.names import MailboxNameFault, decode_mailbox, encode_mailbox

PAIRS = (
    ("", b""),
    ("INBOX", b"INBOX"),
    ("a&b", b"a&-b"),
    ("&&", b"&-&-"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("☺!", b"&Jjo-!"),
    ("Entwürfe", b"Entw&APw-rfe"),
    ("ü&ü", b"&APw-&-&APw-"),
    ("😀", b"&2D3eAA-"),
    ("a/b*%", b"a/b*%"),
)
MALFORMED = (
    *(b"&", b"a&b", b"&Jjo", b"&Jjo!", b"&Jjo-!&", b"&AGE-", b"&ACY-", b"&A-", b"&AB-", b"&AAAA-", b"&AAo-", b"&=-"),
    *(
        b"&U,BTFw-&ZeVnLIqe-",
        b"&2D0-",
        b"&3gA-",
        b"&Jj/-",
        b"&APx-",
        b"&AP w-",
        b"&APw=-",
        b"\0",
        b"a\r",
        b"\x7f",
        b"&ICg-",
    ),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc2\x80", b"\xe2\x80\xa8"),
)
names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


class NameTests(unittest.SynchronousTestCase):
    """Modified UTF-7 and UTF-8."""

    def test_pairs(self) -> None:
        """Names and their spellings (RFC 3501 section 5.1.3)."""
        for name, raw in PAIRS:
            self.assertEqual((encode_mailbox(name, False), decode_mailbox(raw, False)), (raw, name))

    def test_utf8(self) -> None:
        """With UTF-8 enabled an ampersand is one; without, raw UTF-8 is taken as it is all the same."""
        self.assertEqual(decode_mailbox(b"&APw-", True), "&APw-")
        self.assertEqual(encode_mailbox("ü&", True), "ü&".encode())
        self.assertEqual(decode_mailbox("ü&-".encode(), False), "ü&-")

    def test_malformed(self) -> None:
        """Every other spelling, and every control, is refused."""
        for raw in MALFORMED:
            self.assertRaises(MailboxNameFault, decode_mailbox, raw, False)
        for name in ("a\0", "a\n", "\x7f", "\x85", "\u2028", "\ud800", "a\udc00"):
            for utf8 in (False, True):
                self.assertRaises(MailboxNameFault, encode_mailbox, name, utf8)

    @given(names, st.booleans())
    def test_round_trip(self, name: str, utf8: bool) -> None:
        """Every name is spelled and read back; without UTF-8 in printable ASCII."""
        raw = encode_mailbox(name, utf8)
        self.assertEqual(decode_mailbox(raw, utf8), name)
        self.assertTrue(utf8 or all(0x20 <= octet < 0x7F for octet in raw))

    @given(st.one_of(st.binary(), st.text("&-,+AZa019/ ").map(str.encode)))
    def test_one_spelling(self, raw: bytes) -> None:
        """Octets that can be read are the one spelling of their name, or raw UTF-8; others are a fault."""
        with contextlib.suppress(MailboxNameFault):
            name = decode_mailbox(raw, False)
            self.assertIn(raw, (encode_mailbox(name, False), name.encode()))

    def test_growth(self) -> None:
        """Long names are read in linear time."""
        started = time.process_time()
        for raw in (b"&" * 60000, b"&-" * 30000, b"&APw-a" * 10000, b"&" + b"A" * 60000, b"&APw" * 15000):
            with contextlib.suppress(MailboxNameFault):
                encode_mailbox(decode_mailbox(raw, False), False)
        self.assertLess(time.process_time() - started, 3)
