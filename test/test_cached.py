"""Values that are read now and then and kept in between."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.cached import FIRST_RETRY, Cached
from cybertemp_imap.errors import StoreUnavailable

AGE = 60.0

T = TypeVar("T")


def started(work: Coroutine[Any, Any, T]) -> Deferred[T]:
    """Begin to get a value."""
    return Deferred.fromCoroutine(work)


class CachedTests(SynchronousTestCase):
    """``loads`` are those under way and past, in order; a test ends each of them."""

    def setUp(self) -> None:
        """Make a cache that has nothing yet."""
        self.clock = Clock()
        self.loads: list[Deferred[int]] = []
        self.cached: Cached[int] = Cached(self.load, AGE, self.clock)

    def load(self) -> Deferred[int]:
        """Begin to load."""
        self.loads.append(Deferred())
        return self.loads[-1]

    def get(self) -> int:
        """Get a value that must be there without waiting."""
        return int(self.successResultOf(started(self.cached.get())))

    def warm(self) -> None:
        """Have the value 1 read at this moment."""
        getting = started(self.cached.get())
        self.loads[-1].callback(1)
        self.assertEqual(self.successResultOf(getting), 1)

    def test_nothing_at_first(self) -> None:
        """Nothing is read before somebody asks."""
        self.assertEqual(self.loads, [])

    def test_one_load_for_many(self) -> None:
        """Whoever asks while the first value is read waits for it, and all get it."""
        waiting = [started(self.cached.get()) for _ in range(5)]
        self.assertEqual(len(self.loads), 1)
        for each in waiting:
            self.assertNoResult(each)
        self.loads[0].callback(1)
        self.assertEqual([self.successResultOf(each) for each in waiting], [1] * 5)

    def test_kept(self) -> None:
        """A value that is not too old is given without reading."""
        self.warm()
        self.clock.advance(AGE - 1)
        self.assertEqual((self.get(), len(self.loads)), (1, 1))

    def test_refreshed_in_the_background(self) -> None:
        """One that is too old is still given at once, to any number, and read once; then the new one is given."""
        self.warm()
        self.clock.advance(AGE)
        self.assertEqual([self.get(), self.get(), self.get()], [1, 1, 1])
        self.assertEqual(len(self.loads), 2)
        self.loads[1].callback(2)
        self.assertEqual((self.get(), len(self.loads)), (2, 2))

    def test_renewed(self) -> None:
        """Renewing reads a value that there is, however new, once at a time; nobody waits, and a failure keeps it."""
        self.successResultOf(started(self.cached.renew()))
        self.assertEqual(self.loads, [])
        self.warm()
        for _ in range(3):
            self.successResultOf(started(self.cached.renew()))
        self.assertEqual((self.get(), len(self.loads)), (1, 2))
        self.loads[1].callback(2)
        self.assertEqual(self.get(), 2)
        self.successResultOf(started(self.cached.renew()))
        self.loads[2].errback(StoreUnavailable())
        self.assertEqual((self.get(), len(self.loads)), (2, 3))

    def test_a_failure_keeps_the_old_value(self) -> None:
        """When reading fails the old value stays, and it is tried again after a while, not at every call."""
        self.warm()
        self.clock.advance(AGE)
        for number in range(2, 5):
            self.get()
            self.assertEqual(len(self.loads), number)
            self.loads[-1].errback(StoreUnavailable())
            self.assertEqual((self.get(), len(self.loads)), (1, number))
            self.clock.advance(FIRST_RETRY * 2 ** (number - 2))
        self.get()
        self.loads[-1].callback(2)
        self.assertEqual(self.get(), 2)

    def test_never_a_value(self) -> None:
        """Without any value the failure is told to all who wait; who asks later has it tried again."""
        waiting = [started(self.cached.get()) for _ in range(3)]
        self.loads[0].errback(StoreUnavailable())
        for each in waiting:
            self.failureResultOf(each, StoreUnavailable)
        self.warm()
        self.assertEqual(len(self.loads), 2)

    def test_unforeseen(self) -> None:
        """An unforeseen failure is in the log, and to the caller the value is unavailable."""
        getting = started(self.cached.get())
        self.loads[0].errback(ZeroDivisionError())
        self.failureResultOf(getting, StoreUnavailable)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_cancelled(self) -> None:
        """One caller that goes away takes nothing from the others, nor the load."""
        first, second = started(self.cached.get()), started(self.cached.get())
        first.cancel()
        self.failureResultOf(first)
        self.loads[0].callback(1)
        self.assertEqual(self.successResultOf(second), 1)

    def test_empty_values_count(self) -> None:
        """A value that is false is one."""
        getting = started(self.cached.get())
        self.loads[0].callback(0)
        self.assertEqual(self.successResultOf(getting), 0)
        self.assertEqual((self.get(), len(self.loads)), (0, 1))
