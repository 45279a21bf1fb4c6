"""Which stored flags clients are told, and what STORE makes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.rules.flags import MAX_KEYWORD, SYSTEM_FLAGS, combine, valid_flags

STORED = st.lists(
    st.one_of(
        st.none(),
        st.sampled_from([*SYSTEM_FLAGS, "\\seen", "\\Recent", "$Forwarded", "$FORWARDED", "work", "Work", "two words"]),
        st.text(max_size=4),
    ),
    max_size=6,
)
NAMED = st.lists(st.sampled_from([*SYSTEM_FLAGS, "\\sEEN", "$forwarded", "WORK", "Play"]), max_size=4)
MODES = st.sampled_from(["", "+", "-"])


def folded(flags: tuple[str, ...]) -> set[str]:
    """Return flags as a set that compares without case."""
    return {flag.lower() for flag in flags}


class ValidFlagsTests(SynchronousTestCase):
    """What is told of a row's flags."""

    def test_table(self) -> None:
        """Only atoms and the five system flags are told, once each, in the order and spelling stored."""
        table: list[tuple[list[str | None] | None, tuple[str, ...]]] = [
            (None, ()),
            ([], ()),
            ([None, ""], ()),
            (["\\seen", "\\DELETED", "\\Draft"], ("\\Seen", "\\Deleted", "\\Draft")),
            (["\\Recent", "\\recent"], ()),
            (["\\Important", "\\", "\\*", "\\Seen\\"], ()),
            (["b", "$Forwarded", "a"], ("b", "$Forwarded", "a")),
            (["Work", "work", "WORK"], ("Work",)),
            (["\\Seen", "\\seen"], ("\\Seen",)),
            (["Seen"], ("Seen",)),
            (["two words", "tab\t", "nul\0", "cr\r", "lf\n", "del\x7f"], ()),
            (["(", "a)", "{3}", "a%", "*", 'q"', "a]", "b\\c"], ()),
            (["[x", "}", "~!#&'+,-./:;<=>?@^_`|"], ("[x", "}", "~!#&'+,-./:;<=>?@^_`|")),
            (["gr\xfcn", "\u017f", "\U0001f600", "\ud800"], ()),
            (["ok\n"], ()),
            (["k" * MAX_KEYWORD, "k" * (MAX_KEYWORD + 1)], ("k" * MAX_KEYWORD,)),
        ]
        for stored, told in table:
            self.assertEqual(valid_flags(stored), told, stored)

    @given(STORED)
    def test_idempotent(self, stored: list[str | None]) -> None:
        """What is told of what is told is the same."""
        told = valid_flags(stored)
        self.assertEqual(valid_flags(told), told)


class CombineTests(SynchronousTestCase):
    """What STORE leaves in a row."""

    def test_table(self) -> None:
        """Spelling and place of what is there are kept, and so is what no client can see."""
        table: list[tuple[list[str | None] | None, str, list[str], tuple[str, ...]]] = [
            (None, "+", ["\\seen"], ("\\Seen",)),
            (None, "-", ["\\Seen"], ()),
            (["\\seen"], "+", ["\\Seen"], ("\\seen",)),
            (["Work"], "+", ["work", "play", "PLAY"], ("Work", "play")),
            (["Work", "\\Seen", "work"], "-", ["WORK"], ("\\Seen",)),
            (["a", "b", "c"], "", ["C", "d", "a"], ("a", "c", "d")),
            (["a", "b"], "", [], ()),
            (["two words", "a"], "", ["b"], ("two words", "b")),
            (["two words", "\\Recent", "a"], "-", ["two words", "\\Recent", "a"], ("two words", "\\Recent")),
            (["a"], "+", ["\\Recent", "two words", "\\Other"], ("a",)),
            ([None, "a"], "+", ["a"], ("a",)),
            (["a", "A"], "+", ["b"], ("a", "A", "b")),
        ]
        for current, mode, new, expected in table:
            self.assertEqual(combine(current, mode, new), expected, (current, mode, new))

    def test_other_mode(self) -> None:
        """A mode that STORE does not have is a mistake of the caller."""
        self.assertRaises(ValueError, combine, [], "=", [])

    @given(STORED, MODES, NAMED)
    def test_as_sets(self, stored: list[str | None], mode: str, named: list[str]) -> None:
        """What clients see afterwards is the union, the difference, or what was named."""
        before, asked = folded(valid_flags(stored)), folded(valid_flags(named))
        expected = {"+": before | asked, "-": before - asked, "": asked}[mode]
        self.assertEqual(folded(valid_flags(combine(stored, mode, named))), expected)

    @given(STORED, MODES, NAMED)
    def test_idempotent(self, stored: list[str | None], mode: str, named: list[str]) -> None:
        """Doing it again changes nothing."""
        once = combine(stored, mode, named)
        self.assertEqual(combine(once, mode, named), once)

    @given(STORED, MODES, NAMED)
    def test_hidden_stay(self, stored: list[str | None], mode: str, named: list[str]) -> None:
        """What no client can see is never removed."""
        hidden = [flag for flag in stored if flag is not None and not valid_flags([flag])]
        self.assertEqual([flag for flag in combine(stored, mode, named) if not valid_flags([flag])], hidden)
