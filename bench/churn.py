"""Whether anything grows: an hour of events in minutes, and again and again all leave and what is alive is counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from time import monotonic, sleep
from typing import Any

from bench import census, machine
from bench.churn_visitors import Visitors
from bench.servers import Ours

PARTS = 6
"""Parts of the time, after each of which it is counted."""

SETTLED = 2
"""Parts in which caches fill, before growth counts."""

QUIET = 3.0
"""Seconds from when all have left until it is counted: what was under way for them ends by then."""

MANY = 20
"""A type of which there are so many more at the end than once settled is named."""


def endure(server: Ours, say: Callable[[str], None], minutes: float) -> dict[str, Any]:
    """Go on for so long; return what there was of the process after each part."""
    visitors = Visitors(server)
    parts: list[dict[str, Any]] = []
    began = monotonic()
    for number in range(1, PARTS + 1):
        visitors.begin()
        try:
            sleep(max(0.0, began + number * minutes * 60 / PARTS - QUIET - monotonic()))
            busy = machine.memory(server.pid)
        finally:
            visitors.end()
        sleep(QUIET)
        parts.append({"done": dict(visitors.done), "busy": busy, **_counted(server), "messages": visitors.messages})
        say(_line(number, parts[-1]))
    return {"minutes": minutes, "parts": parts, "errors": dict(visitors.errors)}


def _counted(server: Ours) -> dict[str, Any]:
    """Return what is alive in the process, and what it has of the system."""
    counted = census.ask(server.pid, server.folder / "census.json")
    return {**counted, "memory": machine.memory(server.pid), "descriptors": machine.descriptors(server.pid)}


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the lines that tell of it."""
    parts = results["parts"]
    settled, last = parts[SETTLED - 1], parts[-1]
    visits = last["done"].get("visits", 0) - settled["done"].get("visits", 0)
    grown = last["memory"] - settled["memory"]
    return [
        f"churn, {results['minutes']:g} minutes; errors: {results['errors'] or 'none'}",
        *(f"    {_line(number, part)}" for number, part in enumerate(parts, 1)),
        f"    from part {SETTLED} on: {grown / 1e6:+.2f} MB in {visits} visits, "
        f"{last['blocks'] - settled['blocks']:+} blocks; more objects: {more_alive(settled, last) or 'none'}",
    ]


def more_alive(before: dict[str, Any], after: dict[str, Any]) -> dict[str, int]:
    """Return the types of which there are many more, with how many."""
    risen = Counter(after["types"])
    risen.subtract(before["types"])
    return {name: number for name, number in risen.most_common() if number >= MANY}


def _line(number: int, part: dict[str, Any]) -> str:
    done = ", ".join(f"{count} {name}" for name, count in sorted(part["done"].items()))
    malloced = "" if part["malloced"] is None else f" {part['malloced'] / 1e6:.2f} MB of malloc in use,"
    return (
        f"part {number}: {part['memory'] / 1e6:.2f} MB ({part['busy'] / 1e6:.2f} at work), {part['blocks']} blocks,"
        f"{malloced} {sum(part['types'].values())} objects, {part['descriptors']} descriptors, "
        f"{part['messages']} messages; by now {done}"
    )
