"""Whose subscription lets them log in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.rules.subscription import may_log_in

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
BEFORE = NOW - timedelta(seconds=1)
AFTER = NOW + timedelta(seconds=1)


class MayLogInTests(SynchronousTestCase):
    """The table of statuses and ends."""

    def test_statuses(self) -> None:
        """``active`` and ``trialing`` may, ``past_due`` until its end, nothing else ever."""
        table: list[tuple[str | None, datetime | None, bool]] = [
            ("active", None, True),
            ("active", BEFORE, True),
            ("trialing", None, True),
            ("trialing", BEFORE, True),
            ("past_due", AFTER, True),
            ("past_due", NOW, False),
            ("past_due", BEFORE, False),
            ("past_due", None, False),
            ("canceled", AFTER, False),
            ("inactive", AFTER, False),
            ("unpaid", AFTER, False),
            ("", AFTER, False),
            ("Active", AFTER, False),
            (None, AFTER, False),
        ]
        for status, end, expected in table:
            self.assertEqual(may_log_in(status, end, NOW), expected, (status, end))
