"""What is done by the clock: looking for changes of which no notification came, and clearing away what was left."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.shared_mailboxes import SharedMailboxes

TIDY_INTERVAL = 3600.0
"""Seconds between two times of clearing away."""


Round = tuple[float, Callable[[], Coroutine[Any, Any, None]]]
"""Seconds between two times of doing something, and what."""


class TidyStore(Protocol):
    """What is needed of a store."""

    async def start(self) -> None:
        """Connect; returns when the store can be used."""

    async def stop(self) -> None:
        """Disconnect."""

    async def tidy(self) -> None:
        """Clear away what nobody needs; raises :class:`StoreUnavailable`."""


class Upkeep:
    """A store with what is done by the clock while it is in use; it is started and stopped in the store's place."""

    _log = Logger()

    def __init__(
        self,
        store: TidyStore,
        mailboxes: SharedMailboxes,
        poll_interval: float,
        reactor: Any,
        rounds: Sequence[Round] = (),
        *,
        tidies: bool = True,
    ) -> None:
        """
        Open mailboxes are looked at every ``poll_interval`` seconds; ``rounds`` are what else is to be done.

        :param tidies: whether it is this process that clears away.
        """
        self._store = store
        self._keep = mailboxes.keep
        tidying: list[Round] = [(TIDY_INTERVAL, store.tidy)] if tidies else []
        every = ((poll_interval, mailboxes.poll), *tidying, *rounds)
        self._rounds = [(interval, self._repeated(work, reactor)) for interval, work in every]

    async def start(self) -> None:
        """Start the store, then the clock."""
        await self._store.start()
        for interval, call in self._rounds:
            call.start(interval, now=False)

    async def stop(self) -> None:
        """Stop the clock, then the store."""
        for _, call in self._rounds:
            if call.running:
                call.stop()
        await self._store.stop()
        if self._keep is not None:
            self._keep.close()

    def _repeated(self, work: Callable[[], Coroutine[Any, Any, None]], reactor: Any) -> LoopingCall:
        """Return a call that is not repeated before it has ended, and is repeated whatever its end was."""

        async def once() -> None:
            try:
                await work()
            except StoreUnavailable:
                pass
            except Exception:
                self._log.failure("Upkeep failed")

        call = LoopingCall(lambda: Deferred.fromCoroutine(once()))
        call.clock = reactor
        return call


RETENTION_INTERVAL = 300.0
"""Seconds between two times of deleting old mail."""

RETENTION_BATCHES = 20
"""How many batches are deleted at a time, at most."""


class AgeingStore(Protocol):
    """What retention needs of a store."""

    async def purge(self, before: datetime, batches: int) -> int:
        """Delete mail that is older."""


class Retention:
    """Deletes mail when it is so many seconds old."""

    _log = Logger()

    def __init__(
        self, store: AgeingStore, seconds: float, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store = store
        self._age = timedelta(seconds=seconds)
        self._now = now

    async def purge(self) -> None:
        """Delete what is too old, or a part of it: the rest the next time."""
        deleted = await self._store.purge(self._now() - self._age, RETENTION_BATCHES)
        if deleted:
            self._log.info("Deleted {deleted} messages older than IMAP_RETENTION", deleted=deleted)
