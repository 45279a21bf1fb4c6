"""Bans: what a row of ``bans`` means, whose mail it hides, and which addresses it forbids.

The PostgreSQL store asks the same questions in SQL, of :attr:`SenderBans.exact` and :attr:`SenderBans.contains`::

    value IN (imap.fold(btrim(from_addr)), imap.sender_address(from_addr))   -- exact
    strpos(imap.fold(from_addr), value) > 0                                  -- contains

Both compare ASCII letters without case and all others as they are. What else PostgreSQL's ``lower`` does depends on the
database's locale, and is not what Python's does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cybertemp_imap.rules.addresses import domain_forms

EXACT = "exact"
CONTAINS = "contains"
SENDER_SCOPES = frozenset({"sender", "email"})
"""Scopes that hide mail; ``email`` does so for the sake of old data."""

MAX_VALUE = 1000
"""Octets of a ban's value; an address has 320 at most. A longer one is passed over."""

_LEGACY_PREFIX = "contains:"
_ASCII_CASE = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_ANGLE_ADDRESS = re.compile(r"<([^<>]*)>[^<>]*\Z")


@dataclass(frozen=True, slots=True)
class Ban:
    """A row of ``bans`` as stored."""

    scope: str | None
    value: str | None
    match_type: str | None = EXACT
    status: str | None = "active"


@dataclass(frozen=True, slots=True)
class BanRule:
    """What an active ban asks for: ``value`` is folded and not empty, ``match_type`` EXACT or CONTAINS."""

    scope: str
    value: str
    match_type: str


def fold(text: str) -> str:
    """Return text with its ASCII letters, and no others, in lower case."""
    return text.lower() if text.isascii() else text.translate(_ASCII_CASE)


def rule_of(ban: Ban) -> BanRule | None:
    """Return what a ban asks for; None for one that is not active or can match nothing.

    Old rows have no ``match_type``: their value is whole, unless it begins with ``contains:``.
    """
    if fold(ban.status or "") != "active" or not ban.scope:
        return None
    # Only spaces are trimmed, here and in hides(), as PostgreSQL's btrim does.
    value = fold((ban.value or "").strip(" "))
    match_type = EXACT if ban.match_type is None else fold(ban.match_type)
    if value.startswith(_LEGACY_PREFIX):
        value, match_type = value[len(_LEGACY_PREFIX) :].strip(" "), CONTAINS
    if not value or match_type not in (EXACT, CONTAINS) or len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE:
        return None
    return BanRule(fold(ban.scope), value, match_type)


@dataclass(frozen=True, slots=True)
class SenderBans:
    """Everybody whose mail is hidden: two bans that ask for the same make equal ``SenderBans``."""

    exact: frozenset[str] = frozenset()
    contains: frozenset[str] = frozenset()

    @classmethod
    def of(cls, bans: Iterable[Ban]) -> SenderBans:
        """Return the sender bans among rows of ``bans``."""
        rules = [rule for rule in map(rule_of, bans) if rule is not None and rule.scope in SENDER_SCOPES]
        return cls(
            frozenset(rule.value for rule in rules if rule.match_type == EXACT),
            frozenset(rule.value for rule in rules if rule.match_type == CONTAINS),
        )

    def hides(self, from_addr: str | None) -> bool:
        """Tell whether mail from ``from_addr``, an envelope sender or a From header field, is hidden."""
        if from_addr is None:
            return False
        if not self.exact.isdisjoint(_sender_forms(from_addr)):
            return True
        folded = fold(from_addr)
        return any(value in folded for value in self.contains)


def _sender_forms(from_addr: str) -> tuple[str, ...]:
    """Return what an exact ban is compared with: the whole, and the address in its last angle brackets."""
    whole = fold(from_addr.strip(" "))
    bracketed = _ANGLE_ADDRESS.search(from_addr)
    return (whole,) if bracketed is None else (whole, fold(bracketed[1]))


@dataclass(frozen=True, slots=True)
class AddressBans:
    """Every address that nobody may open (``exact``, ``contains``) and domain that nobody may create addresses on."""

    exact: frozenset[str] = frozenset()
    contains: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    domains_containing: frozenset[str] = frozenset()

    @classmethod
    def of(cls, bans: Iterable[Ban]) -> AddressBans:
        """Return the bans of addresses and domains among rows of ``bans``."""
        rules = {rule for rule in map(rule_of, bans) if rule is not None}
        kinds = (("email", EXACT), ("email", CONTAINS), ("domain", EXACT), ("domain", CONTAINS))
        return cls(
            *(frozenset(rule.value for rule in rules if (rule.scope, rule.match_type) == kind) for kind in kinds)
        )

    def forbids_opening(self, address: str) -> bool:
        """Tell whether an address is banned."""
        folded = fold(address)
        return folded in self.exact or any(value in folded for value in self.contains)

    def forbids_creating(self, address: str) -> bool:
        """Tell whether an address, in its canonical form, or its domain is banned.

        A ban of a domain holds for all domains below it too, or it could be got round by a sub-domain.
        """
        names = domain_forms(address)
        return (
            self.forbids_opening(address)
            or not self.domains.isdisjoint(names)
            or any(value in name for value in self.domains_containing for name in names)
        )
