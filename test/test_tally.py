"""Counts of connections, in one process and in several that share a memory."""

from __future__ import annotations

import os
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap import tally
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.protocol.sessions import Sessions
from cybertemp_imap.tally import SharedMemory, SharedTally, Tally


class TallyTests(SynchronousTestCase):
    """What both kinds do."""

    def made(self) -> Tally:
        """Return one."""
        return Tally()

    def test_counts(self) -> None:
        """Names and kinds count for themselves, and down to none again."""
        counts = self.made()
        self.assertEqual([counts.add("user", 7), counts.add("user", 7), counts.add("network", 7)], [1, 2, 1])
        counts.remove("user", 7)
        counts.remove("user", 7)
        self.assertEqual(counts.add("user", 7), 1)

    def test_sessions(self) -> None:
        """A user has as many sessions as allowed; one that was refused, and one that left, are not counted."""
        sessions = Sessions(Limits(user_connections=2))
        sessions.tally = self.made()
        first, *others = [mock.Mock(octets_in=0, outlet=mock.Mock(octets=0)) for _ in range(4)]
        self.assertEqual([sessions.log_in(each, "me") for each in (first, *others)], [True, True, False, False])
        sessions.leave(first)
        self.assertEqual([sessions.log_in(each, "me") for each in (first, others[2])], [True, False])


class SharedTests(TallyTests):
    """A memory for three workers."""

    def setUp(self) -> None:
        self.memory = SharedMemory.made(3)
        self.addCleanup(self.memory.close)

    def made(self) -> Tally:
        """Return the second worker's."""
        return SharedTally(self.memory, 1)

    def test_together(self) -> None:
        """Each worker is told the sum of all, however it has come to the memory."""
        other = SharedMemory(os.dup(self.memory.file), 3)
        self.addCleanup(other.close)
        one, two = SharedTally(self.memory, 0), SharedTally(other, 2)
        self.assertEqual([one.add("user", "a"), two.add("user", "a"), one.add("user", "a")], [1, 2, 3])
        self.assertEqual(two.add("user", "b"), 1)
        one.remove("user", "a")
        self.assertEqual(two.add("user", "a"), 3)

    def test_worker_gone(self) -> None:
        """What a worker had counted that is gone counts no more; the others' does."""
        one, two = SharedTally(self.memory, 0), SharedTally(self.memory, 1)
        for counts in (one, one, two):
            counts.add("user", "a")
        self.memory.forget(0)
        self.assertEqual(SharedTally(self.memory, 0).add("user", "a"), 2)

    def test_full(self) -> None:
        """Names for which there is no room are counted in their worker alone, and every other as before."""
        self.patch(tally, "_BUCKETS", 1)
        one, two = SharedTally(self.memory, 0), SharedTally(self.memory, 1)
        names = list(range(20))
        self.assertEqual([one.add("user", name) for name in names], [1] * 20)
        self.assertEqual([two.add("user", name) for name in names], [2] * 8 + [1] * 12)
        for name in names:
            one.remove("user", name)
            two.remove("user", name)
        self.assertEqual([two.add("user", name) for name in names], [1] * 20)

    def test_not_to_be_guessed(self) -> None:
        """Names are hashed with a secret of this memory."""
        other = SharedMemory.made(3)
        self.addCleanup(other.close)
        self.assertNotEqual(SharedTally(self.memory, 0)._key("user", "a"), SharedTally(other, 0)._key("user", "a"))
