"""What a running server counts: plain numbers, cheap enough to be kept for every command.

The reactor's thread alone touches them. Names and labels are given to them in :mod:`cybertemp_imap.metrics`, and only
when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence

COMMAND_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Bounds of the durations of commands: from one that needs no database to one that is given up."""

PUSH_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Bounds of the times until sessions are told of a change."""

UNTIMED = "IDLE"
"""The command that takes as long as its client likes."""


class Durations:
    """A histogram: how many durations were at most each bound, and longer than the one before."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        """``bounds`` are seconds, ascending."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one; a clock that was set back has it count as none at all."""
        seconds = max(seconds, 0.0)
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds


class Counts:
    """What is counted of all sessions of a process."""

    def __init__(self) -> None:
        self.connections = 0
        #: By result: ``ok``, or the name of the refusal in lower case.
        self.logins: Counter[str] = Counter()
        #: By a command's name in the dispatch tables and the status of its answer, ``-`` for none.
        self.commands: defaultdict[tuple[str, str], int] = defaultdict(int)
        self.durations: dict[str, Durations] = {}

    def command(self, name: str, status: str, seconds: float) -> None:
        """Count a command; names are those of rules, never what a client sent."""
        self.commands[name, status] += 1
        if name == UNTIMED:
            return
        durations = self.durations.get(name)
        if durations is None:
            durations = self.durations[name] = Durations(COMMAND_SECONDS)
        durations.add(seconds)
