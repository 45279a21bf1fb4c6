"""How far a replica must have come for what is read there to be no older than what sessions were told.

For each mailbox that is read from, this is the primary's position in its log at some moment after the last that was
learnt of the mailbox: its messages when they were taken in, or a hint that something has happened to it. What is not
known is asked for before the next reading, so a hint itself costs nothing.

A hint can be lost on its way without a word. So there is also a position for all mailboxes, some seconds old, before
which nothing is read: see :data:`SAMPLE_INTERVAL`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.pool import Pool
from cybertemp_imap.store.values import MailboxHead, MailboxRef

Position = int
"""A place in PostgreSQL's log, as a number of octets."""

KEPT = 10_000
"""Mailboxes whose position is remembered."""

SAMPLE_INTERVAL = 5.0
"""Seconds between two positions that are asked for by the clock. The last but one is what a replica must have passed,
so whatever is read there is at most twice as old."""


@dataclass(slots=True)
class _Seen:
    ref: MailboxRef
    uid_next: int | None
    position: Position | None = None


class Positions:
    """What is known of the primary's log; ``pool`` leads to the primary."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._seen: OrderedDict[int, _Seen] = OrderedDict()
        self._samples: tuple[Position | None, Position | None] = (None, None)
        self._asking: list[Deferred[Position]] = []
        self._busy = False

    def forget(self, mailboxes: Collection[int] | None = None) -> None:
        """Something may have happened to these mailboxes, or to any: what was known of them counts no longer."""
        if mailboxes is None:
            self._seen.clear()
        for number in mailboxes or ():
            self._seen.pop(number, None)

    def told(self, mailbox: MailboxRef, head: MailboxHead | None) -> None:
        """Sessions are going to be told this: with another UIDNEXT than before, there are other messages to be read.

        None: the mailbox is the user's no longer.
        """
        uid_next = None if head is None else head.uid_next
        seen = self._seen.get(mailbox.id)
        if seen is None or seen.ref != mailbox or seen.uid_next != uid_next or head is None:
            self._remember(_Seen(mailbox, uid_next))

    async def needed(self, mailbox: MailboxRef) -> Position | None:
        """Return what a replica must have passed for a mailbox, None where nobody knows; raises StoreUnavailable."""
        floor = self._samples[0]
        if floor is None:
            return None
        seen = self._seen.get(mailbox.id)
        if seen is None or seen.ref != mailbox:
            seen = _Seen(mailbox, None)
            self._remember(seen)
        if seen.position is None:
            # What happens from here on replaces what is remembered, and with it this answer.
            seen.position = await self.current()
        return max(floor, seen.position)

    async def sample(self) -> None:
        """Ask for the position of this moment; while that fails, nothing is read from a replica."""
        try:
            self._samples = (self._samples[1], await self.current())
        except StoreUnavailable:
            self._samples = (None, None)
            raise

    def _remember(self, seen: _Seen) -> None:
        self._seen[seen.ref.id] = seen
        self._seen.move_to_end(seen.ref.id)
        if len(self._seen) > KEPT:
            self._seen.popitem(last=False)

    async def current(self) -> Position:
        """Return the position of a moment after the call; one statement serves all who call before it is sent."""
        answer: Deferred[Position] = Deferred()
        self._asking.append(answer)
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._ask())
        return await answer

    async def _ask(self) -> None:
        while self._asking:
            asking, self._asking = self._asking, []
            try:
                ((printed,),) = await self._pool.query(sql.WRITTEN, repeatable=True)
            except Exception:
                failure = Failure()
                for answer in asking:
                    answer.errback(failure)
                continue
            for answer in asking:
                answer.callback(parsed(printed))
        self._busy = False


def parsed(printed: str) -> Position:
    """Return the number of a position as PostgreSQL prints it."""
    high, _, low = printed.partition("/")
    return int(high, 16) << 32 | int(low, 16)


def printed(position: Position) -> str:
    """Print a position as PostgreSQL does."""
    return f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"
