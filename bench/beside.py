"""The servers beside each other: every row on each of them in turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import machine
from bench.client import Refused
from bench.corpus import BIG, BIG_COUNT, FEW, FEW_COUNT, NEWS, SINK, Mail, Tally, corpus
from bench.dovecot import Dovecot
from bench.figures import Figure
from bench.profile import profile
from bench.pymap import Pymap
from bench.scenarios import BODIES, ENVELOPES, SCENARIOS, Scenario
from bench.servers import Mails, Ours, Server
from bench.stock import Stock

Say = Callable[[str], None]
Figures = dict[str, dict[str, Figure]]
"""By row and server."""

OTHERS: dict[str, type[Server]] = {"dovecot": Dovecot, "pymap": Pymap, "stock": Stock}
_LONG = 5.0
"""Seconds: of a server that is only measured for the order of magnitude, a row that takes longer is sampled once."""


@dataclass
class Plan:
    """What to run."""

    programs: Path | None = None
    only: frozenset[str] = frozenset()
    runs: int = 5
    beside: frozenset[str] = frozenset(OTHERS)
    messages: int = BIG_COUNT
    database_core: str = "server"
    profile: bool = False
    minutes: float = 0.0
    points: tuple[tuple[str, int], ...] = ()
    """Which points of the curves; all, without any."""

    hurried: bool = False
    """Few commands a sample on this server too: only to see that everything can be measured."""

    notes: list[str] = field(default_factory=list)

    def wants(self, key: str) -> bool:
        """Tell whether a row or a part is asked for."""
        return not self.only or key in self.only

    def rows(self) -> list[Scenario]:
        """Return the rows that are asked for."""
        return [scenario for scenario in SCENARIOS if self.wants(scenario.key)]


def measure(plan: Plan, folder: Path, say: Say) -> dict[str, Any]:
    """Prepare all servers, measure, and return the figures by row and server."""
    client_cores, server_cores = machine.cores()
    database_cores = {"server": server_cores, "client": client_cores, "any": client_cores | server_cores}
    everywhere = os.sched_getaffinity(0)
    ours = Ours(_folder(folder, "ours"), server_cores, database_cores[plan.database_core], plan.programs)
    ours.hurried = plan.hurried
    servers: list[Server] = [ours]
    servers += [OTHERS[key](_folder(folder, key), server_cores) for key in OTHERS if key in plan.beside]
    tally = Tally()
    try:
        for server in servers:
            say(f"filling {server.name}")
            server.prepare(_mail(plan.messages, tally if server is ours else Tally()))
            server.expected = tally.found
        os.sched_setaffinity(0, client_cores)
        for server in list(servers):
            try:
                server.start()
            except (RuntimeError, OSError, Refused) as failed:
                plan.notes.append(f"{server.name} does not start: {failed}")
                servers.remove(server)
        return _rows(plan, ours, servers, say)
    finally:
        os.sched_setaffinity(0, everywhere)
        for server in [ours, *servers]:
            server.close()


def _mail(messages: int, tally: Tally) -> Mails:
    def few() -> Iterable[Mail]:
        return corpus(f"{FEW}@example.com", FEW_COUNT, smallest=4_000, largest=4_000)

    def big() -> Iterable[Mail]:
        return tally.passing(corpus(f"{BIG}@example.com", messages))

    return {BIG: big, FEW: few, SINK: lambda: (), NEWS: lambda: ()}


def _rows(plan: Plan, ours: Ours, servers: Sequence[Server], say: Say) -> dict[str, Any]:
    figures: Figures = {}
    for server in servers:
        say(f"checking {server.name}")
        try:
            check(server)
        except (AssertionError, OSError, Refused) as failed:
            plan.notes.append(f"{server.name}, checked: {failed}")
    profiles = []
    try:
        for scenario in plan.rows():
            say(scenario.title)
            figures[scenario.key] = {server.name: Figure() for server in servers}
            _row(plan, scenario, servers, figures[scenario.key])
            if plan.profile:
                profiles.append(profile(ours, scenario, ours.folder))
    except SystemExit as stopped:
        # What there is by then is worth keeping.
        plan.notes.append(str(stopped))
    return {
        "database": ours.database.version(),
        "figures": {key: {name: figure.as_json() for name, figure in row.items()} for key, row in figures.items()},
        "profiles": profiles,
    }


def _row(plan: Plan, scenario: Scenario, servers: Sequence[Server], figures: dict[str, Figure]) -> None:
    """Take samples: first one on each server that does not count, then in turn, so that a disturbance meets all."""
    going = []
    for server in servers:
        figure, began = figures[server.name], time.monotonic()
        if not _took(plan, scenario, server, figure):
            continue
        if server.hurried and time.monotonic() - began > _LONG:
            continue
        figures[server.name] = Figure()
        going.append(server)
    for number in range(plan.runs):
        for server in going:
            if number < (2 if server.hurried else plan.runs) and not figures[server.name].failure:
                _took(plan, scenario, server, figures[server.name])


def _took(plan: Plan, scenario: Scenario, server: Server, figure: Figure) -> bool:
    """Take a sample; where that fails, note it, have the server start anew, and go on."""
    try:
        figure.take(scenario.measure, server)
    except (OSError, Refused, AssertionError) as failed:
        figure.failure = str(failed) or type(failed).__name__
        plan.notes.append(f"{server.name}, {scenario.title}: {figure.failure}")
        server.restart()
        return False
    return True


def check(server: Server) -> None:
    """See that the server has all the mail and answers all that is asked; of slow ones only that it has the mail.

    :raises AssertionError: it does not.
    """
    count = server.expected["ALL"]
    with server.session() as client:
        opened = client.ask(f"SELECT {server.mailbox(BIG)}")
        assert f"* {count} EXISTS".encode() in opened, opened
        if server.hurried:
            return
        for command in ("FETCH 1:* (UID FLAGS)", ENVELOPES):
            assert client.ask(command).count(b" FETCH (") == count, command
        sizes = client.ask("FETCH 1:* (RFC822.SIZE)").split(b"RFC822.SIZE ")[1:]
        total = sum(int(size.partition(b")")[0]) for size in sizes)
        octets = client.run(BODIES)
        assert total < octets < total + count * 50, (total, octets)


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir(mode=0o755)
    return folder
