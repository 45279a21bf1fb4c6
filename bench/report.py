"""The figures of a run as text."""

from __future__ import annotations

from typing import Any

from bench import delivery, hostile, push, receiver
from bench.scenarios import SCENARIOS
from bench.servers import Dovecot, Ours

_PARTS = {
    "push": push.as_text,
    "receiver": receiver.as_text,
    "endured": receiver.endured_as_text,
    "delivery": delivery.as_text,
    "hostile": hostile.as_text,
}
_COLD = {"cold_select": "first SELECT ever", "cold_envelopes": "first listing of envelopes ever"}


def as_text(results: dict[str, Any]) -> str:
    """Return the tables of a run."""
    lines = [results["machine"]]
    if results["figures"]:
        lines += _beside(results)
    for name, part in results["parts"].items():
        lines += ["", *_PARTS[name](part)]
    return "\n".join(lines)


def _beside(results: dict[str, Any]) -> list[str]:
    lines = [
        f"PostgreSQL {results['database']} on: {results['database_core']}; medians of {results['runs']}",
        "",
        f"{'':42} {'ours':>11} {'Dovecot':>11} {'ours ÷':>8} {'best ÷':>8} {'cpu ÷':>7} {'goal':>6} {'others':>7}",
        f"{'':42} {'':>11} {'':>11} {'Dovecot':>8} {'best':>8} {'cpu':>7} {'':>6} {'busy':>7}",
    ]
    titles = {scenario.key: scenario.title for scenario in SCENARIOS} | _COLD
    goals = {scenario.key: scenario.at_most for scenario in SCENARIOS}
    lines += [_row(titles[key], figures, goals.get(key)) for key, figures in results["figures"].items()]
    lines += _extra(results["figures"])
    lines += ["", *(_watched(name, runs) for name, runs in results["watched"].items())]
    return [*lines, *(f"\n{text}" for text in results["profiles"])]


def _row(title: str, figures: dict[str, Any], goal: float | None) -> str:
    ours, theirs = figures.get(Ours.name), figures.get(Dovecot.name)
    assert ours is not None
    load = max(figure["other_load"] for figure in figures.values())
    columns = [f"{title:42} {_time(ours['median']):>11}"]
    if theirs is None:
        columns.append(f"{'':>11} {'':>8} {'':>8} {'':>7}")
    else:
        cpu = f"{ours['server_cpu'] / theirs['server_cpu']:.2f}" if theirs["server_cpu"] else ""
        columns.append(
            f"{_time(theirs['median']):>11} {ours['median'] / theirs['median']:>8.2f} "
            f"{ours['best'] / theirs['best']:>8.2f} {cpu:>7}"
        )
    columns.append(f"{f'<= {goal:g}' if goal else '':>6} {f'{load:.0%}' if load else '':>7}")
    return " ".join(columns)


def _extra(figures: dict[str, Any]) -> list[str]:
    lines = []
    if "few" in figures and "many" in figures:
        few, many = figures["few"][Ours.name], figures["many"][Ours.name]
        ratio, best = many["median"] / few["median"], many["best"] / few["best"]
        lines.append(f"one message in 100,000 ÷ in 100: {ratio:.2f} (best ÷ best {best:.2f})")
    for name, figure in figures.get("bodies", {}).items():
        lines.append(f"all bodies, {name}: {figure['octets'] / figure['median'] / 1e6:.0f} MB/s")
    return lines


def _watched(name: str, runs: list[dict[str, Any]]) -> str:
    def spread(key: str) -> str:
        return " ".join(f"{run[key] * 1000:.1f}" for run in runs)

    memory = max(run["memory"] for run in runs) / 1e6
    over = " ".join(str(run["over_20ms"]) for run in runs)
    return (
        f"{name}: memory at most {memory:.0f} MB; longest pause {spread('pause')} ms (over 20 ms: {over}), "
        f"of the reactor's own doing {spread('used')} ms, longest collection {spread('collection')} ms"
    )


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.2f} ms"
