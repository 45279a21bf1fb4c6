"""PostgREST's query language, read as its documentation has it: horizontal filters, ordering, limits, columns.

https://docs.postgrest.org/en/stable/references/api/tables_views.html and ``url_grammar.html`` there. Embedding, casts,
JSON paths, aggregates, full-text search and operators on arrays and ranges are left out, and refused as PostgREST
refuses what it cannot parse. The reader is a cursor over the text; it shares nothing with what the package writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import unquote_plus

from psycopg2 import sql

T = TypeVar("T")

_COMPARISONS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "like": "LIKE",
    "ilike": "ILIKE",
    "match": "~",
    "imatch": "~*",
}
_TRUTHS = {"null": "NULL", "not_null": "NOT NULL", "true": "TRUE", "false": "FALSE", "unknown": "UNKNOWN"}
_LOGIC = ("and", "or", "not.and", "not.or")
_ORDERS = {"asc": "ASC", "desc": "DESC"}
_NULLS = {"nullsfirst": "NULLS FIRST", "nullslast": "NULLS LAST"}


class Unparsable(Exception):
    """What PostgREST answers with PGRST100."""

    def __init__(self, what: str, text: str, column: int) -> None:
        super().__init__(f'"failed to parse {what} ({text})" (line 1, column {column + 1})')


@dataclass
class Query:
    """What a query string asks for; ``limit`` None is no limit."""

    columns: list[str] = field(default_factory=list)
    conditions: list[sql.Composable] = field(default_factory=list)
    order: list[sql.Composable] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0

    @property
    def where(self) -> sql.Composable:
        """The conditions as SQL."""
        return sql.SQL(" AND ").join(self.conditions) if self.conditions else sql.SQL("true")


def parse_query(raw: bytes) -> Query:
    """Read a query string; raises :class:`Unparsable`."""
    query = Query()
    for part in raw.decode("ascii").split("&"):
        if not part:
            continue
        name, _, value = (unquote_plus(half, errors="replace") for half in part.partition("="))
        _take(query, name, value)
    return query


def _take(query: Query, name: str, value: str) -> None:
    if name == "select":
        query.columns = _whole("select parameter", value, lambda cursor: cursor.listed(_Cursor.column))
    elif name == "order":
        query.order = _whole("order", value, lambda cursor: cursor.listed(_Cursor.order_term))
    elif name in ("limit", "offset"):
        # What is no number is no limit.
        number = int(value) if value.lstrip("-").isdecimal() else None
        if name == "limit":
            query.limit = number
        else:
            query.offset = number or 0
    elif name in _LOGIC:
        query.conditions.append(_whole("logic tree", name + value, _Cursor.logic_tree))
    elif name not in ("columns", "on_conflict"):
        column = _whole("tree path", name, _Cursor.column)
        query.conditions.append(_whole("filter", value, lambda cursor: cursor.operation(column, _Cursor.rest)))


def _whole(what: str, text: str, read: Callable[[_Cursor], T]) -> T:
    cursor = _Cursor(what, text)
    result = read(cursor)
    if cursor.place < len(text):
        raise cursor.unexpected()
    return result


class _Cursor:
    def __init__(self, what: str, text: str) -> None:
        self.what = what
        self.text = text
        self.place = 0

    def unexpected(self) -> Unparsable:
        return Unparsable(self.what, self.text, self.place)

    def at(self, word: str) -> bool:
        """Tell whether a word is next; if so, go behind it."""
        if not self.text.startswith(word, self.place):
            return False
        self.place += len(word)
        return True

    def need(self, word: str) -> None:
        if not self.at(word):
            raise self.unexpected()

    def blanks(self) -> None:
        while self.at(" ") or self.at("\t"):
            pass

    def run(self, wanted: Callable[[str], bool]) -> str:
        start = self.place
        while self.place < len(self.text) and wanted(self.text[self.place]):
            self.place += 1
        return self.text[start : self.place]

    def rest(self) -> str:
        """The operand of a parameter: everything there is, quotes included."""
        return self.run(lambda character: True)

    def listed(self, item: Callable[[_Cursor], T]) -> list[T]:
        found = []
        while True:
            self.blanks()
            found.append(item(self))
            self.blanks()
            if not self.at(","):
                return found

    def column(self) -> str:
        if self.text[self.place : self.place + 1] == '"':
            return self.quoted()
        name = self.run(lambda character: character.isalnum() or character in "_ $-*").strip(" ")
        if not name:
            raise self.unexpected()
        return name

    def quoted(self) -> str:
        self.need('"')
        found = ""
        while not self.at('"'):
            self.at("\\")
            if self.place == len(self.text):
                raise self.unexpected()
            found += self.text[self.place]
            self.place += 1
        return found

    def element(self) -> str:
        """A value in a list or in a logical operator: quoted, or up to the next comma or parenthesis."""
        start = self.place
        if self.text[start : start + 1] == '"':
            try:
                found = self.quoted()
            except Unparsable:
                self.place = start
            else:
                if self.place == len(self.text) or self.text[self.place] in ",)":
                    return found
                self.place = start
        return self.run(lambda character: character not in ",)")

    def operation(self, column: str, operand: Callable[[_Cursor], str]) -> sql.Composable:
        negated = self.at("not.")
        start = self.place
        word = self.run(str.isalpha)
        name = sql.Identifier(column)
        if word not in ("in", "is", *_COMPARISONS):
            self.place = start
            raise self.unexpected()
        self.need(".")
        if word == "in":
            condition = self._membership(name)
        elif word == "is":
            start = self.place
            truth = _TRUTHS.get(operand(self).lower())
            if truth is None:
                self.place = start
                raise self.unexpected()
            condition = sql.SQL("{} IS {}").format(name, sql.SQL(truth))
        else:
            value = operand(self)
            value = value.replace("*", "%") if word in ("like", "ilike") else value
            condition = sql.SQL("{} {} {}").format(name, sql.SQL(_COMPARISONS[word]), sql.Literal(value))
        return sql.SQL("NOT ({})").format(condition) if negated else sql.SQL("({})").format(condition)

    def _membership(self, name: sql.Composable) -> sql.Composable:
        self.need("(")
        values = [self.element()]
        while self.at(","):
            values.append(self.element())
        self.need(")")
        self.blanks()
        if values == [""]:
            # An empty list and a list of the empty text are the same to PostgREST.
            return sql.SQL("{} = ANY ('{{}}')").format(name)
        return sql.SQL("{} IN ({})").format(name, sql.SQL(", ").join(map(sql.Literal, values)))

    def logic_tree(self) -> sql.Composable:
        self.blanks()
        start = self.place
        negated = self.at("not.")
        word = next((word for word in ("and", "or") if self.at(word)), None)
        if word is None or self.text[self.place : self.place + 1] != "(":
            self.place = start
            return self._logic_filter()
        self.need("(")
        parts = self.listed(_Cursor.logic_tree)
        self.need(")")
        joined = sql.SQL(f" {word.upper()} ").join(parts)
        return sql.SQL("NOT ({})" if negated else "({})").format(joined)

    def _logic_filter(self) -> sql.Composable:
        column = self.column()
        self.need(".")
        return self.operation(column, _Cursor.element)

    def order_term(self) -> sql.Composable:
        parts: list[sql.Composable] = [sql.Identifier(self.column())]
        for words in (_ORDERS, _NULLS):
            start = self.place
            if self.at("."):
                word = self.run(str.isalpha)
                if word in words:
                    parts.append(sql.SQL(words[word]))
                else:
                    self.place = start
        return sql.SQL(" ").join(parts)
