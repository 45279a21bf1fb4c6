"""The program of a worker: ``python -m cybertemp_imap.workers.child REACTOR [NAME]``, as its parent starts it.

With a name it writes its log as twistd does, under that name; without one it sends it to its parent.

It is a server like any other, over sockets that it is handed. It ends when its parent is gone, however that ended.
"""

from __future__ import annotations

import functools
import importlib
import json
import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.logger import globalLogBeginner
from twisted.python.failure import Failure

from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.service import ImapService, build_factory
from cybertemp_imap.tally import SharedMemory, SharedTally
from cybertemp_imap.workers import channel, log
from cybertemp_imap.workers.channel import Beginning, Lines

ORPHANED = 5
"""Seconds that a worker without a parent has to end, besides those for commands in hand."""


class Worker(Protocol):
    """A worker's end of the pipes to its parent."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._lines = Lines(self._take)
        self._service: WorkerService | None = None
        self._stop_timeout = 0.0
        self._ending = False
        reactor.addSystemEventTrigger("before", "shutdown", self._end)
        self.failed = False

    def dataReceived(self, data: bytes) -> None:
        """Do what the parent wants."""
        self._lines.feed(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """End: the parent is gone, or has been told why there is nothing to be done here."""
        # Should anything hold up the end, the system ends the process.
        signal.alarm(int(self._stop_timeout) + ORPHANED)
        self._take_stop()

    def tell(self, *message: Any) -> None:
        """Tell the parent."""
        if self.transport is not None:
            self.transport.write(channel.line(*message))

    def fail(self, failure: Failure) -> None:
        """Tell the parent why this worker cannot serve, and end."""
        self.failed = True
        sentence = str(failure.value) if failure.check(OperatorError) else None
        if sentence is None:
            ImapService.log.failure("A worker cannot start.", failure)
        self.tell("failed", sentence)
        assert self.transport is not None
        self.transport.loseConnection()

    def _take(self, octets: bytes) -> None:
        name, *arguments = json.loads(octets)
        getattr(self, f"_take_{name}")(*arguments)

    def _take_begin(self, text: str) -> None:
        beginning = channel.read_beginning(text)
        self._stop_timeout = beginning.settings.stop_timeout
        try:
            self._service = WorkerService(beginning, self._reactor, self.tell)
        except OperatorError:
            self.fail(Failure())
            return
        self._service.failed.addErrback(self.fail)
        self._service.privilegedStartService()
        self._service.startService()

    def _take_stop(self) -> None:
        if not self._ending:
            self._reactor.stop()

    def _end(self) -> Deferred[None] | None:
        self._ending = True
        return None if self._service is None else self._service.stopService()

    def _take_accept(self, shares: list[int]) -> None:
        if self._service is not None:
            self._service.accept(shares)

    def _take_reload(self) -> None:
        if self._service is not None:
            self._service.reload()

    def _take_tell(self, number: int) -> None:
        if self._service is not None:
            telling = Deferred.fromCoroutine(self._service.told())
            telling.addCallback(lambda told: self.tell("told", number, *told))
            telling.addErrback(lambda failure: ImapService.log.failure("Telling how this worker is failed", failure))


class WorkerService(ImapService):
    """The server in a worker."""

    def __init__(self, beginning: Beginning, reactor: Any, tell: Callable[..., None]) -> None:
        """Raises :class:`OperatorError` as any server does."""
        memory = SharedMemory(channel.MEMORY, beginning.workers)
        super().__init__(
            beginning.settings,
            reactor,
            # What is cleared away for all is cleared away by one of them.
            functools.partial(build_factory, tidies=beginning.number == 0),
            handed=beginning.sockets,
            tally=SharedTally(memory, beginning.number),
        )
        self._tell = tell

    def announce(self, token: str | None) -> None:
        """Tell the parent that this worker can serve: it says on which sockets."""
        self._tell("ready")

    def stopService(self) -> Deferred[None]:
        """Have others accept connections, then stop as any server does."""
        self._tell("leaving")
        return super().stopService()

    def reload(self) -> None:
        """Read certificates again."""
        self._places.reload()

    async def told(self) -> tuple[list[str], list[Any]]:
        """Return what keeps this worker from serving, and its metrics."""
        if self._factory is None or self._factory.vitals is None:
            return ["The server is not ready."], []
        from cybertemp_imap import metrics
        from cybertemp_imap.workers import totals

        vitals = self._factory.vitals
        return await vitals.faults(), totals.as_json(metrics.registry(vitals).collect())


def main() -> None:
    """Serve until the parent says or is gone."""
    # Ctrl-C reaches every process of a terminal; the parent says what is to be done then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    importlib.import_module(sys.argv[1]).install()
    from twisted.internet import reactor

    form = log.AsTwistd(sys.argv[2]) if len(sys.argv) > 2 else log.for_parent
    observer = log.WorkerLog(channel.LOG, form, reactor.callLater)
    globalLogBeginner.beginLoggingTo([observer])
    worker = Worker(reactor)
    StandardIO(worker, channel.COMMANDS, channel.ANSWERS, reactor)  # type: ignore[call-arg]
    reactor.run()
    observer.flush()
    sys.exit(1 if worker.failed else 0)


if __name__ == "__main__":
    main()
