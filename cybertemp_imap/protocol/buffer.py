"""The octets that were fed and not yet read, with amortised linear cost however they come and go."""

from __future__ import annotations

from enum import Enum
from typing import Literal

_COMPACT = 65536
_CR = 13


class Cut(Enum):
    """What cutting a line may give besides the line."""

    TOO_LONG = "the line is longer than it may be"


class ReadBuffer:
    """A queue of octets: added at the end, taken from the front in lines or in counts."""

    __slots__ = ("_octets", "_scanned", "_start")

    def __init__(self) -> None:
        self._octets = bytearray()
        self._start = 0
        self._scanned = 0

    def __len__(self) -> int:
        return len(self._octets) - self._start

    def add(self, octets: bytes) -> None:
        """Add octets at the end."""
        self._octets += octets

    def head(self, count: int) -> bytes:
        """Show the first ``count`` octets."""
        return bytes(self._octets[self._start : self._start + count])

    def take(self, count: int) -> bytes:
        """Take ``count`` octets, or as many as there are."""
        octets = self.head(count)
        self._advance(len(octets))
        return octets

    def skip(self, count: int, kept: int = 0) -> bytes:
        """Throw away ``count`` octets, of which there must be so many, but for the last ``kept``."""
        stop = self._start + count
        tail = bytes(self._octets[max(self._start, stop - kept) : stop]) if kept else b""
        self._advance(count)
        return tail

    def line_length(self) -> int:
        """How many octets come before the next LF, or -1."""
        end = self._octets.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._octets)
            return -1
        return end - self._start

    def cut(self, room: int) -> bytes | Literal[Cut.TOO_LONG] | None:
        """Take a line without its CRLF or LF, if it is whole and has no more than ``room`` octets."""
        octets, start = self._octets, self._start
        end = octets.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(octets)
            # One octet more than there is room for may be the CR of the line end.
            return Cut.TOO_LONG if len(octets) - start >= room + 2 else None
        stop = end - 1 if end > start and octets[end - 1] == _CR else end
        if stop - start > room:
            self._scanned = start
            return Cut.TOO_LONG
        line = bytes(octets[start:stop])
        self._advance(end + 1 - start)
        return line

    def _advance(self, count: int) -> None:
        """Move past octets; what lies behind is freed when it is the greater part."""
        self._start += count
        if self._start == len(self._octets):
            self._octets.clear()
            self._start = 0
        elif self._start >= _COMPACT and self._start * 2 >= len(self._octets):
            del self._octets[: self._start]
            self._start = 0
        self._scanned = self._start
