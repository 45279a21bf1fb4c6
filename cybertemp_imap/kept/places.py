"""Where messages are in a ring: by UID, at twelve octets each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence

_BITS = 6
_MASK = (1 << _BITS) - 1
_NOWHERE = (1 << 64) - 1


class Places:
    """The place and the length of what is kept of messages, in blocks of neighbouring UIDs."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[int, tuple[array[int], array[int]]] = {}

    def __len__(self) -> int:
        """How many blocks there are, of most of a kilobyte each."""
        return len(self._blocks)

    def find(self, uid: int) -> tuple[int, int] | None:
        """Return the place and the length of a message, or None; it may have been written over since."""
        block = self._blocks.get(uid >> _BITS)
        if block is None:
            return None
        at = uid & _MASK
        place = block[0][at]
        return None if place == _NOWHERE else (place, block[1][at])

    def note(self, uid: int, place: int, length: int) -> None:
        """Take note of where a message is."""
        block = self._blocks.get(uid >> _BITS)
        if block is None:
            block = array("Q", [_NOWHERE]) * (_MASK + 1), array("I", [0]) * (_MASK + 1)
            self._blocks[uid >> _BITS] = block
        at = uid & _MASK
        block[0][at], block[1][at] = place, length

    def forget_before(self, begin: int) -> None:
        """Forget the blocks in which everything is before a place."""
        gone = [
            number
            for number, (places, _) in self._blocks.items()
            if all(place < begin or place == _NOWHERE for place in places)
        ]
        for number in gone:
            del self._blocks[number]

    def forget_others(self, uids: Sequence[int]) -> None:
        """Forget the blocks in which none of some messages is, which are given by ascending UID."""
        gone = []
        for number in self._blocks:
            at = bisect_left(uids, number << _BITS)
            if at == len(uids) or uids[at] >> _BITS != number:
                gone.append(number)
        for number in gone:
            del self._blocks[number]
