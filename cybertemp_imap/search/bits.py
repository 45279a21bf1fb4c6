"""Sets of positions as whole numbers: bit *n* stands for position *n*; one operation serves thousands of messages."""

from __future__ import annotations

from collections.abc import Iterable


def bits_of(positions: Iterable[int], size: int) -> int:
    """Return the set of some positions, all below ``size``."""
    octets = bytearray((size + 7) >> 3)
    for position in positions:
        octets[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(octets, "little")


def span_of(start: int, stop: int) -> int:
    """Return the set of the positions from ``start`` to below ``stop``."""
    return ((1 << (stop - start)) - 1) << start


def positions_of(bits: int) -> list[int]:
    """Return the positions in a set, ascending."""
    return [position for position, digit in enumerate(bin(bits)[:1:-1]) if digit == "1"]
