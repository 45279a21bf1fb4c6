"""Which messages are ``\\Recent`` in one session: ranges of UIDs, since they are those that came last."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence


class Recent:
    """Ranges of UIDs, ascending; UIDs in them of messages that are not there do not matter."""

    __slots__ = ("_ranges",)

    def __init__(self) -> None:
        self._ranges: list[tuple[int, int]] = []

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __contains__(self, uid: object) -> bool:
        assert isinstance(uid, int)
        at = bisect_right(self._ranges, (uid, uid))
        if at < len(self._ranges) and self._ranges[at][0] == uid:
            return True
        return at > 0 and uid <= self._ranges[at - 1][1]

    def add(self, first: int, last: int) -> None:
        """Add the UIDs from one to another."""
        if last < first:
            return
        touching = [span for span in self._ranges if span[0] <= last + 1 and span[1] >= first - 1]
        others = [span for span in self._ranges if span not in touching]
        self._ranges = sorted([*others, (min([first, *dict(touching)]), max([last, *dict(touching).values()]))])

    def clear(self) -> None:
        """Have none."""
        self._ranges.clear()

    def count(self, uids: Sequence[int]) -> int:
        """Return how many of some ascending UIDs are among them."""
        return sum(bisect_right(uids, last) - bisect_left(uids, first) for first, last in self._ranges)
