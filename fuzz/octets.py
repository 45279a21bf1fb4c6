"""Choices and octets, drawn from an input of the fuzzer."""

from __future__ import annotations

LONGEST = 1 << 14
"""Octets that a piece is repeated up to: what is quadratic shows, and what is not stays quick."""


class Octets:
    """An input that is used up from its front; what is not there any more counts as zeros."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def number(self, below: int) -> int:
        """Draw a number from 0 up to ``below``, which is at most 256."""
        octet = self._data[self._at] if self._at < len(self._data) else 0
        self._at += 1
        return octet % below

    def choose(self, below: int) -> int:
        """Draw as :meth:`number`, of any range; made for :class:`test.printing.Printer`."""
        return (self.number(256) * 256 + self.number(256)) % below if below > 256 else self.number(below)

    def rest(self) -> bytes:
        """Take all that is left."""
        rest = self._data[self._at :]
        self._at = len(self._data)
        return rest

    def pumped(self) -> bytes:
        """Take all that is left, a piece of it perhaps repeated very often: the cost has to stay linear."""
        times = self.number(64)
        start, length = self.choose(4096), self.number(64) + 1
        data = self.rest()
        if not 0 < times < 16 or not data:
            return data
        start %= len(data)
        piece = data[start : start + length]
        return data[:start] + piece * min(1 << times, LONGEST // len(piece)) + data[start + len(piece) :]
