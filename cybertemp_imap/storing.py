"""Changes of flags by the sessions of one mailbox: those that come while one is under way are made together.

A change is durable before it is answered, and PostgreSQL has transactions that notify commit one after the other. So
what is alike of that which waits becomes one statement and one commit. STORE with UNCHANGEDSINCE is never made together
with another, since of two that compare only one may succeed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cybertemp_imap.store.values import FlagChange

TOGETHER = 2_000
"""Messages changed by one statement, beyond those of the session whose command fills it."""

Change = Callable[[Sequence[int], str, Sequence[str], int | None], Awaitable[FlagChange]]
"""Changes flags in the store."""


@dataclass(eq=False)
class _Batch:
    """Changes that are alike, and who waits for them."""

    mode: str
    flags: tuple[str, ...]
    unchanged_since: int | None
    uids: set[int] = field(default_factory=set)
    waiting: list[Deferred[FlagChange]] = field(default_factory=list)

    def takes(self, mode: str, flags: tuple[str, ...], unchanged_since: int | None) -> bool:
        """Tell whether another change can be made with this one."""
        alike = self.mode == mode and self.flags == flags
        return alike and self.unchanged_since is unchanged_since is None and len(self.uids) < TOGETHER


class FlagStores:
    """What waits to be changed in one mailbox."""

    __slots__ = ("_batches", "_busy")

    def __init__(self) -> None:
        self._batches: list[_Batch] = []
        self._busy = False

    async def store(
        self, change: Change, uids: Sequence[int], mode: str, flags: Sequence[str], unchanged_since: int | None
    ) -> FlagChange:
        """Change flags by ``change``, and return what has become of these messages; raises what ``change`` does."""
        wanted = tuple(flags)
        batch = next((each for each in self._batches if each.takes(mode, wanted, unchanged_since)), None)
        if batch is None:
            batch = _Batch(mode, wanted, unchanged_since)
            self._batches.append(batch)
        batch.uids.update(uids)
        answer: Deferred[FlagChange] = Deferred()
        batch.waiting.append(answer)
        if not self._busy:
            Deferred.fromCoroutine(self._make(change))
        outcome = await answer
        own = set(uids)
        return FlagChange(
            outcome.head,
            [state for state in outcome.messages if state.uid in own],
            [uid for uid in outcome.modified if uid in own],
            outcome.taken,
        )

    async def _make(self, change: Change) -> None:
        """Make what waits, one after the other."""
        self._busy = True
        try:
            while self._batches:
                batch = self._batches.pop(0)
                try:
                    outcome = await change(sorted(batch.uids), batch.mode, batch.flags, batch.unchanged_since)
                except Exception:
                    for answer in batch.waiting:
                        answer.errback(Failure())
                else:
                    for answer in batch.waiting:
                        answer.callback(outcome)
        finally:
            self._busy = False
