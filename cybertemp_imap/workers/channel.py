"""What goes between a worker and the process that started it: lines, each a JSON array, over pipes.

A worker reads from standard input what it is to do, writes its log to standard output and answers to a pipe of its own.
What it begins with holds secrets, so it comes by the pipe too, and is neither in arguments nor in the environment.
"""

from __future__ import annotations

import base64
import json
import os
import pickle
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText
from zope.interface import implementer

from cybertemp_imap.config import Settings
from cybertemp_imap.listening import HandedSocket

COMMANDS, LOG, WORDS, ANSWERS, MEMORY, SOCKETS = range(6)
"""Files of a worker: commands to it, its log, what is printed in it, its answers, the shared memory, and sockets on."""


MOMENT = 0.02
"""Seconds that lines of a worker's log are held back at most, to be sent together: that halves what they cost."""

_OLD = "log_legacy"


@dataclass(frozen=True)
class Beginning:
    """What a worker is told first."""

    settings: Settings
    #: Which of the workers it is, from 0, and how many there are.
    number: int
    workers: int
    sockets: Sequence[Sequence[HandedSocket]]


class Lines:
    """Cuts octets into lines."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take octets; each line that is whole goes on, without its end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)


def line(*message: Any) -> bytes:
    """Return a message as a line."""
    return json.dumps(message).encode() + b"\n"


def beginning_line(beginning: Beginning) -> bytes:
    """Return what a worker is told first, as a line: a process of the same program reads it."""
    return line("begin", base64.b64encode(pickle.dumps(beginning)).decode())


def read_beginning(text: str) -> Beginning:
    """Return what :func:`beginning_line` made a line of."""
    beginning = pickle.loads(base64.b64decode(text))
    assert isinstance(beginning, Beginning)
    return beginning


@implementer(ILogObserver)
class PipeLog:
    """An observer that writes events to a pipe: those of a moment together, errors and what was before them at once."""

    def __init__(self, file: int, later: Callable[[float, Callable[[], None]], Any]) -> None:
        """:param later: calls a function so many seconds later."""
        self._file = file
        self._later = later
        self._waiting: list[bytes] = []

    def __call__(self, event: LogEvent) -> None:
        """Take an event."""
        level = event.get("log_level", LogLevel.info)
        if event.get("log_namespace") == _OLD and level == LogLevel.info:
            # Every port that is begun and ended with, of which each worker has those of all workers.
            return
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if not text:
            return
        system = event.get("log_system") or event.get("log_namespace") or "-"
        self._waiting.append(line(level.name, system, text))
        if level >= LogLevel.error:
            self.flush()
        elif len(self._waiting) == 1:
            self._later(MOMENT, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        left, self._waiting = b"".join(self._waiting), []
        # If nobody is there to read it any more, this process is about to end as well.
        with suppress(BrokenPipeError):
            while left:
                left = left[os.write(self._file, left) :]
