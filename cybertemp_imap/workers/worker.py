"""One worker, as the process that starts it sees it."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from cybertemp_imap.workers import channel
from cybertemp_imap.workers.channel import Lines

PROGRAM: Sequence[str] = ("-m", "cybertemp_imap.workers.child")
"""What the interpreter runs."""

NOT_PASSED_ON = frozenset({"NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "WATCHDOG_PID"})
"""What a service manager tells one process alone."""

_log = Logger()


class Owner(Protocol):
    """Who is told of workers."""

    def ready(self, worker: WorkerProcess) -> None:
        """It can serve."""

    def leaving(self, worker: WorkerProcess) -> None:
        """It is about to end, by itself."""

    def told_by(self, worker: WorkerProcess, number: int, faults: list[str], metrics: list[Any]) -> None:
        """It has answered a question."""

    def ended(self, worker: WorkerProcess, failure: Failure) -> None:
        """It is gone."""


class WorkerProcess(ProcessProtocol):
    """A process that was started as worker ``number``, counted from 0.

    :ivar serves: it is ready, and not about to end.
    :ivar sentence: why it could not start, where the operator can mend that.
    :ivar metrics: what it told of itself last.
    """

    def __init__(self, number: int, owner: Owner, began: float) -> None:
        self.number = number
        self.began = began
        self.was_ready = False
        self.serves = False
        self.leaving = False
        self.sentence: str | None = None
        self.metrics: list[Any] = []
        self._owner = owner
        self._pipes: dict[int, Lines] = {
            channel.LOG: Lines(self._log_event),
            channel.WORDS: Lines(self._log_words),
            channel.ANSWERS: Lines(self._take),
        }

    @property
    def name(self) -> str:
        """What it is called in the log."""
        return f"worker {self.number + 1}"

    def spawn(self, reactor: Any, beginning: bytes, memory: int, sockets: Sequence[int], log: int | None) -> None:
        """Start the process; ``beginning`` is the first line that it reads, ``log`` the file it logs to, if any."""
        files: dict[int, Any] = {channel.COMMANDS: "w", channel.LOG: "r", channel.WORDS: "r", channel.ANSWERS: "r"}
        if log is not None:
            files[channel.LOG] = log
        files[channel.MEMORY] = memory
        files.update(enumerate(sockets, channel.SOCKETS))
        environ = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
        # The package is found where this process found it.
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        command = [sys.executable, *PROGRAM, type(reactor).__module__]
        if log is not None:
            command.append(self.name)
        reactor.spawnProcess(self, sys.executable, command, environ, childFDs=files)
        self._write(beginning)

    def say(self, *message: Any) -> None:
        """Say what it is to do."""
        self._write(channel.line(*message))

    def stop(self) -> None:
        """Have it end when the commands in hand are done.

        It is told, rather than sent a signal, as a service manager may have sent one to every process already.
        """
        self.say("stop")

    def kill(self) -> None:
        """End it."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")  # type: ignore[union-attr]

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Take what came by one of the pipes."""
        self._pipes[childFD].feed(data)

    def processEnded(self, reason: Failure) -> None:
        """Tell that it is gone; everything that it had written has been read."""
        self.serves = False
        self._owner.ended(self, reason)

    def _write(self, octets: bytes) -> None:
        # Without the pipe it is about to be gone.
        with suppress(KeyError):
            self.transport.writeToChild(channel.COMMANDS, octets)  # type: ignore[union-attr]

    def _log_event(self, line: bytes) -> None:
        try:
            level, system, text = json.loads(line)
        except ValueError:
            # Printed past Python's own files.
            self._log_words(line)
            return
        self._emit(LogLevel.lookupByName(level), f"{self.name} {system}", text)

    def _log_words(self, line: bytes) -> None:
        # What the interpreter says where there is no log, as of a fault that ends it.
        self._emit(LogLevel.error, self.name, line.decode("utf-8", "replace"))

    def _emit(self, level: Any, system: str, text: str) -> None:
        _log.emit(level, "{text}", text=text, log_system=f"{system}#{level.name}")

    def _take(self, line: bytes) -> None:
        name, *arguments = json.loads(line)
        does: dict[str, Callable[..., None]] = {
            "ready": self._ready,
            "leaving": self._leaving,
            "failed": self._failed,
            "told": self._told,
        }
        does[name](*arguments)

    def _ready(self) -> None:
        self.was_ready = self.serves = True
        self._owner.ready(self)

    def _leaving(self) -> None:
        self.serves = False
        self.leaving = True
        self._owner.leaving(self)

    def _failed(self, sentence: str | None) -> None:
        self.sentence = sentence

    def _told(self, number: int, faults: list[str], metrics: list[Any]) -> None:
        self.metrics = metrics
        self._owner.told_by(self, number, faults, metrics)
