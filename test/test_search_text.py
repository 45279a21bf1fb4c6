"""BODY and TEXT: what is found in messages of all kinds; and the folding of texts."""

from __future__ import annotations

import unicodedata
from base64 import b64encode
from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.search import folding
from cybertemp_imap.search.folding import fold
from test.search_mailbox import Mail, box_of, letter

MIXED = b"""\
From: a@a.example\r
Subject: outer\r
Content-Type: multipart/mixed; boundary=b\r
\r
preamble\r
--b\r
Content-Type: multipart/alternative; boundary=c\r
\r
--c\r
Content-Type: text/plain; charset=iso-8859-1\r
Content-Transfer-Encoding: quoted-printable\r
\r
Guten Morgen, J=F6rg, dies ist ein ge=\r
brochenes Wort\r
--c\r
Content-Type: text/html; charset=utf-8\r
\r
<p>Your <b>co</b>de is <span class="digits">123456</span> &amp; more</p>\r
--c--\r
--b\r
Content-Type: application/octet-stream\r
Content-Transfer-Encoding: base64\r
Content-Disposition: attachment; filename=secret.bin\r
\r
c2VjcmV0IGF0dGFjaG1lbnQ=\r
--b\r
Content-Type: message/rfc822\r
\r
Subject: inner subject\r
\r
inner body\r
--b--\r
"""

PLAIN = letter(b"the body", b"Subject: the subject", b"X-Other: =?utf-8?q?=C3=BCber?=")

ENCODED = letter(
    b64encode("Ваш код: 987654".encode("koi8-r")),
    b"Content-Type: text/plain; charset=koi8-r",
    b"Content-Transfer-Encoding: base64",
)

EMPTY = b"\r\n"

LETTERS = st.one_of(
    st.characters(max_codepoint=0x052F, exclude_categories=["Cs"]),
    st.characters(min_codepoint=0x1E00, max_codepoint=0x1FFF),
    st.characters(min_codepoint=0x3040, max_codepoint=0x30FF),
    st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3),
)


class TextKeyTests(unittest.TestCase):
    """BODY and TEXT."""

    async def test_found(self) -> None:
        """Text is decoded as readers show it; TEXT looks in the header too, BODY does not."""
        box = await box_of(Mail(source) for source in (MIXED, PLAIN, ENCODED, EMPTY))
        for text, found in [
            ("BODY morgen", [1]),
            ("BODY JÖRG", [1]),
            ("BODY gebrochenes", [1]),
            ("BODY 123456", [1]),
            ("BODY code", [1]),
            ("BODY & more", [1]),
            ("BODY inner body", [1]),
            ("BODY inner subject", [1]),
            ("BODY outer", []),
            ("BODY secret attachment", []),
            ("BODY c2VjcmV0", []),
            ("BODY the body", [2]),
            ("BODY the subject", []),
            ("BODY ваш КОД", [3]),
            ("BODY 987654", [3]),
            ("TEXT outer", [1]),
            ("TEXT the subject", [2]),
            ("TEXT THE BODY", [2]),
            ("TEXT über", [2]),
            ("TEXT x-other", [2]),
            ("TEXT 987654", [3]),
            ("TEXT absent", []),
        ]:
            key, _, value = text.encode().partition(b" ")
            with self.subTest(text=text):
                self.assertEqual(await box.search(b"%b {%d}\r\n%b" % (key, len(value), value)), found)

    async def test_empty(self) -> None:
        """The empty string is in every text, and nothing is read to know it."""
        box = await box_of([Mail(PLAIN), Mail(EMPTY)])
        self.assertEqual(await box.search(b'BODY "" TEXT ""'), [1, 2])
        self.assertEqual(box.store.calls, {})

    async def test_big(self) -> None:
        """A big message, worked on in a thread, is searched like any other, with several keys at once."""
        big = letter(b"line of text\r\n" * 40_000 + "Ende der Größe".encode(), b"Subject: big")
        box = await box_of([Mail(big), Mail(PLAIN)])
        self.assertEqual(await box.search(b"OR BODY {13}\r\nende der gr\xc3\xb6 TEXT subject"), [1, 2])
        self.assertEqual(await box.search(b"BODY ende NOT TEXT absent"), [1])


class FoldTests(unittest.TestCase):
    """:func:`fold`."""

    def test_table(self) -> None:
        """Texts that read alike fold alike."""
        for left, right in [
            ("Ähre", "a\u0308HRE"),
            ("STRASSE", "straße"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("й", "И\u0306"),
            ("が", "か\u3099"),
            ("각", "\u1100\u1161\u11a8"),
            ("Việt", "Vie\u0323\u0302t"),
            ("\u212b", "å"),
        ]:
            with self.subTest(left=left):
                self.assertEqual(fold(left), fold(right))
        for text, part in [("cafe\u0301", "e"), ("é", "e"), ("각", "가")]:
            with self.subTest(text=text):
                self.assertNotIn(fold(part), fold(text))

    @given(LETTERS)
    def test_forms_of_letters(self, character: str) -> None:
        """A letter taken apart, and in either case, folds as the letter does."""
        for form in ("NFC", "NFD"):
            self.assertEqual(fold(unicodedata.normalize(form, character)), fold(character))
        self.assertEqual(fold(character.casefold()), fold(character))

    @given(st.text(), st.text(st.characters(exclude_categories=["Cs", "Mn", "Mc", "Lo"]), min_size=1), st.text())
    def test_substring(self, before: str, text: str, after: str) -> None:
        """A text is found in whatever holds it, if no mark follows that belongs to its last letter."""
        self.assertIn(fold(text), fold(f"{before} {text} {after}"))

    def test_pieces(self) -> None:
        """A long text folds as a whole, wherever it is cut."""
        texts = ("Äe\u0301é" * 7, "xe\u0301" * 9, "ab" + "\u0301" * 8, "\u1100\u1161\u11a8" * 5 + "é")
        whole = [fold(text) for text in texts]
        for window in range(1, 12):
            self.patch(folding, "WINDOW", window)
            self.assertEqual([fold(text) for text in texts], whole)

    def test_linear(self) -> None:
        """A long run of marks, which normalizing would sort in quadratic time, costs no more than other text."""
        began = perf_counter()
        fold("é" + "\u0301\u0316" * 200_000)
        self.assertLess(perf_counter() - began, 5)
