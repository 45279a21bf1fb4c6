"""Figures: the samples of a row on one server, and what the machine did meanwhile."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass, field
from typing import Any

from bench import machine
from bench.measures import Measure, Sample
from bench.servers import Server


@dataclass
class Figure:
    """What was measured of one row on one server; times are seconds a command."""

    samples: list[Sample] = field(default_factory=list)
    #: Processor time of the server's processes, and of all others but the client, in all samples together.
    server: float = 0.0
    others: float = 0.0
    elapsed: float = 0.0
    failure: str = ""
    """Why there are no (more) samples."""

    def take(self, measure: Measure, server: Server) -> None:
        """Take a sample."""
        # A process that a session had to itself is counted with its parent once it has ended.
        server_before, client_before = machine.processor_seconds(server.processes()), _own_seconds()
        busy_before, elapsed_before = machine.busy_seconds(), os.times().elapsed
        self.samples.append(measure(server))
        busy = machine.busy_seconds() - busy_before
        self.elapsed += os.times().elapsed - elapsed_before
        used = max(machine.processor_seconds(server.processes()) - server_before, 0.0)
        self.server += used
        self.others += max(busy - used - (_own_seconds() - client_before), 0.0)

    def as_json(self) -> dict[str, Any]:
        """Return the figure for the file of results."""
        if not self.samples:
            return {"failure": self.failure}
        commands = sum(sample.commands for sample in self.samples)
        return {
            "median": statistics.median(sample.seconds for sample in self.samples),
            "best": min(sample.seconds for sample in self.samples),
            "samples": [sample.seconds for sample in self.samples],
            "octets": self.samples[-1].octets,
            "server_cpu": self.server / commands if commands else 0.0,
            "other_load": self.others / self.elapsed if self.elapsed else 0.0,
            "failure": self.failure,
        }


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system
