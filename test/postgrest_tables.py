"""PostgREST's answers for the tables of a PostgreSQL database: statuses, headers and error bodies as it has them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import psycopg2
from psycopg2 import sql

from test.postgrest_grammar import Query, Unparsable, parse_query

MAX_ROWS = 1000

_JSON = "application/json; charset=utf-8"
_SINGULAR = "application/vnd.pgrst.object+json"
_ACCEPTABLE = ("*/*", "application/*", "application/json", _SINGULAR)

#: What becomes of PostgreSQL's errors, by the beginning of their SQLSTATE; all others are 400.
_STATUSES = {"08": 503, "53": 503, "42P01": 404, "42883": 404, "42501": 403, "23505": 409, "23503": 409, "57": 500}


@dataclass(frozen=True)
class Reply:
    """An HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": _JSON})


@dataclass(frozen=True)
class Seen:
    """A request that came."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


class Refusal(Exception):
    """An error in PostgREST's form."""

    def __init__(self, status: int, code: str, message: str, details: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details

    @property
    def reply(self) -> Reply:
        """The answer."""
        return error_reply(self.status, code=self.code, message=str(self), details=self.details, hint=None)


def error_reply(status: int, **fields: object) -> Reply:
    """Return an error with a JSON body."""
    return Reply(status, json.dumps(fields).encode())


class Tables:
    """The tables of the schema ``public`` of a database; it blocks."""

    def __init__(self, dsn: str, max_rows: int) -> None:
        self.max_rows = max_rows
        self._database = psycopg2.connect(dsn)
        self._database.autocommit = True
        self._lock = Lock()

    def close(self) -> None:
        """Disconnect."""
        self._database.close()

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run SQL."""
        with self._lock, self._database.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def answer(self, seen: Seen, name: str, body: bytes) -> Reply:
        """Answer a request for a table."""
        try:
            return self._rest(seen, name, body)
        except Refusal as refusal:
            return refusal.reply
        except psycopg2.Error as error:
            return _database_error(error)

    def _rest(self, seen: Seen, name: str, body: bytes) -> Reply:
        accepted = seen.headers.get("accept", "*/*").split(";")[0].split(",")[0].strip()
        if accepted not in _ACCEPTABLE:
            raise Refusal(406, "PGRST107", f"None of these media types are available: {accepted}")
        if not self.execute("SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tablename = %s", name):
            raise Refusal(404, "PGRST205", f"Could not find the table 'public.{name}' in the schema cache")
        try:
            query = parse_query(seen.query.encode())
        except Unparsable as error:
            raise Refusal(400, "PGRST100", str(error)) from None
        table = sql.Identifier("public", name)
        methods: dict[str, Callable[[], Reply]] = {
            "GET": lambda: self._select(seen, table, query, accepted == _SINGULAR),
            "POST": lambda: self._write_rows(seen, table, query, body, insert=True),
            "PATCH": lambda: self._write_rows(seen, table, query, body, insert=False),
        }
        if seen.method not in methods:
            raise Refusal(405, "PGRST117", f"Unsupported HTTP method: {seen.method}")
        return methods[seen.method]()

    def _select(self, seen: Seen, table: sql.Composable, query: Query, singular: bool) -> Reply:
        first, limit = _window(seen, query)
        limit = self.max_rows if limit is None else min(limit, self.max_rows)
        order = sql.SQL("ORDER BY {}").format(sql.SQL(", ").join(query.order)) if query.order else sql.SQL("")
        rows = self._rows(
            sql.SQL("SELECT {} FROM {} WHERE {} {} LIMIT {} OFFSET {}").format(
                _columns(query), table, query.where, order, sql.Literal(limit), sql.Literal(first)
            )
        )
        total = None
        if "count=exact" in seen.headers.get("prefer", ""):
            counted = self._rows(sql.SQL("SELECT count(*) AS n FROM {} WHERE {}").format(table, query.where))
            total = counted[0]["n"]
            if first > total:
                details = f"An offset of {first} was requested, but there are only {total} rows."
                raise Refusal(416, "PGRST103", "Requested range not satisfiable", details)
        if singular:
            if len(rows) != 1:
                details = f"The result contains {len(rows)} rows"
                raise Refusal(406, "PGRST116", "Cannot coerce the result to a single JSON object", details)
            return Reply(200, json.dumps(rows[0]).encode(), {"Content-Type": _SINGULAR})
        span = f"{first}-{first + len(rows) - 1}" if rows else "*"
        headers = {"Content-Type": _JSON, "Content-Range": f"{span}/{'*' if total is None else total}"}
        status = 206 if total is not None and len(rows) < total else 200
        return Reply(status, json.dumps(rows).encode(), headers)

    def _write_rows(self, seen: Seen, table: sql.Composable, query: Query, body: bytes, *, insert: bool) -> Reply:
        try:
            values = json.loads(body)
        except ValueError:
            raise Refusal(400, "PGRST102", "Empty or invalid json") from None
        if not isinstance(values, dict) or not values:
            raise Refusal(400, "PGRST102", "All object keys must match")
        names = sql.SQL(", ").join(map(sql.Identifier, values))
        given = sql.SQL(", ").join(map(sql.Literal, values.values()))
        form = "INSERT INTO {0} ({1}) VALUES ({2})" if insert else "UPDATE {0} SET ({1}) = ROW ({2}) WHERE {3}"
        statement = sql.SQL(form).format(table, names, given, query.where)
        rows = self._rows(sql.SQL("{} RETURNING {}").format(statement, _columns(query)))
        headers = {"Content-Range": f"0-{len(rows) - 1}/*" if rows and not insert else "*/*"}
        if "return=representation" not in seen.headers.get("prefer", ""):
            return Reply(201 if insert else 204, b"", headers)
        return Reply(201 if insert else 200, json.dumps(rows).encode(), {**headers, "Content-Type": _JSON})

    def _rows(self, statement: sql.Composable) -> list[dict[str, Any]]:
        """Run a statement; return its rows as PostgreSQL makes JSON of them."""
        with self._lock, self._database.cursor() as cursor:
            try:
                text = statement.as_string(cursor)
            except ValueError:
                message = 'invalid byte sequence for encoding "UTF8": 0x00'
                raise Refusal(400, "22021", message) from None
            cursor.execute(f"WITH found AS ({text}) SELECT to_jsonb(found)::text FROM found")
            return [json.loads(row) for (row,) in cursor.fetchall()]


def _window(seen: Seen, query: Query) -> tuple[int, int | None]:
    """Return offset and limit: those of the query, else those of the Range header."""
    first, limit = query.offset, query.limit
    match = re.fullmatch(r"(\d+)-(\d*)", seen.headers.get("range", ""))
    if match is not None and limit is None and first == 0:
        first = int(match[1])
        limit = int(match[2]) - first + 1 if match[2] else None
    if first < 0 or (limit is not None and limit < 0):
        details = "Limit should be greater than or equal to zero."
        raise Refusal(416, "PGRST103", "Requested range not satisfiable", details)
    return first, limit


def _columns(query: Query) -> sql.Composable:
    parts = [sql.SQL("*") if name == "*" else sql.Identifier(name) for name in query.columns]
    return sql.SQL(", ").join(parts) if parts else sql.SQL("*")


def _database_error(error: psycopg2.Error) -> Reply:
    code = error.pgcode or "XX000"
    status = next((status for beginning, status in _STATUSES.items() if code.startswith(beginning)), 400)
    diagnosis = error.diag
    message = diagnosis.message_primary
    return error_reply(
        status, code=code, message=message, details=diagnosis.message_detail, hint=diagnosis.message_hint
    )
