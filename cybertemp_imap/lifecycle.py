"""How a server is started and stopped: ports first, then what answers on them; what was started last goes first.

Ports are bound in ``privilegedStartService``, where twistd may still be root. Starting goes on in the background, and
may fail or be overtaken by stopping; either way all is given back that had been started by then.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.python.failure import Failure

from cybertemp_imap.notify import STOPPING, notify
from cybertemp_imap.preparing import Database


class StagedService(MultiService):
    """A server as a Twisted service; what is started in each step is up to those derived from it.

    :ivar failed: errbacks when the server cannot be started, with an ``OperatorError`` where it is a mistake that the
        operator can mend. It never calls back.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self.setName("cybertemp-imap")
        self.failed: Deferred[None] = Deferred()
        self._reactor = reactor
        self._database: Database | None = None
        self._listening: Deferred[None] | None = None
        self._starting: Deferred[None] | None = None
        self._stopping = False

    async def _listen(self) -> None:
        """Bind the ports."""
        raise NotImplementedError

    async def _prepare(self) -> str | None:
        """Start what is needed to serve, and return the demo's token, if there is one."""
        raise NotImplementedError

    def _serve(self, token: str | None) -> None:
        """Serve, all being there."""
        raise NotImplementedError

    async def _end(self) -> None:
        """Stop what must not wait until starting has come to its end."""

    async def _release(self) -> None:
        """Give back what has been started, in the reverse order."""
        raise NotImplementedError

    def privilegedStartService(self) -> None:
        """Bind the ports."""
        super().privilegedStartService()
        self._listening = ensureDeferred(self._listen())

    def startService(self) -> None:
        """Begin to start; :attr:`failed` tells if that fails."""
        super().startService()
        self._stopping = False
        if self._listening is None:
            self._listening = ensureDeferred(self._listen())
        self._starting = ensureDeferred(self._start(self._listening)).addErrback(self._fail)

    def stopService(self) -> Deferred[None]:
        """Stop all that was started; returns when it is gone."""
        self._stopping = True
        notify(STOPPING)
        return ensureDeferred(self._stop(maybeDeferred(super().stopService)))

    async def _start(self, listening: Deferred[None]) -> None:
        try:
            await listening
            token = await self._prepare()
        except BaseException:
            await self._release()
            raise
        self._serve(token)

    async def _stop(self, children: Deferred[Any]) -> None:
        await children
        if self._database is not None:
            self._database.cancel()
        await self._end()
        if self._starting is not None:
            await self._starting
        await self._release()

    async def _stop_database(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            await database.stop()

    def _fail(self, failure: Failure) -> None:
        if not self._stopping and not self.failed.called:
            # In a turn of its own: whoever is told may want to stop the service, which waits for this one's end.
            self._reactor.callLater(0, self.failed.errback, failure)
