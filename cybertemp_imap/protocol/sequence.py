"""Sequence sets (RFC 9051 section 9, ``sequence-set``)."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STAR = 0
"""Stands for ``*``, the largest number in use; no sequence number or UID is 0."""

LARGEST = 0xFFFF_FFFF
"""The largest sequence number or UID (RFC 9051 section 9, ``nz-number``)."""

_ZERO = ord("0")
_NUMBER = rb"(?:[1-9][0-9]{0,9}+|\*)"
_RANGE = _NUMBER + rb"(?::" + _NUMBER + rb")?+"
_SET = re.compile(_RANGE + rb"(?:," + _RANGE + rb")*+")


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """Ranges of sequence numbers or UIDs, as sent: ``(first, last)`` with :data:`STAR` for ``*``.

    ``saved`` stands for ``$``, the saved result of SEARCH (RFC 5182); ``ranges`` is empty then.
    """

    ranges: tuple[tuple[int, int], ...]
    saved: bool = False

    @classmethod
    def parse(cls, raw: bytes) -> SequenceSet:
        """Read ``1:3,7,9:*`` or ``$``; raises ValueError on anything else."""
        if raw == b"$":
            return cls((), True)
        if raw.isdigit() and len(raw) < 10 and raw[0] != _ZERO:
            return cls(((int(raw), int(raw)),))
        if _SET.fullmatch(raw) is None:
            raise ValueError("malformed sequence set")
        ranges = tuple(_bounds(part) for part in raw.split(b","))
        if any(first > LARGEST or last > LARGEST for first, last in ranges):
            raise ValueError("number out of range in a sequence set")
        return cls(ranges)

    def to_wire(self) -> bytes:
        """Print the set as a client would send it."""
        if self.saved:
            return b"$"
        return b",".join(
            _number(first) if first == last else _number(first) + b":" + _number(last) for first, last in self.ranges
        )

    @property
    def has_star(self) -> bool:
        """Whether ``*`` occurs, which some places forbid (RFC 7162 section 3.2.5.1)."""
        return any(STAR in (first, last) for first, last in self.ranges)

    def resolve(self, largest: int) -> list[tuple[int, int]]:
        """Give ascending ranges that neither overlap nor touch, with ``*`` as ``largest``; none when that is 0.

        ``n:*`` holds the last message even where n is larger, since the ends of a range may come in either order
        (RFC 9051 section 6.4.9). Numbers above ``largest`` stay: they are harmless UIDs but bad sequence numbers.
        """
        if largest == 0:
            return []
        ends = [(first or largest, last or largest) for first, last in self.ranges]
        return _merge(sorted((first, last) if first <= last else (last, first) for first, last in ends))

    def contains(self, number: int, largest: int) -> bool:
        """Whether ``number`` is in the set; :meth:`resolve` serves better for many numbers."""
        if largest == 0:
            return False
        ends = ((first or largest, last or largest) for first, last in self.ranges)
        return any(first <= number <= last or last <= number <= first for first, last in ends)


def compact(numbers: Iterable[int]) -> bytes:
    """Print ascending numbers as a sequence set of ranges: ``1:3,7``; nothing gives ``b""``."""
    return compact_ranges(runs(numbers))


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return ascending numbers as ranges that do not touch."""
    found: list[tuple[int, int]] = []
    first = last = None
    for number in numbers:
        if last is not None and first is not None:
            if number <= last + 1:
                last = max(last, number)
                continue
            found.append((first, last))
        first = last = number
    if first is not None and last is not None:
        found.append((first, last))
    return found


def gaps(numbers: Sequence[int], largest: int) -> list[tuple[int, int]]:
    """Return the ranges of what is not among ascending numbers, from 1 up to ``largest``."""
    found: list[tuple[int, int]] = []
    expected = 1
    for number in numbers:
        if number > expected:
            found.append((expected, number - 1))
        expected = number + 1
    if expected <= largest:
        found.append((expected, largest))
    return found


def intersect(left: Sequence[tuple[int, int]], right: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the ranges that are in both of two lists of ascending ranges."""
    found: list[tuple[int, int]] = []
    at = 0
    for first, last in left:
        while at < len(right) and right[at][1] < first:
            at += 1
        other = at
        while other < len(right) and right[other][0] <= last:
            found.append((max(first, right[other][0]), min(last, right[other][1])))
            other += 1
    return found


def compact_ranges(ranges: Iterable[tuple[int, int]]) -> bytes:
    """Print resolved ranges as a sequence set."""
    return b",".join(_span(first, last) for first, last in ranges)


def positions(uids: Sequence[int], ranges: Iterable[tuple[int, int]]) -> list[range]:
    """Give the index ranges of ascending ``uids`` that fall in ``ranges``, as resolved; empty ones are left out."""
    found: list[range] = []
    start, size = 0, len(uids)
    for first, last in ranges:
        start = bisect_left(uids, first, start, size)
        if start == size:
            break
        stop = bisect_right(uids, last, start, size)
        if stop > start:
            found.append(range(start, stop))
        start = stop
    return found


def _bounds(part: bytes) -> tuple[int, int]:
    first, colon, last = part.partition(b":")
    low = STAR if first == b"*" else int(first)
    if not colon:
        return low, low
    return low, STAR if last == b"*" else int(last)


def _number(number: int) -> bytes:
    return b"*" if number == STAR else b"%d" % number


def _span(first: int, last: int) -> bytes:
    return b"%d" % first if first == last else b"%d:%d" % (first, last)


def _merge(ordered: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in ordered:
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return merged
