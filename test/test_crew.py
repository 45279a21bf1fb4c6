"""Workers as the process sees them that starts them: when others are started, and who accepts from which sockets."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.workers import channel
from cybertemp_imap.workers.crew import LAST_MOMENTS, LONGEST_PAUSE, PATIENCE, STEADY, Crew
from cybertemp_imap.workers.worker import WorkerProcess

KILLED = Failure(ProcessTerminated(signal=9))
WELL = Failure(ProcessDone(0))


class Transport:
    """Notes what a worker is told."""

    pid = 1

    def __init__(self) -> None:
        self.signals: list[str] = []
        self.accepts: list[int] = []
        self.asked: list[int] = []

    def writeToChild(self, file: int, octets: bytes) -> None:
        """Note it."""
        message: list[Any] = []
        channel.Lines(lambda line: message.extend(json.loads(line))).feed(octets)
        if message[0] == "accept":
            self.accepts = message[1]
        elif message[0] == "tell":
            self.asked.append(message[1])
        else:
            self.signals.append(message[0])

    def signalProcess(self, name: str) -> None:
        """Note it."""
        self.signals.append(name)


class CrewTestCase(SynchronousTestCase):
    """A crew whose processes are the test's."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.spawned: list[WorkerProcess] = []
        self.forgotten: list[int] = []
        self.crew = Crew(self.clock, 3, self.spawn, self.forgotten.append)

    def spawn(self, worker: WorkerProcess) -> None:
        """Give it a transport."""
        transport: Any = Transport()
        worker.makeConnection(transport)
        self.spawned.append(worker)

    def say(self, worker: WorkerProcess, *message: Any) -> None:
        """Have a worker say something."""
        worker.childDataReceived(channel.ANSWERS, channel.line(*message))

    def started(self) -> list[WorkerProcess]:
        """Start them all."""
        starting = Deferred.fromCoroutine(self.crew.start())
        for worker in list(self.spawned):
            self.assertNoResult(starting)
            self.say(worker, "ready")
        self.successResultOf(starting)
        workers, self.spawned = self.spawned, []
        return workers

    def transport(self, worker: WorkerProcess) -> Transport:
        """Return what notes what it is told."""
        transport: Any = worker.transport
        noted: Transport = transport
        return noted

    def accepts(self, *workers: WorkerProcess) -> list[list[int]]:
        """Return the shares of workers."""
        return [self.transport(worker).accepts for worker in workers]


class StartTests(CrewTestCase):
    """The first start."""

    def test_each_has_its_own(self) -> None:
        """When all are ready, and not before, each accepts from its own sockets."""
        self.assertEqual(self.accepts(*self.started()), [[0], [1], [2]])

    def test_mistake(self) -> None:
        """What the operator can mend is told as it was said."""
        starting = Deferred.fromCoroutine(self.crew.start())
        self.say(self.spawned[1], "failed", "No certificate today.")
        self.spawned[1].processEnded(Failure(ProcessTerminated(exitCode=1)))
        self.assertEqual(str(self.failureResultOf(starting, OperatorError).value), "No certificate today.")

    def test_fault(self) -> None:
        """A worker that dies before it was ready is a fault: it is not tried again and again."""
        starting = Deferred.fromCoroutine(self.crew.start())
        self.spawned[1].processEnded(KILLED)
        self.failureResultOf(starting, RuntimeError)
        self.assertEqual(len(self.spawned), 3)


class DeathTests(CrewTestCase):
    """Workers that die."""

    def test_others_help_out(self) -> None:
        """While one is away another accepts from its sockets; its counts are forgotten before it comes again."""
        one, two, three = self.started()
        self.clock.advance(STEADY)
        two.processEnded(KILLED)
        self.assertEqual((self.forgotten, self.accepts(one, three)), ([1], [[0, 1], [2]]))
        self.clock.advance(0)
        (again,) = self.spawned
        self.assertEqual((again.number, self.accepts(one, three, again)), (1, [[0, 1], [2], []]))
        self.say(again, "ready")
        self.assertEqual(self.accepts(one, three, again), [[0], [2], [1]])

    def test_all_but_one(self) -> None:
        """The last that serves accepts for everybody."""
        one, two, three = self.started()
        for worker in (one, two):
            worker.processEnded(KILLED)
        self.assertEqual(self.accepts(three), [[2, 0, 1]])

    def test_pauses(self) -> None:
        """Who dies at once is started after pauses that double, up to a longest; who has served a while, at once."""
        worker = self.started()[0]
        pauses = []
        for _ in range(7):
            worker.processEnded(KILLED)
            pauses.append(self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds())
            self.clock.advance(pauses[-1])
            worker = self.spawned[-1]
        self.assertEqual(pauses, [1, 2, 4, 8, 16, LONGEST_PAUSE, LONGEST_PAUSE])
        self.say(worker, "ready")
        self.clock.advance(STEADY)
        worker.processEnded(KILLED)
        self.clock.advance(0)
        self.assertIsNot(self.spawned[-1], worker)
        self.assertEqual(self.crew.restarts, 8)

    def test_leaving(self) -> None:
        """One that was told to end has others accept at once, and another in its place without a pause."""
        one, two, three = self.started()
        self.say(one, "leaving")
        self.assertEqual(self.accepts(two, three), [[1, 0], [2]])
        one.processEnded(WELL)
        self.clock.advance(0)
        self.assertEqual([worker.number for worker in self.spawned], [0])


class ToldTests(CrewTestCase):
    """Asking workers."""

    def test_answers(self) -> None:
        """All that serve are asked; one that dies meanwhile, and one that is silent, are said not to answer."""
        one, two, three = self.started()
        asking = Deferred.fromCoroutine(self.crew.told())
        self.say(one, "told", self.transport(one).asked[0], [], [["a"]])
        two.processEnded(KILLED)
        self.clock.advance(PATIENCE)
        told = self.successResultOf(asking)
        self.assertEqual(
            [each.faults for each in told], [[], ["worker 2: it does not answer."], ["worker 3: it does not answer."]]
        )
        self.assertEqual(told[0].metrics, [["a"]])
        self.say(three, "told", self.transport(three).asked[0], [], [])


class StopTests(CrewTestCase):
    """Ending all."""

    def test_in_time(self) -> None:
        """All are asked to end, and it is over when the last has; none is started again."""
        workers = self.started()
        stopping = Deferred.fromCoroutine(self.crew.stop(10.0))
        for worker in workers:
            self.assertNoResult(stopping)
            self.say(worker, "leaving")
            worker.processEnded(WELL)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual([self.transport(worker).signals for worker in workers], [["stop"]] * 3)

    def test_stuck(self) -> None:
        """One that does not end is killed in the end."""
        one, two, three = self.started()
        stopping = Deferred.fromCoroutine(self.crew.stop(10.0))
        one.processEnded(WELL)
        three.processEnded(WELL)
        self.clock.advance(10.0 + LAST_MOMENTS)
        self.assertEqual(self.transport(two).signals, ["stop", "KILL"])
        self.assertNoResult(stopping)
        two.processEnded(KILLED)
        self.successResultOf(stopping)

    def test_during_the_start(self) -> None:
        """A start that is under way fails, and none can be begun any more."""
        starting = Deferred.fromCoroutine(self.crew.start())
        stopping = Deferred.fromCoroutine(self.crew.stop(10.0))
        for worker in list(self.spawned):
            worker.processEnded(WELL)
        self.successResultOf(stopping)
        self.failureResultOf(starting, RuntimeError)
        self.failureResultOf(Deferred.fromCoroutine(self.crew.start()), RuntimeError)
        self.assertEqual((len(self.spawned), self.clock.getDelayedCalls()), (3, []))

    def test_during_a_pause(self) -> None:
        """One that would be started again is not."""
        workers = self.started()
        workers[0].processEnded(KILLED)
        stopping = Deferred.fromCoroutine(self.crew.stop(10.0))
        for worker in workers[1:]:
            worker.processEnded(WELL)
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])
