"""Fair use of the reactor: long work is cut into slices, so that other sessions are served in between."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred

SLICE = 0.001
"""Seconds that one piece of work may hold the reactor."""


class Pace:
    """Tells a piece of work when to let others run.

    Call :meth:`breathe` between steps that each take far less than a slice.
    """

    def __init__(self, reactor: Any, slice_seconds: float = SLICE) -> None:
        self.reactor = reactor
        self._slice = slice_seconds
        self._began = perf_counter()

    def begin(self) -> None:
        """Begin a slice: what follows was called by the reactor just now."""
        self._began = perf_counter()

    @property
    def spent(self) -> bool:
        """Whether the slice is used up."""
        return perf_counter() - self._began >= self._slice

    async def breathe(self) -> None:
        """Return at once within a slice, else after the reactor has had a turn."""
        if self.spent:
            turn: Deferred[None] = Deferred()
            self.reactor.callLater(0, turn.callback, None)
            await turn
            self._began = perf_counter()
