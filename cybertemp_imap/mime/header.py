"""Header blocks: their fields, unfolding, encoded words and subsets (RFC 5322 section 2.2, RFC 2047).

A header block is the octets before a message's body, its closing empty line included where there is one. Lines may end
in CRLF or LF. Nothing here raises on any octets, and all of it takes linear time.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from cybertemp_imap.mime.charset import decode
from cybertemp_imap.mime.transfer import decode_base64

# A field with its continuation lines, or any other line. The possessive repeats rule out backtracking.
_FIELD = re.compile(rb"([^\x00-\x20:\x7f]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n?+|[^\n]*+\n?+")
_FIELD_END = re.compile(rb"\n(?![ \t])")

# RFC 2047 section 2; spaces inside the text are accepted, as many senders leave them there.
_ENCODED_WORD = re.compile(r"=\?([^?*\s]{1,60})(?:\*[^?\s]{0,60})?\?([BbQq])\?([^?\r\n]*+)\?=")


class Field(NamedTuple):
    """One header field: ``value`` is raw (still folded, without the last line end); octets ``start`` to ``end``."""

    name: bytes
    value: bytes
    start: int
    end: int


def fields(header: bytes) -> Iterator[Field]:
    """The fields of a header block in order; lines that are no field are passed over."""
    for match in _FIELD.finditer(header):
        if match[1] is not None:
            yield Field(match[1], match[2], match.start(), match.end())


def field_pattern(*names: bytes) -> re.Pattern[bytes]:
    """A pattern for :func:`pick` that finds the fields called one of ``names``."""
    return re.compile(rb"\n(" + b"|".join(re.escape(name) for name in names) + rb")[ \t]*+:", re.IGNORECASE)


def pick(header: bytes, pattern: re.Pattern[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(lower-case name, raw value) of the fields that ``pattern`` names; faster than :func:`fields` for a few names."""
    padded = b"\n" + header
    for match in pattern.finditer(padded):
        end = _FIELD_END.search(padded, match.end())
        yield match[1].lower(), padded[match.end() : end.start() if end else len(padded)]


def unfold(value: bytes) -> bytes:
    """A field's value on one line, trimmed (RFC 5322 section 2.2.3); stray CR, LF and NUL are dropped."""
    return value.translate(None, b"\r\n\0").strip()


def subset(header: bytes, names: Iterable[bytes], exclude: bool) -> bytes:
    """The fields called one of ``names``, or with ``exclude`` all others, and the empty line (RFC 9051 6.4.5.1).

    The fields are exact, in the order of the message, repeated ones included.
    """
    wanted = {name.lower() for name in names}
    chosen = b"".join(
        header[start:end] for name, _, start, end in fields(header) if (name.lower() in wanted) != exclude
    )
    if chosen and not chosen.endswith(b"\n"):
        chosen += b"\r\n"
    return chosen + b"\r\n"


def decode_words(value: bytes) -> str:
    """An unfolded value as text, its encoded words decoded (RFC 2047).

    Adjacent words of one charset are joined before decoding, since senders split characters between them.
    """
    text = decode(value, None)
    if "=?" not in text:
        return text
    pieces: list[str] = []
    charset, octets, last = "", bytearray(), -1
    for match in _ENCODED_WORD.finditer(text):
        between = text[max(last, 0) : match.start()]
        adjacent = last >= 0 and not between.strip()
        if last >= 0 and not (adjacent and match[1].lower() == charset):
            pieces.append(decode(bytes(octets), charset.encode("ascii", "replace")))
            octets.clear()
        if not adjacent:
            pieces.append(between)
        charset, last = match[1].lower(), match.end()
        octets += _word_octets(match[2], match[3])
    if last >= 0:
        pieces.append(decode(bytes(octets), charset.encode("ascii", "replace")))
    pieces.append(text[max(last, 0) :])
    return "".join(pieces)


def _word_octets(encoding: str, text: str) -> bytes:
    """The octets an encoded word stands for; whatever cannot be decoded is dropped or kept as it is."""
    data = text.encode("utf-8", "replace")
    if encoding in "Qq":
        return binascii.a2b_qp(data, header=True)
    return decode_base64(data)
