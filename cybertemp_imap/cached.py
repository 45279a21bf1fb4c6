"""A value that is read now and then and kept in between: domains, bans kept elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from cybertemp_imap.errors import StoreUnavailable

T = TypeVar("T")

FIRST_RETRY = 1.0
"""Seconds after which a value that could not be read is tried again; each time twice as long, up to its age."""


class Cached(Generic[T]):
    """The value that ``load`` returned last, never more than one load at a time.

    Once there is a value, :meth:`get` never waits: one older than ``max_age`` is returned as it is and read anew in the
    background, so that who asks next has the new one. A load that fails leaves the old value, and is not tried again
    at once. Only where there has never been a value does a caller wait, and hears of the failure.
    """

    _log = Logger()

    def __init__(self, load: Callable[[], Awaitable[T]], max_age: float, clock: Any) -> None:
        """Take what loads, how many seconds a value is good for, and an ``IReactorTime``."""
        self._load = load
        self._max_age = max_age
        self._clock = clock
        self._value: list[T] = []
        self._due = 0.0
        self._read_at: float | None = None
        self._pause = FIRST_RETRY
        self._loading = False
        self._waiting: list[Deferred[None]] = []

    @property
    def age(self) -> float | None:
        """Seconds since the value was read; None when there has never been one."""
        return None if self._read_at is None else float(self._clock.seconds() - self._read_at)

    async def get(self) -> T:
        """Return the value; raises :class:`StoreUnavailable` when there has never been one and it cannot be read."""
        if not self._value:
            waiter: Deferred[None] = Deferred(self._forget)
            self._waiting.append(waiter)
            self._begin()
            await waiter
        elif self._clock.seconds() >= self._due:
            self._begin()
        return self._value[0]

    async def renew(self) -> None:
        """Have a value that there is read anew in the background.

        Done more often than values are good for, this keeps who asks seldom from a value that is older than that.
        """
        if self._value:
            self._begin()

    def _forget(self, waiter: Deferred[None]) -> None:
        """One who was waiting has been cancelled; the others go on."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def _begin(self) -> None:
        if not self._loading:
            self._loading = True
            Deferred.fromCoroutine(self._read())

    async def _read(self) -> None:
        failure: StoreUnavailable | None = None
        try:
            self._value = [await self._load()]
            self._read_at = self._clock.seconds()
            self._due, self._pause = self._read_at + self._max_age, FIRST_RETRY
        except Exception as error:
            # Whatever it is, who holds the old value goes on with it, and who has none must not wait for ever.
            if not isinstance(error, StoreUnavailable):
                self._log.failure("Reading a value to keep failed")
            failure = StoreUnavailable("The value cannot be read.")
            self._due = self._clock.seconds() + min(self._pause, self._max_age)
            self._pause = min(self._pause * 2, self._max_age)
        self._loading = False
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None) if failure is None else waiter.errback(failure)
