"""Decoded text of messages for SEARCH (RFC 9051 section 6.4.4) and previews (RFC 8970)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from cybertemp_imap.mime.charset import decode
from cybertemp_imap.mime.header import decode_words, field_pattern, fields, pick, unfold
from cybertemp_imap.mime.markup import text_of
from cybertemp_imap.mime.parameters import parameter
from cybertemp_imap.mime.parse import Part
from cybertemp_imap.mime.transfer import decode_transfer

_PREVIEW_OCTETS = 64 * 1024
"""Octets of a part that a preview looks at."""

_DATE_FIELD = field_pattern(b"date")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rb"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DAY_FIRST = re.compile(rb"\b(\d{1,2})[ \t-]{1,9}" + _MONTH + rb"[ \t,-]{1,9}(\d{4}|\d{2,3})\b", re.IGNORECASE)
_MONTH_FIRST = re.compile(
    rb"\b" + _MONTH + rb"[ \t]{1,9}(\d{1,2})\b,?[ \t](?:[ \t\d:]{0,20}[ \t])?[a-z]{0,5}[ \t]?(\d{4})\b", re.IGNORECASE
)
_YEAR_FIRST = re.compile(rb"\b(\d{4})-(\d{2})-(\d{2})(?!\d)")


def header_texts(header: bytes, field: bytes) -> list[str]:
    """The values of all fields called ``field``, unfolded and decoded."""
    wanted = field.lower()
    return [decode_words(unfold(found.value)) for found in fields(header) if found.name.lower() == wanted]


def header_text(header: bytes) -> str:
    """A whole header block, one decoded field a line."""
    return "\n".join(
        f"{found.name.decode('ascii', 'replace')}: {decode_words(unfold(found.value))}" for found in fields(header)
    )


def body_text(message: bytes, root: Part) -> str:
    """The text of all text parts, with the headers and text of encapsulated messages.

    HTML is there twice, as it is written and as it is read, since either may be what somebody looks for.
    """
    return "\n".join(_texts(message, root))


def part_text(message: bytes, part: Part) -> str:
    """The decoded text of one text part."""
    return _leaf_text(message, part, part.size)


def full_text(message: bytes, root: Part) -> str:
    """The whole decoded header, then :func:`body_text`."""
    return f"{header_text(message[root.header_start : root.header_end])}\n{body_text(message, root)}"


def preview(message: bytes, root: Part, limit: int = 200) -> str:
    """The beginning of what a person reads, at most ``limit`` characters on one line: plain text before HTML."""
    texts = [part for part in _leaves(root) if part.type == b"text" and not _is_attachment(part)]
    for subtypes in ((b"plain",), (b"html", b"xhtml"), None):
        for part in texts:
            if subtypes is None or part.subtype in subtypes:
                text = _leaf_text(message, part, _PREVIEW_OCTETS)
                line = " ".join((text_of(text) if part.subtype == b"html" else text).split())
                if line:
                    return line[:limit].rstrip()
    return ""


def sent_date(header: bytes) -> date | None:
    """The day in the Date field as it is written there, time and zone disregarded; None where there is none."""
    for _, raw in pick(header, _DATE_FIELD):
        return sent_day(raw)
    return None


def sent_day(raw: bytes) -> date | None:
    """The day in the raw value of a Date field; see :func:`sent_date`."""
    value = unfold(raw)[:200]
    if match := _DAY_FIRST.search(value):
        day, month, year = int(match[1]), _MONTHS.index(match[2][:3].lower().decode()) + 1, int(match[3])
    elif match := _MONTH_FIRST.search(value):
        day, month, year = int(match[2]), _MONTHS.index(match[1][:3].lower().decode()) + 1, int(match[3])
    elif match := _YEAR_FIRST.search(value):
        year, month, day = int(match[1]), int(match[2]), int(match[3])
    else:
        return None
    if year < 1000:
        # RFC 5322 section 4.3: two digits up to 49 are of this century, three digits count from 1900.
        year += 2000 if year < 50 else 1900
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _leaves(part: Part) -> Iterator[Part]:
    """The leaf parts of a tree in order, those of encapsulated messages left out."""
    if part.is_multipart:
        for child in part.children:
            yield from _leaves(child)
    elif not part.children:
        yield part


def _texts(message: bytes, part: Part) -> Iterator[str]:
    """The pieces of :func:`body_text`."""
    if part.is_message:
        child = part.children[0]
        yield header_text(message[child.header_start : child.header_end])
    for child in part.children:
        yield from _texts(message, child)
    if part.type == b"text":
        text = _leaf_text(message, part, part.size)
        yield text
        if part.subtype == b"html":
            yield text_of(text)


def _leaf_text(message: bytes, part: Part, limit: int) -> str:
    """The text of a leaf, of at most ``limit`` encoded octets; as it is where its encoding is unknown."""
    octets = message[part.body_start : min(part.body_end, part.body_start + limit)]
    decoded = decode_transfer(octets, part.encoding)
    return decode(octets if decoded is None else decoded, parameter(part.params, b"charset"), cut=limit < part.size)


def _is_attachment(part: Part) -> bool:
    return part.disposition is not None and part.disposition[:10].lower() == b"attachment"
