"""The form in which texts are compared: without case, and with accents joined to their letters.

RFC 9051 section 6.4.4 wants substrings found without regard to case. Both the text and what is looked for are folded
(Unicode's full case folding: ``ß`` is ``ss``) and composed (NFC), so that both spellings of ``é`` are the same and
neither holds an ``e``. Beyond that a match is a plain substring: no white space is skipped, no accent is dropped, no
word is stemmed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import normalize

WINDOW = 1 << 9
"""Characters folded at a time. Composing sorts a run of marks in quadratic time, and a stranger chooses its length: in
pieces so short, the worst is about half a microsecond a character. Most pieces of a mostly ASCII text are ASCII, which
is quick."""

MAX_MARKS = 8
"""Characters by which a piece is longer when it would be cut before a mark; letters have at most four."""

# What composes with the character before it, in the scripts whose letters are taken apart in mail: marks of Latin,
# Greek and Cyrillic; Arabic madda and hamza; vowels and finals of Hangul; marks of kana.
_MARK = re.compile("[\u0300-\u036f\u0653-\u0655\u1161-\u1175\u11a8-\u11c2\u3099\u309a]")


def fold(text: str) -> str:
    """Return a text in the form in which texts are compared."""
    if text.isascii():
        return text.lower()
    return "".join(piece.lower() if piece.isascii() else normalize("NFC", piece.casefold()) for piece in _pieces(text))


def needle_of(octets: bytes) -> str | None:
    """Return what a client looks for, folded; None when it is not UTF-8, since no text can hold it."""
    try:
        return fold(octets.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _pieces(text: str) -> Iterator[str]:
    """Cut a text into pieces, none of which begins with a mark of the letter before."""
    start = 0
    while start < len(text):
        end = start + WINDOW
        while end < min(len(text), start + WINDOW + MAX_MARKS) and _MARK.match(text, end):
            end += 1
        yield text[start:end]
        start = end
