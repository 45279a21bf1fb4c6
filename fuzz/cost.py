"""What an input may cost: a time that is linear in its size."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import TypeVar

T = TypeVar("T")

BASE = 0.25
PER_OCTET = 100e-6
"""Seconds of processor time, several times what the costliest of octets take while coverage is counted.

For 16 KiB that makes 2 s; what is quadratic takes longer.
"""

_TRIALS = 3


class TooSlow(AssertionError):
    """Something took more time than its input is worth."""


def bounded(work: Callable[[], T], octets: int) -> T:
    """Do what can be done again, and return its result; raises :class:`TooSlow` when it is slow each time."""
    used = []
    for _ in range(_TRIALS):
        begun = thread_time()
        result = work()
        used.append(thread_time() - begun)
        if used[-1] <= BASE + octets * PER_OCTET:
            return result
    raise TooSlow(f"{min(used):.3f} s for {octets} octets")
