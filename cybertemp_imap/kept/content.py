"""Reading the messages of one mailbox, of which those read before are kept.

What a UID stands for never changes, so what is kept is right for ever. Whether it may still be shown is another matter.
The store says that whenever it is read, since it gives nothing but what is the user's at that moment. Without asking
it, something is given only while the mailbox is known to be as the store has it (``current``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence

from cybertemp_imap.kept.places import Places
from cybertemp_imap.kept.ring import Ring
from cybertemp_imap.store.interface import Store
from cybertemp_imap.store.values import MailboxRef

LINES_SHARE = 8
"""This fraction of what is kept is lines, the rest whole messages, which must not drive lines out."""

FORMS = 8
"""How many forms of lines are kept of a mailbox: each client has a few of its own."""

RUN = 1 << 18
"""Octets that are read at once where messages lie one behind the other."""

SPARE = 2
"""Blocks of places, beyond twice as many as had messages in them, with which it is not looked which are of no use."""

Found = tuple[int, int] | None
"""Where a message is in a ring, and its length; None where it is not kept."""


class Keep:
    """What a process keeps of all mailboxes together."""

    def __init__(self, size: int) -> None:
        """Take the size in octets."""
        self.lines = Ring(size // LINES_SHARE)
        self.texts = Ring(size - size // LINES_SHARE)

    def close(self) -> None:
        """Keep nothing any more of what there is."""
        self.lines.close()
        self.texts.close()


class Kept:
    """What is kept in one ring of the messages of one mailbox."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._places = Places()
        self._swept = ring.end
        self._few = SPARE

    def find(self, uids: Sequence[int]) -> list[bytes | None]:
        """Return what is kept of messages; None where nothing is."""
        found = [self._places.find(uid) for uid in uids]
        octets: list[bytes | None] = []
        at = 0
        while at < len(found):
            stop = _run(found, at)
            octets += self._read(found[at:stop])
            at = stop
        return octets

    def lengths(self, uids: Iterable[int]) -> list[int | None]:
        """Return how long that is; None where nothing is kept."""
        begin = self._ring.begin
        found = [self._places.find(uid) for uid in uids]
        return [None if each is None or each[0] < begin else each[1] for each in found]

    def note(self, uids: Sequence[int], pieces: Sequence[bytes]) -> None:
        """Keep something of messages, as far as there is room for it."""
        place = self._ring.put(pieces)
        if place is None:
            return
        for uid, piece in zip(uids, pieces, strict=True):
            self._places.note(uid, place, len(piece))
            place += len(piece)
        if self._ring.end - self._swept > self._ring.size:
            self._swept = self._ring.end
            self._places.forget_before(self._ring.begin)

    def tidy(self, uids: Sequence[int]) -> None:
        """Forget where messages are that are gone, when that may be most of what is known; ``uids``: those there are.

        The ring forgets them by itself, but only once it has been written all through, which may take for ever.
        """
        # No more blocks hold a message than there are messages, however many did at the last look.
        if len(self._places) > min(self._few, 2 * len(uids) + SPARE):
            self._places.forget_others(uids)
            self._few = 2 * len(self._places) + SPARE

    def _read(self, run: Sequence[Found]) -> list[bytes | None]:
        """Read what lies one behind the other, or is nowhere; the first of a run may have been written over."""
        begin = self._ring.begin
        there = [found for found in run if found is not None and found[0] >= begin]
        octets = self._ring.get(there[0][0], sum(length for _, length in there)) if there else None
        if octets is None:
            return [None] * len(run)
        pieces: list[bytes | None] = [None] * (len(run) - len(there))
        at = 0
        for _, length in there:
            pieces.append(octets[at : at + length])
            at += length
        return pieces


def _run(found: Sequence[Found], at: int) -> int:
    """Return how far messages lie one behind the other, or are not kept, from one of them on."""
    first = found[at]
    stop = at + 1
    if first is None:
        while stop < len(found) and found[stop] is None:
            stop += 1
        return stop
    begin, length = first
    end = begin + length
    while stop < len(found) and (each := found[stop]) is not None and each[0] == end and end - begin < RUN:
        end += each[1]
        stop += 1
    return stop


class Content:
    """What is read of the messages of one mailbox; like the store, it leaves out what is not there."""

    def __init__(
        self, store: Store, ref: MailboxRef, keep: Keep | None, current: Callable[[], Callable[[], bool] | None]
    ) -> None:
        """``current`` refers to what tells whether all that the process knows of the mailbox is what the store has."""
        self._store = store
        self._ref = ref
        self._keep = keep
        self._refers = current
        self._texts = None if keep is None else Kept(keep.texts)
        self._lines: OrderedDict[Hashable, Kept] = OrderedDict()

    def _is_current(self) -> bool:
        current = self._refers()
        return current is not None and current()

    async def sources(self, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Return (UID, whole message); see :meth:`Store.sources`."""
        texts = self._texts
        if texts is None:
            return await self._store.sources(self._ref, uids)
        found = texts.find(uids) if self._is_current() else [None] * len(uids)
        missing = [uid for uid, octets in zip(uids, found, strict=True) if octets is None]
        if not missing:
            return [(uid, octets) for uid, octets in zip(uids, found, strict=True) if octets is not None]
        read = dict(await self._store.sources(self._ref, missing))
        texts.note(list(read), list(read.values()))
        whole = ((uid, read.get(uid) if octets is None else octets) for uid, octets in zip(uids, found, strict=True))
        return [(uid, octets) for uid, octets in whole if octets is not None]

    async def weights(self, uids: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Return (UID, about how many octets); see :meth:`Store.weights`."""
        if self._texts is not None and self._is_current():
            lengths = self._texts.lengths(uids)
            if None not in lengths:
                return [(uid, length) for uid, length in zip(uids, lengths, strict=True) if length is not None]
        return await self._store.weights(self._ref, uids)

    def lines(self, form: Hashable, uids: Sequence[int]) -> list[bytes | None]:
        """Return the lines of a form that are kept of messages, and may be sent without asking the store."""
        kept = self._lines.get(form)
        if kept is None or not self._is_current():
            return [None] * len(uids)
        self._lines.move_to_end(form)
        return kept.find(uids)

    def keep_lines(self, form: Hashable, uids: Sequence[int], lines: Sequence[bytes]) -> None:
        """Keep lines that depend on nothing but the message and the form."""
        if self._keep is None or not uids:
            return
        kept = self._lines.get(form)
        if kept is None:
            kept = self._lines[form] = Kept(self._keep.lines)
            if len(self._lines) > FORMS:
                self._lines.popitem(last=False)
        kept.note(uids, lines)

    def tidy(self, uids: Sequence[int]) -> None:
        """Forget messages that are gone, now and then; ``uids`` are those there are, ascending."""
        for kept in self._lines.values():
            kept.tidy(uids)
        if self._texts is not None:
            self._texts.tidy(uids)
