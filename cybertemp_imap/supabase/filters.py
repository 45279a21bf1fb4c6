"""PostgREST's query strings, built so that no value can change what is asked.

A value goes through two grammars. As the operand of a parameter (``token=eq.…``) it is taken as it is up to the end of
the parameter, so only percent-encoding is needed, and quotes would be part of it. In a list or a logical operator
(``in.(…)``, ``or=(…)``) comma and parenthesis end it, so there it always stands in double quotes, with a backslash
before backslash and quote (https://docs.postgrest.org, "Reserved characters").

Values with NUL or a lone surrogate are in no PostgreSQL text; they are refused with :class:`ValueError`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote
from uuid import UUID

Value = str | int | UUID

_COLUMN = re.compile(r"[a-z_]+")
_SPECIAL_IN_LIKE = re.compile(r"([\\%_])")
# ASCII's punctuation: a backslash before it means the character itself, before a letter of any script it would not.
_SPECIAL_IN_REGEXP = re.compile(r"([!-/:-@\[-^`{-~])")
_ESCAPED = r"\\\1"


class Filter(Protocol):
    """What rows have to fulfil."""

    @property
    def parameter(self) -> tuple[str, str]:
        """The filter as a parameter of the query: its name and value, not percent-encoded yet."""

    @property
    def nested(self) -> str:
        """The filter inside a logical operator."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    column: str
    operator: str
    operand: str

    @property
    def parameter(self) -> tuple[str, str]:
        return self.column, f"{self.operator}.{self.operand}"

    @property
    def nested(self) -> str:
        return f"{self.column}.{self.operator}.{_quoted(self.operand)}"


@dataclass(frozen=True, slots=True)
class _Null:
    column: str

    @property
    def parameter(self) -> tuple[str, str]:
        return self.column, "is.null"

    @property
    def nested(self) -> str:
        return f"{self.column}.is.null"


@dataclass(frozen=True, slots=True)
class _Membership:
    column: str
    values: tuple[str, ...]

    @property
    def parameter(self) -> tuple[str, str]:
        return self.column, f"in.({','.join(map(_quoted, self.values))})"

    @property
    def nested(self) -> str:
        return ".".join(self.parameter)


@dataclass(frozen=True, slots=True)
class _Junction:
    word: str
    parts: tuple[Filter, ...]

    @property
    def parameter(self) -> tuple[str, str]:
        return self.word, f"({','.join(part.nested for part in self.parts)})"

    @property
    def nested(self) -> str:
        return "".join(self.parameter)


def eq(column: str, value: Value) -> Filter:
    """Match rows whose column equals a value."""
    return _Comparison(_column(column), "eq", _text(value))


def gt(column: str, value: Value) -> Filter:
    """Match rows whose column is greater than a value."""
    return _Comparison(_column(column), "gt", _text(value))


def lt(column: str, value: Value) -> Filter:
    """Match rows whose column is less than a value."""
    return _Comparison(_column(column), "lt", _text(value))


def is_null(column: str) -> Filter:
    """Match rows whose column is null."""
    return _Null(_column(column))


def ilike(column: str, value: str) -> Filter:
    """Match rows whose column equals a text without case.

    PostgREST makes every ``*`` of a LIKE pattern a ``%``, and nothing escapes it. A text that has one goes as a regular
    expression, in which it can be escaped.
    """
    text = _text(value)
    if "*" in text:
        return _Comparison(_column(column), "imatch", f"^{_SPECIAL_IN_REGEXP.sub(_ESCAPED, text)}$")
    return _Comparison(_column(column), "ilike", _SPECIAL_IN_LIKE.sub(_ESCAPED, text))


def is_in(column: str, values: Iterable[Value]) -> Filter:
    """Match rows whose column equals one of the values; there must be one, and none empty.

    ``in.("")`` is to PostgREST what ``in.()`` is: it matches nothing.
    """
    texts = tuple(map(_text, values))
    if not texts or "" in texts:
        raise ValueError("a list needs values, none of them empty")
    return _Membership(_column(column), texts)


def any_of(*parts: Filter) -> Filter:
    """Match rows that one of the filters matches."""
    return _Junction("or", parts)


def all_of(*parts: Filter) -> Filter:
    """Match rows that all of the filters match."""
    return _Junction("and", parts)


def query(
    filters: Sequence[Filter],
    *,
    select: Sequence[str] = (),
    order: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
) -> str:
    """Return a percent-encoded query string; ``order`` is a column, by which rows come ascending.

    Without ``select``, all columns are asked for.
    """
    parameters = [part.parameter for part in filters]
    if select:
        parameters.append(("select", ",".join(map(_column, select))))
    if order is not None:
        parameters.append(("order", f"{_column(order)}.asc"))
    if limit is not None:
        parameters.append(("limit", str(limit)))
    if offset is not None:
        parameters.append(("offset", str(offset)))
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(value: Value) -> str:
    text = str(value)
    if "\0" in text:
        raise ValueError("a value with NUL is in no table")
    text.encode()
    return text


def _column(name: str) -> str:
    if not _COLUMN.fullmatch(name):
        raise ValueError(f"not a column: {name!r}")
    return name
