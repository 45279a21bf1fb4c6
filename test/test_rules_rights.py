"""Whether a token lets its holder in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.errors import Refusal
from cybertemp_imap.rules.rights import Objection, end_of_session, objection
from cybertemp_imap.store.values import LoginRecord, TokenLimits

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BEFORE, AFTER = NOW - SECOND, NOW + SECOND
EXPIRED, LAPSED = Objection.EXPIRED, Objection.LAPSED

TABLE = (
    # token ends, limit ends, subscription, its end -> objection
    (None, None, "active", None, None),
    (AFTER, AFTER, "trialing", BEFORE, None),
    (AFTER, None, "past_due", AFTER, None),
    (NOW, None, "active", None, EXPIRED),
    (BEFORE, AFTER, "active", None, EXPIRED),
    (None, NOW, "active", None, EXPIRED),
    (AFTER, BEFORE, "active", None, EXPIRED),
    (BEFORE, None, "canceled", None, EXPIRED),
    (None, None, "canceled", AFTER, LAPSED),
    (AFTER, AFTER, None, None, LAPSED),
    (None, None, "past_due", NOW, LAPSED),
    (None, None, "past_due", None, LAPSED),
)


class ObjectionTests(SynchronousTestCase):
    """The rule, as a table."""

    def test_table(self) -> None:
        """The end of the token or of its limits comes first, then the subscription."""
        for expires_at, limit, status, end, expected in TABLE:
            limits = TokenLimits(expires_at=limit)
            record = LoginRecord(UUID(int=1), UUID(int=2), "me@example.com", expires_at, status, end, limits)
            found = objection(record, NOW)
            self.assertIs(found, expected, (expires_at, limit, status, end))


USER, OTHER = UUID(int=2), UUID(int=3)
GOOD = LoginRecord(UUID(int=1), USER, "me@example.com", AFTER, "active", None)
EXPIRED_TOKEN = LoginRecord(UUID(int=1), USER, "me@example.com", NOW, "active", None)
LAPSED_ACCOUNT = LoginRecord(UUID(int=1), USER, "me@example.com", AFTER, "canceled", None)
NONE, READING, ADDRESS = TokenLimits(), TokenLimits(read_only=True), TokenLimits(frozenset({"a@b.example"}))

ENDS = (
    # limits at login, record now, limits now -> reason
    (NONE, GOOD, NONE, None),
    (ADDRESS, GOOD, ADDRESS, None),
    (NONE, GOOD, TokenLimits(expires_at=AFTER), None),
    (TokenLimits(expires_at=AFTER), GOOD, NONE, None),
    (NONE, None, NONE, Refusal.TOKEN_REVOKED),
    (NONE, replace(GOOD, user_id=OTHER), NONE, Refusal.TOKEN_REVOKED),
    (NONE, EXPIRED_TOKEN, NONE, Refusal.TOKEN_EXPIRED),
    (NONE, GOOD, TokenLimits(expires_at=NOW), Refusal.TOKEN_EXPIRED),
    (NONE, LAPSED_ACCOUNT, NONE, Refusal.SUBSCRIPTION_ENDED),
    (NONE, LAPSED_ACCOUNT, READING, Refusal.SUBSCRIPTION_ENDED),
    (NONE, GOOD, READING, Refusal.RIGHTS_CHANGED),
    (READING, GOOD, NONE, Refusal.RIGHTS_CHANGED),
    (ADDRESS, GOOD, NONE, Refusal.RIGHTS_CHANGED),
    (ADDRESS, GOOD, TokenLimits(frozenset()), Refusal.RIGHTS_CHANGED),
)


class EndOfSessionTests(SynchronousTestCase):
    """Why a session ends, as a table."""

    def test_table(self) -> None:
        """What ends a login ends a session, and so does another token, user, or limit than it began with."""
        for then, record, limits, expected in ENDS:
            now = None if record is None else replace(record, limits=limits)
            self.assertIs(end_of_session(USER, then, now, NOW), expected, (then, record, limits))
