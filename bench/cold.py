"""Mailboxes that IMAP never saw: the first SELECT, and the first listing of envelopes, which renders every message.

The first SEARCH TEXT comes after them.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

from bench import machine
from bench.corpus import NEEDLE, corpus
from bench.mailboxes import bulk
from bench.scenarios import ENVELOPES
from bench.servers import Ours

MAILBOX = "cold@example.com"
COUNT = 10_000
RUNS = 3
SMALL = {10_000: "ten@example.com", 100_000: "hundred@example.com"}
"""Mailboxes of small messages alike, to see how it grows."""


def measure(server: Ours, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure with server and PostgreSQL on one core and the client on the other."""
    client_cores, server_cores = machine.cores()
    server.stop()
    server.cores = server_cores
    machine.pin(machine.family(server.database.process()), server_cores)
    say("cold, filling")
    server.database.fill(MAILBOX, corpus(MAILBOX, COUNT))
    for count, address in SMALL.items():
        bulk(server.database, address, count, repeats=60)
    with machine.on(client_cores):
        rows = {"10,000 of 2 to 50 KB": [_one(server, MAILBOX, say) for _ in range(RUNS)]}
        for count, address in SMALL.items():
            rows[f"{count:,} of 4 KB"] = [_one(server, address, say) for _ in range(RUNS if count < 100_000 else 1)]
    return {"rows": rows}


def _one(server: Ours, address: str, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"cold, {address}")
    server.forget()
    with server.session() as client:
        server.watch()
        begun = perf_counter()
        client.run(f'SELECT "{address}"')
        opened = perf_counter()
        selecting = server.watched()
        server.watch()
        began = perf_counter()
        client.send(ENVELOPES)
        complete = client.receive()
        first = perf_counter()
        while not complete:
            complete = client.receive()
        listed = perf_counter()
        listing = server.watched()
        server.watch()
        asked = perf_counter()
        client.run(f"SEARCH TEXT {NEEDLE}")
        searched = perf_counter()
        searching = server.watched()
    return {
        "select": opened - begun,
        "first": first - began,
        "listing": listed - began,
        "select_pause": selecting["pause"],
        "pause": listing["pause"],
        "used": listing["used"],
        "search": searched - asked,
        "search_pause": searching["pause"],
        "memory": max(listing["memory"], searching["memory"]),
    }


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the figures as lines."""
    lines = [
        "mailboxes never seen, medians; times in s, pauses of the reactor in ms (longest of all runs), memory in MB",
        f"{'':24} {'runs':>4} {'SELECT':>8} {'pause':>7} {'first line':>11} {'envelopes':>10} {'pause':>7} {'own':>7} "
        f"{'TEXT':>8} {'pause':>7} {'memory':>7}",
    ]
    for name, runs in results["rows"].items():
        middle = {key: statistics.median(run[key] for run in runs) for key in ("select", "first", "listing", "search")}
        most = {
            key: max(run[key] for run in runs) for key in ("select_pause", "pause", "used", "search_pause", "memory")
        }
        lines.append(
            f"{name:24} {len(runs):>4} {middle['select']:>8.2f} {most['select_pause'] * 1000:>7.1f} "
            f"{middle['first']:>11.3f} {middle['listing']:>10.2f} {most['pause'] * 1000:>7.1f} "
            f"{most['used'] * 1000:>7.1f} {middle['search']:>8.2f} {most['search_pause'] * 1000:>7.1f} "
            f"{most['memory'] / 1e6:>7.0f}"
        )
    return lines
