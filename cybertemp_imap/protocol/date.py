"""Dates of IMAP (RFC 9051 section 9, ``date-text`` and ``date-time``); months are English whatever the locale."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta, timezone

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_BY_NAME = {name.upper().encode("ascii"): number for number, name in enumerate(_MONTHS, 1)}

_DATE = re.compile(rb"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
_DATE_TIME = re.compile(
    rb" ?([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) ([+-])([0-9]{2})([0-9]{2})"
)


def parse_date(text: bytes) -> date:
    """Read ``1-Feb-1994``; raises ValueError on anything that is not a day of the calendar."""
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError("malformed date")
    day, month, year = match.groups()
    return date(int(year), _month(month), int(day))


def parse_date_time(text: bytes) -> datetime:
    """Read `` 7-Feb-1994 21:52:25 -0800``, without its quotes; raises ValueError on anything else.

    A leap second becomes the second before. The first and the last year a ``datetime`` can hold are refused, since
    such a time may have no equivalent in another time zone.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        raise ValueError("malformed date and time")
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    if not 1 < int(year) < 9999 or int(zone_hours) > 23 or int(zone_minutes) > 59:
        raise ValueError("date or time zone out of range")
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    zone = timezone(-offset if sign == b"-" else offset)
    seconds = 59 if second == b"60" else int(second)
    return datetime(int(year), _month(month), int(day), int(hour), int(minute), seconds, tzinfo=zone)


def format_date(day: date) -> bytes:
    """Print a ``date-text``: ``1-Feb-1994``."""
    return b"%d-%s-%04d" % (day.day, _MONTHS[day.month - 1].encode("ascii"), day.year)


def format_date_time(moment: datetime) -> bytes:
    """Print a ``date-time`` with its quotes, the day in two digits; a naive time is taken as UTC."""
    offset = moment.utcoffset() or timedelta()
    minutes = abs(offset) // timedelta(minutes=1)
    return b'"%02d-%s-%04d %02d:%02d:%02d %s%02d%02d"' % (
        moment.day,
        _MONTHS[moment.month - 1].encode("ascii"),
        moment.year,
        moment.hour,
        moment.minute,
        moment.second,
        b"-" if offset < timedelta() else b"+",
        *divmod(minutes, 60),
    )


def _month(name: bytes) -> int:
    number = _BY_NAME.get(name.upper())
    if number is None:
        raise ValueError("malformed month")
    return number
