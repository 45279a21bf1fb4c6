"""The figures of a run as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench import churn, cold, costs, curves, delivery, fairness, hostile, memory, push, reactors, receiver, workers
from bench.beside import OTHERS
from bench.scenarios import SCENARIOS, Scenario
from bench.servers import Ours

_PARTS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "cold": cold.as_text,
    "memory": memory.as_text,
    "fairness": fairness.as_text,
    "push": push.as_text,
    "receiver": receiver.as_text,
    "endured": receiver.endured_as_text,
    "churn": churn.as_text,
    "curves": curves.as_text,
    "delivery": delivery.as_text,
    "hostile": hostile.as_text,
    "workers": workers.as_text,
    "costs": costs.as_text,
    "reactors": reactors.as_text,
}
_NAMES = [server.name for server in OTHERS.values()]


def as_text(results: dict[str, Any]) -> str:
    """Return the tables of a run."""
    lines = [results["machine"], f"{results['when']}, revision {results['revision'] or 'unknown'}"]
    if results["figures"]:
        lines += _table(results)
    for name, part in results["parts"].items():
        lines += ["", *_PARTS[name](part)]
    if results["notes"]:
        lines += ["", "Notes:", *(f"- {note}" for note in results["notes"])]
    return "\n".join([*lines, *(f"\n{text}" for text in results["profiles"])])


def _table(results: dict[str, Any]) -> list[str]:
    """Print the table of ratios: how many times as quick as another server ours is."""
    names = "".join(f"{name:>13}" for name in ("ours", *_NAMES))
    ratios = "".join(f"{f'÷ {name}':>14}" for name in _NAMES)
    lines = [
        f"PostgreSQL {results['database']} on: {results['database_core']}; medians of {results['runs']}; "
        "~: of one or two samples",
        "ratios: how many times as quick as the other server this one is (1 or more: as quick or quicker)",
        "",
        f"{'':42}{names}{ratios}{'by cpu':>8}{'goal':>6}{'others':>8}",
    ]
    rows = {scenario.key: scenario for scenario in SCENARIOS}
    return lines + [_row(rows[key], figures, results["runs"]) for key, figures in results["figures"].items()]


def _row(scenario: Scenario, figures: dict[str, Any], runs: int) -> str:
    ours = figures[Ours.name]
    cells = [_cell(scenario, figures.get(name), runs) for name in (Ours.name, *_NAMES)]
    ratios = [_ratio(ours, figures.get(name), "median") for name in _NAMES]
    by_cpu = _ratio(ours, figures.get(_NAMES[0]), "server_cpu")
    load = max((figure.get("other_load", 0.0) for figure in figures.values()), default=0.0)
    return (
        f"{scenario.title:42}{''.join(f'{cell:>13}' for cell in cells)}{''.join(f'{ratio:>14}' for ratio in ratios)}"
        f"{by_cpu:>8}{f'{scenario.goal:g}':>6}{f'{load:.0%}':>8}"
    )


def _cell(scenario: Scenario, figure: dict[str, Any] | None, runs: int) -> str:
    if figure is None:
        return ""
    if "median" not in figure:
        return "-"
    few = "~" if len(figure["samples"]) < runs else ""
    return few + scenario.shown(figure["median"], figure["octets"])


def _ratio(ours: dict[str, Any], theirs: dict[str, Any] | None, key: str) -> str:
    if theirs is None or not ours.get(key) or not theirs.get(key):
        return ""
    ratio = theirs[key] / ours[key]
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.2f}"
