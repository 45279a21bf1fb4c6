"""One worker and two: log-ins and single fetches a second, and the processor time that they take.

Where client and PostgreSQL share the cores with the server, the rate says little of what another worker adds. So three
things are measured: the rate as it is; the processor time of each side for one request, of which follows what the
workers could do with a core for each; and the rate with every worker held to a quarter of a core, in turn, so that
nothing but the workers holds anything up.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from random import Random
from time import monotonic, perf_counter
from typing import Any

from bench import machine, swarm
from bench.client import Client
from bench.mailboxes import bulk
from bench.servers import Ours

MAILBOX = "workers@example.com"
MESSAGES = 1_000
LOGINS = 1_200
FETCHES = 6_000
AT_ONCE = 64
"""Connections at once: enough that every worker always has something to do, whatever it waits for."""
SPREAD = 400
ROUNDS = 3
PERIOD = 0.040
SHARE = 0.25
_PATIENCE = 30.0
"""Seconds within which log-ins are logged."""

_SIDES = ("workers", "first", "database", "client")

Work = Callable[[int], float]
"""Does so many requests, and returns the seconds that they took."""


def measure(server: Ours, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Measure in turn with one worker and with two, so that a disturbance meets both."""
    server.stop()
    bulk(server.database, MAILBOX, MESSAGES)
    server.database.settle()
    found: dict[str, dict[str, list[dict[str, float]]]] = {"as it is": {}, "in slices": {}}
    spread: list[list[int]] = []
    for number in range(ROUNDS):
        for workers in (1, 2):
            say(f"{workers} worker{'s' * (workers > 1)}, {number + 1} of {ROUNDS}")
            server.workers = workers
            server.start()
            with _fetching(server) as fetch:
                for name, work, count in (("log-ins", _logging_in(server), LOGINS), ("fetches", fetch, FETCHES)):
                    key = f"{name}, {workers}"
                    found["as it is"].setdefault(key, []).append(_sample(server, work, count))
                    with _slices(server):
                        found["in slices"].setdefault(key, []).append(_sample(server, work, count // 4))
                    yield {**{name: _summary(samples) for name, samples in found.items()}, "spread": spread}
            if workers > 1:
                spread.append(_spread(server))
            server.stop()
    server.workers = 1


def _summary(samples: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Return medians, and what two workers do for each request of one."""
    medians: dict[str, Any] = {
        key: {name: statistics.median(each[name] for each in found) for name in found[0]}
        for key, found in samples.items()
    }
    for name in ("log-ins", "fetches"):
        one, two = medians.get(f"{name}, 1"), medians.get(f"{name}, 2")
        if one is None or two is None:
            continue
        medians[f"{name}, 2 ÷ 1"] = {
            "rate": two["rate"] / one["rate"],
            "rate of two with a core each": 2 * one["workers"] / two["workers"],
        }
    return medians


def as_text(part: dict[str, Any]) -> list[str]:
    """Return the tables."""
    lines = []
    for how in ("as it is", "in slices"):
        lines.append(f"Workers, {how}: requests a second, and ms of processor time for one of {', '.join(_SIDES)}")
        for key, figures in part[how].items():
            values = (
                [f"{name} {value:.2f}" for name, value in figures.items()]
                if "÷" in key
                else [f"{figures['rate']:8.0f}", *(f"{figures[side]:6.2f}" for side in _SIDES)]
            )
            lines.append(f"  {key:14} {'  '.join(values)}")
    lines.append(f"{SPREAD} connections spread over two workers: {part['spread']}")
    return lines


def _logging_in(server: Ours) -> Work:
    login = f'LOGIN "{server.user}" "{server.password}"'
    return lambda count: swarm.visit(lambda: Client(server.address, greeted=False), login, count, AT_ONCE)


@contextmanager
def _fetching(server: Ours) -> Iterator[Work]:
    """Connections that each worker has as many of, with the mailbox open and every message seen once."""
    random = Random(1)
    clients: list[Client] = []
    wanted = AT_ONCE // server.workers
    spare: list[Client] = []
    since = _logged(server)
    while len(clients) < AT_ONCE:
        client = server.session()
        known = _workers_of(server, [*clients, *spare, client], since)
        worker = known[client.local_port]
        mine = sum(1 for other in clients if known[other.local_port] == worker)
        (clients if mine < wanted else spare).append(client)
    for client in clients:
        client.run(f'SELECT "{MAILBOX}"')
        client.run("FETCH 1:* (BODY.PEEK[])")

    def work(count: int) -> float:
        commands = (f"FETCH {random.randint(1, MESSAGES)} (BODY.PEEK[])" for _ in range(count))
        return swarm.work(clients, islice(commands, count))[0]

    try:
        yield work
    finally:
        for client in [*clients, *spare]:
            client.close()


def _sample(server: Ours, work: Work, count: int) -> dict[str, float]:
    """Return requests a second, and milliseconds of processor time of each side for a request."""
    # The process that looks after workers, where there is one, serves nothing.
    first, *others = machine.family(server.pid)
    serving, looking = (others, [first]) if server.workers > 1 else ([first], [])
    database = machine.family(server.database.process())
    before = _used(serving, looking, database)
    begun = perf_counter()
    work(count)
    elapsed = perf_counter() - begun
    # PostgreSQL's processes come and go with the pool.
    after = _used(serving, looking, {*database, *machine.family(server.database.process())})
    used = {name: 1000 * (now - then) / count for name, now, then in zip(_SIDES, after, before, strict=True)}
    return {"rate": count / elapsed, **used}


def _used(*processes: Iterable[int]) -> list[float]:
    """Return the processor time of some processes, and of this one."""
    return [*map(machine.processor_seconds, processes), sum(os.times()[:2])]


@contextmanager
def _slices(server: Ours) -> Iterator[None]:
    """Hold every process that serves to a share of a core."""
    serving = machine.family(server.pid)[1:] if server.workers > 1 else [server.pid]
    command = [sys.executable, "-m", "bench.slices", str(PERIOD), str(SHARE), *map(str, serving)]
    with subprocess.Popen(command) as slices:
        try:
            yield
        finally:
            slices.terminate()


def _logged(server: Ours) -> int:
    """Return how many octets there are of the log."""
    return (server.folder / "server.log").stat().st_size


def _workers_of(server: Ours, clients: Sequence[Client], since: int) -> dict[int, int]:
    """Return which worker has a client's port logged in, when the log has all; 1 where there are none.

    Only what was logged since its octet ``since`` counts: others had the same ports before.

    :raises RuntimeError: the log does not tell.
    """
    ports = {client.local_port for client in clients}
    found: dict[int, int] = {}
    until = monotonic() + _PATIENCE
    while not ports <= found.keys():
        if monotonic() > until:
            raise RuntimeError(f"the log does not tell of {len(ports - found.keys())} log-ins")
        text = (server.folder / "server.log").read_bytes()[since:].decode(errors="replace")
        logins = re.findall(r"\[(?:worker (\d+) )?cybertemp_imap\.sessions\S* event=login .* port=(\d+) ", text)
        found = {int(port): int(worker or 1) for worker, port in logins}
    return found


def _spread(server: Ours) -> list[int]:
    """Return how many of so many connections that stay each worker has."""
    since = _logged(server)
    clients = [server.session() for _ in range(SPREAD)]
    workers = _workers_of(server, clients, since)
    counts = Counter(workers[client.local_port] for client in clients)
    for client in clients:
        client.close()
    return [counts[number] for number in sorted(counts)]
