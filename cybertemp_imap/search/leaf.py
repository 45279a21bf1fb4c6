"""Search keys that hold no others, each with what it needs to know of a message and the question it asks.

A key that asks the view is answered for thousands of messages at once, as a set; every other key is asked of one
record at a time.
"""

from __future__ import annotations

import operator
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import singledispatch
from typing import Any
from uuid import UUID

from cybertemp_imap.protocol.object_id import email_id
from cybertemp_imap.protocol.search_key import (
    DateField,
    DateOrder,
    KeyAge,
    KeyAll,
    KeyBody,
    KeyDate,
    KeyEmailId,
    KeyFlag,
    KeyHeader,
    KeyLarger,
    KeyModSeq,
    KeyRecent,
    KeySaveDateSupported,
    KeySequence,
    KeySmaller,
    KeyText,
    KeyThreadId,
    KeyUid,
)
from cybertemp_imap.protocol.sequence import positions
from cybertemp_imap.search.chunk import Chunk
from cybertemp_imap.search.folding import needle_of
from cybertemp_imap.search.recall import (
    DATE,
    DAY,
    INTERNAL,
    SAVED,
    SENT,
    SIZE,
    OfField,
    OfNumber,
    OfText,
    Recall,
    midnight,
    moment,
)
from cybertemp_imap.search.records import Dates, HeaderText, MessageText
from cybertemp_imap.search.tier import Tier
from cybertemp_imap.store.values import Metadata

_ORDERS: dict[DateOrder, Callable[[date, date], bool]] = {
    DateOrder.BEFORE: operator.lt,
    DateOrder.ON: operator.eq,
    DateOrder.SINCE: operator.ge,
}

_FIELD_NAME = re.compile(rb"[^\x00-\x20:\x7f]+")


@dataclass(frozen=True, slots=True)
class Scope:
    """What keys refer to: the UIDs of the view, the saved result ``$``, and the time of the search (aware)."""

    uids: Sequence[int]
    saved: frozenset[int]
    now: datetime


@dataclass(frozen=True, slots=True)
class ViewLeaf:
    """A key about what a session knows anyway."""

    bits: Callable[[Chunk], int]


@dataclass(frozen=True, slots=True)
class RecordLeaf:
    """A key about what the store is asked for.

    ``recall`` is the same question to what is known already; ``field`` the header field it is about, in lower case.
    """

    tier: Tier
    matches: Callable[[Any], bool]
    recall: Recall | None = None
    field: bytes | None = None


Leaf = ViewLeaf | RecordLeaf

EVERYONE = ViewLeaf(lambda chunk: chunk.everyone)
NOBODY = ViewLeaf(lambda chunk: 0)


@singledispatch
def leaf_of(key: Any, scope: Scope) -> Leaf:
    """Return what a key asks."""
    raise TypeError(f"not a search key: {type(key).__name__}")


# -- the view ---------------------------------------------------------------------------------------------------------


@leaf_of.register(KeyAll)
@leaf_of.register(KeySaveDateSupported)
def _all(key: KeyAll | KeySaveDateSupported, scope: Scope) -> Leaf:
    return EVERYONE


@leaf_of.register
def _thread_id(key: KeyThreadId, scope: Scope) -> Leaf:
    """Messages have no THREADID here, so that of a client is another server's (RFC 8474 section 5.2)."""
    return NOBODY


@leaf_of.register
def _sequence(key: KeySequence, scope: Scope) -> Leaf:
    """Numbers beyond the last message match nothing, as for a UID that is not there."""
    if key.messages.saved:
        return _among(scope.saved)
    count = len(scope.uids)
    return _at([range(first - 1, min(last, count)) for first, last in key.messages.resolve(count) if first <= count])


@leaf_of.register
def _uid(key: KeyUid, scope: Scope) -> Leaf:
    if key.uids.saved:
        return _among(scope.saved)
    return _at(positions(scope.uids, key.uids.resolve(scope.uids[-1])))


@leaf_of.register
def _flag(key: KeyFlag, scope: Scope) -> Leaf:
    flag = key.flag.lower()
    return ViewLeaf(lambda chunk: chunk.flagged(flag))


@leaf_of.register
def _recent(key: KeyRecent, scope: Scope) -> Leaf:
    return ViewLeaf(Chunk.recent)


@leaf_of.register
def _mod_seq(key: KeyModSeq, scope: Scope) -> Leaf:
    return ViewLeaf(lambda chunk: chunk.changed_from(key.mod_seq))


def _among(uids: frozenset[int]) -> Leaf:
    return ViewLeaf(lambda chunk: chunk.among(uids))


def _at(spans: Sequence[range]) -> Leaf:
    """Ask for positions of the view in ascending ranges that do not overlap."""
    starts = [span.start for span in spans]

    def bits(chunk: Chunk) -> int:
        first = max(bisect_right(starts, chunk.start) - 1, 0)
        last = bisect_left(starts, chunk.start + chunk.size)
        return sum(chunk.span(span) for span in spans[first:last])

    return ViewLeaf(bits)


# -- dates and sizes --------------------------------------------------------------------------------------------------


@leaf_of.register
def _date(key: KeyDate, scope: Scope) -> Leaf:
    compare, day = _ORDERS[key.order], key.day
    if key.field is DateField.SENT:

        def sent(header: HeaderText) -> bool:
            return header.sent_day is not None and compare(header.sent_day, day)

        return RecordLeaf(Tier.HEADER, sent, OfNumber(SENT, _within(key.order, day.toordinal(), 1, least=1)), DATE)
    saved = key.field is DateField.SAVED

    def dated(dates: Dates) -> bool:
        return compare(dates.saved_day if saved else dates.internal_day, day)

    return RecordLeaf(
        Tier.DATES, dated, OfNumber(SAVED if saved else INTERNAL, _within(key.order, midnight(day), DAY, least=None))
    )


def _within(order: DateOrder, start: int, length: int, least: int | None) -> Callable[[int], bool]:
    """Return what tells whether a number is before, in or after the beginning of a day; none is below ``least``."""
    if order is DateOrder.SINCE:
        return start.__le__
    if order is DateOrder.ON:
        return lambda number: start <= number < start + length
    return start.__gt__ if least is None else (lambda number: least <= number < start)


@leaf_of.register
def _age(key: KeyAge, scope: Scope) -> Leaf:
    """A message of exactly that age is both older and younger (RFC 5032 section 2)."""
    limit = scope.now - timedelta(seconds=key.seconds)
    known = moment(limit)

    def older(dates: Dates) -> bool:
        return dates.internal <= limit

    def younger(dates: Dates) -> bool:
        return dates.internal >= limit

    if key.older:
        return RecordLeaf(Tier.DATES, older, OfNumber(INTERNAL, known.__ge__))
    return RecordLeaf(Tier.DATES, younger, OfNumber(INTERNAL, known.__le__))


@leaf_of.register
def _larger(key: KeyLarger, scope: Scope) -> Leaf:
    def larger(metadata: Metadata) -> bool:
        return metadata.size > key.octets

    return RecordLeaf(Tier.METADATA, larger, OfNumber(SIZE, key.octets.__lt__))


@leaf_of.register
def _smaller(key: KeySmaller, scope: Scope) -> Leaf:
    def smaller(metadata: Metadata) -> bool:
        return metadata.size < key.octets

    return RecordLeaf(Tier.METADATA, smaller, OfNumber(SIZE, key.octets.__gt__))


@leaf_of.register
def _email_id(key: KeyEmailId, scope: Scope) -> Leaf:
    """Letters count as they are (RFC 8474 section 5)."""

    def same(identity: UUID) -> bool:
        return email_id(identity) == key.email_id

    return RecordLeaf(Tier.IDENTITY, same)


# -- texts ------------------------------------------------------------------------------------------------------------


@leaf_of.register
def _header(key: KeyHeader, scope: Scope) -> Leaf:
    """An empty value is in every field there is (RFC 9051 section 6.4.4, HEADER)."""
    name, needle = key.field.lower(), needle_of(key.value)
    if needle is None or _FIELD_NAME.fullmatch(name) is None:
        return NOBODY

    def holds(header: HeaderText) -> bool:
        return any(needle in text for text in header.texts(name))

    return RecordLeaf(Tier.HEADER, holds, OfField(name, needle.encode()), name)


@leaf_of.register
def _body(key: KeyBody, scope: Scope) -> Leaf:
    def holds(needle: str, message: MessageText) -> bool:
        return needle in message.body

    return _text_leaf(key.value, holds, body_only=True)


@leaf_of.register
def _text(key: KeyText, scope: Scope) -> Leaf:
    def holds(needle: str, message: MessageText) -> bool:
        return needle in message.full

    return _text_leaf(key.value, holds, body_only=False)


def _text_leaf(octets: bytes, holds: Callable[[str, MessageText], bool], body_only: bool) -> Leaf:
    """The empty string is in every text; octets that are not UTF-8 are in none."""
    needle = needle_of(octets)
    if needle is None:
        return NOBODY
    if not needle:
        return EVERYONE
    return RecordLeaf(Tier.SOURCE, lambda message: holds(needle, message), OfText(needle.encode(), body_only))
