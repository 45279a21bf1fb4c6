"""Reading from a replica where it has what sessions were told; who cannot read there is sent to the primary.

Each statement comes to the replica behind ``imap.require_replayed``, in one message: the replica refuses it unless it
has come far enough and is a replica still, whatever server the connection leads to. Where the replica is away, behind,
promoted, busy or slow, the primary is asked. For messages nothing is waited for; who looks at mailboxes waits for a
moment where the replica is but a little behind, as it is after each change of anybody's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg2
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.asynchronous import Connection, Row
from cybertemp_imap.store.dialing import Dialer
from cybertemp_imap.store.pool import Pool
from cybertemp_imap.store.positions import SAMPLE_INTERVAL, Position, Positions, printed
from cybertemp_imap.store.values import MailboxRef

PATIENCE = 2.0
"""Seconds that a replica has for an answer."""

REST = 5.0
"""Seconds for which it is left alone after something else has failed than that it is behind."""

BEHIND_REST = 0.1
"""Seconds for which nothing is asked of it that needs as much as what it has not come to."""

LAG = 0.2
"""Seconds for which one who looks at a mailbox waits for a replica that is behind."""

LAG_REST = 1.0
"""Seconds for which nobody waits for it again when that was in vain."""

_PAUSES = (0.005, 0.01, 0.02, 0.04)
"""Seconds between two looks at how far it is: each of these once, and the last again and again."""

_BEHIND = "IM100"
"""The SQLSTATE of ``imap.require_replayed``."""


class Replica:
    """The pool of a replica, and whether it can be read from."""

    _log = Logger()

    def __init__(self, dsn: str, primary: Pool, size: int, hears: Callable[[], bool], reactor: Any) -> None:
        """``hears`` tells whether notifications of the primary are heard: without them, it is not read from."""
        self._reactor = reactor
        self._primary = primary
        self._hears = hears
        self._dialer = _ReplicaDialer(dsn, 2 * PATIENCE, reactor)
        self.pool = Pool(dsn, size, 2 * PATIENCE, 0.0, reactor, dialer=self._dialer, called="the replica")
        self.positions = Positions(primary)
        self._resting_until = 0.0
        self._behind: tuple[Position, float] = (0, 0.0)
        self._lagging_until = 0.0
        self._clock = LoopingCall(lambda: Deferred.fromCoroutine(self._sample()))
        self._clock.clock = reactor

    def start(self) -> None:
        """Begin to connect, in the background; the primary's pool must have been started."""
        self._clock.start(SAMPLE_INTERVAL)
        self.pool.begin()

    async def stop(self) -> None:
        """Close all connections."""
        if self._clock.running:
            self._clock.stop()
        await self.pool.stop()

    async def read(self, mailbox: MailboxRef, statement: str, parameters: Sequence[object]) -> list[Row] | None:
        """Return the rows of a statement that reads of a mailbox; None where the primary is to be asked."""
        if not self._is_usable:
            return None
        try:
            needed = await self.positions.needed(mailbox)
        except (StoreUnavailable, psycopg2.Error):
            return None
        if needed is None or self._is_behind(needed):
            return None
        return await self._ask(statement, parameters, needed)

    async def position(self) -> Position | None:
        """Return a position for :meth:`look`, behind all that is committed now; None where it would be of no use."""
        return await self.positions.current() if self._is_usable and not self._is_lagging else None

    async def look(self, statement: str, parameters: Sequence[object], needed: Position) -> list[Row] | None:
        """Return the rows of a statement that only reads, once the replica has come so far; None: ask the primary."""
        until = self._reactor.seconds() + LAG
        pauses = list(_PAUSES)
        while self._is_usable and not self._is_lagging:
            rows = await self._ask(statement, parameters, needed)
            if rows is not None or not self._is_behind(needed):
                return rows
            if self._reactor.seconds() >= until:
                self._lagging_until = self._reactor.seconds() + LAG_REST
                return None
            await deferLater(self._reactor, pauses.pop(0) if len(pauses) > 1 else pauses[0])
        return None

    @property
    def _is_usable(self) -> bool:
        rested: bool = self._reactor.seconds() >= self._resting_until
        return rested and self.pool.idle > 0 and self._hears()

    @property
    def _is_lagging(self) -> bool:
        return bool(self._reactor.seconds() < self._lagging_until)

    async def _ask(self, statement: str, parameters: Sequence[object], needed: Position) -> list[Row] | None:
        began = self._reactor.seconds()
        answer = Deferred.fromCoroutine(
            self.pool.query(sql.REPLAYED + statement, (printed(needed), *parameters), repeatable=True)
        )
        try:
            return await answer.addTimeout(PATIENCE, self._reactor)
        except psycopg2.Error as error:
            if error.pgcode == _BEHIND:
                self._behind = (needed, self._reactor.seconds() + BEHIND_REST)
            else:
                self._rest("It answers with an error", error.pgcode)
        except StoreUnavailable:
            # Where its connections are lost or taken, the pool makes others, and nobody waits for them.
            if self._reactor.seconds() - began >= PATIENCE:
                self._rest("It does not answer", None)
        return None

    def _is_behind(self, needed: Position) -> bool:
        position, until = self._behind
        return needed >= position and self._reactor.seconds() < until

    def _rest(self, why: str, code: str | None) -> None:
        self._log.warn(
            "The replica is left alone for {rest} s: {why} ({code})", rest=REST, why=why, code=code or "no code"
        )
        self._resting_until = self._reactor.seconds() + REST

    async def _sample(self) -> None:
        """Ask the primary which database it is, once, and how far it has come."""
        try:
            if self._dialer.system is None:
                ((self._dialer.system,),) = await self._primary.query(sql.SYSTEM, repeatable=True)
            await self.positions.sample()
        except (StoreUnavailable, psycopg2.Error):
            # Without a position nothing is read from the replica; the next time is soon.
            return


class _ReplicaDialer(Dialer):
    """Takes only connections to the same database as the primary's."""

    _log = Logger()
    system: str | None = None
    """Which that is."""
    _told = False

    async def dial(self, dsn: str, connection: Connection) -> Connection:
        """Open a connection; see the base class."""
        await super().dial(dsn, connection)
        try:
            ((system,),) = await connection.query(sql.SYSTEM)
        except (psycopg2.Error, ConnectionDone, CancelledError) as error:
            connection.abort()
            raise StoreUnavailable("The replica cannot be asked.") from error
        if system == self.system:
            return connection
        connection.abort()
        if self.system is not None and not self._told:
            self._told = True
            self._log.warn("IMAP_REPLICA_URL leads to another database than DATABASE_URL: it is not used.")
        raise StoreUnavailable("The replica is another database.")
