"""Answers from what earlier searches have learnt, and taking note of what this one does.

Every key about what the store is asked for has a question of one of three kinds here, which a column answers for
hundreds of messages at once. What is not known yet is read, asked about message by message, and noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cybertemp_imap.columns.blocks import Block, Seen
from cybertemp_imap.columns.shelf import Column, Notes
from cybertemp_imap.pace import Pace
from cybertemp_imap.search.bits import bits_of_digits
from cybertemp_imap.search.chunk import Chunk
from cybertemp_imap.search.tier import Tier

FIELDS = (b"subject", b"from")
"""Header fields that are noted whenever a header is read: clients ask about one after the other. Each that is asked
about later has the headers read once more; with all that might be, the first search would take half as long again."""

FEW_FIELDS = 8
"""Header fields asked about up to which they are noted; a search for more is not one that comes again."""

DATE = b"date"
"""The header field that the day comes from on which a message was sent."""

INTERNAL, SAVED, SENT, SIZE = "internal", "saved", "sent", "size"
"""Columns of numbers: moments in microseconds, days (0 for none), octets."""

_ONE = ord("1")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
DAY = 86_400_000_000
"""Microseconds."""


@dataclass(frozen=True, slots=True)
class OfNumber:
    """Does the number in a column fulfil a condition?"""

    column: str
    holds: Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class OfField:
    """Does one of the values of a header field, which is in lower case, hold a needle?"""

    field: bytes
    needle: bytes


@dataclass(frozen=True, slots=True)
class OfText:
    """Does the text of a message, or of its body alone, hold a needle, which is not empty?"""

    needle: bytes
    body_only: bool


Recall = OfNumber | OfField | OfText


def moment(when: datetime) -> int:
    """Return a moment, which is aware, as a column has it."""
    return (when - _EPOCH) // _MICROSECOND


def midnight(day: date) -> int:
    """Return the moment at which a day begins in UTC, as a column has it."""
    return (day.toordinal() - _EPOCH.toordinal()) * DAY


async def recall(question: Recall, notes: Notes, chunk: Chunk, asked: int, pace: Pace) -> tuple[int, int]:
    """Return of which messages of a chunk the answer is known, and which match: of those ``asked``, and of others."""

    def concerns(block: Block) -> bool:
        return chunk.any_between(block.low, block.high, asked)

    if isinstance(question, OfNumber):
        outcome = await notes.numbers_of(question.column).find(question.holds, concerns, pace)
    elif isinstance(question, OfField):
        if question.field not in notes.strings:
            return 0, 0
        outcome = await notes.strings_of(question.field).find(question.needle, concerns, pace)
    else:
        outcome = await notes.texts.find(question.needle, concerns, pace, question.body_only)
    found = chunk.having(outcome.found)
    for block, digits in zip(outcome.blocks, outcome.digits, strict=False):
        if block.dense and chunk.dense:
            found |= chunk.counted_from(block.low, bits_of_digits(digits))
        else:
            found |= chunk.having(uid for uid, digit in zip(block.uids, digits, strict=True) if digit == _ONE)
    return _of_blocks(outcome.blocks, chunk), found


def _of_blocks(blocks: Iterable[Block | Seen], chunk: Chunk) -> int:
    """Return which messages of a chunk some blocks hold."""
    bits = 0
    for block in blocks:
        bits |= chunk.between(block.low, block.high) if block.dense else chunk.having(block.uids)
    return bits


@dataclass(frozen=True, slots=True)
class _Take:
    """What a column takes of a record, and of which messages of the chunk it has it already."""

    known: int
    value: Callable[[Any], Any]
    learn: Callable[[int, Any], None]


Values = list[tuple[_Take, Any]]
"""What is to be noted of a message."""


class Noting:
    """Takes note of what is read, message by message: of what is not known yet of a chunk's messages."""

    def __init__(self, notes: Notes, tier: Tier, fields: Iterable[bytes], chunk: Chunk) -> None:
        """``fields`` are the header fields asked about, in lower case."""
        asked = set(fields)
        wanted = sorted({*FIELDS, *asked} if len(asked) <= FEW_FIELDS else FIELDS)
        self._takes = [
            _Take(_of_blocks(column.blocks, chunk), value, column.learn)
            for column, value in (_takes(notes, tier, wanted) if notes.open else ())
        ]

    def values(self, place: int, record: Any) -> Values:
        """Return what is to be noted of a message: a record of the tier, and the place in the chunk. Pure, if slow."""
        return [(take, take.value(record)) for take in self._takes if not take.known or not take.known >> place & 1]

    def keep(self, uid: int, values: Values) -> None:
        """Take note of it."""
        for take, value in values:
            take.learn(uid, value)


def _takes(notes: Notes, tier: Tier, fields: Iterable[bytes]) -> Iterator[tuple[Column, Callable[[Any], Any]]]:
    """Yield the columns that learn from records of a tier, and what each of them takes of one."""
    if tier is Tier.DATES:
        yield notes.numbers_of(INTERNAL), lambda dates: moment(dates.internal)
        yield notes.numbers_of(SAVED), lambda dates: moment(dates.saved)
    elif tier is Tier.METADATA:
        yield notes.numbers_of(SIZE), lambda metadata: metadata.size
    elif tier is Tier.HEADER:
        for field in fields:
            if field == DATE:
                yield notes.numbers_of(SENT), lambda header: header.sent_day.toordinal() if header.sent_day else 0
            yield notes.strings_of(field), lambda header, field=field: header.texts(field)  # type: ignore[misc]
    elif tier is Tier.SOURCE:
        yield notes.texts, lambda message: (message.header, message.body)
