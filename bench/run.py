"""One run of the bench: the servers beside each other, and parts that are measured on a server of ours alone."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
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
    receiver,
    workers,
)
from bench.beside import Plan
from bench.scenarios import SCENARIOS
from bench.servers import Ours

Part = Callable[[Ours, Callable[[str], None]], dict[str, Any]]

#: What is measured on a server of ours alone, each on one of its own; only when it is asked for.
PARTS: dict[str, Part] = {
    "cold": cold.measure,
    "memory": memory.measure,
    "fairness": fairness.measure,
    "curves": curves.measure,
    "push": push.measure,
    "receiver": receiver.measure,
    "delivery": delivery.measure,
    "hostile": hostile.measure,
    "workers": workers.measure,
    "costs": costs.measure,
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
    for name, measure in PARTS.items():
        if name in plan.only:
            _part(plan, folder, name, measure, results)
    for name, endure in LONG.items():
        if name in plan.only:
            _part(plan, folder, name, partial(endure, minutes=plan.minutes), results)


def _part(plan: Plan, folder: Path, name: str, measure: Part, results: dict[str, Any]) -> None:
    """Measure a part; when it fails, say so and go on with the others."""
    try:
        results["parts"][name] = _alone(plan, folder / name, measure)
    except Exception as failed:
        traceback.print_exc()
        plan.notes.append(f"{name} failed: {failed}")


def _alone(plan: Plan, folder: Path, measure: Part) -> dict[str, Any]:
    """Measure on a server of ours without mail; nothing is bound to a core."""
    folder.mkdir(mode=0o755)
    everywhere = os.sched_getaffinity(0)
    ours = Ours(folder, everywhere, everywhere, plan.programs)
    try:
        ours.prepare({})
        ours.start()
        return measure(ours, _say)
    finally:
        os.sched_setaffinity(0, everywhere)
        ours.close()


def _say(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)
