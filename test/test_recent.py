"""Which messages are recent in a session."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.messages import Messages, States
from cybertemp_imap.recent import Recent
from cybertemp_imap.store.values import MessageState


class RecentTests(SynchronousTestCase):
    """Ranges of UIDs, beside a set of them."""

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), max_size=8), st.sets(st.integers(1, 70)))
    def test_as_a_set(self, ranges: list[tuple[int, int]], uids: set[int]) -> None:
        """Whatever ranges are added, in whatever order, they hold what a set of their UIDs would."""
        recent, expected = Recent(), set[int]()
        for first, last in ranges:
            recent.add(first, last)
            expected |= set(range(first, last + 1))
            self.assertEqual({uid for uid in range(72) if uid in recent}, expected)
            self.assertEqual(bool(recent), bool(expected))
            self.assertEqual(recent.count(sorted(uids)), len(uids & expected))
        recent.clear()
        self.assertFalse(recent)


class StatesTests(SynchronousTestCase):
    """States of many messages."""

    def test_all_at_once(self) -> None:
        """Taken in at once they are what they are when taken in one by one, those from a UID on left out."""
        given_ = [MessageState(uid, ("\\Seen", f"kw{uid % 3}") if uid % 2 else (), uid * 7) for uid in range(1, 50, 3)]
        states = States()
        for start in range(0, len(given_), 4):
            states.extend(given_[start : start + 4])
        self.assertEqual((len(states), list(states)), (len(given_), given_))
        states.end_before(40)
        at_once, one_by_one = Messages(), Messages()
        at_once.take_all(states)
        one_by_one.take_in(state for state in given_ if state.uid < 40)
        for name in ("uids", "flags", "mod_seqs"):
            self.assertEqual(list(getattr(at_once, name)), list(getattr(one_by_one, name)), name)
        self.assertEqual(at_once.keywords, one_by_one.keywords)
