"""Whether a token lets its holder in: the same at login and for as long as the session lasts."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from uuid import UUID

from cybertemp_imap.errors import Refusal
from cybertemp_imap.rules.subscription import may_log_in
from cybertemp_imap.store.values import LoginRecord, TokenLimits


class Objection(Enum):
    """Why a token that exists, and belongs to the account, lets nobody in."""

    EXPIRED = "the token has expired"
    LAPSED = "the account has no subscription"


def objection(record: LoginRecord, now: datetime) -> Objection | None:
    """Return what is to be said against a token, or None; ``now`` is aware.

    The token comes before the subscription: a new token is of use only once there is one, but is needed in any case.
    """
    if any(end is not None and end <= now for end in (record.expires_at, record.limits.expires_at)):
        return Objection.EXPIRED
    if not may_log_in(record.subscription_status, record.subscription_end, now):
        return Objection.LAPSED
    return None


def end_of_session(
    user_id: UUID, limits_then: TokenLimits, record: LoginRecord | None, now: datetime
) -> Refusal | None:
    """Return why a session must end, or None.

    ``user_id`` and ``limits_then`` are what the token was when its holder logged in, ``record`` is what it is now, None
    when it is there no more. The e-mail address of the account may have changed meanwhile.
    """
    if record is None or record.user_id != user_id:
        return Refusal.TOKEN_REVOKED
    against = objection(record, now)
    if against is not None:
        return Refusal.TOKEN_EXPIRED if against is Objection.EXPIRED else Refusal.SUBSCRIPTION_ENDED
    limits = record.limits
    if (limits.addresses, limits.read_only) != (limits_then.addresses, limits_then.read_only):
        return Refusal.RIGHTS_CHANGED
    return None
