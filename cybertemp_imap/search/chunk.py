"""A run of messages of a session's view, with what is known of them without asking the store."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property

from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.messages import Kinds
from cybertemp_imap.search.bits import bits_of, bits_of_digits, span_of

CHUNK = 5_000
"""Messages that are searched together: as many as can be looked through in about a slice of the reactor's time."""

_CODES = 256
"""What an octet can number."""


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
        self._mod_seqs: Sequence[int]
        if uids is messages.uids:
            self._there: Sequence[int] = range(self.size)
            self._kinds = messages.kinds(start, start + self.size)
            self._mod_seqs = messages.mod_seqs[start : start + self.size]
            self.present = self.everyone
        else:
            found = [(position, messages.find(uid)) for position, uid in enumerate(self.uids)]
            at = [each for _, each in found if each is not None]
            self._there = [position for position, each in found if each is not None]
            self._kinds = Kinds.of(messages.flags[each] for each in at)
            self._mod_seqs = [messages.mod_seqs[each] for each in at]
            self.present = bits_of(self._there, self.size)

    # -- what sessions know -------------------------------------------------------------------------------------------

    def flagged(self, flag: str) -> int:
        """Return which messages have a flag; ``flag`` is in lower case."""
        having = [flag in kind.folded for kind in self._kinds.lists]
        codes = self._kinds.codes
        if isinstance(codes, bytes) and len(codes) == self.size:
            table = b"".join([b"1" if each else b"0" for each in having]).ljust(_CODES, b"0")
            return bits_of_digits(codes.translate(table))
        return bits_of((at for at, code in zip(self._there, codes, strict=True) if having[code]), self.size)

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

    @property
    def dense(self) -> bool:
        """Whether there is a message for each UID between the first and the last."""
        return self.uids[-1] - self.uids[0] + 1 == self.size

    def counted_from(self, uid: int, bits: int) -> int:
        """Return the messages of a set that counts UIDs from one on; only where the chunk is dense."""
        offset = uid - self.uids[0]
        return (bits << offset if offset >= 0 else bits >> -offset) & self.everyone

    def having(self, uids: Iterable[int]) -> int:
        """Return which messages have the UIDs given, some of which may be of none."""
        if self.dense:
            first, last = self.uids[0], self.uids[-1]
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
