"""What a client that was away is told of a mailbox: VANISHED (EARLIER) and changed messages (RFC 7162 section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.protocol.command import Attribute, QresyncParameter
from cybertemp_imap.protocol.commands import fetch_flags
from cybertemp_imap.protocol.responses import vanished
from cybertemp_imap.protocol.sequence import LARGEST, SequenceSet, gaps, intersect, positions, runs

if TYPE_CHECKING:
    from cybertemp_imap.mailbox import Mailbox
    from cybertemp_imap.protocol.server import ImapServer

CHUNK = 5_000
"""Messages looked through before the reactor may have a turn."""

Ranges = Sequence[tuple[int, int]]
"""Ascending ranges of UIDs, both ends included."""


async def vanished_since(
    mailbox: Mailbox, since: int, known: Ranges, match: tuple[SequenceSet, SequenceSet] | None = None
) -> Ranges:
    """Return those of the ``known`` UIDs that were expunged after a mod-sequence.

    What the session still has a number for is not among them: of that it is told by and by. Where the store does not
    remember that far, they are all that are not there (RFC 7162 section 3.2.5.2), above the last message of which
    ``match``, the client's numbers and UIDs, shows that none before it is missing.
    """
    view = mailbox.view
    if since >= view.told_mod_seq:
        return []
    gone = await mailbox.shared.store.expunged_since(mailbox.shared.ref, since)
    if gone is not None:
        return intersect(runs(uid for uid in gone if view.seq_of(uid) is None), known)
    first = 1 if match is None else _last_match(view.uids, *match) + 1
    return intersect(gaps(view.uids, mailbox.shared.head.uid_next - 1), intersect(known, [(first, LARGEST)]))


def _last_match(uids: Sequence[int], numbers: SequenceSet, known: SequenceSet) -> int:
    """Return the highest UID that has the sequence number the client knows, or 0.

    As many messages are before it as there were, and no UID comes in between later: none of them was expunged.
    """
    found = 0
    for number, uid in zip(_each(numbers, len(uids)), _each(known, LARGEST), strict=False):
        if uids[number - 1] == uid:
            found = max(found, uid)
    return found


def _each(numbers: SequenceSet, largest: int) -> Iterator[int]:
    """Yield the numbers of a set without ``*`` as they stand there, up to the first that is too large."""
    for first, last in numbers.ranges:
        for number in range(first, last + 1):
            if number > largest:
                return
            yield number


def is_pairwise(match: tuple[SequenceSet, SequenceSet]) -> bool:
    """Tell whether both sets ascend and have as many numbers (RFC 7162 section 3.2.5.2)."""
    counts = []
    for numbers in match:
        ends = [end for bounds in numbers.ranges for end in bounds]
        starts = [first for first, _ in numbers.ranges[1:]]
        if ends != sorted(ends) or any(start in ends[: 2 * n + 2] for n, start in enumerate(starts)):
            return False
        counts.append(sum(last - first + 1 for first, last in numbers.ranges))
    return counts[0] == counts[1]


async def changed_since(session: ImapServer, spans: Sequence[range], since: int) -> list[range]:
    """Return, of positions in the view, those whose messages are there and were changed after a mod-sequence."""
    view = session.mailbox.view
    found: list[range] = []
    for span in spans:
        for start in range(span.start, span.stop, CHUNK):
            changed = view.changed_since(range(start, min(start + CHUNK, span.stop)), since)
            found.extend(range(first, last + 1) for first, last in runs(changed))
            await session.outlet.ready()
    return found


def known_uids(parameter: QresyncParameter) -> Ranges:
    """Return the UIDs that a client says it knows; all, where it does not say."""
    return [(1, LARGEST)] if parameter.known_uids is None else parameter.known_uids.resolve(LARGEST)


async def send(session: ImapServer, parameter: QresyncParameter, gone: Ranges) -> None:
    """Tell what is gone, then the flags of what has changed (RFC 7162 section 3.2.5.1)."""
    session.outlet.write(vanished(gone, earlier=True))
    spans = positions(session.mailbox.view.uids, known_uids(parameter))
    changed = await changed_since(session, spans, parameter.mod_seq)
    await fetch_flags.send(session, changed, (Attribute.UID, Attribute.FLAGS, Attribute.MODSEQ))
