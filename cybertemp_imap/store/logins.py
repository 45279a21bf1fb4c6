"""What rows say of a token: whose it is, and what it may do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cybertemp_imap.store.values import NO_LIMITS, LoginRecord, TokenLimits


def login_record(row: Sequence[Any]) -> LoginRecord:
    """Return the record that a row of ``FIND_LOGIN`` or ``FIND_LOGINS`` holds."""
    token_id, user_id, email, expires_at, status, end, limited, *of_token = row
    found = limits(*of_token) if limited else NO_LIMITS
    return LoginRecord(token_id, user_id, email, expires_at, status, end, found)


def limits(addresses: Sequence[str | None] | None, read_only: bool, expires_at: datetime | None) -> TokenLimits:
    """Return the limits of a token as they are stored: addresses in any case, of which an empty one is none."""
    reached = None if addresses is None else frozenset(each.strip().lower() for each in addresses if each)
    return TokenLimits(reached, read_only, expires_at)
