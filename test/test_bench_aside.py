"""The bench's objects in processes of their own."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from bench.aside import Aside


class Counter:
    """Something that can be counted with."""

    def __init__(self, count: int) -> None:
        if count < 0:
            raise ValueError(count)
        self.count = count

    def add(self, number: int) -> tuple[int, int]:
        """Return the sum, and the process that has it."""
        if number < 0:
            raise ValueError(number)
        self.count += number
        return self.count, os.getpid()


class AsideTests(SynchronousTestCase):
    """One object."""

    def test_run(self) -> None:
        """It lives elsewhere from call to call, also from one that fails to the next."""
        aside = Aside(Counter, 1)
        self.addCleanup(aside.close)
        first, process = aside.run(Counter.add, 2)
        self.assertNotEqual(process, os.getpid())
        self.assertRaises(ValueError, aside.run, Counter.add, -1)
        self.assertEqual(aside.run(Counter.add, 3), (6, process))
        self.assertEqual((first, aside.run(getattr, "count")), (3, 6))

    def test_not_made(self) -> None:
        """That it cannot be made is told."""
        self.assertRaises(ValueError, Aside, Counter, -1)
