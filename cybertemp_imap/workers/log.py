"""The log of a worker: written by itself to where twistd writes its own, or sent to the process that started it.

Several processes can write to standard output, each whole lines at a time. Anything else that twistd can log to (a file
that it begins anew when that is full, syslog, an observer of the operator's) belongs to the first process.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, formatTime
from zope.interface import implementer

from cybertemp_imap.workers import channel

MOMENT = 0.02
"""Seconds that lines are held back at most, to be written together: that halves what they cost."""

ATOMIC = select.PIPE_BUF
"""Octets that a pipe takes as they are, whoever else writes to it."""

_OLD = "log_legacy"

Form = Callable[[LogEvent, str], bytes]
"""Makes lines of an event, whose text is given too."""


def place(options: Mapping[str, Any] | None) -> int | None:
    """Return the file that twistd logs to by these options of its own, where workers can too; that is standard output.

    Without options nobody knows.
    """
    if options is None or options.get("logger") or options.get("syslog") or not options.get("nodaemon"):
        return None
    if options.get("logfile") not in (None, "", "-"):
        return None
    with suppress(AttributeError, OSError, ValueError):
        return sys.__stdout__.fileno()  # type: ignore[union-attr]
    return None


def for_parent(event: LogEvent, text: str) -> bytes:
    """Return an event as a line for the process that started this one."""
    return channel.line(_level(event).name, _system(event), text)


class AsTwistd:
    """Makes the lines that twistd makes; of those the worker's name is a part."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._second = -1
        self._time = ""

    def __call__(self, event: LogEvent, text: str) -> bytes:
        """Return the lines of an event."""
        second = int(event["log_time"])
        if second != self._second:
            # Times are told by the second, and most lines are of the second of the line before.
            self._second, self._time = second, formatTime(second)
        text = text.replace("\n", "\n\t")
        line = f"{self._time} [{self._name} {_system(event)}#{_level(event).name}] {text}\n"
        return line.encode("utf-8", "backslashreplace")


@implementer(ILogObserver)
class WorkerLog:
    """An observer that writes events to a file: those of a moment together, errors and what was before them at once."""

    def __init__(self, file: int, form: Form, later: Callable[[float, Callable[[], None]], Any]) -> None:
        """:param later: calls a function so many seconds later."""
        self._file = file
        self._form = form
        self._later = later
        self._waiting: list[bytes] = []

    def __call__(self, event: LogEvent) -> None:
        """Take an event."""
        level = _level(event)
        if event.get("log_namespace") == _OLD and level == LogLevel.info:
            # Every port that is begun and ended with, of which each worker has those of all workers.
            return
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if not text:
            return
        self._waiting.append(self._form(event, text))
        if level >= LogLevel.error:
            self.flush()
        elif len(self._waiting) == 1:
            self._later(MOMENT, self.flush)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        # Nobody is there to read it, or there is no room for it: a log that cannot be written holds up nothing else.
        with suppress(OSError):
            for octets in _portions(waiting):
                self._write(octets)

    def _write(self, left: bytes) -> None:
        while left:
            try:
                left = left[os.write(self._file, left) :]
            except BlockingIOError:
                # Whoever else has the file wants not to wait for it; a log waits.
                select.select((), (self._file,), ())


def _portions(events: list[bytes]) -> Iterator[bytes]:
    """Put whole lines together, as many as are written as one."""
    portion: list[bytes] = []
    size = 0
    for octets in events:
        for line in octets.splitlines(keepends=True) if len(octets) > ATOMIC else (octets,):
            if size + len(line) > ATOMIC and portion:
                yield b"".join(portion)
                portion, size = [], 0
            portion.append(line)
            size += len(line)
    if portion:
        yield b"".join(portion)


def _level(event: LogEvent) -> Any:
    return event.get("log_level", LogLevel.info)


def _system(event: LogEvent) -> str:
    return str(event.get("log_system") or event.get("log_namespace") or "-")
