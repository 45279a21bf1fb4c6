"""Another session's NOOP while four sessions stream everything there is."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from time import monotonic, perf_counter, sleep
from typing import Any

from bench import machine
from bench.client import Client
from bench.corpus import corpus
from bench.hostile import percentile
from bench.scenarios import BODIES, ENVELOPES
from bench.servers import Ours

STREAMS = 4
SECONDS = 15.0
BETWEEN = 0.005
"""Seconds from one answer to the next NOOP."""

MAILBOX, COUNT = "fair@example.com", 3_000
KINDS = {"nothing": "", "all bodies": BODIES, "envelopes": ENVELOPES, "flags": "FETCH 1:* (UID FLAGS)"}


def measure(server: Ours, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Measure with server and PostgreSQL on one core, and all clients on the other."""
    client_cores, server_cores = machine.cores()
    server.stop()
    server.cores = server_cores
    machine.pin(machine.family(server.database.process()), server_cores)
    say("fairness, filling")
    server.database.fill(MAILBOX, corpus(MAILBOX, COUNT))
    server.database.settle()
    with machine.on(client_cores):
        server.start()
        with server.session() as client:
            client.run(f'SELECT "{MAILBOX}"')
            client.run(ENVELOPES)
            rows = {}
            for name, command in KINDS.items():
                rows[name] = _during(server, client, command, say)
                yield rows


def _during(server: Ours, client: Client, command: str, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"fairness, {command or 'nothing'}")
    spawn = multiprocessing.get_context("spawn")
    # One that waits for its answer shares the core with those that read all the time: it must not wait for them too.
    streams = [
        spawn.Process(target=_stream, args=(server.address, server.login, command))
        for _ in range(STREAMS * bool(command))
    ]
    for stream in streams:
        stream.start()
    sleep(2.0)
    times = []
    server.watch()
    until = monotonic() + SECONDS
    try:
        while monotonic() < until:
            begun = perf_counter()
            client.run("NOOP")
            times.append(perf_counter() - begun)
            sleep(BETWEEN)
        alive = sum(stream.is_alive() for stream in streams)
    finally:
        for stream in streams:
            stream.terminate()
            stream.join()
    times.sort()
    return {
        "noops": len(times),
        "streams": alive,
        **{f"p{percent}": percentile(times, percent) for percent in (50, 95, 99)},
        "longest": times[-1],
        **server.watched(),
    }


def _stream(address: tuple[str, int], login: str, command: str) -> None:
    os.nice(10)
    client = Client(address)
    client.run(login)
    client.run(f'SELECT "{MAILBOX}"')
    while True:
        client.run(command)


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the figures as lines."""
    lines = [
        f"another session's NOOP while {STREAMS} sessions stream, in ms",
        f"{'':14} {'NOOPs':>6} {'p50':>7} {'p95':>7} {'p99':>7} {'longest':>8} {'pause':>7} {'own':>7}",
    ]
    for name, row in results.items():
        times = " ".join(
            f"{row[key] * 1000:>{width}.2f}"
            for key, width in (("p50", 7), ("p95", 7), ("p99", 7), ("longest", 8), ("pause", 7), ("used", 7))
        )
        lines.append(f"{name:14} {row['noops']:>6} {times}")
    return lines
