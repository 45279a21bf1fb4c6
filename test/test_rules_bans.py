"""Whose mail bans hide."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.rules.bans import CONTAINS, EXACT, Ban, BanRule, SenderBans, rule_of

SPAM = "spam@bad.example"
HIDDEN_BY_EXACT = [
    SPAM,
    "SPAM@Bad.Example",
    f"  {SPAM} ",
    f"<{SPAM}>",
    f"Spam <{SPAM}>",
    f'"Spam, Inc." <{SPAM.upper()}> ',
    f"<other@good.example> <{SPAM}>",
    f"Spam <{SPAM}> (a comment)",
]
SHOWN_BY_EXACT: list[str | None] = [
    None,
    "",
    " ",
    "<>",
    f"x{SPAM}",
    f"{SPAM}.org",
    f"{SPAM} <other@good.example>",
    f"<{SPAM}> <other@good.example>",
    f"Spam < {SPAM} >",
    f"Spam <{SPAM}",
    f"Spam {SPAM}>",
]


def hides(from_addr: str | None, *bans: Ban) -> bool:
    """Tell whether bans hide mail from a sender."""
    return SenderBans.of(bans).hides(from_addr)


class RuleTests(SynchronousTestCase):
    """What a row of ``bans`` asks for."""

    def test_table(self) -> None:
        """Values lose case and outer spaces; the old ``contains:`` counts; empty and odd ones ask for nothing."""
        table: list[tuple[Ban, BanRule | None]] = [
            (Ban("sender", " A@B.example ", "exact", "active"), BanRule("sender", "a@b.example", EXACT)),
            (Ban("Sender", "X", "Contains", "Active"), BanRule("sender", "x", CONTAINS)),
            (Ban("domain", "bad.example"), BanRule("domain", "bad.example", EXACT)),
            (Ban("sender", "contains:Foo", "exact"), BanRule("sender", "foo", CONTAINS)),
            (Ban("sender", "CONTAINS: foo ", "contains"), BanRule("sender", "foo", CONTAINS)),
            (Ban("sender", "contains:foo", None), BanRule("sender", "foo", CONTAINS)),
            (Ban("sender", "foo", None), BanRule("sender", "foo", EXACT)),
            (Ban("sender", "contains:"), None),
            (Ban("sender", "contains:  "), None),
            (Ban("sender", ""), None),
            (Ban("sender", "   ", "contains"), None),
            (Ban("sender", None, "contains"), None),
            (Ban("sender", "foo", "regex"), None),
            (Ban("sender", "foo", ""), None),
            (Ban("sender", "foo", "exact", "inactive"), None),
            (Ban("sender", "foo", "exact", None), None),
            (Ban("sender", "foo", "exact", ""), None),
            (Ban(None, "foo"), None),
            (Ban("", "foo"), None),
        ]
        for ban, rule in table:
            self.assertEqual(rule_of(ban), rule, ban)


class SenderBansTests(SynchronousTestCase):
    """Whose mail is hidden."""

    def test_exact(self) -> None:
        """An exact ban compares the whole sender, and the address in its last angle brackets, without case."""
        ban = Ban("sender", SPAM.title(), EXACT)
        for sender in HIDDEN_BY_EXACT:
            self.assertTrue(hides(sender, ban), sender)
        for other in SHOWN_BY_EXACT:
            self.assertFalse(hides(other, ban), other)

    def test_contains(self) -> None:
        """A ban by substring looks at the whole sender, display name included."""
        ban = Ban("sender", "BAD.example", CONTAINS)
        for sender in [*HIDDEN_BY_EXACT, f"x{SPAM}", f"{SPAM}.org", "Bad.Example <other@good.example>"]:
            self.assertTrue(hides(sender, ban), sender)
        for other in (None, "", "<>", "other@good.example", "bad example"):
            self.assertFalse(hides(other, ban), other)

    def test_scope_match_and_status(self) -> None:
        """Mail is hidden by active bans of scope ``sender`` and, for old data, ``email``; not by those of a domain."""
        for scope, match, status in product(
            ("sender", "email", "domain", None, ""), (EXACT, CONTAINS, "other"), ("active", "inactive", None)
        ):
            expected = scope in ("sender", "email") and match in (EXACT, CONTAINS) and status == "active"
            self.assertEqual(hides(f"S <{SPAM}>", Ban(scope, SPAM, match, status)), expected, (scope, match, status))

    def test_every_combination(self) -> None:
        """Scope, kind of match, old form, status, case and form of the sender, each with each."""
        forms = [(form, True, True) for form in HIDDEN_BY_EXACT]
        forms += [(form, False, SPAM in form.lower()) for form in SHOWN_BY_EXACT if form is not None]
        cases: tuple[Callable[[str], str], ...] = (str, str.upper, str.title)
        for scope, (match, prefix), status, case, (form, exact, contains) in product(
            ("sender", "email", "domain"),
            ((EXACT, ""), (CONTAINS, ""), (EXACT, "contains:"), (CONTAINS, "contains: ")),
            ("active", "inactive"),
            cases,
            forms,
        ):
            ban = Ban(case(scope), prefix + case(SPAM), case(match), case(status))
            asked = scope != "domain" and status == "active"
            expected = asked and (exact if match == EXACT and not prefix else contains)
            self.assertEqual(hides(form, ban), expected, (ban, form))

    def test_legacy(self) -> None:
        """``contains:foo`` is a substring ban of ``foo``, and not of itself."""
        self.assertTrue(hides("a@food.example", Ban("email", "contains:foo", EXACT)))
        self.assertTrue(hides("contains:foo", Ban("email", "contains:foo", EXACT)))
        self.assertFalse(hides("contains:", Ban("email", "contains:foo", EXACT)))

    def test_whole_header(self) -> None:
        """An exact ban may name a whole header form."""
        self.assertTrue(hides(f"SPAM <{SPAM}>", Ban("sender", f"Spam <{SPAM}>", EXACT)))

    def test_nothing_hides_nobody(self) -> None:
        """No ban, or only those that ask for nothing, hide nobody."""
        for sender in (None, "", "<>", SPAM):
            self.assertFalse(hides(sender))
            self.assertFalse(hides(sender, Ban("sender", ""), Ban("sender", "", CONTAINS), Ban("sender", None)))

    def test_equal(self) -> None:
        """Bans that ask for the same are equal, whatever their order and spelling."""
        one = SenderBans.of([Ban("sender", "A"), Ban("email", "contains:b")])
        self.assertEqual(one, SenderBans.of([Ban("sender", "B", CONTAINS), Ban("sender", "a"), Ban("domain", "c")]))

    @given(st.text(), st.text(min_size=1), st.sampled_from([EXACT, CONTAINS]))
    def test_any_text(self, sender: str, value: str, match: str) -> None:
        """Nothing raises, and what an exact ban hides a ban by substring hides too."""
        if hides(sender, Ban("sender", value, match)):
            self.assertTrue(hides(sender, Ban("sender", value, CONTAINS)))

    def test_long_sender(self) -> None:
        """A megabyte of brackets is judged in linear time."""
        self.assertFalse(hides("<" * 500_000 + ">" * 500_000 + "<", Ban("sender", SPAM)))
        self.assertFalse(hides("<a>" * 300_000 + "<", Ban("sender", SPAM)))
