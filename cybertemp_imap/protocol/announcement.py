"""Announcements of literals at the ends of lines: ``{n}``, ``{n+}`` (RFC 7888), ``~{n}`` (RFC 3516)."""

from __future__ import annotations

import re
from typing import NamedTuple

LARGEST_SIZE = 10**20
"""What any larger number counts as; far beyond what is possible."""

TAIL_OCTETS = 48
"""How much of the end of a line is enough to see an announcement."""

_ANNOUNCED = re.compile(rb"\{([0-9]++)(\+?)\}")
_BALANCED = re.compile(rb'(?:[^"]++|"(?:[^"\\]++|\\.)*+")*+', re.DOTALL)
# A brace that lies before the tail leaves the size unknown.
_TAIL = re.compile(rb"(\{|\A)([0-9]++)\+\}\r?\Z")


class Announcement(NamedTuple):
    """Where in its line an announcement begins, how many octets it announces, and whether they come unasked."""

    start: int
    size: int
    non_sync: bool


def announcement(line: bytes) -> Announcement | None:
    """Find the announcement at the end of a line; inside quotes, or where they do not balance, there is none."""
    if not line.endswith(b"}"):
        return None
    brace = line.rfind(b"{")
    match = _ANNOUNCED.fullmatch(line, brace) if brace >= 0 else None
    if match is None or (b'"' in line and _BALANCED.fullmatch(line) is None):
        return None
    start = brace - 1 if line[:brace].endswith(b"~") else brace
    return Announcement(start, _size(match.group(1)), match.group(2) == b"+")


def announced_unasked(tail: bytes) -> int | None:
    """How many octets come unasked after a line that is thrown away, of which only the tail is known."""
    match = _TAIL.search(tail)
    if match is None:
        return None
    return _size(match.group(2)) if match.group(1) else LARGEST_SIZE


def _size(digits: bytes) -> int:
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= 20 else LARGEST_SIZE
