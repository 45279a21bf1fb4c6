"""One session does its worst, another one's NOOPs are timed: the times, the pauses of the reactor and the memory."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from time import monotonic, perf_counter, sleep
from typing import Any

from bench import machine, nasty
from bench.attacks import ADDRESSES, ATTACKS, BIG, BIG_MESSAGES, MAILBOX, MESSAGES, ROWS, Target
from bench.client import Client, Refused
from bench.servers import Ours

SECONDS = 6.0
BETWEEN = 0.005
"""Seconds from one answer to the next NOOP."""

ATTACKER, VICTIM = "attacker@example.com", "victim@example.com"
_GRACE = 60.0


def measure(server: Ours, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Measure every attack, and first what it is like without any; one that fails does not end the others."""
    token = server.database.add_account(ATTACKER, ADDRESSES)
    victim = server.database.add_account(VICTIM, ["box@victim.example"])
    fill(server.database.execute)
    server.database.settle()
    target = Target(server.address, ATTACKER, token, SECONDS)
    rows: dict[str, dict[str, Any]] = {}
    for name in ("nothing", *ATTACKS):
        say(name)
        try:
            rows[name] = _one(server, name, target, victim)
        except (RuntimeError, OSError, Refused) as failed:
            rows[name] = {"failure": str(failed) or type(failed).__name__}
        yield {"seconds": SECONDS, "attacks": rows}


def _one(server: Ours, name: str, target: Target, victim: str) -> dict[str, Any]:
    """Return the times of the victim's NOOPs, what the probe saw, and the load by programs that have no part in it."""
    with Client(server.address) as client:
        client.run(f'LOGIN "{VICTIM}" "{victim}"')
        client.run('SELECT "box@victim.example"')
        before = server.memory()
        busy, ours, began = machine.busy_seconds(), _used(server), monotonic()
        server.watch()
        times = during(name, target, client)
        watched = server.watched()
        others = (machine.busy_seconds() - busy - (_used(server) - ours)) / (monotonic() - began)
    return {
        "noops": len(times),
        "median": percentile(times, 50),
        "p99": percentile(times, 99),
        "longest": times[-1],
        "before": before,
        "others": max(others, 0.0),
        **watched,
    }


def _used(server: Ours) -> float:
    """Return the processor time of server, PostgreSQL, this process and the attackers."""
    return machine.processor_seconds({*server.processes(), *machine.family(os.getpid())})


def fill(execute: Callable[..., Any]) -> None:
    """Deliver the attacker's mail."""
    execute(nasty.PLAIN_ROWS, {"owner": MAILBOX, "count": MESSAGES, "repeats": 20})
    execute(nasty.PLAIN_ROWS, {"owner": BIG, "count": BIG_MESSAGES, "repeats": 1 << 15})
    execute(nasty.ROWS, {"owner": ROWS})


def during(name: str, target: Target, client: Client) -> Sequence[float]:
    """Return how long each of the client's NOOPs took while an attack lasted, in ascending order."""
    process = multiprocessing.get_context("spawn").Process(target=_attack, args=(name, target))
    process.start()
    times = []
    # The attacker's process needs a moment to begin; the end is its own.
    until = monotonic() + target.seconds + _GRACE
    while process.is_alive() and monotonic() < until:
        begun = perf_counter()
        client.run("NOOP")
        times.append(perf_counter() - begun)
        sleep(BETWEEN)
    if process.is_alive():
        process.kill()
        raise RuntimeError(f"{name}: the attack does not end")
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{name}: the attack failed")
    return sorted(times)


def _attack(name: str, target: Target) -> None:
    if name == "nothing":
        sleep(target.seconds)
    else:
        ATTACKS[name](target)


def percentile(ascending: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many of a hundred do not exceed."""
    return ascending[max(-(-len(ascending) * percent // 100) - 1, 0)]


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the figures as lines."""
    lines = [
        f"another session's NOOP during {results['seconds']:.0f} s of each attack, in ms; memory in MB; others: cores",
        f"{'':40} {'NOOPs':>6} {'median':>7} {'p99':>7} {'longest':>8} "
        f"{'pause':>7} {'own':>7} {'memory':>7} {'more':>6} {'others':>7}",
    ]
    for name, row in results["attacks"].items():
        if "failure" in row:
            lines.append(f"{name:40} {row['failure']}")
            continue
        times = " ".join(
            f"{row[key] * 1000:>{width}.1f}"
            for key, width in (("median", 7), ("p99", 7), ("longest", 8), ("pause", 7), ("used", 7))
        )
        more = (row["memory"] - row["before"]) / 1e6
        lines.append(
            f"{name:40} {row['noops']:>6} {times} {row['memory'] / 1e6:>7.0f} {more:>6.0f} {row['others']:>7.2f}"
        )
    return lines
