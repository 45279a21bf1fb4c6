"""The form in which texts are compared: without case, and with accents joined to their letters.

RFC 9051 section 6.4.4 wants substrings found without regard to case. Both the text and what is looked for are folded
(Unicode's full case folding: ``ß`` is ``ss``), and then a letter followed by combining marks becomes one character
where Unicode has one, so that both spellings of ``é`` are the same and neither holds an ``e``. Beyond that a match is
a plain substring: no white space is skipped, no accent is dropped, no word is stemmed.

That is NFC for the scripts in which mail is found decomposed, in linear time: ``unicodedata.normalize`` sorts a run of
marks in quadratic time, and a stranger chooses how long the run is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import normalize

WINDOW = 1 << 16
"""Characters folded at a time: folding needs twelve octets of memory for each, and nothing else runs meanwhile."""

MAX_MARKS = 8
"""Combining marks of one letter that are looked at together; no language has more than four."""

# Latin, Greek and Cyrillic marks; Arabic madda and hamza; the vowels and finals of Hangul; the marks of kana.
_MARKS = "\u0300-\u036f\u0653-\u0655\u1161-\u1175\u11a8-\u11c2\u3099\u309a"
_MARK = re.compile(f"[{_MARKS}]")
_MARKED_LETTER = re.compile(f"[^{_MARKS}][{_MARKS}]{{1,{MAX_MARKS}}}+")


def fold(text: str) -> str:
    """Return a text in the form in which texts are compared."""
    if text.isascii():
        return text.lower()
    if len(text) <= WINDOW:
        return _fold(text)
    return "".join(_fold(piece) for piece in _pieces(text))


def needle_of(octets: bytes) -> str | None:
    """Return what a client looks for, folded; None when it is not UTF-8, since no text can hold it."""
    try:
        return fold(octets.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _fold(text: str) -> str:
    folded = text.casefold()
    if _MARK.search(folded) is None:
        return folded
    return _MARKED_LETTER.sub(lambda match: normalize("NFC", match[0]), folded)


def _pieces(text: str) -> Iterator[str]:
    """Cut a text into pieces, none of which begins with a mark of the letter before."""
    start = 0
    while start < len(text):
        end = start + WINDOW
        while end < min(len(text), start + WINDOW + MAX_MARKS) and _MARK.match(text, end):
            end += 1
        yield text[start:end]
        start = end
