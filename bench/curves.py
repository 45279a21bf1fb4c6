"""Cost curves: SELECT, a fetch, searches and a push against the size of a mailbox, the number of sessions, and bans."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from time import perf_counter
from typing import Any

from bench import machine
from bench.client import Refused
from bench.corpus import NEEDLE
from bench.crowd import Crowd, Member, accounts
from bench.mailboxes import bulk
from bench.measures import deliveries
from bench.servers import Ours

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
SESSIONS = (10, 100, 1_000, 10_000)
BANS = (0, 100, 1_000, 10_000, 100_000)
COUNT = 1_000
"""Messages in the mailbox that is asked while sessions and bans become more."""

MEASURES = {
    "select": "SELECT, known",
    "fetch": "FETCH of one body",
    "subject": "SEARCH SUBJECT",
    "text": "SEARCH TEXT",
    "push": "push to IDLE",
}

NAMES = {"size": "messages", "bans": "bans", "sessions": "sessions idling"}

_BUDGET = 1.0
"""Seconds after which a measure is not repeated any more."""

_REPEATS = 40
_PUSHES = 8
_ACCOUNTS = 100
_BANS = """
    INSERT INTO public.bans (scope, value, match_type)
    SELECT 'sender', CASE WHEN n %% 50 = 0 THEN '@unwanted' || md5(n::text) ELSE 'spammer.' || n || '@bad.example' END,
           CASE WHEN n %% 50 = 0 THEN 'contains' ELSE 'exact' END
    FROM generate_series(%s, %s) AS n
"""


def measure(server: Ours, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure with server and PostgreSQL on one core and the client on the other; times are seconds, medians."""
    client_cores, server_cores = machine.cores()
    server.stop()
    server.cores = server_cores
    machine.pin(machine.family(server.database.process()), server_cores)
    with machine.on(client_cores):
        server.start()
        return {
            "size": dict(_sizes(server, say)),
            "bans": dict(_with_bans(server, say)),
            "sessions": dict(_with_sessions(server, say)),
        }


def _sizes(server: Ours, say: Callable[[str], None]) -> Iterator[tuple[int, dict[str, float]]]:
    for size in SIZES:
        say(f"curves, {size:,} messages")
        bulk(server.database, f"size{size}@example.com", size)
        yield size, _point(server, size, say)


def _with_bans(server: Ours, say: Callable[[str], None]) -> Iterator[tuple[int, dict[str, float]]]:
    before = 0
    for bans in BANS:
        say(f"curves, {bans:,} bans")
        server.database.execute(_BANS, (before + 1, bans))
        before = bans
        server.database.settle()
        yield bans, _point(server, COUNT, say)
    server.database.execute("DELETE FROM public.bans")
    server.database.settle()


def _with_sessions(server: Ours, say: Callable[[str], None]) -> Iterator[tuple[int, dict[str, float]]]:
    people = accounts(server.database, _ACCOUNTS, 1)
    everybody = [Member(email, token, addresses[0], 0) for email, token, addresses in people]
    for sessions in SESSIONS:
        say(f"curves, {sessions:,} sessions")
        crowd = Crowd(server.address, list(islice(cycle(everybody), sessions)))
        try:
            crowd.gather()
            yield sessions, _point(server, COUNT, say)
        finally:
            crowd.close()


def _point(server: Ours, size: int, say: Callable[[str], None]) -> dict[str, float]:
    """Measure everything in the mailbox of one size; what fails is left out."""
    key, draw = f"size{size}", random.Random(size)
    commands: dict[str, Callable[[], str]] = {
        "select": lambda: f"SELECT {server.mailbox(key)}",
        "fetch": lambda: f"UID FETCH {draw.randint(1, size)} (BODY.PEEK[])",
        "subject": lambda: f"SEARCH SUBJECT {draw.randint(10, 99)}",
        "text": lambda: f"SEARCH TEXT {NEEDLE[: draw.randint(6, len(NEEDLE))]}",
    }
    found = {}
    for name, command in commands.items():
        try:
            found[name] = _median(server, key, command)
        except (Refused, OSError) as failed:
            say(f"{name}, {size:,} messages: {failed}")
    try:
        found["push"] = deliveries(_PUSHES, key)(server).seconds
    except (Refused, OSError) as failed:
        say(f"push, {size:,} messages: {failed}")
    return found


def _median(server: Ours, key: str, command: Callable[[], str]) -> float:
    spent: list[float] = []
    with server.session() as client:
        client.run(f"SELECT {server.mailbox(key)}")
        client.run(command())
        while not spent or (len(spent) < _REPEATS and sum(spent) < _BUDGET):
            asked = command()
            begun = perf_counter()
            client.run(asked)
            spent.append(perf_counter() - begun)
    return statistics.median(spent)


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the figures as lines."""
    lines = [f"{'cost, ms':24}" + "".join(f"{title:>20}" for title in MEASURES.values())]
    for name, points in results.items():
        for number, point in points.items():
            cells = (f"{point[key] * 1000:.2f}" if key in point else "-" for key in MEASURES)
            lines.append(f"{f'{int(number):,} {NAMES[name]}':24}" + "".join(f"{cell:>20}" for cell in cells))
    return lines
