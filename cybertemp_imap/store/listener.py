"""Hearing of changes: a connection of its own that listens for notifications.

A notification says where to look, no more: its order means nothing, and it is lost with the connection. So whoever
observes is told to look everywhere whenever the connection has been made anew.

PostgreSQL signals those who listen before it answers the COMMIT that notifies, and a signalled back-end sends all
notifications that there are for it before it says that a statement has ended. So when the answer to any statement on
this connection has come, everything has been heard that was committed before the statement was sent. That is asked for
by :meth:`Listener.heard_all`, by one statement for all who ask in the same turn of the reactor, or while another one is
under way.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Any

import psycopg2
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.asynchronous import Connection, Patience
from cybertemp_imap.store.dialing import Dialer
from cybertemp_imap.store.pool import FIRST_RETRY, LONGEST_RETRY

TIMEOUT = 10.0
"""Seconds that LISTEN, or an answer to who asks whether all was heard, may take."""

EVERYWHERE = "bans"
"""The payload that concerns every mailbox; any other is a word and numbers of mailboxes."""

HEAD = "head"
"""The word for what was done through IMAP to just these mailboxes: the process that did it knows."""

Observer = Callable[[Collection[int] | None], None]
"""Is called with the numbers of mailboxes to look at, or None for all of them."""


class Listener:
    """Listens as long as it is not stopped, through every loss of the connection."""

    _log = Logger()

    def __init__(self, dsn: str, reactor: Any, observer: Observer, ignored_pids: Callable[[], Collection[int]]) -> None:
        """``ignored_pids`` gives the back-ends of this process, whose own changes it knows of."""
        self._dialer = Dialer(dsn, TIMEOUT, reactor)
        self._reactor = reactor
        self._observer = observer
        self._ignored_pids = ignored_pids
        self._connection: Connection | None = None
        self._retry: Any = None
        self._stopped = False
        self._told_pooled = False
        self.listening = False
        """Whether notifications are being heard at the moment."""
        self.on_return: Callable[[], None] | None = None
        """Is called whenever the connection has been made."""
        self._patience = Patience(reactor, TIMEOUT, self._silent)
        # Who asks and is not served by a statement that is under way.
        self._asking: list[Deferred[bool]] = []
        self._turn: Any = None
        # Whether nobody else asked in the last turn in which somebody did: then nobody is waited for.
        self._alone = True

    def start(self) -> None:
        """Begin to listen, in the background."""
        self._stopped = False
        self._try(0)

    def stop(self) -> None:
        """Stop listening."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self._dialer.stop()
        self._patience.stop()
        self._close()

    @property
    def certain(self) -> bool:
        """Whether it is known that what is notified is heard; behind a pooler, it depends on what nobody tells."""
        return self.listening and self._connection is not None and not self._connection.pooled

    async def heard_all(self) -> bool:
        """Return when all changes that were committed before the call have been heard; False: that cannot be known."""
        if not self.certain:
            return False
        served: Deferred[bool] = Deferred()
        self._asking.append(served)
        if self._turn is None and self._connection is not None and not self._connection.busy:
            self._turn = self._reactor.callLater(0, self._end_turn)
            if self._alone:
                self._ask(self._connection)
        return await served

    def _end_turn(self) -> None:
        """Ask for all who came in one turn of the reactor, in which what many clients have sent is read."""
        self._turn = None
        # One who asked at once is not among them.
        self._alone = len(self._asking) < (1 if self._alone else 2)
        if self._asking and self._connection is not None and not self._connection.busy:
            self._ask(self._connection)

    def _ask(self, connection: Connection) -> None:
        served, self._asking = self._asking, []
        self._patience.begin(connection)
        connection.query(sql.NOTHING).addBoth(self._answered, connection, served)

    def _answered(self, answer: Any, connection: Connection, served: list[Deferred[bool]]) -> None:
        heard = not isinstance(answer, Failure) and self._connection is connection
        if self._connection is connection and connection.dead:
            self._lost(connection)
        elif self._asking and self._connection is connection and self._turn is None:
            # Before those are told who may have much to do.
            self._ask(connection)
        for each in served:
            each.callback(heard)

    def _silent(self, connection: Connection) -> None:
        """There is no answer on the connection: it is made anew."""
        if self._connection is connection:
            self._lost(connection)
        else:
            connection.abort()

    def hurry(self) -> None:
        """Try again now: somebody else has just reached the server."""
        if self._retry is not None:
            self._retry.reset(0)

    def _try(self, delay: float) -> None:
        if not self._stopped:
            wait = delay * random.uniform(0.5, 1.0)
            self._retry = self._reactor.callLater(
                wait, lambda: Deferred.fromCoroutine(self._attempt(delay)).addErrback(self._failed)
            )

    async def _attempt(self, delay: float) -> None:
        self._retry = None
        try:
            connection = await self._dialer.connect()
            if not self._stopped:
                await self._listen(connection)
        except StoreUnavailable:
            self._try(min(max(delay * 2, FIRST_RETRY), LONGEST_RETRY))
            return
        if self._stopped:
            connection.abort()
            return
        self._connection = connection
        connection.on_lost = self._lost
        self.listening = True
        if connection.pooled and not self._told_pooled:
            self._told_pooled = True
            self._log.warn(
                "The connection that listens for changes leads through a pooler: unless that is in session mode, "
                "set IMAP_LISTEN_DATABASE_URL to a connection string that leads to PostgreSQL itself."
            )
        if self.on_return is not None:
            self.on_return()
        # Whatever was notified before now was not heard.
        self._observer(None)

    async def _listen(self, connection: Connection) -> None:
        self._connection = connection
        timer = self._reactor.callLater(TIMEOUT, connection.abort)
        try:
            connection.on_notification = self._heard
            await connection.query(sql.LISTEN)
        except (psycopg2.Error, ConnectionDone, CancelledError) as error:
            self._close()
            raise StoreUnavailable("PostgreSQL cannot be listened to.") from error
        finally:
            if timer.active():
                timer.cancel()
        if connection.dead:
            self._close()
            raise StoreUnavailable("PostgreSQL cannot be listened to.")

    def _failed(self, failure: Any) -> None:
        self._log.failure("Listening for changes failed", failure)
        self._try(LONGEST_RETRY)

    def _lost(self, connection: Connection) -> None:
        self._log.warn("Lost the connection that listens for changes; reconnecting")
        self._close()
        self._try(FIRST_RETRY)

    def _close(self) -> None:
        self.listening = False
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        asking, self._asking = self._asking, []
        for each in asking:
            each.callback(False)

    def _heard(self, notification: Any) -> None:
        if notification.payload == EVERYWHERE:
            self._observer(None)
            return
        word, *numbers = notification.payload.split()
        # An arrival of our own making is in other mailboxes than the one that we changed.
        if word != HEAD or notification.pid not in self._ignored_pids():
            self._observer([int(number) for number in numbers])
