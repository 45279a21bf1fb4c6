"""Typed reading of JSON rows: what is not of the expected type is refused, not guessed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

#: The same bounds as in PostgreSQL's ``imap.clamp_time``: infinite times become these.
_EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class WrongRow(Exception):
    """A row is not as expected; the text names the column, and nothing of what is in it."""


class Row:
    """A row of PostgREST's, a JSON object."""

    __slots__ = ("_fields",)

    def __init__(self, fields: object) -> None:
        if not isinstance(fields, Mapping):
            raise WrongRow("a row is no object")
        self._fields = fields

    def has(self, column: str) -> bool:
        """Tell whether the row has a column, be it null."""
        return column in self._fields

    def key(self, column: str) -> str | int:
        """Return a primary key, whatever its type in PostgreSQL is."""
        value = self._fields.get(column)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise WrongRow(f"column {column} is no key")
        return value

    def text(self, column: str) -> str | None:
        """Return a text, None where the column is null or missing."""
        value = self._fields.get(column)
        if value is not None and not isinstance(value, str):
            raise WrongRow(f"column {column} is no text")
        return value

    def boolean(self, column: str) -> bool | None:
        """Return a boolean, None where the column is null or missing."""
        value = self._fields.get(column)
        if value is not None and not isinstance(value, bool):
            raise WrongRow(f"column {column} is no boolean")
        return value

    def optional_uuid(self, column: str) -> UUID | None:
        """Return a UUID, None where the column is null or missing."""
        value = self._fields.get(column)
        if value is None:
            return None
        try:
            return UUID(value)
        except (ValueError, TypeError, AttributeError):
            raise WrongRow(f"column {column} is no UUID") from None

    def uuid(self, column: str) -> UUID:
        """Return a UUID."""
        value = self.optional_uuid(column)
        if value is None:
            raise WrongRow(f"column {column} is null")
        return value

    def moment(self, column: str) -> datetime | None:
        """Return an aware time, None where the column is null or missing."""
        text = self.text(column)
        if text is None:
            return None
        if text == "infinity":
            return _LATEST
        # Before our era, PostgreSQL writes "BC" after the time.
        if text == "-infinity" or text.endswith(" BC"):
            return _EARLIEST
        if text[:5].isdigit():
            return _LATEST
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise WrongRow(f"column {column} is no time") from None
        if moment.tzinfo is None:
            # timestamp without time zone, where a project has that: PostgREST's sessions run in UTC.
            moment = moment.replace(tzinfo=UTC)
        return min(max(moment, _EARLIEST), _LATEST)
