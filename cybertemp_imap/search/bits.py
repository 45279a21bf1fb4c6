"""Sets of positions as whole numbers: bit *n* stands for position *n*; one operation serves thousands of messages."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress, count

_TRUTH = bytes.maketrans(b"0", b"\0")


def bits_of(positions: Iterable[int], size: int) -> int:
    """Return the set of some positions, all below ``size``."""
    octets = bytearray((size + 7) >> 3)
    for position in positions:
        octets[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(octets, "little")


def bits_of_digits(digits: bytes) -> int:
    """Return the set of the positions at which there is the digit 1, and not 0."""
    return int(digits[::-1], 2) if digits else 0


def span_of(start: int, stop: int) -> int:
    """Return the set of the positions from ``start`` to below ``stop``."""
    return ((1 << (stop - start)) - 1) << start


def positions_of(bits: int, start: int = 0) -> list[int]:
    """Return the positions in a set, ascending; bit 0 stands for ``start``."""
    return list(compress(count(start), bin(bits)[:1:-1].encode().translate(_TRUTH)))
