"""Who may create addresses on which domain."""

from __future__ import annotations

from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.errors import Refusal
from cybertemp_imap.rules.domains import may_create
from cybertemp_imap.store.values import DomainRow

ME, OTHER = uuid4(), uuid4()
NOT_OPEN, INACTIVE = Refusal.DOMAIN_NOT_OPEN, Refusal.DOMAIN_INACTIVE


def row(domain: str, user: UUID | None = ME, *, active: bool = True, cloudflare: bool = False) -> DomainRow:
    """Return a row of ``domains``."""
    return DomainRow(domain, user, active, cloudflare)


class DomainTests(SynchronousTestCase):
    """The decision."""

    def check(self, address: str, expected: Refusal | None, *rows: DomainRow) -> None:
        """Check the decision, whatever the order of the rows."""
        for given_rows in (rows, rows[::-1]):
            self.assertIs(may_create(address, ME, given_rows), expected, (address, given_rows))

    def test_own(self) -> None:
        """A domain is open to the user who owns it, and to no other; an unknown one to nobody."""
        self.check("x@ok.com", None, row("ok.com"))
        for rows in ([], [row("ok.com", OTHER)], [row("ok.com", None)], [row("other.com")], [row("com.ok")]):
            self.check("x@ok.com", NOT_OPEN, *rows)

    def test_cloudflare(self) -> None:
        """A Cloudflare domain is open to everybody, whoever owns it."""
        for user in (ME, OTHER, None):
            self.check("x@ok.com", None, row("ok.com", user, cloudflare=True))

    def test_inactive(self) -> None:
        """An inactive domain is open to nobody; that it is inactive is told to those whom it would be open to."""
        self.check("x@ok.com", INACTIVE, row("ok.com", active=False))
        self.check("x@ok.com", INACTIVE, row("ok.com", OTHER, active=False, cloudflare=True))
        self.check("x@ok.com", NOT_OPEN, row("ok.com", OTHER, active=False))
        self.check("x@ok.com", NOT_OPEN, row("ok.com", None, active=False))

    def test_sub_domains(self) -> None:
        """A domain opens all below it, at any depth; not one whose name only ends alike, and not the one above."""
        for address in ("x@a.ok.com", "x@a.b.c.ok.com"):
            self.check(address, None, row("ok.com"))
            self.check(address, None, row("ok.com", OTHER, cloudflare=True))
            self.check(address, NOT_OPEN, row("ok.com", OTHER))
            self.check(address, INACTIVE, row("ok.com", active=False))
        self.check("x@notok.com", NOT_OPEN, row("ok.com"))
        self.check("x@ok.com", NOT_OPEN, row("a.ok.com"))

    def test_the_nearest_decides(self) -> None:
        """The exact row decides before one above it, and the nearest above before one further up."""
        self.check("x@a.ok.com", NOT_OPEN, row("ok.com"), row("a.ok.com", OTHER))
        self.check("x@a.ok.com", INACTIVE, row("ok.com"), row("a.ok.com", active=False))
        self.check("x@a.ok.com", None, row("ok.com", OTHER), row("a.ok.com"))
        self.check("x@a.ok.com", None, row("ok.com", active=False), row("a.ok.com", OTHER, cloudflare=True))
        self.check("x@b.a.ok.com", NOT_OPEN, row("ok.com"), row("a.ok.com", OTHER), row("com"))
        self.check("x@b.ok.com", None, row("ok.com"), row("a.ok.com", OTHER))

    def test_a_domain_of_two(self) -> None:
        """Where a domain has several rows, one that is open is enough."""
        self.check("x@ok.com", None, row("ok.com", OTHER), row("ok.com"))
        self.check("x@ok.com", None, row("ok.com", active=False), row("OK.com", None, cloudflare=True))
        self.check("x@ok.com", NOT_OPEN, row("ok.com", OTHER), row("ok.com", None))

    def test_a_labels(self) -> None:
        """Names are compared by A-label, without case, without a dot at the end or space around."""
        for one in ("b\xfccher.example", "B\xdcCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.Example."):
            for other in ("b\xfccher.example", "xn--bcher-kva.EXAMPLE", "bu\u0308cher.example"):
                self.check(f"x@{other}", None, row(one))
                self.check(f"x@a.{other}", None, row(f" {one} "))
        self.check("x@ok.com", None, row("OK.COM"))

    def test_the_last_at(self) -> None:
        """The domain is behind the last at sign: nobody smuggles in a domain of theirs before it."""
        self.check("x@ok.com@victim.com", NOT_OPEN, row("ok.com"))

    def test_odd_rows(self) -> None:
        """Rows that are no domain decide nothing, and no address without a domain is let through by them."""
        odd = [row(name) for name in ("", ".", "..", "*", "%", " ", "@", "a b.com", "\xff" * 300, "-ok.com", "xn--")]
        for address in ("x@ok.com", "x@", "x@.", "x@*", "x@a b.com", "x", ""):
            self.check(address, NOT_OPEN, *odd)

    @given(st.text(), st.lists(st.text()))
    def test_any_text(self, address: str, names: list[str]) -> None:
        """Nothing raises, and nothing is open but through a row that is."""
        self.assertIs(may_create(address, ME, [row(name, OTHER) for name in names]), NOT_OPEN)
