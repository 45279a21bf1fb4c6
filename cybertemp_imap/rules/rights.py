"""Whether a token lets its holder in: the same at login and for as long as the session lasts."""

from __future__ import annotations

from datetime import datetime
from enum import Enum

from cybertemp_imap.rules.subscription import may_log_in
from cybertemp_imap.store.interface import LoginRecord, TokenLimits


class Objection(Enum):
    """Why a token that exists, and belongs to the account, lets nobody in."""

    EXPIRED = "the token has expired"
    LAPSED = "the account has no subscription"


def objection(record: LoginRecord, limits: TokenLimits, now: datetime) -> Objection | None:
    """Return what is to be said against a token, or None; ``now`` is aware.

    The token comes before the subscription: a new token is of use only once there is one, but is needed in any case.
    """
    if any(end is not None and end <= now for end in (record.expires_at, limits.expires_at)):
        return Objection.EXPIRED
    if not may_log_in(record.subscription_status, record.subscription_end, now):
        return Objection.LAPSED
    return None
