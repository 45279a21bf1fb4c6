"""A pool of txpostgres connections that outlives its server.

txpostgres is used here and nowhere else. Facts about it that shape this module: its own pool never replaces a dead
connection; a connection is dead when psycopg2 says ``closed``, whatever the exception's class (a deadlock must not cost
a connection); a query that ran into ``statement_timeout`` fails with ``CancelledError``.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import psycopg2
from psycopg2.errors import DeadlockDetected, SerializationFailure
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from txpostgres import txpostgres

from cybertemp_imap.errors import StoreUnavailable

Row = tuple[Any, ...]

FIRST_RETRY = 0.1
LONGEST_RETRY = 2.0
"""Seconds between attempts to reconnect: doubled from the first to the longest, each shortened by chance."""

ATTEMPTS = 4
"""How often a statement is run that PostgreSQL gives up in favour of another one (a deadlock)."""

_AWAY = ("08", "57P", "53", "58")
"""SQLSTATE beginnings: connection failures, shutdown, resources used up, system errors."""

SETTINGS = "SELECT set_config('statement_timeout', %s, false), set_config('jit', 'off', false)"


class PoolUsage(NamedTuple):
    """How many connections there are to be, are open, and run a statement, and how many statements wait for one."""

    size: int
    connected: int
    busy: int
    waiting: int


class Connection(txpostgres.Connection):  # type: ignore[misc]
    """A connection that tells its pool when it is lost while nobody is using it."""

    on_lost: Any = None

    def doRead(self) -> None:
        """Read notifications; a closed socket is not an error to log but a loss to tell."""
        try:
            super().doRead()
        except psycopg2.Error:
            if self.on_lost is not None:
                self.on_lost(self)


class Pool:
    """Runs one statement at a time on each of ``size`` connections; every statement is its own transaction."""

    _log = Logger()

    def __init__(self, dsn: str, size: int, statement_timeout: float, acquire_timeout: float, reactor: Any) -> None:
        """Take times in seconds; ``acquire_timeout`` bounds the wait for a free connection."""
        self._dsn = dsn
        self._size = size
        self._statement_timeout = statement_timeout
        self._acquire_timeout = acquire_timeout
        self._reactor = reactor
        self._free: deque[Connection] = deque()
        self._all: set[Connection] = set()
        self._opening: set[Connection] = set()
        self._waiting: deque[Deferred[Connection]] = deque()
        self._retries: set[Any] = set()
        self._stopped = False
        self.timeouts = 0
        """Statements that ran into the time-out."""
        self.refused = 0
        """Statements for which no connection became free in time."""

    @property
    def usage(self) -> PoolUsage:
        """How the connections are used at the moment."""
        return PoolUsage(self._size, len(self._all), len(self._all) - len(self._free), len(self._waiting))

    @property
    def connected(self) -> int:
        """How many connections are open."""
        return len(self._all)

    @property
    def backend_pids(self) -> frozenset[int]:
        """The process numbers of the server's back-ends of all open connections."""
        return frozenset(connection.info.backend_pid for connection in self._all if not connection.closed)

    async def start(self) -> None:
        """Open all connections; raises :class:`StoreUnavailable` when the first cannot be opened."""
        self._stopped = False
        self._add(await self._connect())
        for _ in range(self._size - 1):
            self._open_in_background(0)

    async def stop(self) -> None:
        """Close every connection; whoever waits for one is told that there is none."""
        self._stopped = True
        for retry in self._retries:
            retry.cancel()
        self._retries.clear()
        while self._waiting:
            self._waiting.popleft().errback(StoreUnavailable("The pool is closed."))
        for connection in [*self._all, *self._opening]:
            self._discard(connection)

    async def query(self, sql: str, parameters: Sequence[object] = (), *, repeatable: bool = False) -> list[Row]:
        """Run one statement and return its rows.

        ``repeatable``: nothing is lost when the statement is run again on another connection, which is done when the
        connection turns out to be dead. Raises :class:`StoreUnavailable`, or the psycopg2 error of a faulty statement.
        """
        for attempt in range(1, ATTEMPTS + 1):
            connection = await self._acquire()
            try:
                rows: list[Row] = await connection.runQuery(sql, parameters)
                return rows
            except CancelledError:
                self.timeouts += 1
                raise StoreUnavailable("The statement took too long.") from None
            except (DeadlockDetected, SerializationFailure) as error:
                if attempt == ATTEMPTS:
                    raise StoreUnavailable("The statement was given up.") from error
            except ConnectionDone as error:
                raise StoreUnavailable("The pool is closed.") from error
            except psycopg2.Error as error:
                dead = bool(connection.closed)
                if not dead and not _is_away(error):
                    raise
                if not (dead and repeatable) or attempt == ATTEMPTS:
                    raise StoreUnavailable("PostgreSQL cannot be reached.") from error
            finally:
                self._release(connection)
        raise AssertionError("unreachable")

    # -- connections --------------------------------------------------------------------------------------------------

    async def _connect(self) -> Connection:
        connection = Connection(self._reactor)
        self._opening.add(connection)
        try:
            await connection.connect(self._dsn)
            await connection.runQuery(SETTINGS, (f"{int(self._statement_timeout * 1000)}ms",))
        except (psycopg2.Error, ConnectionDone) as error:
            self._discard(connection)
            raise StoreUnavailable("PostgreSQL cannot be reached.") from error
        finally:
            self._opening.discard(connection)
        connection.on_lost = self._lost
        return connection

    def _open_in_background(self, delay: float) -> None:
        async def attempt() -> None:
            self._retries.discard(call)
            try:
                connection = await self._connect()
            except StoreUnavailable:
                self._open_in_background(min(max(delay * 2, FIRST_RETRY), LONGEST_RETRY))
                return
            if self._stopped:
                connection.close()
            else:
                self._add(connection)

        if self._stopped:
            return
        wait = delay * random.uniform(0.5, 1.0)
        call = self._reactor.callLater(wait, lambda: Deferred.fromCoroutine(attempt()).addErrback(self._failed))
        self._retries.add(call)

    def _failed(self, failure: Any) -> None:
        self._log.failure("A connection to PostgreSQL could not be set up", failure)
        self._open_in_background(LONGEST_RETRY)

    def _add(self, connection: Connection) -> None:
        self._all.add(connection)
        self._release(connection)

    def _lost(self, connection: Connection) -> None:
        """Replace a connection; one that is in use is replaced when it is released."""
        if connection in self._free:
            self._free.remove(connection)
            self._replace(connection)

    def _replace(self, connection: Connection) -> None:
        self._discard(connection)
        self._log.warn("Lost a connection to PostgreSQL; reconnecting")
        self._open_in_background(FIRST_RETRY)

    def _discard(self, connection: Connection) -> None:
        self._all.discard(connection)
        connection.on_lost = None
        if connection.pollable() is not None:
            connection.close()

    async def _acquire(self) -> Connection:
        if self._stopped:
            raise StoreUnavailable("The pool is closed.")
        if self._free:
            return self._free.popleft()
        waiter: Deferred[Connection] = Deferred()
        self._waiting.append(waiter)
        timer = self._reactor.callLater(self._acquire_timeout, self._give_up, waiter)
        try:
            return await waiter
        finally:
            if timer.active():
                timer.cancel()

    def _give_up(self, waiter: Deferred[Connection]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)
            self.refused += 1
            waiter.errback(StoreUnavailable("No connection to PostgreSQL is free."))

    def _release(self, connection: Connection) -> None:
        if connection not in self._all:
            return
        if connection.closed:
            self._replace(connection)
        elif self._waiting:
            self._waiting.popleft().callback(connection)
        else:
            self._free.append(connection)


def _is_away(error: psycopg2.Error) -> bool:
    """Tell whether an error means that the server, not the statement, is at fault."""
    if error.pgcode is None:
        return isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError)
    return bool(error.pgcode.startswith(_AWAY))
