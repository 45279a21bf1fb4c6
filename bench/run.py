"""One run of the bench: the servers beside each other, and parts that are measured on a server of ours alone."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from bench import (
    beside,
    churn,
    cold,
    costs,
    curves,
    delivery,
    fairness,
    hostile,
    machine,
    memory,
    push,
    reactors,
    receiver,
    workers,
)
from bench.beside import Plan
from bench.scenarios import SCENARIOS
from bench.servers import Ours

Say = Callable[[str], None]
Part = Callable[[Ours, Say], Iterator[dict[str, Any]]]
"""Yields its figures whenever there are more of them: what it has yielded last is kept when it is stopped or fails."""


def _whole(measure: Callable[..., dict[str, Any]], **named: Any) -> Part:
    """Return a part that has nothing to tell before its end."""

    def part(server: Ours, say: Say) -> Iterator[dict[str, Any]]:
        yield measure(server, say, **named)

    return part


#: What is measured on a server of ours alone, each on one of its own; only when it is asked for.
PARTS: dict[str, Part] = {
    "cold": cold.measure,
    "memory": memory.measure,
    "fairness": fairness.measure,
    "curves": curves.measure,
    "push": push.measure,
    "receiver": _whole(receiver.measure),
    "delivery": _whole(delivery.measure),
    "hostile": hostile.measure,
    "workers": workers.measure,
    "costs": costs.measure,
    "reactors": reactors.measure,
}

#: Parts that go on for as long as they are told to.
LONG: dict[str, Callable[..., dict[str, Any]]] = {
    "endured": receiver.endure,
    "churn": churn.endure,
}


def run(plan: Plan, folder: Path) -> dict[str, Any]:
    """Measure, and return everything as it goes into the file of results."""
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "when": datetime.now(UTC).isoformat(" ", "seconds"),
        "revision": machine.revision(),
        "database_core": plan.database_core,
        "runs": plan.runs,
        "load": os.getloadavg(),
        "figures": {},
        "profiles": [],
        "parts": {},
    }
    try:
        _everything(plan, folder, results)
    except SystemExit as stopped:
        # What there is by then is worth keeping.
        plan.notes.append(str(stopped))
    results["notes"] = plan.notes
    return results


def _everything(plan: Plan, folder: Path, results: dict[str, Any]) -> None:
    if not plan.only or any(plan.wants(scenario.key) for scenario in SCENARIOS):
        results.update(beside.measure(plan, folder, _say))
    parts: dict[str, Part] = {**PARTS, "curves": partial(curves.measure, points=plan.points)}
    for name, measure in parts.items():
        if name in plan.only:
            _part(plan, folder, name, measure, results)
    for name, endure in LONG.items():
        if name in plan.only:
            _part(plan, folder, name, _whole(endure, minutes=plan.minutes), results)


def _part(plan: Plan, folder: Path, name: str, measure: Part, results: dict[str, Any]) -> None:
    """Measure a part; when it fails, say so and go on with the others. What it has found by then is kept."""
    try:
        with closing(_alone(plan, folder / name, measure)) as figures:
            for found in figures:
                results["parts"][name] = found
    except Exception as failed:
        traceback.print_exc()
        plan.notes.append(f"{name} failed: {failed}")


def _alone(plan: Plan, folder: Path, measure: Part) -> Generator[dict[str, Any], None, None]:
    """Measure on a server of ours without mail; nothing is bound to a core."""
    folder.mkdir(mode=0o755)
    everywhere = os.sched_getaffinity(0)
    ours = Ours(folder, everywhere, everywhere, plan.programs)
    try:
        ours.prepare({})
        ours.start()
        yield from measure(ours, _say)
    finally:
        os.sched_setaffinity(0, everywhere)
        ours.close()


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)
