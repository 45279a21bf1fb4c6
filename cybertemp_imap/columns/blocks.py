"""Columns: one thing known of each of many messages, in blocks that are searched at the speed of the machine.

A column grows by what searches read anyway, and each entry is for good: what a UID stands for never changes (RFC 9051
section 2.3.1.1). So nothing in a column can become wrong, only of no use, when its message is gone.

Texts of a block stand one behind the other, each ended by an octet that is in no UTF-8. So one search for a substring
goes through all of them, and nothing that is found can be of two texts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from cybertemp_imap.pace import Pace

ROWS = 1_000
"""Messages in a block, at most."""

OCTETS = 1 << 18
"""Octets of a block of texts from which on it takes no more: far below a slice of the reactor's time to go through."""

LONGEST = 1 << 12
"""Octets of the values of a header field beyond which they are not kept: a stranger chooses how many there are."""

END = b"\xff"
"""Ends a text."""

_DIGITS = bytes.maketrans(b"\0\1", b"01")

_ENTRY = 12
"""Octets of an entry beside its text: the UID and where it begins."""


class Block:
    """Some messages of a column, in the order in which they came to be known.

    ``low`` and ``high`` are the least and the greatest of their UIDs, 0 where there are none; they are all those
    between where it is ``dense``.
    """

    __slots__ = ("dense", "high", "low", "uids")

    def __init__(self) -> None:
        self.uids = array("I")
        self.low = self.high = 0
        self.dense = True

    def add(self, uid: int) -> None:
        """Add a message."""
        if not self.low:
            self.low = self.high = uid
        elif uid == self.high + 1:
            self.high = uid
        else:
            self.dense = False
            self.low, self.high = min(self.low, uid), max(self.high, uid)
        self.uids.append(uid)


class NumberBlock(Block):
    """Messages and their numbers."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        super().__init__()
        self.values = array("q")


class StringBlock(Block):
    """Messages, their texts, and where each message's begin."""

    __slots__ = ("data", "starts")

    def __init__(self) -> None:
        super().__init__()
        self.starts = array("I")
        self.data = bytearray()


Concerns = Callable[[Block], bool]
"""Tells whether a search asks about any message of a block."""


class Seen(NamedTuple):
    """The messages that a block had when it was gone through: it may grow while others have their turn."""

    low: int
    high: int
    dense: bool
    uids: Sequence[int]

    @classmethod
    def of(cls, block: Block) -> Seen:
        """Return those it has now."""
        return cls(block.low, block.high, block.dense, block.uids[:])


@dataclass(slots=True)
class Outcome:
    """What was found in a column: the blocks that were gone through, and the UIDs of those in them that match.

    Where many match, as with numbers, ``digits`` says it instead: 1 or 0 for each message of each block.
    """

    blocks: list[Seen] = field(default_factory=list)
    found: list[int] = field(default_factory=list)
    digits: list[bytes] = field(default_factory=list)


class Numbers:
    """A column of whole numbers of 64 bits with a sign."""

    def __init__(self) -> None:
        self.blocks: list[NumberBlock] = []
        self.count = 0

    @property
    def octets(self) -> int:
        """How much memory it takes, about."""
        return self.count * _ENTRY

    def learn(self, uid: int, value: int) -> None:
        """Take note of a message's number."""
        if not self.blocks or len(self.blocks[-1].uids) >= ROWS:
            self.blocks.append(NumberBlock())
        block = self.blocks[-1]
        block.add(uid)
        block.values.append(value)
        self.count += 1

    async def find(self, holds: Callable[[int], bool], concerns: Concerns, pace: Pace) -> Outcome:
        """Find the messages whose number fulfils a condition."""
        outcome = Outcome()
        for block in tuple(self.blocks):
            if concerns(block):
                outcome.blocks.append(Seen.of(block))
                outcome.digits.append(bytes(map(holds, block.values)).translate(_DIGITS))
                await pace.breathe()
        return outcome


class Strings:
    """A column of short texts, any number of them for a message: the values of a header field."""

    def __init__(self) -> None:
        self.blocks: list[StringBlock] = []
        self.count = 0
        self._last = StringBlock()
        self._text = 0

    @property
    def octets(self) -> int:
        """How much memory it takes, about."""
        return self.count * _ENTRY + self._text

    def learn(self, uid: int, texts: Iterable[str]) -> None:
        """Take note of a message's texts, unless they are very long."""
        octets = b"".join([text.encode("utf-8", "surrogatepass") + END for text in texts])
        if len(octets) > LONGEST:
            return
        block = self._last
        before = len(block.data)
        if before >= OCTETS or len(block.uids) >= ROWS:
            block, before = StringBlock(), 0
        if not block.uids:
            self.blocks.append(block)
            self._last = block
        block.add(uid)
        block.starts.append(before)
        block.data += octets
        self._text += len(octets)
        self.count += 1

    async def find(self, needle: bytes, concerns: Concerns, pace: Pace) -> Outcome:
        """Find the messages in one of whose texts a needle is; the empty one is in every text."""
        outcome = Outcome()
        for block in tuple(self.blocks):
            if concerns(block):
                outcome.blocks.append(Seen.of(block))
                outcome.found.extend(map(block.uids.__getitem__, holding(block.data, needle or END, block.starts)))
                await pace.breathe()
        return outcome


def holding(
    data: bytes | bytearray, needle: bytes, starts: Sequence[int], end: int | None = None, skip: Sequence[int] = ()
) -> Collection[int]:
    """Return which of the texts in ``data`` hold a needle, which is not empty: their places in ``starts``, ascending.

    ``starts`` is where each text begins, ``end`` the end of the last; each is looked at from its place in ``skip`` on,
    where that is given.
    """
    found: list[int] = []
    end = len(data) if end is None else end
    last = len(starts) - 1
    place = 0
    at = data.find(needle, 0, end)
    while at >= 0:
        place = bisect_right(starts, at, place) - 1
        if skip and at < skip[place]:
            at = data.find(needle, skip[place], end)
            continue
        found.append(place)
        if place == last:
            break
        place += 1
        at = data.find(needle, starts[place], end)
    return found
