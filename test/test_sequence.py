"""Sequence sets against a naive model."""

from __future__ import annotations

import time
from array import array
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.protocol.sequence import STAR, SequenceSet, compact, compact_ranges, positions

ends = st.integers(STAR, 30)
sets = st.lists(st.tuples(ends, ends), min_size=1, max_size=6).map(lambda ranges: SequenceSet(tuple(ranges)))


def members(ranges: SequenceSet, largest: int) -> set[int]:
    """The numbers of a set, one by one."""
    found: set[int] = set()
    for first, last in ranges.ranges if largest else ():
        low, high = sorted((first or largest, last or largest))
        found.update(range(low, high + 1))
    return found


class SetTests(unittest.SynchronousTestCase):
    """Reading, printing, resolving."""

    def test_parse(self) -> None:
        """Sets are read as they stand."""
        for raw, ranges in (
            (b"1", ((1, 1),)),
            (b"*", ((STAR, STAR),)),
            (b"2,4:7,9,12:*", ((2, 2), (4, 7), (9, 9), (12, STAR))),
            (b"*:4,5:7", ((STAR, 4), (5, 7))),
            (b"4294967295:1", ((4294967295, 1),)),
        ):
            self.assertEqual(SequenceSet.parse(raw), SequenceSet(ranges))
            self.assertEqual(SequenceSet(ranges).to_wire(), raw)
        self.assertEqual(SequenceSet.parse(b"$"), SequenceSet((), True))
        self.assertEqual(SequenceSet((), True).to_wire(), b"$")

    def test_malformed(self) -> None:
        """Everything else is refused."""
        for raw in (
            b"",
            b"0",
            b"01",
            b"1,",
            b",1",
            b"1:",
            b":1",
            b"1::2",
            b"1:2:3",
            b"1 ,2",
            b"-1",
            b"1,$",
            b"$,1",
            b"x",
        ):
            self.assertRaises(ValueError, SequenceSet.parse, raw)
        for raw in (b"4294967296", b"1:9999999999", b"1" * 5000, b"**", b"1*", b"\xb2", b"1\n"):
            self.assertRaises(ValueError, SequenceSet.parse, raw)

    @given(sets)
    def test_round_trip(self, ranges: SequenceSet) -> None:
        """What is printed is read back with the same meaning; only ``n:n`` becomes ``n``."""
        self.assertEqual(SequenceSet.parse(ranges.to_wire()), ranges)

    @given(sets, st.integers(0, 30))
    def test_resolve(self, ranges: SequenceSet, largest: int) -> None:
        """Resolved ranges hold the same numbers, ascend, and neither overlap nor touch."""
        resolved = ranges.resolve(largest)
        numbers = [number for first, last in resolved for number in range(first, last + 1)]
        self.assertEqual(numbers, sorted(members(ranges, largest)))
        self.assertTrue(all(one[1] + 1 < two[0] for one, two in pairwise(resolved)))
        for number in range(1, 35):
            self.assertEqual(ranges.contains(number, largest), number in numbers)
        self.assertEqual(compact_ranges(resolved), compact(numbers))

    def test_last_message(self) -> None:
        """``n:*`` holds the last message even where n is larger (RFC 9051 section 6.4.9)."""
        self.assertEqual(SequenceSet.parse(b"559:*").resolve(12), [(12, 559)])
        self.assertEqual(SequenceSet.parse(b"*").resolve(0), [])

    @given(st.sets(st.integers(1, 60)))
    def test_compact(self, numbers: set[int]) -> None:
        """Numbers are printed as a set of the fewest ranges."""
        printed = compact(sorted(numbers))
        if not numbers:
            self.assertEqual(printed, b"")
            return
        parsed = SequenceSet.parse(printed)
        self.assertEqual(members(parsed, 99), numbers)
        self.assertEqual(list(parsed.ranges), parsed.resolve(99))

    @given(st.sets(st.integers(1, 40)), sets, st.integers(1, 45))
    def test_positions(self, uids: set[int], ranges: SequenceSet, largest: int) -> None:
        """Positions are those of the UIDs that are in the set."""
        ordered = array("I", sorted(uids))
        found = positions(ordered, ranges.resolve(largest))
        chosen = [ordered[place] for places in found for place in places]
        self.assertEqual(chosen, sorted(uids & members(ranges, largest)))
        self.assertTrue(all(len(places) for places in found))

    def test_growth(self) -> None:
        """The longest sets a line can hold are handled in a small part of a second."""
        started = time.process_time()
        for raw in (
            b",".join(b"%d" % number for number in range(8000, 0, -2)),
            b",".join([b"1:*"] * 16000),
            b",".join(b"%d:%d" % (number, 9000 - number) for number in range(1, 6000)),
        ):
            resolved = SequenceSet.parse(raw).resolve(100_000)
            positions(range(1, 100_000), resolved)
        self.assertLess(time.process_time() - started, 3)
