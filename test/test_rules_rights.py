"""Whether a token lets its holder in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.rules.rights import Objection, objection
from cybertemp_imap.store.interface import LoginRecord, TokenLimits

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
            record = LoginRecord(UUID(int=1), UUID(int=2), "me@example.com", expires_at, status, end)
            found = objection(record, TokenLimits(expires_at=limit), NOW)
            self.assertIs(found, expected, (expires_at, limit, status, end))
