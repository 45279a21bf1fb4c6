"""The messages of one mailbox as a process knows them: UIDs, flags and mod-sequences in parallel arrays.

The arrays are replaced, never changed in place, so that many sessions can hold on to what they were told at no cost.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

from cybertemp_imap.store.values import MessageState

T = TypeVar("T")

FLAG_SETS = 1 << 16
"""Different flag lists kept ready for printing."""


KEYWORDS = 500
"""Keywords named in FLAGS; any others there are can still be used."""


class FlagSet:
    """A list of flags with what is asked of it most; equal lists are mostly one object (:func:`flag_set`)."""

    __slots__ = ("deleted", "folded", "keywords", "names", "seen", "wire")

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.wire = " ".join(names).encode("ascii", "replace")
        self.folded = frozenset(name.lower() for name in names)
        self.keywords = tuple(name for name in names if not name.startswith("\\"))
        self.seen = "\\seen" in self.folded
        self.deleted = "\\deleted" in self.folded

    def __repr__(self) -> str:
        return f"FlagSet({self.names!r})"


@lru_cache(maxsize=FLAG_SETS)
def flag_set(names: tuple[str, ...]) -> FlagSet:
    """Return the flag set of flags as stored."""
    return FlagSet(names)


class States:
    """States of messages by ascending UID, at twenty octets each, so that those of a million can be read."""

    __slots__ = ("flags", "mod_seqs", "uids")

    def __init__(self) -> None:
        self.uids = array("I")
        self.flags: list[FlagSet] = []
        self.mod_seqs = array("Q")

    def __len__(self) -> int:
        return len(self.uids)

    def __iter__(self) -> Iterator[MessageState]:
        for uid, flags, mod_seq in zip(self.uids, self.flags, self.mod_seqs, strict=True):
            yield MessageState(uid, flags.names, mod_seq)

    def extend(self, states: Sequence[MessageState]) -> None:
        """Add some at the end."""
        if states:
            uids, flags, mod_seqs = zip(*states, strict=True)
            self.uids.extend(uids)
            self.flags.extend(map(flag_set, flags))
            self.mod_seqs.extend(mod_seqs)

    def end_before(self, uid: int) -> None:
        """Leave out those from a UID on."""
        end = bisect_left(self.uids, uid)
        del self.uids[end:], self.flags[end:], self.mod_seqs[end:]


class Kinds(NamedTuple):
    """Different flag lists, and for each message of some the number of its own: octets where there are so few."""

    lists: Sequence[FlagSet]
    codes: bytes | Sequence[int]

    @classmethod
    def of(cls, flags: Iterable[FlagSet]) -> Kinds:
        """Tell them apart. Most messages share their flags with many others."""
        flags = list(flags)
        numbers = {kind: number for number, kind in enumerate(dict.fromkeys(flags))}
        codes = list(map(numbers.__getitem__, flags))
        return cls(list(numbers), bytes(codes) if len(numbers) <= 256 else codes)


class Messages:
    """What is in a mailbox, by ascending UID. The three sequences are of equal length and never change in place.

    ``mod_seq``: every change up to it is taken in, perhaps some that came after it as well. ``keywords``: those in use,
    at most KEYWORDS of them and perhaps some that no message has any more, by their lower-case names;
    ``keywords_found`` rises with each that comes.
    """

    __slots__ = (
        "_keywords_of",
        "_kinds",
        "_kinds_of",
        "_unseen",
        "_unseen_of",
        "flags",
        "keywords",
        "keywords_found",
        "mod_seq",
        "mod_seqs",
        "uids",
    )

    def __init__(self) -> None:
        self.uids: Sequence[int] = array("I")
        self.flags: Sequence[FlagSet] = []
        # What was found out of these lists holds for as long as they are those of the mailbox.
        self._keywords_of: Sequence[FlagSet] | None = None
        self._unseen_of: Sequence[FlagSet] | None = None
        self._unseen: int | None = None
        self.mod_seqs: Sequence[int] = array("Q")
        self.mod_seq = 0
        self.keywords: dict[str, str] = {}
        self.keywords_found = 0
        self._kinds: dict[int, Kinds] = {}
        self._kinds_of: Sequence[FlagSet] = self.flags

    def __len__(self) -> int:
        return len(self.uids)

    def kinds(self, start: int, stop: int) -> Kinds:
        """Return the different flag lists of the messages at some positions; worked out once."""
        if self._kinds_of is not self.flags:
            self._kinds, self._kinds_of = {}, self.flags
        known = self._kinds.get(start)
        if known is None or len(known.codes) != stop - start:
            known = self._kinds[start] = Kinds.of(self.flags[start:stop])
        return known

    def find(self, uid: int) -> int | None:
        """Return the position of a UID, or None."""
        position = bisect_left(self.uids, uid)
        return position if position < len(self.uids) and self.uids[position] == uid else None

    def flags_of(self, uid: int) -> FlagSet | None:
        """Return the flags of a message, or None when it is not there."""
        position = self.find(uid)
        return None if position is None else self.flags[position]

    def take_all(self, states: States) -> None:
        """Take in all messages at once, where none is known yet; the states are not to be changed any more."""
        self.uids, self.flags, self.mod_seqs = states.uids, states.flags, states.mod_seqs
        for flags in set(states.flags):
            self._note_keywords(flags.keywords)

    def take_in(self, states: Iterable[MessageState]) -> tuple[list[int], bool]:
        """Take in messages, by ascending UID; return the UIDs of those whose flags changed, and whether any came.

        A state older than the one known is passed over: answers of the store may overtake each other.
        """
        uids, flags, mod_seqs = array("I", self.uids), list(self.flags), array("Q", self.mod_seqs)
        known = len(uids)
        changed: list[int] = []
        position = 0
        for state in states:
            new = None
            position = bisect_left(uids, state.uid, position)
            if position < len(uids) and uids[position] == state.uid:
                if state.mod_seq > mod_seqs[position]:
                    mod_seqs[position] = state.mod_seq
                    flags[position] = new = flag_set(state.flags)
                    changed.append(state.uid)
            else:
                uids.insert(position, state.uid)
                flags.insert(position, new := flag_set(state.flags))
                mod_seqs.insert(position, state.mod_seq)
            if new is not None and new.keywords:
                self._note_keywords(new.keywords)
        if changed or len(uids) > known:
            self.flags, self.mod_seqs = flags, mod_seqs
        if len(uids) > known:
            self.uids = uids
        return changed, len(uids) > known

    def _note_keywords(self, keywords: Iterable[str]) -> None:
        for name in keywords:
            if name.lower() not in self.keywords and len(self.keywords) < KEYWORDS:
                self.keywords[name.lower()] = name
                self.keywords_found += 1

    def forget_keywords(self) -> None:
        """Forget the keywords that no message has any more."""
        if self._keywords_of is self.flags:
            return
        self._keywords_of = self.flags
        used = {name.lower() for flags in set(self.flags) for name in flags.keywords}
        self.keywords = {folded: name for folded, name in self.keywords.items() if folded in used}
        for flags in set(self.flags):
            self._note_keywords(flags.keywords)

    @property
    def first_unseen(self) -> int | None:
        """The position of the first message without ``\\Seen``."""
        if self._unseen_of is not self.flags:
            self._unseen_of = self.flags
            self._unseen = next((position for position, flags in enumerate(self.flags) if not flags.seen), None)
        return self._unseen

    def remove(self, gone: Iterable[int]) -> list[int]:
        """Take messages out; return the UIDs of those that were there, ascending."""
        positions = sorted({p for uid in gone if (p := self.find(uid)) is not None})
        removed = [self.uids[p] for p in positions]
        if positions:
            self.uids = array("I", without(self.uids, positions))
            self.flags = without(self.flags, positions)
            self.mod_seqs = array("Q", without(self.mod_seqs, positions))
        return removed


def without(items: Sequence[T], positions: Sequence[int]) -> list[T]:
    """Return a copy without the items at ascending positions."""
    kept: list[T] = []
    start = 0
    for position in positions:
        kept.extend(items[start:position])
        start = position + 1
    kept.extend(items[start:])
    return kept
