"""Domains: who may create addresses on which.

A domain's own row decides; where it has none, the row of the nearest domain above it does, so that who owns
``example.com`` has ``sub.example.com`` too, unless that has a row of its own. An active domain is open to the user who
owns it, and to everybody where it is a Cloudflare domain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from uuid import UUID

from cybertemp_imap.errors import Refusal
from cybertemp_imap.rules.addresses import a_labels, names_above
from cybertemp_imap.store.values import DomainRow


def may_create(address: str, user_id: UUID, domains: Iterable[DomainRow]) -> Refusal | None:
    """Tell why a user may not create an address, or None when its domain does not stand in the way.

    ``domains`` are the rows of ``domains``; names are compared by their A-labels, without case. A domain that nobody
    has and one that is another user's are refused alike.
    """
    name = a_labels(address.rpartition("@")[2])
    rows = _deciding(name, domains) if name is not None else []
    mine = [row for row in rows if row.cloudflare or row.user_id == user_id]
    if not mine:
        return Refusal.DOMAIN_NOT_OPEN
    return None if any(row.active for row in mine) else Refusal.DOMAIN_INACTIVE


def takes_mail(name: str, domains: Iterable[DomainRow]) -> bool:
    """Tell whether mail for a domain, given by its A-labels, is taken: the row that decides about it is active."""
    return any(row.active for row in _deciding(name, domains))


def _deciding(name: str, domains: Iterable[DomainRow]) -> list[DomainRow]:
    """Return the rows that decide about a domain: its own, or the nearest above it that there are."""
    ranks: Mapping[str, int] = {above: rank for rank, above in enumerate(names_above(name))}
    best, found = len(ranks), list[DomainRow]()
    for row in domains:
        # Most rows are ASCII as they are stored, and need no more than their case taken off.
        spelt = row.domain.strip().rstrip(".")
        rank = ranks.get((spelt.lower() if spelt.isascii() else a_labels(spelt)) or "", len(ranks))
        if rank < best:
            best, found = rank, []
        if rank == best < len(ranks):
            found.append(row)
    return found
