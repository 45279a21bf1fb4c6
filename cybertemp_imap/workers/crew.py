"""All workers of a server: started, started again when they die, told what to do, and ended together.

Every worker has sockets of its own to accept from. While one of them is away, which a client should not notice, the
others accept from its sockets too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.workers.worker import WorkerProcess

STEADY = 10.0
"""Seconds after which a worker that dies is started again at once: it could serve, whatever it was."""

LONGEST_PAUSE = 30.0
"""Seconds between attempts to start a worker that dies at once; the first are a second, two, four …"""

PATIENCE = 4.0
"""Seconds that a worker has to answer: longer than a database has to answer it."""

LAST_MOMENTS = 5.0
"""Seconds to end for workers beyond the time for commands in hand; then they are killed."""


class Told(NamedTuple):
    """What a worker has told of itself."""

    faults: list[str]
    metrics: list[Any]


class Crew:
    """The workers of a server."""

    _log = Logger()

    def __init__(self, reactor: Any, count: int, spawn: Callable[[WorkerProcess], None], forget: Callable[[int], None]):
        """
        :param spawn: starts the process of a worker.
        :param forget: is called with the number of a worker that is gone, before another takes its place.
        """
        self.count = count
        self.restarts = 0
        #: Is called with each worker that is gone.
        self.lost: Callable[[WorkerProcess], None] = lambda worker: None
        self._reactor = reactor
        self._spawn = spawn
        self._forget = forget
        self._workers: dict[int, WorkerProcess] = {}
        self._failures = [0] * count
        self._pauses: dict[int, Any] = {}
        self._starting: Deferred[None] | None = None
        self._started = False
        self._stopping: Deferred[None] | None = None
        self._question = 0
        self._answers: dict[tuple[int, int], Deferred[Told | None]] = {}

    @property
    def serving(self) -> list[WorkerProcess]:
        """Those that can serve."""
        return [worker for worker in self._workers.values() if worker.serves]

    @property
    def pids(self) -> list[int]:
        """The processes that there are, by number of worker."""
        return [self._workers[number].transport.pid for number in sorted(self._workers)]  # type: ignore[union-attr]

    async def start(self) -> None:
        """Start all; returns when all can serve, and do.

        :raises OperatorError: one of them cannot start, for a reason that the operator can mend.
        :raises RuntimeError: one of them ended for another reason, or all are to end.
        """
        if self._stopping is not None:
            raise RuntimeError("The workers are to end.")
        self._starting = Deferred()
        for number in range(self.count):
            self._begin(number)
        await self._starting
        self._started = True
        self._share_out()

    def reload(self) -> None:
        """Have certificates read again."""
        for worker in self.serving:
            worker.say("reload")

    async def told(self) -> list[Told]:
        """Ask all that serve how they are; who does not answer in time has that as a fault."""
        self._question += 1
        number, found = self._question, []
        asked = [(worker, self._ask(worker, number)) for worker in self.serving]
        for worker, answer in asked:
            told = await answer
            found.append(told or Told([f"{worker.name}: it does not answer."], worker.metrics))
        return found

    async def stop(self, grace: float) -> None:
        """End all, also while they start; those that take longer than ``grace`` and some moments are killed."""
        for pause in self._pauses.values():
            pause.cancel()
        self._pauses.clear()
        self._stopping = Deferred()
        for end, longest in ((WorkerProcess.stop, grace + LAST_MOMENTS), (WorkerProcess.kill, LAST_MOMENTS)):
            for worker in self._workers.values():
                end(worker)
            if not self._workers:
                break
            late = self._reactor.callLater(longest, self._stopping.callback, None)
            await self._stopping
            self._stopping = Deferred()
            if late.active():
                late.cancel()
        self._begun(RuntimeError("The workers were ended."))

    # -- what workers tell --------------------------------------------------------------------------------------------

    def ready(self, worker: WorkerProcess) -> None:
        """Have it accept connections, when all others can too at the first time."""
        if self._started:
            self._share_out()
        elif len(self.serving) == self.count:
            self._begun(None)

    def leaving(self, worker: WorkerProcess) -> None:
        """Have others accept its connections."""
        self._share_out()

    def told_by(self, worker: WorkerProcess, number: int, faults: list[str], metrics: list[Any]) -> None:
        """Pass on its answer, if somebody still waits for it."""
        answer = self._answers.pop((worker.number, number), None)
        if answer is not None:
            answer.callback(Told(faults, metrics))

    def ended(self, worker: WorkerProcess, failure: Failure) -> None:
        """Start another in its place, at once or after a pause."""
        del self._workers[worker.number]
        self._forget(worker.number)
        self.lost(worker)
        for key in [key for key in self._answers if key[0] == worker.number]:
            self._answers.pop(key).callback(None)
        if self._stopping is not None:
            if not self._workers and not self._stopping.called:
                self._stopping.callback(None)
        elif not self._started:
            self._begun(OperatorError(worker.sentence) if worker.sentence else RuntimeError(_how(failure)))
        else:
            self._again(worker, failure)

    # -- starting and sharing -----------------------------------------------------------------------------------------

    def _begin(self, number: int) -> None:
        self._pauses.pop(number, None)
        worker = self._workers[number] = WorkerProcess(number, self, self._reactor.seconds())
        try:
            self._spawn(worker)
        except OSError:
            # Too many processes, or no memory: it may be better later.
            self.ended(worker, Failure())

    def _begun(self, error: Exception | None) -> None:
        starting, self._starting = self._starting, None
        if starting is not None:
            if error is None:
                starting.callback(None)
            else:
                starting.errback(error)

    def _again(self, worker: WorkerProcess, failure: Failure) -> None:
        lived = self._reactor.seconds() - worker.began
        meant = worker.leaving and failure.check(ProcessDone) is not None
        if meant or (worker.was_ready and lived >= STEADY):
            self._failures[worker.number] = 0
            pause = 0.0
        else:
            pause = min(2.0 ** self._failures[worker.number], LONGEST_PAUSE)
            self._failures[worker.number] = min(self._failures[worker.number] + 1, 10)
        self.restarts += 1
        (self._log.info if meant else self._log.error)(
            "{name} {how} after {lived:.1f} s; starting another {when}.{why}",
            name=worker.name.capitalize(),
            how=_how(failure),
            lived=lived,
            when=f"in {pause:.0f} s" if pause else "at once",
            why=f" {worker.sentence}" if worker.sentence else "",
        )
        self._share_out()
        self._pauses[worker.number] = self._reactor.callLater(pause, self._begin, worker.number)

    def _share_out(self) -> None:
        """Tell each that serves whose sockets to accept from: its own, and some of those that are away."""
        serving = self.serving
        if not self._started or not serving or self._stopping is not None:
            return
        shares = {worker.number: [worker.number] for worker in serving}
        away = [number for number in range(self.count) if number not in shares]
        for place, number in enumerate(away):
            shares[serving[place % len(serving)].number].append(number)
        for worker in serving:
            worker.say("accept", shares[worker.number])

    def _ask(self, worker: WorkerProcess, number: int) -> Deferred[Told | None]:
        key = (worker.number, number)
        answer: Deferred[Told | None] = Deferred()
        self._answers[key] = answer

        def give_up() -> None:
            if self._answers.pop(key, None) is not None:
                answer.callback(None)

        late = self._reactor.callLater(PATIENCE, give_up)
        answer.addBoth(lambda told: (late.active() and late.cancel(), told)[1])
        worker.say("tell", number)
        return answer


def _how(failure: Failure) -> str:
    """Return how a process ended."""
    number = getattr(failure.value, "signal", None)
    if number is not None:
        return f"was ended by signal {number}"
    status = getattr(failure.value, "exitCode", None)
    return "could not be started" if status is None else f"ended with status {status}"
