"""Hearing of changes: a connection of its own that listens for notifications.

A notification says where to look, no more: its order means nothing, and it is lost with the connection. So whoever
observes is told to look everywhere whenever the connection has been made anew.

PostgreSQL signals those who listen before it answers the COMMIT that notifies, and a signalled back-end sends all
notifications that there are for it before it says that a statement has ended. So when the answer to any statement on
this connection has come, everything has been heard that was committed before the statement was sent. That is asked for
by :meth:`Listener.heard_all`, by one statement for all who ask in the same turn of the reactor, or while another one is
under way, and every few seconds in any case.

The same statement asks whether the server takes changes. One that does no more has handed over to another, whose
changes are not heard here, though this connection may stay for ever.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Any

import psycopg2
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.asynchronous import Connection, Patience
from cybertemp_imap.store.dialing import Dialer
from cybertemp_imap.store.pool import FIRST_RETRY, LONGEST_RETRY

TIMEOUT = 10.0
"""Seconds that LISTEN, or an answer to who asks whether all was heard, may take."""

ASK_INTERVAL = 5.0
"""Seconds between two times of asking the server whether it takes changes still, where no session has it asked."""

EVERYWHERE = "bans"
"""The payload that concerns every mailbox; any other is a word and numbers of mailboxes."""

HEAD = "head"
"""The word for what was done through IMAP to just these mailboxes: the process that did it knows."""

Observer = Callable[[Collection[int] | None], None]
"""Is called with the numbers of mailboxes to look at, or None for all of them."""


class Listener:
    """Listens as long as it is not stopped, through every loss of the connection."""

    _log = Logger()

    def __init__(
        self,
        dsn: str,
        reactor: Any,
        observer: Observer,
        ignored_pids: Callable[[], Collection[int]],
        moved: Callable[[], None],
    ) -> None:
        """``ignored_pids`` gives the back-ends of this process, whose own changes it knows of.

        ``moved`` is called, before the observer, when there is a new connection because the one before was to a server
        that has ceased to take changes.
        """
        self._dialer = Dialer(dsn, TIMEOUT, reactor)
        self._reactor = reactor
        self._observer = observer
        self._ignored_pids = ignored_pids
        self._moved = moved
        self._moving = False
        # A role may be for reading only: what its first connection says is not held against the server.
        self._takes_changes = False
        self._clock = LoopingCall(lambda: Deferred.fromCoroutine(self.heard_all()))
        self._clock.clock = reactor
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
        self._clock.start(ASK_INTERVAL, now=False)

    def stop(self) -> None:
        """Stop listening."""
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._clock.running:
            self._clock.stop()
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
        connection.query(sql.TAKES_CHANGES).addBoth(self._answered, connection, served)

    def _answered(self, answer: Any, connection: Connection, served: list[Deferred[bool]]) -> None:
        heard = not isinstance(answer, Failure) and self._connection is connection and self._may_stay(answer)
        if self._connection is connection and (connection.dead or self._moving):
            self._lost(connection)
        elif self._asking and self._connection is connection and self._turn is None:
            # Before those are told who may have much to do.
            self._ask(connection)
        for each in served:
            each.callback(heard)

    def _may_stay(self, answer: Any) -> bool:
        """Take note of what a server says of whether it takes changes; False: it has ceased to."""
        takes_changes = answer == [("off",)]
        if self._takes_changes and not takes_changes and not self._moving:
            self._log.warn("The server that is listened to takes no changes any more; looking for the one that does")
            self._moving = True
        self._takes_changes = self._takes_changes or takes_changes
        return takes_changes or not self._takes_changes

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
        if self._moving:
            self._moving = False
            self._moved()
        if self.on_return is not None:
            self.on_return()
        # Whatever was notified before now was not heard.
        self._observer(None)

    async def _listen(self, connection: Connection) -> None:
        self._connection = connection
        timer = self._reactor.callLater(TIMEOUT, connection.abort)
        try:
            connection.on_notification = self._heard
            answer = await connection.query(sql.LISTEN)
        except (psycopg2.Error, ConnectionDone, CancelledError) as error:
            self._close()
            raise StoreUnavailable("PostgreSQL cannot be listened to.") from error
        finally:
            if timer.active():
                timer.cancel()
        if connection.dead or not self._may_stay(answer):
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
