"""A run of messages of a session's view, with what is known of them without asking the store."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property

from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.messages import FlagSet
from cybertemp_imap.search.bits import bits_of, bits_of_digits, span_of

CHUNK = 5_000
"""Messages that are searched together: as many as can be looked through in about a slice of the reactor's time."""

_CODES = 256
"""Different flag lists in a chunk up to which each message's is an octet."""


class Chunk:
    """Messages at the positions from ``start`` on; sets of them count from there.

    ``present`` are those that are still in the mailbox. Nothing here changes after it is made.
    """

    def __init__(self, mailbox: Mailbox, uids: Sequence[int], start: int) -> None:
        self.start = start
        self.uids = uids[start : start + CHUNK]
        self.size = len(self.uids)
        self.everyone = span_of(0, self.size)
        self._recent = mailbox.view.recent
        messages = mailbox.shared.messages
        self._flags: Sequence[FlagSet]
        self._mod_seqs: Sequence[int]
        if uids is messages.uids:
            self._there: Sequence[int] = range(self.size)
            self._flags = messages.flags[start : start + self.size]
            self._mod_seqs = messages.mod_seqs[start : start + self.size]
            self.present = self.everyone
        else:
            found = [(position, messages.find(uid)) for position, uid in enumerate(self.uids)]
            at = [each for _, each in found if each is not None]
            self._there = [position for position, each in found if each is not None]
            self._flags = [messages.flags[each] for each in at]
            self._mod_seqs = [messages.mod_seqs[each] for each in at]
            self.present = bits_of(self._there, self.size)

    # -- what sessions know -------------------------------------------------------------------------------------------

    def flagged(self, flag: str) -> int:
        """Return which messages have a flag; ``flag`` is in lower case."""
        kinds, codes = self._kinds
        having = [flag in kind.folded for kind in kinds]
        if len(self._there) < self.size or len(kinds) > _CODES:
            return bits_of((at for at, code in zip(self._there, codes, strict=True) if having[code]), self.size)
        table = b"".join(b"1" if each else b"0" for each in having).ljust(_CODES, b"0")
        return bits_of_digits(bytes(codes).translate(table))

    @cached_property
    def _kinds(self) -> tuple[list[FlagSet], Sequence[int]]:
        """The different flag lists, and for each message that is there the number of its own.

        Most messages share their flags with many others, so a flag is looked up a few times only.
        """
        numbers: dict[FlagSet, int] = {kind: number for number, kind in enumerate(dict.fromkeys(self._flags))}
        return list(numbers), list(map(numbers.__getitem__, self._flags))

    def recent(self) -> int:
        """Return which messages are ``\\Recent`` in this session."""
        return self.among(self._recent)

    def changed_from(self, mod_seq: int) -> int:
        """Return which messages have at least a mod-sequence."""
        known = zip(self._there, self._mod_seqs, strict=True)
        return bits_of((position for position, each in known if each >= mod_seq), self.size)

    # -- messages by their UIDs and positions -------------------------------------------------------------------------

    def among(self, uids: Container[int]) -> int:
        """Return which messages have one of some UIDs."""
        return bits_of((position for position, uid in enumerate(self.uids) if uid in uids), self.size)

    def having(self, uids: Iterable[int]) -> int:
        """Return which messages have the UIDs given, some of which may be of none."""
        first, last = self.uids[0], self.uids[-1]
        if last - first + 1 == self.size:
            return bits_of((uid - first for uid in uids if first <= uid <= last), self.size)
        places = self._places
        return bits_of((places[uid] for uid in uids if uid in places), self.size)

    @cached_property
    def _places(self) -> dict[int, int]:
        return {uid: place for place, uid in enumerate(self.uids)}

    def between(self, low: int, high: int) -> int:
        """Return which messages have UIDs from one to another."""
        start, stop = bisect_left(self.uids, low), bisect_right(self.uids, high)
        return span_of(start, stop) if start < stop else 0

    def any_between(self, low: int, high: int, bits: int) -> bool:
        """Tell whether some of those ``bits`` are of messages that have UIDs from one to another."""
        return bool(bits & self.between(low, high))

    def span(self, positions: range) -> int:
        """Return which messages are at some positions of the view."""
        start, stop = max(positions.start - self.start, 0), min(positions.stop - self.start, self.size)
        return span_of(start, stop) if start < stop else 0


def chunks(mailbox: Mailbox, uids: Sequence[int]) -> Iterator[Chunk]:
    """Divide the messages of a view, whose UIDs are given; each chunk is of the moment when it is taken."""
    for start in range(0, len(uids), CHUNK):
        yield Chunk(mailbox, uids, start)
