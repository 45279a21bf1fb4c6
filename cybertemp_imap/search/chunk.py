"""A run of messages of a session's view, with what is known of them without asking the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.messages import FlagSet
from cybertemp_imap.search.bits import bits_of, span_of

CHUNK = 5_000
"""Messages that are searched together: as many as can be looked through in about a slice of the reactor's time."""


class Chunk:
    """Messages at the positions from ``start`` on; sets of them count from there.

    ``present`` are those that are still in the mailbox. Nothing here changes after it is made.
    """

    __slots__ = ("_by_flags", "_mod_seqs", "_recent", "everyone", "present", "size", "start", "uids")

    def __init__(self, mailbox: Mailbox, uids: Sequence[int], start: int) -> None:
        self.start = start
        self.uids = uids[start : start + CHUNK]
        self.size = len(self.uids)
        self.everyone = span_of(0, self.size)
        self._recent = mailbox.view.recent
        found = _found(mailbox, uids, self.uids, start)
        by_flags: dict[FlagSet, list[int]] = {}
        self._mod_seqs: list[tuple[int, int]] = []
        for position, flags, mod_seq in found:
            by_flags.setdefault(flags, []).append(position)
            self._mod_seqs.append((position, mod_seq))
        # Most messages share their flags with many others, so a flag is looked up a few times only.
        self._by_flags = [(flags.folded, bits_of(positions, self.size)) for flags, positions in by_flags.items()]
        self.present = bits_of((position for position, _, _ in found), self.size)

    def flagged(self, flag: str) -> int:
        """Return which messages have a flag; ``flag`` is in lower case."""
        return sum(bits for folded, bits in self._by_flags if flag in folded)

    def recent(self) -> int:
        """Return which messages are ``\\Recent`` in this session."""
        return self.among(self._recent)

    def among(self, uids: Set[int]) -> int:
        """Return which messages have one of some UIDs."""
        return bits_of((position for position, uid in enumerate(self.uids) if uid in uids), self.size)

    def changed_from(self, mod_seq: int) -> int:
        """Return which messages have at least a mod-sequence."""
        return bits_of((position for position, known in self._mod_seqs if known >= mod_seq), self.size)

    def span(self, positions: range) -> int:
        """Return which messages are at some positions of the view."""
        start, stop = max(positions.start - self.start, 0), min(positions.stop - self.start, self.size)
        return span_of(start, stop) if start < stop else 0


def chunks(mailbox: Mailbox, uids: Sequence[int]) -> Iterator[Chunk]:
    """Divide the messages of a view, whose UIDs are given; each chunk is of the moment when it is taken."""
    for start in range(0, len(uids), CHUNK):
        yield Chunk(mailbox, uids, start)


def _found(mailbox: Mailbox, uids: Sequence[int], chunk: Sequence[int], start: int) -> list[tuple[int, FlagSet, int]]:
    """Return (position in the chunk, flags, mod-sequence) of the messages of a chunk that are there."""
    messages = mailbox.shared.messages
    if uids is messages.uids:
        stop = start + len(chunk)
        return list(zip(range(len(chunk)), messages.flags[start:stop], messages.mod_seqs[start:stop], strict=True))
    places = ((position, messages.find(uid)) for position, uid in enumerate(chunk))
    return [(position, messages.flags[at], messages.mod_seqs[at]) for position, at in places if at is not None]
