"""A pool of connections that outlives its server.

Facts about txpostgres that shape this module: its own pool never replaces a dead connection; a connection is dead when
psycopg2 says so, whatever the exception's class (a deadlock must not cost a connection); a query that ran into
``statement_timeout`` fails with ``CancelledError``.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psycopg2
from psycopg2.errors import DeadlockDetected, SerializationFailure
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger

from cybertemp_imap.errors import OutcomeUnknown, StoreUnavailable
from cybertemp_imap.store.asynchronous import Connection, Patience, Row
from cybertemp_imap.store.dialing import LOCAL_SETTINGS, Dialer

FIRST_RETRY = 0.1
LONGEST_RETRY = 0.5
"""Seconds between attempts to reconnect: doubled from the first to the longest, each shortened by chance. Sessions are
to go on within two seconds of PostgreSQL, and one attempt at a time costs a server that starts little.
"""

ATTEMPTS = 4
"""How often a statement is run that PostgreSQL gives up in favour of another one (a deadlock)."""

GRACE = 5.0
"""Seconds beyond the statement time-out, which PostgreSQL keeps, after which a connection without an answer is dead."""

_ELSEWHERE = ("08", "57P", "25006")
"""SQLSTATE beginnings of what another connection may not meet with: connection failures, shutdown, and a server that
takes no changes, as one does that was the primary before."""

_AWAY = (*_ELSEWHERE, "53", "55P03", "58")
"""Those of a server that cannot do it at the moment; besides the above, resources used up, a lock, system errors."""


class PoolUsage(NamedTuple):
    """How many connections there are to be, are open, and run a statement, and how many statements wait for one."""

    size: int
    connected: int
    busy: int
    waiting: int


class Pool:
    """Runs one statement at a time on each of ``size`` connections; every statement is its own transaction."""

    _log = Logger()

    def __init__(
        self,
        dsn: str,
        size: int,
        statement_timeout: float,
        acquire_timeout: float,
        reactor: Any,
        *,
        dialer: Dialer | None = None,
        called: str = "PostgreSQL",
    ) -> None:
        """Take times in seconds; ``acquire_timeout`` bounds the wait for a connection, also while there is none.

        ``dialer`` makes the connections, by default to ``dsn``; ``called`` is what the log calls the server.
        """
        self._dialer = Dialer(dsn, statement_timeout, reactor) if dialer is None else dialer
        self._called = called
        self._size = size
        self._local_settings = LOCAL_SETTINGS.format(timeout=f"{int(statement_timeout * 1000)}ms")
        self._patience = Patience(reactor, statement_timeout + GRACE, Connection.abort)
        self._acquire_timeout = acquire_timeout
        self._reactor = reactor
        self._free: list[Connection] = []
        self._all: set[Connection] = set()
        self._outdated: set[Connection] = set()
        self._renewals = 0
        self._opening = 0
        self._waiting: deque[Deferred[Connection]] = deque()
        self._retry: Any = None
        self._pause = FIRST_RETRY
        self._away = False
        self._stopped = False
        self.on_return: Callable[[], None] | None = None
        """Is called when there are connections again after there were none."""
        self.timeouts = 0
        """Statements that ran into the time-out."""
        self.refused = 0
        """Statements for which no connection became free in time."""

    @property
    def usage(self) -> PoolUsage:
        """How the connections are used at the moment."""
        return PoolUsage(self._size, len(self._all), len(self._all) - len(self._free), len(self._waiting))

    @property
    def idle(self) -> int:
        """How many connections are open and run nothing."""
        return len(self._free)

    @property
    def connected(self) -> int:
        """How many connections are open."""
        return len(self._all)

    @property
    def backend_pids(self) -> frozenset[int]:
        """The process numbers of the server's back-ends of all open connections; behind a pooler nobody knows them."""
        return frozenset(connection.pid for connection in self._all if not connection.pooled)

    async def start(self) -> None:
        """Open all connections; raises :class:`StoreUnavailable` when the first cannot be opened."""
        self._stopped = False
        connection = await self._dialer.connect()
        if self._stopped:
            connection.abort()
            raise StoreUnavailable("The pool is closed.")
        self._add(connection)
        self._mend()

    def begin(self) -> None:
        """Open all connections in the background, whenever that can be done."""
        self._stopped = False
        self._mend()

    async def stop(self) -> None:
        """Close every connection; whoever waits for one is told that there is none."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._dialer.stop()
        self._patience.stop()
        while self._waiting:
            self._waiting.popleft().errback(StoreUnavailable("The pool is closed."))
        self._free.clear()
        self._outdated.clear()
        for connection in list(self._all):
            self._all.discard(connection)
            connection.abort()

    def renew(self) -> None:
        """Have all that is run from now on run on new connections: there is another server, perhaps."""
        self._renewals += 1
        self._outdated |= self._all
        free, self._free = self._free, []
        for connection in free:
            self._replace(connection)

    async def query(self, sql: str, parameters: Sequence[object] = (), *, repeatable: bool = False) -> list[Row]:
        """Run one statement and return its rows.

        ``repeatable``: nothing is lost when the statement is run again on another connection, which is done when the
        connection turns out to be dead. Raises :class:`StoreUnavailable`, or the psycopg2 error of a faulty statement;
        :class:`OutcomeUnknown` where the connection was lost and the statement may have been carried out.
        """
        until = self._reactor.seconds() + self._acquire_timeout
        for attempt in range(1, ATTEMPTS + 1):
            connection = await self._acquire(until)
            try:
                return await self._run(connection, sql, parameters)
            except (psycopg2.Error, CancelledError, ConnectionDone) as error:
                self.timeouts += isinstance(error, CancelledError)
                failure = _failure(error, connection, repeatable)
                if failure is error:
                    raise
                if failure is not None or attempt == ATTEMPTS:
                    raise failure or StoreUnavailable("The statement was given up.") from error
            finally:
                self._release(connection)
        raise AssertionError("unreachable")

    def _run(self, connection: Connection, sql: str, parameters: Sequence[object]) -> Deferred[list[Row]]:
        """Run a statement; where no answer comes at all, or nobody wants it any more, close the connection."""
        self._patience.begin(connection)
        return connection.query(self._local_settings + sql if connection.pooled else sql, parameters)

    # -- connections --------------------------------------------------------------------------------------------------

    def _mend(self) -> None:
        """Open what is missing: all at once, but only one while that does not succeed."""
        if self._stopped or self._retry is not None:
            return
        missing = self._size - len(self._all) - self._opening
        wanted = missing if self._all and self._pause == FIRST_RETRY else min(missing, 1 - self._opening)
        for _ in range(wanted):
            self._opening += 1
            Deferred.fromCoroutine(self._open()).addErrback(self._failed)

    async def _open(self) -> None:
        renewals = self._renewals
        try:
            connection = await self._dialer.connect()
        except StoreUnavailable:
            self._mend_later()
            return
        finally:
            self._opening -= 1
        if self._stopped:
            connection.abort()
            return
        if renewals != self._renewals:
            # It may lead to the server of before.
            connection.abort()
            self._mend()
            return
        self._pause = FIRST_RETRY
        if self._away:
            self._away = False
            self._log.info("There are connections to {called} again", called=self._called)
            if self.on_return is not None:
                self.on_return()
        self._add(connection)
        self._mend()

    def _failed(self, failure: Any) -> None:
        self._log.failure("A connection to {called} could not be set up", failure, called=self._called)
        self._mend_later()

    def _mend_later(self) -> None:
        if self._stopped or self._retry is not None:
            return
        wait = self._pause * random.uniform(0.5, 1.0)
        self._pause = min(self._pause * 2, LONGEST_RETRY)
        self._retry = self._reactor.callLater(wait, self._again)

    def _again(self) -> None:
        self._retry = None
        self._mend()

    def hurry(self) -> None:
        """Try again now: somebody else has just reached the server."""
        if self._retry is not None:
            self._retry.reset(0)

    def _add(self, connection: Connection) -> None:
        self._all.add(connection)
        connection.on_lost = self._lost
        self._release(connection)

    def _lost(self, connection: Connection) -> None:
        """Replace a connection; one that is in use is replaced when it is released."""
        if connection in self._free:
            self._free.remove(connection)
            self._replace(connection)

    def _replace(self, connection: Connection) -> None:
        self._all.discard(connection)
        self._outdated.discard(connection)
        connection.abort()
        if not self._all and not self._away:
            self._away = True
            self._log.warn("Lost all connections to {called}; reconnecting", called=self._called)
        self._mend_later()

    async def _acquire(self, until: float) -> Connection:
        if self._stopped:
            raise StoreUnavailable("The pool is closed.")
        while self._free:
            # The one used last: few back-ends that are always at work answer sooner than many that seldom are.
            connection = self._free.pop()
            if not connection.dead:
                return connection
            self._replace(connection)
        waiter: Deferred[Connection] = Deferred(self._forget)
        self._waiting.append(waiter)
        timer = self._reactor.callLater(max(0.0, until - self._reactor.seconds()), self._give_up, waiter)
        try:
            return await waiter
        finally:
            if timer.active():
                timer.cancel()

    def _forget(self, waiter: Deferred[Connection]) -> None:
        """Who was waiting wants none any more: a connection that is given to nobody would be lost."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def _give_up(self, waiter: Deferred[Connection]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            self.refused += 1
            waiter.errback(StoreUnavailable("No connection to PostgreSQL is free."))

    def _release(self, connection: Connection) -> None:
        if connection not in self._all:
            return
        if connection.dead or connection in self._outdated:
            self._replace(connection)
        elif self._waiting:
            self._waiting.popleft().callback(connection)
        else:
            self._free.append(connection)


def _failure(error: BaseException, connection: Connection, repeatable: bool) -> BaseException | None:
    """Return what to raise because of an error: itself, where the statement is faulty; None to run it once more."""
    if isinstance(error, CancelledError):
        return StoreUnavailable("The statement took too long.")
    if isinstance(error, DeadlockDetected | SerializationFailure):
        return None
    if isinstance(error, ConnectionDone):
        # The pool was closed, or there was no answer in time: another attempt would take as long again.
        kind = StoreUnavailable if repeatable else OutcomeUnknown
        return kind("There is no answer of PostgreSQL.")
    if connection.dead:
        return None if repeatable else OutcomeUnknown("The connection to PostgreSQL was lost.")
    if not _begins(error, _AWAY):
        return error
    if _begins(error, _ELSEWHERE):
        connection.abort()
    return StoreUnavailable("PostgreSQL cannot do it at the moment.")


def _begins(error: BaseException, codes: tuple[str, ...]) -> bool:
    """Tell whether an error's SQLSTATE is one of those; without any, it is the connection that failed."""
    code: str | None = getattr(error, "pgcode", None)
    if code is None:
        return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    return code.startswith(codes)
