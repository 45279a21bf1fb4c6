"""A connection to PostgreSQL in asynchronous mode, and what is done when there is no answer on it.

txpostgres makes the connection and looks after its socket. Statements are run by :meth:`Connection.query`: the same
steps of psycopg2 as txpostgres takes, but without a lock, another cursor and turns of the reactor for each of them,
which were more than half of what a short statement cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import POLL_OK, POLL_WRITE, QueryCanceledError
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.python.failure import Failure
from txpostgres import txpostgres

Row = tuple[Any, ...]

_BAD = 1
"""``CONNECTION_BAD`` of libpq."""


class Connection(txpostgres.Connection):  # type: ignore[misc]
    """A connection that tells when it is lost while nobody is using it.

    ``on_lost`` is called with it then; ``on_notification``, where it is set, with each notification.
    """

    on_lost: Any = None
    on_notification: Callable[[Any], None] | None = None
    pooled = False
    """Whether a pooler is in between: nothing lasts longer than a transaction then, and the process that runs one is
    not known."""
    pid = 0
    """The process number of the back-end, where it is known."""
    due = 0.0
    """When the statement under way is to have been answered, in the reactor's time."""
    _socket = -1
    _answer: Deferred[list[Row]] | None = None
    _result: Any = None

    def fileno(self) -> int:
        """Return the socket's number, -1 once libpq has closed it."""
        number: int = super().fileno()
        if number >= 0:
            self._socket = number
        return number

    @property
    def dead(self) -> bool:
        """Whether nothing can be done with it any more; an exception's class would not tell."""
        connection = self.pollable()
        return connection is None or bool(connection.closed) or connection.info.status == _BAD

    @property
    def busy(self) -> bool:
        """Whether a statement is under way."""
        return self._answer is not None

    def abort(self) -> None:
        """Close it; who waits for an answer gets :class:`ConnectionDone`.

        A statement that is under way is not cancelled: that would take a connection of its own, made by blocking.
        """
        self.on_lost = None
        if self.pollable() is not None:
            self._unwatch()
            self.close()

    def _unwatch(self) -> None:
        """Have the reactor watch the socket no more."""
        for remove, watched in ((self.reactor.removeReader, "_reads"), (self.reactor.removeWriter, "_writes")):
            try:
                remove(self)
            except OSError:
                # libpq has closed the socket by itself, and with that epoll has lost it. What is left of it in the
                # reactor would keep the next socket of this number from being heard.
                getattr(self.reactor, watched, set()).discard(self._socket)

    # -- statements ---------------------------------------------------------------------------------------------------

    def query(self, sql: str, parameters: Sequence[object] = ()) -> Deferred[list[Row]]:
        """Run a statement while no other is under way, and return its rows; cancelling closes the connection.

        When the rows are there, all notifications have been told that PostgreSQL had for this connection before it sent
        them.
        """
        try:
            self._result = self._connection.cursor()
            self._result.execute(sql, parameters)
        except Exception:
            return fail()
        answer = self._answer = Deferred(lambda _: self.abort())
        self._advance()
        return answer

    def _advance(self) -> None:
        """Go one step on with the statement under way."""
        try:
            state = self._connection.poll()
            if state == POLL_OK:
                self._answered()
            elif state == POLL_WRITE:
                self.reactor.addWriter(self)
        except QueryCanceledError:
            self._end(Failure(CancelledError()))
        except Exception:
            self._end(Failure())

    def _answered(self) -> None:
        result = self._result
        rows = result.fetchall() if result.description is not None else []
        if self.on_notification is not None:
            # What came behind the rows and before the end of the answer has been read, but is handed out only now.
            self._connection.poll()
            self._tell_notifications()
        self._end(rows)

    def _end(self, outcome: list[Row] | Failure) -> None:
        if isinstance(outcome, Failure) and self.dead:
            self._unwatch()
        answer, self._answer, self._result = self._answer, None, None
        if answer is not None and not answer.called:
            answer.callback(outcome)

    def _tell_notifications(self) -> None:
        waiting = self._connection.notifies
        if waiting and self.on_notification is not None:
            told = waiting[:]
            del waiting[:]
            for notification in told:
                self.on_notification(notification)

    # -- what the reactor calls ---------------------------------------------------------------------------------------

    def doRead(self) -> None:
        """Go on with a statement, or read notifications; a closed socket is not an error to log but a loss to tell."""
        if self._answer is not None:
            self._advance()
            return
        if self.on_notification is not None:
            self._read_notifications()
            return
        try:
            super().doRead()
        except psycopg2.Error:
            self._tell()
        except ValueError:
            # libpq has closed the socket, psycopg2 does not say so yet, and there is nothing to wait for.
            if not self.dead:
                raise
            self._tell()

    def _read_notifications(self) -> None:
        try:
            self._connection.poll()
        except psycopg2.Error:
            self._unwatch()
            self._tell()
            return
        self._tell_notifications()

    def doWrite(self) -> None:
        """Send the rest of a statement."""
        if self._answer is None:
            super().doWrite()
            return
        self.reactor.removeWriter(self)
        self._advance()

    def cursorFinished(self, cursor: Any) -> None:
        """A statement has ended; on a connection that is dead there is nothing to be read between statements."""
        if self.dead:
            self._cursors.discard(cursor)
        else:
            super().cursorFinished(cursor)

    def connectionLost(self, reason: Any) -> None:
        """The socket has failed, as the reactor sees it, or the connection is closed."""
        if self._answer is None:
            super().connectionLost(reason)
        elif self._connection.closed:
            self._end(reason)
        else:
            # psycopg2 says what has become of the statement.
            self._advance()
            if self.busy:
                self.abort()
        if self.dead:
            self._tell()

    def _tell(self) -> None:
        on_lost, self.on_lost = self.on_lost, None
        if on_lost is not None:
            on_lost(self)


class Patience:
    """Notices connections that give no answer: one timer for all of them, since most answers come at once."""

    def __init__(self, reactor: Any, seconds: float, given_up: Callable[[Connection], None]) -> None:
        """``given_up`` is called with a connection that has been waited for so long."""
        self._reactor = reactor
        self.seconds = seconds
        self._given_up = given_up
        self._waited_for: set[Connection] = set()
        self._timer: Any = None

    def begin(self, connection: Connection) -> None:
        """Wait from now on for the answer of a statement; that it has come is seen by the connection."""
        connection.due = self._reactor.seconds() + self.seconds
        self._waited_for.add(connection)
        if self._timer is None:
            self._timer = self._reactor.callLater(self.seconds, self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        self._waited_for = {connection for connection in self._waited_for if connection.busy}
        for connection in [each for each in self._waited_for if each.due <= now]:
            self._waited_for.discard(connection)
            self._given_up(connection)
        if self._waited_for and self._timer is None:
            soonest = min(connection.due for connection in self._waited_for)
            self._timer = self._reactor.callLater(max(0.0, soonest - now), self._look)

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._waited_for.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
