"""Carrying out a search: first what the view knows, then ever costlier readings about ever fewer messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.pace import Pace
from cybertemp_imap.protocol.search_key import SearchKey
from cybertemp_imap.search.bits import bits_of, positions_of
from cybertemp_imap.search.chunk import Chunk, chunks
from cybertemp_imap.search.leaf import RecordLeaf, Scope, ViewLeaf
from cybertemp_imap.search.program import Answers, Node, program_of
from cybertemp_imap.search.reading import Reader, Reading
from cybertemp_imap.search.recall import FIELDS, Noting, Values, recall
from cybertemp_imap.search.tier import Tier
from cybertemp_imap.shared import SharedMailbox

BIG = 1 << 17
"""Octets above which a message is looked through in a thread: about what takes a slice of the reactor's time."""


async def search(mailbox: Mailbox, key: SearchKey, *, saved: Iterable[int] = (), reactor: Any = None) -> list[int]:
    """Return the positions in ``mailbox.view.uids`` of the messages that match, ascending, counted from 0.

    ``saved`` are the UIDs that ``$`` stands for (RFC 5182). Messages that others have expunged match nothing, even
    where this session still has numbers for them. Raises :class:`~cybertemp_imap.errors.StoreUnavailable`.
    """
    if reactor is None:
        from twisted.internet import reactor
    uids = mailbox.view.uids
    if not uids:
        return []
    program = program_of(key, Scope(uids, frozenset(saved), datetime.now(UTC)))
    looking = _Search(mailbox, program, reactor)
    found: list[int] = []
    for chunk in chunks(mailbox, uids):
        found += positions_of(await looking.through(chunk), chunk.start)
    return found if not (looking.recalled and found) or await _still_held(mailbox.shared) else []


async def _still_held(shared: SharedMailbox) -> bool:
    """Tell whether a mailbox is still its user's: what is read tells that by itself, what was known does not."""
    return shared.is_current() or await shared.store.holds(shared.ref)


@dataclass(slots=True)
class _Question:
    """A leaf, the messages it is asked about, and the positions of those found to match."""

    index: int
    asked: int
    matches: Callable[[Any], bool]
    found: list[int] = field(default_factory=list)


class _Search:
    """One search, chunk by chunk."""

    def __init__(self, mailbox: Mailbox, program: list[Node], reactor: Any) -> None:
        self._program = program
        self._reactor = reactor
        self._pace = Pace(reactor)
        leaves = [node.leaf for node in program if isinstance(node.leaf, RecordLeaf)]
        self._tiers = sorted({leaf.tier for leaf in leaves})
        self._fields = {leaf.field for leaf in leaves if leaf.field is not None}
        self._reader = Reader(mailbox.shared, {*FIELDS, *self._fields})
        self._notes = mailbox.shared.notes
        self._notes.begin(len(mailbox.shared.messages))
        self.recalled = False
        """Whether anything that is found was known, and not read."""

    async def through(self, chunk: Chunk) -> int:
        """Return which messages of a chunk match."""
        answers = Answers(self._program, chunk.everyone, chunk.present)
        for index, node in enumerate(self._program):
            if isinstance(node.leaf, ViewLeaf):
                answers.answer(index, chunk.everyone, node.leaf.bits(chunk))
                await self._pace.breathe()
        await answers.settle(self._pace)
        for tier in self._tiers:
            if not answers.open:
                break
            await self._ask(tier, chunk, answers)
            await answers.settle(self._pace)
        return answers.found

    async def _ask(self, tier: Tier, chunk: Chunk, answers: Answers) -> None:
        """Answer the leaves of a tier, as far as it matters: from what is known, then from what is read."""
        for index, asked, leaf in list(self._open_leaves(tier, answers)):
            if leaf.recall is not None:
                known, found = await recall(leaf.recall, self._notes, chunk, asked, self._pace)
                answers.answer(index, asked & known, found)
                self.recalled = self.recalled or bool(asked & known)
        await answers.settle(self._pace)
        questions = [_Question(index, asked, leaf.matches) for index, asked, leaf in self._open_leaves(tier, answers)]
        if questions:
            await self._read(tier, chunk, answers, questions)

    def _open_leaves(self, tier: Tier, answers: Answers) -> Iterator[tuple[int, int, RecordLeaf]]:
        """Yield the leaves of a tier whose answer matters: index, and the messages that it must be asked about."""
        asked = answers.open_questions()
        for index, node in enumerate(self._program):
            if asked[index] and isinstance(node.leaf, RecordLeaf) and node.leaf.tier is tier:
                yield index, asked[index], node.leaf

    async def _read(self, tier: Tier, chunk: Chunk, answers: Answers, questions: Sequence[_Question]) -> None:
        """Read the messages that questions are about, ask them, and take note of what was read."""
        concerned = reduce(or_, (question.asked for question in questions), 0)
        places = {chunk.uids[place]: place for place in positions_of(concerned)}
        gone = set(places.values())
        noting = Noting(self._notes, tier, self._fields, chunk)
        pages = await self._reader.pages(tier, list(places))
        coming = [Deferred.fromCoroutine(self._reader.read(tier, page)) for page in pages[:1]]
        for number in range(len(pages)):
            readings = await coming.pop()
            # The next page is read while this one is looked through.
            coming += [Deferred.fromCoroutine(self._reader.read(tier, page)) for page in pages[number + 1 : number + 2]]
            for reading in readings:
                place = places[reading.uid]
                gone.discard(place)
                asking = [question for question in questions if question.asked >> place & 1]
                if reading.octets > BIG:
                    pool = self._reactor.getThreadPool()
                    looked = deferToThreadPool(self._reactor, pool, _look, reading, place, asking, noting)
                    matching, values = await looked
                else:
                    matching, values = _look(reading, place, asking, noting)
                noting.keep(reading.uid, values)
                for question in matching:
                    question.found.append(place)
                if self._pace.spent:
                    await self._pace.breathe()
            self._notes.learnt()
        for question in questions:
            answers.answer(question.index, question.asked, bits_of(question.found, chunk.size))
        answers.present &= ~bits_of(gone, chunk.size)


def _look(reading: Reading, place: int, asking: Sequence[_Question], noting: Noting) -> tuple[list[_Question], Values]:
    """Ask about one message, whose place in the chunk is given; return what it matches, and what is to be noted."""
    record = reading.record
    return [question for question in asking if question.matches(record)], noting.values(place, record)
