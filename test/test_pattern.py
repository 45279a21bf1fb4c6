"""Patterns of LIST against a naive model."""

from __future__ import annotations

import re
import time

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.protocol.pattern import ListPattern

TABLE = (
    ("*", "a/b/c", True),
    ("%", "a", True),
    ("%", "a/b", False),
    ("%/%", "a/b", True),
    ("%/%", "a/b/c", False),
    ("a%", "ab", True),
    ("a%", "a", True),
    ("a/*", "a", False),
    ("a/*", "a/b/c", True),
    ("*b%", "a/b/c", False),
    ("*%*%", "a/b/c", True),
    ("%*c", "a/b/c", True),
    ("", "a", False),
    ("", "", True),
    ("a@b.c", "a@b.c", True),
    ("A", "a", False),
    ("inbox", "INBOX", True),
    ("InBox/Work", "INBOX/Work", True),
    ("inbox/work", "INBOX/Work", False),
    ("i*", "INBOX", True),
    ("inbox", "Inbox2", False),
    ("iNbOx2", "INBOX2", False),
    ("%box", "INBOX", True),
    ("INBOX", "ınbox", False),
    (".", "a", False),
    ("ü%", "üx", True),
)


def naive(pattern: str, name: str) -> bool:
    """The meaning of a pattern as a regular expression."""
    pieces = {"*": ".*", "%": "[^/]*"}
    expression = "".join(pieces.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, name, re.DOTALL) is not None


class PatternTests(unittest.SynchronousTestCase):
    """Matching."""

    def test_table(self) -> None:
        """Each pattern matches or does not."""
        for pattern, name, matches in TABLE:
            self.assertEqual(ListPattern("", pattern).matches(name), matches, (pattern, name))

    def test_reference(self) -> None:
        """The reference comes before the pattern, and may hold wildcards itself."""
        self.assertTrue(ListPattern("a/", "%").matches("a/b"))
        self.assertFalse(ListPattern("a/", "%").matches("b"))
        self.assertTrue(ListPattern("a*", "%b").matches("a/b"))

    @given(st.text("ab/*%", max_size=10), st.text("ab/", max_size=10))
    def test_model(self, pattern: str, name: str) -> None:
        """Any pattern matches what its regular expression does, and the parents that do."""
        compiled = ListPattern("", pattern)
        self.assertEqual(compiled.matches(name), naive(pattern, name))
        parents = [name[:place] for place in range(1, len(name)) if name[place] == "/"]
        self.assertEqual(compiled.matching_parents(name), [one for one in parents if naive(pattern, one)])

    def test_growth(self) -> None:
        """Patterns made to backtrack, and very long ones, cost little for each name."""
        started = time.process_time()
        name = "a" * 200 + "/b"
        for pattern in (
            "*a" * 40,
            "%a" * 40 + "%",
            "*a%" * 40 + "c",
            "a" * 60000,
            "*a" * 30000,
            "*" * 60000,
            "*%" * 30000,
        ):
            compiled = ListPattern("", pattern)
            for _ in range(50):
                compiled.matches(name)
                compiled.matching_parents(name)
        self.assertLess(time.process_time() - started, 10)
