"""Requests to a Supabase project: to PostgREST below ``/rest/v1``, and to the auth admin API below ``/auth/v1``.

What goes wrong is :class:`~cybertemp_imap.errors.StoreUnavailable` to the caller, whatever it was; the log has the kind
of it. Neither has the key, the query or anything of the answer: queries hold tokens.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.supabase import filters
from cybertemp_imap.supabase.breaker import Breaker
from cybertemp_imap.supabase.exchange import Answer, Exchange, ExchangeFailed
from cybertemp_imap.supabase.filters import Filter
from cybertemp_imap.supabase.rows import Row, WrongRow

PAGE = 1000
"""Rows asked for at a time: Supabase gives no more by default."""

ATTEMPTS = 3
FIRST_RETRY = 0.2
LONGEST_WAIT = 2.0
"""Seconds: the wait before the second attempt, doubled for the third; and the longest that is waited if asked for."""

REST = "rest"
AUTH = "auth"

_AWAY = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524})
"""Statuses after which the same request may succeed; those above 511 are of the proxy before Supabase."""

_CODE = re.compile(r"[A-Z0-9_]{1,40}", re.IGNORECASE)

T = TypeVar("T")


class _Away(Exception):
    """The service failed in a way that may pass; ``wait`` is what it asks for, in seconds."""

    def __init__(self, kind: str, wait: float = 0.0) -> None:
        super().__init__(kind)
        self.wait = wait


@dataclass(frozen=True, slots=True)
class _Request:
    """``what`` is a name for the log; ``path`` has the query."""

    service: str
    what: str
    path: str
    method: str = "GET"
    body: bytes | None = None
    prefer: str | None = None


class SupabaseClient:
    """Reads and writes rows with the service key."""

    _log = Logger()

    def __init__(self, url: str, key: str, timeout: float, reactor: Any) -> None:
        """``url`` is the project's, without a path; a request takes ``timeout`` seconds at most, repeats included."""
        self._url = url.rstrip("/")
        self._headers = {"apikey": key, "Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._timeout = timeout
        self._reactor = reactor
        self._exchange = Exchange(reactor)
        self._breakers = {service: Breaker(reactor.seconds) for service in (REST, AUTH)}
        self._told: set[tuple[str, str]] = set()
        self._stopped = False

    async def stop(self) -> None:
        """Give up what is under way, and close all connections."""
        self._stopped = True
        await self._exchange.stop()

    async def rows(
        self, table: str, columns: Sequence[str], conditions: Sequence[Filter], read: Callable[[Row], T]
    ) -> list[T]:
        """Return the rows that fulfil all conditions, each made into what ``read`` returns; a page at most.

        No ``columns`` means all that there are.
        """
        request = _Request(REST, table, f"{table}?{filters.query(conditions, select=columns, limit=PAGE)}")
        answer = await self._ask(request)
        return self._read(request, answer, read)

    async def all_rows(
        self,
        table: str,
        columns: Sequence[str],
        conditions: Sequence[Filter],
        read: Callable[[Row], T],
    ) -> list[T]:
        """Return every row that fulfils all conditions, however many there are.

        They are read by ascending ``id``, each page beginning behind the last: a row that is there all the time is read
        exactly once, whatever comes and goes meanwhile.
        """
        found: list[T] = []
        after: list[Filter] = []
        while True:
            path = f"{table}?{filters.query([*conditions, *after], select=('id', *columns), order='id', limit=PAGE)}"
            request = _Request(REST, table, path, prefer="count=exact")
            answer = await self._ask(request)
            page = self._read(request, answer, lambda row: (row.key("id"), read(row)))
            found.extend(item for _, item in page)
            if not page or _is_complete(answer, len(page)):
                return found
            last = page[-1][0]
            if after and [filters.gt("id", last)] == after:
                raise self._unusable(request, "pages that repeat")
            after = [filters.gt("id", last)]

    async def update(self, table: str, conditions: Sequence[Filter], values: Mapping[str, str]) -> None:
        """Set columns of the rows that fulfil all conditions, of which there must be one; it may be done twice."""
        if not conditions:
            raise ValueError("an update of all rows is not wanted")
        body = json.dumps(values).encode()
        path = f"{table}?{filters.query(conditions)}"
        request = _Request(REST, table, path, "PATCH", body, "return=minimal")
        await self._ask(request)

    async def auth_user(self, user_id: UUID, read: Callable[[Row], T]) -> T | None:
        """Return an account of the auth admin API, None when there is none."""
        request = _Request(AUTH, "admin/users", f"admin/users/{user_id}")
        answer = await self._ask(request, is_answer=_is_no_user)
        if answer.status == 404:
            return None
        return self._read(request, Answer(200, {}, b"[%b]" % answer.body), read)[0]

    # -- asking -------------------------------------------------------------------------------------------------------

    async def _ask(self, request: _Request, is_answer: Callable[[Answer], bool] = lambda answer: False) -> Answer:
        """Send a request until it is answered; ``is_answer`` knows answers that are one though they are no success."""
        end = self._reactor.seconds() + self._timeout
        for attempt in range(1, ATTEMPTS + 1):
            left = end - self._reactor.seconds()
            try:
                # Half of the time at most, so that one that hangs can be repeated.
                answer = await self._attempt(request, min(left, self._timeout / 2))
            except _Away as error:
                wait = max(FIRST_RETRY * 2 ** (attempt - 1) * random.uniform(0.5, 1.0), error.wait)
                if attempt == ATTEMPTS or wait > LONGEST_WAIT or self._reactor.seconds() + wait >= end:
                    break
                await self._sleep(wait)
                continue
            if 200 <= answer.status < 300 or is_answer(answer):
                return answer
            raise self._refused(request, answer)
        raise StoreUnavailable("Supabase does not answer.")

    async def _attempt(self, request: _Request, seconds: float) -> Answer:
        breaker = self._breakers[request.service]
        if self._stopped or not breaker.admits():
            raise StoreUnavailable("Supabase did not answer before.")
        try:
            answer = await self._send(request, seconds)
        except _Away as error:
            if breaker.failed():
                self._log.warn("Supabase ({service}) does not answer: {kind}", service=request.service, kind=str(error))
            raise
        except (CancelledError, GeneratorExit):
            breaker.abandoned()
            raise
        if breaker.succeeded():
            self._log.info("Supabase ({service}) answers again", service=request.service)
        return answer

    async def _send(self, request: _Request, seconds: float) -> Answer:
        headers = dict(self._headers)
        if request.prefer is not None:
            headers["Prefer"] = request.prefer
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self._url}/{request.service}/v1/{request.path}"
        try:
            answer = await self._exchange.send(request.method, url, headers, request.body, max(seconds, 0.001))
        except ExchangeFailed as error:
            raise _Away(str(error)) from None
        if answer.status in _AWAY:
            raise _Away(f"status {answer.status}", _seconds(answer.headers.get("retry-after", "")))
        return answer

    async def _sleep(self, seconds: float) -> None:
        waiting: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._reactor.callLater(seconds, waiting.callback, None)
        await waiting

    # -- understanding ------------------------------------------------------------------------------------------------

    def _read(self, request: _Request, answer: Answer, read: Callable[[Row], T]) -> list[T]:
        try:
            parsed = json.loads(answer.body)
        except (ValueError, RecursionError):
            raise self._unusable(request, "no JSON") from None
        if not isinstance(parsed, list):
            raise self._unusable(request, "no rows")
        try:
            return [read(Row(fields)) for fields in parsed]
        except WrongRow as error:
            raise self._unusable(request, str(error)) from None

    def _refused(self, request: _Request, answer: Answer) -> StoreUnavailable:
        """Note that a request was refused; that is for the operator to mend."""
        code = _field(answer, "code")
        shown = f" {code}" if code is not None and _CODE.fullmatch(code) else ""
        return self._unusable(request, f"status {answer.status}{shown}")

    def _unusable(self, request: _Request, kind: str) -> StoreUnavailable:
        """Note once what is wrong with an answer; return what to raise."""
        if (request.what, kind) not in self._told:
            self._told.add((request.what, kind))
            self._log.error(
                "Supabase's answer for {what} cannot be used: {kind}",
                what=f"{request.service}/{request.what}",
                kind=kind,
            )
        return StoreUnavailable("Supabase's answer cannot be used.")


def _is_complete(answer: Answer, rows: int) -> bool:
    """Tell by Content-Range (``0-999/3573``) whether a page has all rows from its beginning on.

    A server that tells no total is asked until a page is empty, as nobody knows the page size it was set to.
    """
    match = re.fullmatch(r"(?:\d+-\d+|\*)/(\d{1,18})", answer.headers.get("content-range", ""))
    return match is not None and int(match[1]) <= rows


def _is_no_user(answer: Answer) -> bool:
    """Tell the auth service's word that there is no such account from a 404 of anything else on the way."""
    return answer.status == 404 and _field(answer, "msg") is not None


def _field(answer: Answer, name: str) -> str | None:
    """Return a text of the object that an answer is, if it is one."""
    try:
        value = json.loads(answer.body)[name]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return value if isinstance(value, str) else None


def _seconds(retry_after: str) -> float:
    """Return the seconds of a Retry-After header; its other form, a date, is not worth reading here."""
    return float(retry_after) if re.fullmatch(r"[0-9]{1,6}", retry_after) else 0.0
