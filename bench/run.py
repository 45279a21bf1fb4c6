"""One run of the bench: servers prepared, every scenario on each of them in turn, all of it as figures."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import delivery, hostile, machine, push, receiver
from bench.corpus import corpus
from bench.profile import profile
from bench.scenarios import (
    BIG,
    BIG_COUNT,
    FEW,
    FEW_COUNT,
    MANY,
    MANY_COUNT,
    SCENARIOS,
    Sample,
    Scenario,
    check,
    cold,
)
from bench.servers import Dovecot, Ours, Server

RUNS = 5

#: What is measured on a server of ours alone, each on one of its own.
PARTS: dict[str, Callable[[Ours, Callable[[str], None]], dict[str, Any]]] = {
    "push": push.measure,
    "receiver": receiver.measure,
    "delivery": delivery.measure,
    "hostile": hostile.measure,
}


@dataclass
class Figure:
    """What was measured of one scenario on one server; times are seconds a command."""

    samples: list[Sample] = field(default_factory=list)
    #: Processor time of the server's processes, and of all others but the client, in all samples together.
    server: float = 0.0
    others: float = 0.0
    elapsed: float = 0.0

    @property
    def median(self) -> float:
        """The median of the samples."""
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def best(self) -> float:
        """The smallest of the samples."""
        return min(sample.seconds for sample in self.samples)

    def as_json(self) -> dict[str, Any]:
        """Return the figure for the file of results."""
        commands = sum(sample.commands for sample in self.samples)
        return {
            "median": self.median,
            "best": self.best,
            "samples": [sample.seconds for sample in self.samples],
            "octets": self.samples[-1].octets,
            "server_cpu": self.server / commands if commands else 0.0,
            "other_load": self.others / self.elapsed if self.elapsed else 0.0,
        }


Figures = dict[str, dict[str, Figure]]
"""By scenario and server."""


@dataclass
class Plan:
    """What to run."""

    programs: Path | None = None
    only: frozenset[str] = frozenset()
    runs: int = RUNS
    with_dovecot: bool = True
    database_core: str = "server"
    profile: bool = False
    minutes: float = 0.0

    def wants(self, key: str) -> bool:
        """Tell whether a scenario is asked for."""
        return not self.only or key in self.only


def run(plan: Plan, folder: Path) -> dict[str, Any]:
    """Measure, and return everything as it goes into the file of results."""
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "database_core": plan.database_core,
        "runs": plan.runs,
        "load": os.getloadavg(),
        "figures": {},
        "watched": {},
        "profiles": [],
        "parts": {},
    }
    if not plan.minutes and (not plan.only or plan.only - PARTS.keys()):
        results.update(_beside(plan, folder))
    for name, measure in PARTS.items():
        if plan.wants(name) and not plan.minutes:
            results["parts"][name] = _alone(plan, _folder(folder, name), measure)
    if plan.minutes:
        results["parts"]["endured"] = _alone(
            plan, _folder(folder, "endured"), lambda ours, say: receiver.endure(ours, say, plan.minutes)
        )
    return results


def _alone(
    plan: Plan, folder: Path, measure: Callable[[Ours, Callable[[str], None]], dict[str, Any]]
) -> dict[str, Any]:
    """Measure one part, on a server of ours without mail; nothing is bound to a core."""
    everywhere = os.sched_getaffinity(0)
    ours = Ours(folder, everywhere, everywhere, plan.programs)
    try:
        ours.prepare({})
        ours.start()
        return measure(ours, _say)
    finally:
        ours.close()


def _beside(plan: Plan, folder: Path) -> dict[str, Any]:
    """Measure every scenario on every server, in turn."""
    client_cores, server_cores = machine.cores()
    database_cores = {"server": server_cores, "client": client_cores, "any": client_cores | server_cores}
    ours = Ours(_folder(folder, "ours"), server_cores, database_cores[plan.database_core], plan.programs)
    servers: list[Server] = [ours]
    everywhere = os.sched_getaffinity(0)
    try:
        _say("filling PostgreSQL")
        mailboxes = {
            BIG: lambda: corpus("big@example.com", BIG_COUNT),
            FEW: lambda: corpus("few@example.com", FEW_COUNT, smallest=4_000, largest=4_000),
        }
        many = {MANY: lambda: corpus("many@example.com", MANY_COUNT, smallest=4_000, largest=4_000)}
        ours.prepare({**mailboxes, **(many if plan.wants("many") else {})})
        if plan.with_dovecot:
            _say("filling Maildir")
            dovecot = Dovecot(_folder(folder, "dovecot"), server_cores)
            dovecot.prepare(mailboxes)
            servers.append(dovecot)
        os.sched_setaffinity(0, client_cores)
        for server in servers:
            server.start()
        return _measure(plan, ours, servers)
    finally:
        os.sched_setaffinity(0, everywhere)
        for server in servers:
            server.close()


def _measure(plan: Plan, ours: Ours, servers: Sequence[Server]) -> dict[str, Any]:
    figures: Figures = {}
    watched: dict[str, list[dict[str, Any]]] = {}
    if plan.wants("cold"):
        _cold(plan, servers, figures, watched)
    for server in servers:
        _say(f"checking {server.name}")
        check(server)
    wanted = [scenario for scenario in SCENARIOS if plan.wants(scenario.key)]
    # Those of our server alone are compared with each other.
    for group in [*([scenario] for scenario in wanted if scenario.everywhere), [s for s in wanted if not s.everywhere]]:
        _say(", ".join(scenario.title for scenario in group))
        _warm(plan, group, servers, figures)
    if plan.wants("stream"):
        _say("streaming, watched")
        watched["stream"] = [_watched(ours, _scenario("bodies")) for _ in range(plan.runs)]
        watched["listing"] = [_watched(ours, _scenario("envelopes")) for _ in range(plan.runs)]
    profiles = []
    if plan.profile:
        for scenario in SCENARIOS:
            if plan.wants(scenario.key):
                _say(f"profiling {scenario.title}")
                profiles.append(profile(ours, scenario, ours.folder))
    return {
        "database": ours.database.version(),
        "figures": {key: {name: figure.as_json() for name, figure in row.items()} for key, row in figures.items()},
        "watched": watched,
        "profiles": profiles,
    }


def _cold(plan: Plan, servers: Sequence[Server], figures: Figures, watched: dict[str, list[dict[str, Any]]]) -> None:
    """First SELECT and first listing, each time of a server that has never seen the mail."""
    for number in range(plan.runs):
        for server in servers:
            _say(f"cold, {server.name}, {number + 1} of {plan.runs}")
            server.forget()
            if isinstance(server, Ours):
                server.watch()
            opened, listed = cold(server)
            if isinstance(server, Ours):
                watched.setdefault("cold", []).append(server.watched())
            for key, sample in (("cold_select", opened), ("cold_envelopes", listed)):
                figures.setdefault(key, {}).setdefault(server.name, Figure()).samples.append(sample)


def _warm(plan: Plan, scenarios: Sequence[Scenario], servers: Iterable[Server], figures: Figures) -> None:
    """Scenarios to compare: each once on each server unmeasured, then in turn, so that a disturbance meets all."""
    pairs = [
        (scenario, server)
        for scenario in scenarios
        for server in servers
        if scenario.everywhere or isinstance(server, Ours)
    ]
    for scenario, server in pairs:
        scenario.measure(server)
        figures.setdefault(scenario.key, {})[server.name] = Figure()
    for _ in range(plan.runs):
        for scenario, server in pairs:
            _sample(scenario.measure, server, figures[scenario.key][server.name])


def _sample(measure: Callable[[Server], Sample], server: Server, figure: Figure) -> None:
    # A process that a session had to itself is counted with its parent once it has ended.
    server_before, client_before = machine.processor_seconds(server.processes()), _own_seconds()
    busy_before, elapsed_before = machine.busy_seconds(), os.times().elapsed
    figure.samples.append(measure(server))
    busy = machine.busy_seconds() - busy_before
    figure.elapsed += os.times().elapsed - elapsed_before
    used = max(machine.processor_seconds(server.processes()) - server_before, 0.0)
    figure.server += used
    figure.others += max(busy - used - (_own_seconds() - client_before), 0.0)


def _own_seconds() -> float:
    times = os.times()
    return times.user + times.system


def _watched(ours: Ours, scenario: Scenario) -> dict[str, Any]:
    ours.watch()
    scenario.measure(ours)
    return ours.watched()


def _scenario(key: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.key == key)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir(mode=0o755)
    return folder


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)
