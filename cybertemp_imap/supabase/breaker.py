"""A circuit breaker: a service that does not answer is left alone for a while, and what needs it fails at once."""

from __future__ import annotations

import random
from collections.abc import Callable

THRESHOLD = 5
"""Failures in a row after which nothing is asked any more."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 15.0
"""Seconds until one request tries again: doubled from the first to the longest, each shortened by chance."""


class Breaker:
    """Closed while the service answers; open for a pause when it does not; then half open, for a single trial.

    Every request asks :meth:`admits` first; where that is granted, exactly one of :meth:`succeeded`, :meth:`failed` and
    :meth:`abandoned` has to follow.
    """

    def __init__(self, seconds: Callable[[], float], chance: Callable[[], float] = random.random) -> None:
        """``seconds`` tells the time; ``chance`` is from 0 to 1."""
        self._seconds = seconds
        self._chance = chance
        self._failures = 0
        self._pause = 0.0
        self._away_until: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the service counts as away, the trial of the half-open state included."""
        return self._away_until is not None

    def admits(self) -> bool:
        """Tell whether a request may be sent now."""
        if self._away_until is None:
            return True
        if self._trying or self._seconds() < self._away_until:
            return False
        self._trying = True
        return True

    def succeeded(self) -> bool:
        """The service has answered; return whether it had counted as away."""
        was_open = self.is_open
        self._failures = 0
        self._pause = 0.0
        self._away_until = None
        self._trying = False
        return was_open

    def failed(self) -> bool:
        """The service has not answered as it should; return whether it counts as away from now on, and did not."""
        was_open = self.is_open
        self._failures += 1
        if self._failures >= THRESHOLD and (self._trying or not was_open):
            self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
            self._away_until = self._seconds() + self._pause * (0.5 + self._chance() / 2)
        self._trying = False
        return self.is_open and not was_open

    def abandoned(self) -> None:
        """Nobody waits for the answer any more; nothing was learnt."""
        self._trying = False
