"""A clock in the reactor: how much its thread does in one go, so that everybody else has to wait."""

from __future__ import annotations

import gc
from time import thread_time
from typing import Any

from twisted.python.threadable import isInIOThread

_PERIOD = 0.002


class ReactorClock:
    """Measures by the processor time of the reactor's thread, which other programs on the machine do not use up.

    Collections of garbage are left out: in the process of the tests there is far more to go through than in a server's.

    :ivar longest: seconds of processor time, the most that was used from one strike of the clock to the next.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._call: Any = None
        self._last = 0.0
        self._collecting = 0.0
        self.longest = 0.0

    def begin(self) -> None:
        """Begin to measure."""
        gc.callbacks.append(self._collection)
        self._last = thread_time()
        self._call = self._reactor.callLater(_PERIOD, self._strike)

    def end(self) -> None:
        """Measure no longer."""
        self._call.cancel()
        gc.callbacks.remove(self._collection)

    def _strike(self) -> None:
        now = thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._call = self._reactor.callLater(_PERIOD, self._strike)

    def _collection(self, phase: str, _details: dict[str, int]) -> None:
        # A collection happens in whichever thread allocates; only that of the reactor concerns its time.
        if not isInIOThread():
            return
        if phase == "start":
            self._collecting = thread_time()
        else:
            self._last += thread_time() - self._collecting
