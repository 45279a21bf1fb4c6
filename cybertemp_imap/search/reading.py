"""Reading from the store what a search asks about, in pages that keep the memory it takes flat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cybertemp_imap.search.records import Dates, FieldReader, HeaderText, MessageText
from cybertemp_imap.search.tier import Tier
from cybertemp_imap.shared import SharedMailbox

PAGES: dict[Tier, int] = {
    Tier.DATES: 1_000,
    Tier.IDENTITY: 1_000,
    Tier.METADATA: 500,
    Tier.HEADER: 500,
    Tier.SOURCE: 50,
}
"""Messages read at a time."""

WEIGHED = 1_000
"""Messages whose weight is asked for at a time."""

SOURCE_OCTETS = 1 << 21
"""Octets of whole messages read at a time, if they are more than one."""


class Reading(NamedTuple):
    """What was read of a message: ``octets`` is how much text there is to look through, ``record`` as its tier says."""

    uid: int
    octets: int
    record: Any


class Reader:
    """Reads for one search. ``fields`` are the header fields it asks about, in lower case."""

    def __init__(self, shared: SharedMailbox, fields: Iterable[bytes]) -> None:
        self._store = shared.store
        self._ref = shared.ref
        self._fields = FieldReader(fields)

    async def pages(self, tier: Tier, uids: Sequence[int]) -> list[Sequence[int]]:
        """Divide ascending UIDs into those to be read at a time; messages that are gone may be left out."""
        if tier is Tier.SOURCE:
            cut = _cut(uids, WEIGHED)
            return _bounded([each for page in cut for each in await self._store.weights(self._ref, page)])
        return _cut(uids, PAGES[tier])

    async def read(self, tier: Tier, page: Sequence[int]) -> list[Reading]:
        """Read a page; messages that are gone are left out."""
        store, ref = self._store, self._ref
        if tier is Tier.DATES:
            return [Reading(uid, 0, Dates(*dates)) for uid, *dates in await store.saved_dates(ref, page)]
        if tier is Tier.IDENTITY:
            return [Reading(uid, 0, identity) for uid, identity in await store.object_ids(ref, page)]
        if tier is Tier.METADATA:
            return [Reading(metadata.uid, 0, metadata) for metadata in await store.metadata(ref, page)]
        if tier is Tier.HEADER:
            headers = await store.headers(ref, page)
            return [Reading(uid, len(header), HeaderText(header, self._fields)) for uid, header in headers]
        return [Reading(uid, letter.weight, MessageText(letter)) for uid, letter in await store.letters(ref, page)]


def _cut(uids: Sequence[int], size: int) -> list[Sequence[int]]:
    return [uids[start : start + size] for start in range(0, len(uids), size)]


def _bounded(weights: Iterable[tuple[int, int]]) -> list[Sequence[int]]:
    """Make pages that are bounded in messages and in octets, each of one message at least."""
    pages: list[list[int]] = []
    total = 0
    for uid, octets in weights:
        if not pages or len(pages[-1]) == PAGES[Tier.SOURCE] or total + octets > SOURCE_OCTETS:
            pages.append([])
            total = 0
        pages[-1].append(uid)
        total += octets
    return list(pages)
