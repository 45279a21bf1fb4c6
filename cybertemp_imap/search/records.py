"""What the store tells of a message, in the form in which search keys ask about it; worked out once, when asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cached_property

from cybertemp_imap.mime.header import decode_words, field_pattern, fields, pick, unfold
from cybertemp_imap.mime.letter import Letter
from cybertemp_imap.mime.text import sent_day
from cybertemp_imap.search.folding import fold

FEW_FIELDS = 8
"""Header fields up to which picking them by one pattern is quicker than reading all fields."""


class Dates:
    """When a message arrived and was saved; days are those of UTC, in which INTERNALDATE is printed."""

    __slots__ = ("internal", "saved")

    def __init__(self, internal: datetime, saved: datetime) -> None:
        self.internal = internal
        self.saved = saved

    @property
    def internal_day(self) -> date:
        """The day of the internal date."""
        return self.internal.astimezone(UTC).date()

    @property
    def saved_day(self) -> date:
        """The day of the date saved (RFC 8514)."""
        return self.saved.astimezone(UTC).date()


class FieldReader:
    """Reads from header blocks the fields that one search asks about; names are in lower case."""

    def __init__(self, names: Iterable[bytes]) -> None:
        wanted = frozenset(names)
        self._pattern: re.Pattern[bytes] | None = field_pattern(*wanted) if 0 < len(wanted) <= FEW_FIELDS else None

    def read(self, header: bytes) -> Mapping[bytes, list[bytes]]:
        """Return the raw values of fields, in their order, by name."""
        found: dict[bytes, list[bytes]] = {}
        if self._pattern is not None:
            for name, value in pick(header, self._pattern):
                found.setdefault(name, []).append(value)
        else:
            for field in fields(header):
                found.setdefault(field.name.lower(), []).append(field.value)
        return found


_NONE: list[str] = []


class HeaderText:
    """The header of a message, of which those fields are known that its reader reads."""

    def __init__(self, header: bytes, reader: FieldReader) -> None:
        self._header = header
        self._reader = reader
        self._texts: dict[bytes, list[str]] = {}

    @cached_property
    def _raw(self) -> Mapping[bytes, list[bytes]]:
        return self._reader.read(self._header)

    @cached_property
    def sent_day(self) -> date | None:
        """The day in the Date field as its sender wrote it, or None; the reader has to read that field."""
        dates = self._raw.get(b"date")
        return sent_day(dates[0]) if dates else None

    def texts(self, name: bytes) -> list[str]:
        """Return the values of the fields of a name, decoded and folded."""
        texts = self._texts.get(name)
        if texts is None:
            values = self._raw.get(name)
            texts = [fold(decode_words(unfold(value))) for value in values] if values else _NONE
            self._texts[name] = texts
        return texts


class MessageText:
    """A whole message."""

    def __init__(self, letter: Letter) -> None:
        self._letter = letter

    @cached_property
    def header(self) -> str:
        """The text of the header, decoded and folded, with a line end behind it."""
        return fold(self._letter.header_text) + "\n"

    @cached_property
    def body(self) -> str:
        """The text of the body, decoded and folded."""
        return fold(self._letter.body_text)

    @cached_property
    def full(self) -> str:
        """The text of header and body, decoded and folded."""
        return self.header + self.body
