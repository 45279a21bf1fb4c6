"""Runs twistd with a probe in its process that measures how long the reactor is held.

``python -m bench.measured <arguments of twistd>``. The probe does nothing until SIGUSR1; at SIGUSR2 it writes what it
has measured since, as JSON, to the file that ``BENCH_PROBE`` names. ``BENCH_REACTOR`` names one of :data:`REACTORS`.

A clock that is to strike every millisecond strikes late when something holds the reactor. How late is the pause as a
client sees it: it includes what the system gave to other processes on the same core. Without that it is how long the
reactor was held: by work, or by waiting for anything but a core. The processor time that the reactor's own thread used
between two strikes is the part of it that is work.

Waiting for the interpreter, which another thread has that waits for a core, is being held, too. So that it can be told
from what is the reactor's own doing, another thread looks at what it does then (:mod:`bench.witness`).
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

from bench import census
from bench.witness import NOTABLE, Witness

_PERIOD = 0.001


def _epoll() -> None:
    from twisted.internet import epollreactor

    epollreactor.install()


def _asyncio() -> None:
    from twisted.internet import asyncioreactor

    asyncioreactor.install()


def _uvloop() -> None:
    import uvloop
    from twisted.internet import asyncioreactor

    asyncioreactor.install(uvloop.new_event_loop())


REACTORS: dict[str, Callable[[], None]] = {"epoll": _epoll, "asyncio": _asyncio, "uvloop": _uvloop}
"""What installs each reactor that may be asked for; the last is asyncio's over another event loop."""


class Probe:
    """The clock in the reactor."""

    def __init__(self, reactor: Any, report: Path) -> None:
        self._reactor = reactor
        self._report = report
        self._call: Any = None
        self._last = self._last_used = self._last_delay = 0.0
        self._pauses: list[float] = []
        self._held: list[float] = []
        self._used: list[float] = []
        self._collections: list[float] = []
        self._collecting = 0.0
        self._longest: dict[str, Any] = {}
        self._witness: Witness | None = None
        # Of the thread that makes this, which is the reactor's: nanoseconds run, nanoseconds waited for a core, slices.
        self._schedule = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
        signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(self._begin))
        signal.signal(signal.SIGUSR2, lambda *_: reactor.callFromThread(self._end))

    def _begin(self) -> None:
        self._pauses, self._used, self._held, self._collections = [], [], [], []
        gc.callbacks.append(self._collection)
        self._longest = {"held": 0.0}
        self._witness = Witness(lambda: perf_counter() - self._last - _PERIOD)
        self._last, self._last_used, self._last_delay = perf_counter(), thread_time(), self._delay()
        self._witness.start()
        self._call = self._reactor.callLater(_PERIOD, self._strike)

    def _strike(self) -> None:
        now, used, delay = perf_counter(), thread_time(), self._delay()
        pause = now - self._last - _PERIOD
        self._pauses.append(pause)
        self._used.append(used - self._last_used)
        held = pause - (delay - self._last_delay)
        self._held.append(held)
        if pause > NOTABLE and self._witness is not None:
            seen = self._witness.take()
            if held > self._longest["held"]:
                self._longest = {"held": held, "pause": pause, "used": self._used[-1], "seen": seen}
        self._last, self._last_used, self._last_delay = now, used, delay
        self._call = self._reactor.callLater(_PERIOD, self._strike)

    def _delay(self) -> float:
        """Return for how many seconds the thread has waited for a core."""
        return int(os.pread(self._schedule, 100, 0).split()[1]) / 1e9

    def _collection(self, phase: str, _details: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = perf_counter()
        else:
            self._collections.append(perf_counter() - self._collecting)

    def _end(self) -> None:
        if self._call is None:
            return
        self._call.cancel()
        self._call = None
        gc.callbacks.remove(self._collection)
        if self._witness is not None:
            self._witness.stop()
        measured = {
            "strikes": len(self._pauses),
            "pause": max(self._pauses, default=0.0),
            "used": max(self._used, default=0.0),
            "held": max(self._held, default=0.0),
            "held_longest": self._longest,
            "collection": max(self._collections, default=0.0),
            "over_5ms": sum(pause > 0.005 for pause in self._pauses),
            "over_20ms": sum(pause > 0.020 for pause in self._pauses),
        }
        unfinished = self._report.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(measured))
        unfinished.rename(self._report)


def main() -> None:
    """Run twistd with the probe in place."""
    REACTORS[os.environ.get("BENCH_REACTOR", "epoll")]()
    from twisted.internet import reactor
    from twisted.scripts import twistd

    report = os.environ.get("BENCH_PROBE")
    if report is not None:
        Probe(reactor, Path(report))
        census.answer(reactor, Path(report).with_name("census.json"))
    sys.argv[0] = "twistd"
    twistd.run()


if __name__ == "__main__":
    main()
