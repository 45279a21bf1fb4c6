"""Making connections to PostgreSQL: to whichever of the servers of a connection string is there and may be used.

libpq could go through several hosts itself, but in asynchronous mode it neither keeps ``connect_timeout`` nor looks
names up without blocking. So each address of each host is tried on its own, the next one when those before have failed
or have not answered for a moment; the first that can be used wins. With ``target_session_attrs`` it is libpq that tells
whether a server can be.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store.asynchronous import Connection
from cybertemp_imap.store.connection import CONNECT_TIMEOUT

HEAD_START = 0.3
"""Seconds that a server has to answer before the next one is tried as well."""

AGAIN = 1.0
"""Seconds after which all are tried again when nothing is heard of any."""

SETTINGS = """
    SELECT pg_backend_pid() = p.pid,
           CASE WHEN pg_backend_pid() = p.pid THEN set_config('statement_timeout', p.timeout, false) END,
           CASE WHEN pg_backend_pid() = p.pid THEN set_config('jit', 'off', false) END
    FROM (SELECT %s::integer, %s) AS p (pid, timeout)
"""
"""Where another process answers than libpq was told of, there is a pooler in between, whose connections others use too:
what was set for one of them would be missing in the next, and be the others'."""

LOCAL_SETTINGS = "SET LOCAL statement_timeout = '{timeout}'; SET LOCAL jit = off; "
"""Comes before each statement then, in one message with it, which makes one transaction of them."""


class Dialer:
    """Makes connections for one connection string; names are looked up in threads, once for all who ask."""

    def __init__(self, dsn: str, statement_timeout: float, reactor: Any) -> None:
        """Take a time in seconds. A connection string that libpq has to explain itself is left to it."""
        self._dsn = dsn
        self._timeout = f"{int(statement_timeout * 1000)}ms"
        self._reactor = reactor
        self._opening: set[Connection] = set()
        self._lookups: dict[str, list[Deferred[list[str]]]] = {}
        self._last: tuple[str, str] | None = None
        try:
            parts = parse_dsn(dsn)
        except psycopg2.ProgrammingError:
            parts = {}
        self._hosts = [] if "service" in parts else _hosts(parts)
        self.timeout = _timeout(parts)
        wanted = parts.get("target_session_attrs") or os.environ.get("PGTARGETSESSIONATTRS")
        # libpq would look at all servers before it takes a second choice.
        self._rounds = ("standby", "any") if wanted == "prefer-standby" else (wanted,)
        self._parts = {name: value for name, value in parts.items() if name not in _PLACE}

    async def connect(self) -> Connection:
        """Return a connection that is set up; raises :class:`StoreUnavailable`."""
        failure = StoreUnavailable("PostgreSQL cannot be reached.")
        for wanted in self._rounds:
            places = await self._places()
            try:
                place, connection = await _Race([self._dsn_of(*place, wanted) for place in places], self).winner
            except StoreUnavailable as error:
                failure = error
                continue
            self._last = places[place][:2]
            return connection
        raise failure

    def stop(self) -> None:
        """Give up what is being opened; who waits for it is told."""
        for connection in list(self._opening):
            connection.abort()

    def unopened(self) -> Connection:
        """Return a connection for :meth:`dial`."""
        return Connection(self._reactor)

    async def dial(self, dsn: str, connection: Connection) -> Connection:
        """Open a connection to one server, and return it; raises :class:`StoreUnavailable`, also when it is aborted."""
        self._opening.add(connection)
        timer = self._reactor.callLater(self.timeout, connection.abort)
        try:
            await connection.connect(dsn)
            pid = connection.info.backend_pid
            ((direct, *_),) = await connection.query(SETTINGS, (pid, self._timeout))
            connection.pid, connection.pooled = pid if direct else 0, not direct
            if connection.dead:
                raise StoreUnavailable("The connection is lost.")
        except (psycopg2.Error, ConnectionDone, CancelledError, ValueError) as error:
            # ValueError is what comes of a connection that is closed at the moment it has been made.
            connection.abort()
            raise StoreUnavailable("PostgreSQL cannot be reached.") from error
        finally:
            self._opening.discard(connection)
            if timer.active():
                timer.cancel()
        return connection

    def later(self, delay: float, function: Any) -> Any:
        """Have something done later."""
        return self._reactor.callLater(delay, function)

    # -- places -------------------------------------------------------------------------------------------------------

    def _dsn_of(self, host: str, port: str, address: str | None, wanted: str | None) -> str:
        if not self._hosts:
            return self._dsn
        place = {"host": host, "port": port, "hostaddr": address, "target_session_attrs": wanted}
        return str(make_dsn(**self._parts, **{name: value for name, value in place.items() if value}))

    async def _places(self) -> list[tuple[str, str, str | None]]:
        """Return host, port and address of each server, that of the last connection first."""
        if not self._hosts:
            return [("", "", None)]
        places: list[tuple[str, str, str | None]] = []
        for host, port, address in self._hosts:
            if address is not None or not _is_name(host):
                places.append((host, port, address))
            else:
                places += [(host, port, each) for each in await self._look_up(host)]
        if not places:
            raise StoreUnavailable("The name of the database's server cannot be found.")
        return sorted(places, key=lambda place: place[:2] != self._last)

    async def _look_up(self, host: str) -> list[str]:
        """Return the addresses of a host, none when it is not found in time."""
        waiter: Deferred[list[str]] = Deferred()
        waiting = self._lookups.setdefault(host, [])
        waiting.append(waiter)
        if len(waiting) == 1:
            # A thread that hangs is not waited for, and there is never a second one for the same name.
            looked_up = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), _addresses, host)
            looked_up.addBoth(self._looked_up, host)
        timer = self._reactor.callLater(self.timeout, lambda: None if waiter.called else waiter.callback([]))
        try:
            return await waiter
        finally:
            if timer.active():
                timer.cancel()

    def _looked_up(self, result: list[str] | Failure, host: str) -> None:
        found = [] if isinstance(result, Failure) else result
        for waiter in self._lookups.pop(host):
            if not waiter.called:
                waiter.callback(found)


class _Race:
    """Connects to one after another, each with a head start, until one can be used; the others are given up.

    What was sent to a server that was away without a word, TCP sends again after ever more seconds, whenever it may
    have come back. So while nothing is heard of any, all are tried again and again beside the first attempts; the race
    ends when those have failed.
    """

    def __init__(self, dsns: Sequence[str], dialer: Dialer) -> None:
        self.winner: Deferred[tuple[int, Connection]] = Deferred(lambda _: self._end())
        self._places = list(enumerate(dsns))
        self._waiting = deque(self._places)
        self._running: set[int] = set()
        self._again: list[Connection] | None = None
        self._dialer = dialer
        self._timer: Any = None
        self._next()

    def _next(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        if not self._waiting:
            self._begin_again()
        number, dsn = self._waiting.popleft()
        self._timer = self._dialer.later(HEAD_START if self._waiting else AGAIN, self._next)
        connection = self._dialer.unopened()
        if self._again is None:
            self._running.add(number)
        else:
            self._again.append(connection)
        dialled = Deferred.fromCoroutine(self._dialer.dial(dsn, connection))
        dialled.addCallbacks(self._won, self._lost, callbackArgs=(number,), errbackArgs=(number, self._again is None))

    def _begin_again(self) -> None:
        given_up, self._again = self._again or [], []
        for connection in given_up:
            connection.abort()
        self._waiting.extend(self._places)

    def _won(self, connection: Connection, number: int) -> None:
        if self.winner.called:
            connection.abort()
            return
        self._end()
        self.winner.callback((number, connection))

    def _lost(self, failure: Failure, number: int, first: bool) -> None:
        if first:
            self._running.discard(number)
        if self.winner.called:
            failure.trap(StoreUnavailable)
        elif self._waiting and self._again is None and failure.check(StoreUnavailable):
            self._next()
        elif not self._running:
            self._end()
            self.winner.errback(failure)

    def _end(self) -> None:
        self._waiting.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


_PLACE = ("host", "hostaddr", "port", "target_session_attrs", "load_balance_hosts")


def _hosts(parts: dict[str, str]) -> list[tuple[str, str, str | None]]:
    """Return host, port and, where it is given, address of every server; none where libpq will refuse the lists."""
    named = parts.get("host") or os.environ.get("PGHOST") or ""
    given = parts.get("hostaddr") or os.environ.get("PGHOSTADDR") or ""
    hosts, addresses = named.split(","), given.split(",") if given else []
    if not named:
        hosts = [""] * max(1, len(addresses))
    ports = (parts.get("port") or os.environ.get("PGPORT") or "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts) or (addresses and len(addresses) != len(hosts)):
        return []
    return [
        (host.strip(), port.strip(), (addresses[number].strip() or None) if addresses else None)
        for number, (host, port) in enumerate(zip(hosts, ports, strict=True))
    ]


def _timeout(parts: dict[str, str]) -> float:
    try:
        seconds = int(parts.get("connect_timeout") or os.environ.get("PGCONNECT_TIMEOUT") or 0)
    except ValueError:
        seconds = 0
    return float(seconds) if seconds > 0 else float(CONNECT_TIMEOUT)


def _is_name(host: str) -> bool:
    if not host or host.startswith(("/", "@")):
        return False
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return True
    return False


def _addresses(host: str) -> list[str]:
    """Look a name up; blocks."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))
