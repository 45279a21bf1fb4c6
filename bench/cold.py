"""Mailboxes that IMAP never saw: the first SELECT, and the first listing of envelopes, which renders every message.

The first SEARCH TEXT comes after them, then the first reading of all bodies.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from bench import machine
from bench.client import Client
from bench.corpus import NEEDLE, corpus
from bench.mailboxes import bulk
from bench.scenarios import BODIES, ENVELOPES
from bench.servers import Ours

MAILBOX = "cold@example.com"
COUNT = 10_000
RUNS = 3
SMALL = {10_000: "ten@example.com", 100_000: "hundred@example.com"}
"""Mailboxes of small messages alike, to see how it grows."""


_MIDDLE = ("select", "first", "listing", "search", "bodies")
_MOST = ("select_pause", "pause", "used", "search_pause", "memory")


def measure(server: Ours, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Measure with server and PostgreSQL on one core and the client on the other."""
    client_cores, server_cores = machine.cores()
    server.stop()
    server.cores = server_cores
    machine.pin(machine.family(server.database.process()), server_cores)
    say("cold, filling")
    server.database.fill(MAILBOX, corpus(MAILBOX, COUNT))
    for count, address in SMALL.items():
        bulk(server.database, address, count, repeats=60)
    rows: dict[str, list[dict[str, Any]]] = {}
    kinds = {"10,000 of 2 to 50 KB": (MAILBOX, RUNS)}
    kinds |= {f"{count:,} of 4 KB": (address, RUNS if count < 100_000 else 1) for count, address in SMALL.items()}
    with machine.on(client_cores):
        for name, (address, runs) in kinds.items():
            for _ in range(runs):
                rows.setdefault(name, []).append(_one(server, address, say))
                yield {"rows": rows}


def _one(server: Ours, address: str, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"cold, {address}")
    server.forget()
    with server.session() as client:
        commands = (f'SELECT "{address}"', ENVELOPES, f"SEARCH TEXT {NEEDLE}", BODIES)
        selecting, listing, searching, reading = (_watched(server, client, command) for command in commands)
    return {
        "select": selecting["seconds"],
        "first": listing["first"],
        "listing": listing["seconds"],
        "search": searching["seconds"],
        "bodies": reading["octets"] / reading["seconds"],
        "select_pause": selecting["pause"],
        "pause": listing["pause"],
        "used": listing["used"],
        "search_pause": searching["pause"],
        "memory": max(done["memory"] for done in (selecting, listing, searching, reading)),
    }


def _watched(server: Ours, client: Client, command: str) -> dict[str, Any]:
    """Give a command; return when the first of the answer came, and the last, and what the probe saw."""
    server.watch()
    begun = perf_counter()
    client.send(command)
    complete = client.receive()
    first = perf_counter() - begun
    while not complete:
        complete = client.receive()
    return {"first": first, "seconds": perf_counter() - begun, "octets": client.octets, **server.watched()}


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the figures as lines."""
    lines = [
        "mailboxes never seen, medians; times in s, pauses of the reactor in ms (longest of all runs), memory in MB",
        f"{'':24} {'runs':>4} {'SELECT':>8} {'pause':>7} {'first line':>11} {'envelopes':>10} {'pause':>7} {'own':>7} "
        f"{'TEXT':>8} {'pause':>7} {'MB/s':>6} {'memory':>7}",
    ]
    for name, runs in results["rows"].items():
        if not runs:
            # It was stopped before.
            continue
        middle = {
            key: statistics.median(run[key] for run in runs)
            for key in ("select", "first", "listing", "search", "bodies")
        }
        most = {key: max(run[key] for run in runs) for key in _MOST}
        lines.append(
            f"{name:24} {len(runs):>4} {middle['select']:>8.2f} {most['select_pause'] * 1000:>7.1f} "
            f"{middle['first']:>11.3f} {middle['listing']:>10.2f} {most['pause'] * 1000:>7.1f} "
            f"{most['used'] * 1000:>7.1f} {middle['search']:>8.2f} {most['search_pause'] * 1000:>7.1f} "
            f"{middle['bodies'] / 1e6:>6.1f} {most['memory'] / 1e6:>7.0f}"
        )
    return lines
