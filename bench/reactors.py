"""One server on each of Twisted's reactors that may serve: rows where the reactor has the most to do.

A reactor's share is that of waiting for sockets and of calling what waits for them. It is largest where commands are
short and many connections have one each.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from typing import Any

from bench import machine, measures
from bench.corpus import BIG, FEW
from bench.mailboxes import bulk
from bench.measured import REACTORS
from bench.scenarios import SCENARIOS, Scenario
from bench.servers import Ours

ROUNDS = 4
MESSAGES = 10_000
LINES = 100

ROWS = ("login", "select", "flags", "one", "one16", "store16", "noop16")
_BODIES = "FETCH 1:* (BODY.PEEK[])"

Figures = dict[str, dict[str, list[dict[str, float]]]]
"""By row and reactor: seconds of a command, and of the server's processor time for it."""


def measure(server: Ours, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Measure on one reactor after the other, again and again, so that a disturbance meets all.

    Server and PostgreSQL have one core, the client the other.
    """
    client_cores, server_cores = machine.cores()
    server.stop()
    server.cores = server_cores
    machine.pin(machine.family(server.database.process()), server_cores)
    for key, count in ((BIG, MESSAGES), (FEW, 100)):
        bulk(server.database, f"{key}@example.com", count, LINES)
    server.expected = {"ALL": MESSAGES}
    rows = [scenario for scenario in SCENARIOS if scenario.key in ROWS]
    found: Figures = {}
    with machine.on(client_cores):
        for number in range(ROUNDS):
            # Each is the first in its turn.
            order = [*REACTORS][number % len(REACTORS) :] + [*REACTORS][: number % len(REACTORS)]
            for reactor in order:
                say(f"{reactor}, {number + 1} of {ROUNDS}")
                server.stop()
                server.reactor = reactor
                server.start()
                measures.repeated(BIG, _BODIES, 1)(server)
                for scenario in rows:
                    found.setdefault(scenario.key, {}).setdefault(reactor, []).append(_sample(server, scenario))
                yield found


def _sample(server: Ours, scenario: Scenario) -> dict[str, float]:
    """Take a sample after one that does not count."""
    scenario.measure(server)
    before = machine.processor_seconds([server.pid])
    sample = scenario.measure(server)
    used = machine.processor_seconds([server.pid]) - before
    return {"seconds": sample.seconds, "used": used / sample.commands}


def as_text(found: Figures) -> list[str]:
    """Return medians as lines, and for each reactor how many times as quick as the first it is."""
    first = next(iter(REACTORS))
    lines = [
        "reactors, medians; how many times as quick as the first: by medians, by the best samples, by processor time",
        f"{'':42}" + "".join(f"{reactor:>30}" for reactor in REACTORS),
    ]
    for scenario in SCENARIOS:
        row = found.get(scenario.key, {})
        if first not in row:
            continue
        cells = [
            f"{scenario.shown(statistics.median(_all(samples, 'seconds')), 0):>12} {_ratios(row[first], samples)}"
            for samples in row.values()
        ]
        lines.append(f"{scenario.title:42}{''.join(f'{cell:>30}' for cell in cells)}")
    return lines


def _all(samples: list[dict[str, float]], key: str) -> list[float]:
    return [sample[key] for sample in samples]


def _ratios(first: list[dict[str, float]], other: list[dict[str, float]]) -> str:
    kinds = ((statistics.median, "seconds"), (min, "seconds"), (statistics.median, "used"))
    pairs = ((kind(_all(first, key)), kind(_all(other, key))) for kind, key in kinds)
    return " ".join(f"{one / two:.2f}" if two else "-" for one, two in pairs)
