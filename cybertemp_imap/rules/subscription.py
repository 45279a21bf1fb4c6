"""Whether an account's subscription lets its owner log in."""

from __future__ import annotations

from datetime import datetime


def may_log_in(status: str | None, end: datetime | None, now: datetime) -> bool:
    """Tell whether an account may be logged in to; ``end`` and ``now`` are aware.

    ``active`` and ``trialing`` may, whatever ``end`` says; ``past_due`` may until ``end``, which must be known. No
    other status may.
    """
    if status in ("active", "trialing"):
        return True
    return status == "past_due" and end is not None and end > now
