"""When mailboxes are looked at because of hints."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.looks import AT_ONCE, CROWD, LONGEST, SHARE, SHARE_EACH, Looks, Rests


class RestTests(SynchronousTestCase):
    """How long mailboxes rest."""

    def setUp(self) -> None:
        """Have a clock of our own."""
        self.clock = Clock()
        self.clock.advance(1000)
        self.rests = Rests(self.clock.seconds)

    def look(self, number: int, seconds: float) -> None:
        """Look once, for so long."""
        self.clock.advance(seconds)
        self.rests.looked(number, seconds)

    def test_first_at_once(self) -> None:
        """A mailbox that has not been looked at of late need not wait, nor need the next looks."""
        for _ in range(AT_ONCE):
            self.assertEqual(self.rests.wait(1), 0)
            self.look(1, 1 / 128)
        self.assertGreater(self.rests.wait(1), 0)
        self.assertEqual(self.rests.wait(2), 0)

    def test_in_proportion(self) -> None:
        """Looked at without end, a mailbox rests for most of the time, but never for longer than it may."""
        for cost in (0.001, 0.02, 5.0):
            begun, looks = self.clock.seconds(), 50
            for _ in range(looks):
                self.clock.advance(self.rests.wait(1))
                self.look(1, cost)
            rest = (self.clock.seconds() - begun) / looks - cost
            self.assertLessEqual(rest, min(cost * SHARE, LONGEST) + 0.001)
            self.assertGreater(rest, 0.9 * min(cost * SHARE, LONGEST) - 0.1)

    def test_over(self) -> None:
        """After a pause it is as if nothing had been."""
        for _ in range(10):
            self.look(1, 1.0)
        self.clock.advance(AT_ONCE * LONGEST)
        self.assertEqual(self.rests.wait(1), 0)

    def test_many(self) -> None:
        """The more mailboxes are looked at, the longer each rests: all of them together take a part of the time."""
        for number in range(200):
            self.look(number, 0.1)
            self.clock.advance(-0.1)
        self.clock.advance(1.5)
        self.look(300, 0.005)
        self.assertGreater(self.rests.wait(300), 1.5)

    def test_crowd(self) -> None:
        """Where many others wait to be looked at, or were of late, a mailbox rests after its first look already."""
        self.rests.looked(1, 0.005, CROWD)
        self.assertGreater(self.rests.wait(1), 0)
        self.rests.looked(2, 0.005, CROWD - 1)
        self.assertEqual(self.rests.wait(2), 0)

    def test_crowd_gone(self) -> None:
        """What a mailbox was allowed before there was a crowd counts no more."""
        for waiting in (0, CROWD, CROWD):
            self.rests.looked(1, 1 / 128, waiting)
        self.assertLessEqual(self.rests.wait(1), SHARE_EACH * CROWD / 128)


class LookTests(SynchronousTestCase):
    """What hints bring about."""

    def test_rested(self) -> None:
        """However many hints come while a mailbox rests, it is looked at once, after that; others meanwhile."""
        looked: list[int] = []
        turns: list[Callable[[], None]] = []

        async def look(number: int, heard: float) -> None:
            looked.append(number)

        looks = Looks(look, lambda _, turn: turns.append(turn))
        waits = {1: 1.0, 2: 0.0}
        self.patch(looks._rests, "wait", lambda number: waits[number])
        for number in (1, 2, 1, 1, 2):
            looks.add(number, first=True)
            looks.begin()
        self.assertEqual((looked, len(turns)), ([2, 2], 1))
        turns.pop()()
        self.assertEqual((looked, turns), ([2, 2, 1], []))
