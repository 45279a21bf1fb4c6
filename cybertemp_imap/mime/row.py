"""A stored message as the store hands it over: one row of ``emails``, and where there is one its stored source."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class EmailRow:
    """What a message is made from; dates are aware.

    ``owner`` is the address the message belongs to (or an account's own key). ``source``, when given, is the message
    itself, byte for byte.
    """

    id: uuid.UUID
    owner: str
    folder: str
    subject: str | None
    body: str | None
    html: str | None
    from_addr: str | None
    to_addrs: tuple[str, ...]
    timestamp: datetime | None
    created_at: datetime | None
    encrypted: bool = False
    source: bytes | None = None


def internal_date(row: EmailRow) -> datetime:
    """The INTERNALDATE of a message (RFC 9051 section 2.3.3): when it arrived, as far as the row tells."""
    return row.timestamp or row.created_at or _EPOCH
