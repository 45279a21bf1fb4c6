"""Whose mail is whose where an address has had several owners."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


class Holding(NamedTuple):
    """Somebody has held an address, ``until`` then or, with None, to this day."""

    user_id: UUID
    until: datetime | None = None


def holder_of(holdings: Iterable[Holding], arrived: datetime | None) -> UUID | None:
    """Return whose a message is that arrived then, or None where nobody has held its address since.

    It is whose the address was at that time, or, where it was nobody's, the next one's: who claims an address claims
    the mail that awaits there. ``holdings`` are in the order in which they ended. What has no time is the first
    holder's, since nobody later may see what may have been theirs.
    """
    for holding in holdings:
        if arrived is None or holding.until is None or holding.until > arrived:
            return holding.user_id
    return None
