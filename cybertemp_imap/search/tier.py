"""How costly it is to answer a search key."""

from __future__ import annotations

from enum import IntEnum


class Tier(IntEnum):
    """What must be read to answer a key, the cheapest first, and so the class of its record."""

    DATES = 1
    """:class:`~cybertemp_imap.search.records.Dates`"""
    IDENTITY = 2
    """the :class:`~uuid.UUID` of the e-mail"""
    METADATA = 3
    """:class:`~cybertemp_imap.store.values.Metadata`"""
    HEADER = 4
    """:class:`~cybertemp_imap.search.records.HeaderText`"""
    SOURCE = 5
    """:class:`~cybertemp_imap.search.records.MessageText`"""
