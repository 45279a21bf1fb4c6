"""From the COMMIT of a delivery to EXISTS at clients that idle.

The receiver is a process of its own and reads the clock when COMMIT has returned; the clients' process reads the same
clock when the line has come. A client that was told of several messages at once counts for each of them.
"""

from __future__ import annotations

import multiprocessing
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from time import monotonic, sleep
from typing import Any

import psycopg2

from bench.corpus import corpus
from bench.crowd import Crowd, Heard, Member, accounts
from bench.database import INSERT, row_values
from bench.servers import Ours

SESSIONS = 500
ACCOUNTS = 50
DELIVERIES = 1_000
TO_ONE = 200
RATE = 8.0
"""Deliveries a second; the times between them are drawn, so that they meet each other now and then."""

_WAIT = 20.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was committed, to a group of mailboxes."""

    group: int
    at: float


def measure(server: Ours, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Measure with sessions spread over accounts, and with all of them in one mailbox."""
    people = accounts(server.database, ACCOUNTS, 2)
    results: dict[str, Any] = {"sessions": SESSIONS, "accounts": ACCOUNTS, "rate": RATE}
    spread = [
        # Half of an account's sessions watch everything, half of them the address that is delivered to.
        Member(email, token, "INBOX" if number % 2 else addresses[0], group)
        for group, (email, token, addresses) in enumerate(people)
        for number in range(SESSIONS // ACCOUNTS)
    ]
    say(f"push to {SESSIONS} sessions of {ACCOUNTS} accounts")
    results["spread"] = _one(server, spread, [addresses[0] for _, _, addresses in people], DELIVERIES)
    yield results
    email, token, addresses = people[0]
    together = [Member(email, token, addresses[1], 0) for _ in range(SESSIONS)]
    say(f"push to {SESSIONS} sessions of one mailbox")
    results["together"] = _one(server, together, [addresses[1]], TO_ONE)
    yield results


def _one(server: Ours, members: Sequence[Member], addresses: Sequence[str], count: int) -> dict[str, Any]:
    crowd = Crowd(server.address, members)
    try:
        crowd.gather()
        server.watch()
        deliveries = _deliver(server.database.dsn, addresses, count)
        deadline = monotonic() + _WAIT
        while monotonic() < deadline and not _complete(crowd.heard, members, deliveries):
            sleep(0.1)
        probe = server.watched()
    finally:
        crowd.close()
    return {**_figures(crowd.heard, members, deliveries), "lost": crowd.lost, "probe": probe}


def _deliver(dsn: str, addresses: Sequence[str], count: int) -> list[Delivery]:
    """Have another process deliver, and return what it did."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_receiver, args=(dsn, addresses, count, there))
    process.start()
    there.close()
    deliveries: list[Delivery] = here.recv()
    process.join()
    return deliveries


def _receiver(dsn: str, addresses: Sequence[str], count: int, result: Connection) -> None:
    draw = random.Random(count)
    mails = list(corpus("push@example.com", 50))
    connection = psycopg2.connect(dsn)
    statement = INSERT.replace("%s", "(gen_random_uuid(), %s, 'INBOX', %s, %s, %s, %s, %s, now(), '{}', %s, now())")
    deliveries = []
    for number in range(count):
        sleep(draw.expovariate(RATE))
        group = draw.randrange(len(addresses))
        _, _, _, subject, body, html, sender, _, _, _, size, _ = row_values(mails[number % len(mails)])
        with connection, connection.cursor() as cursor:
            address = addresses[group]
            cursor.execute(statement, (address, subject, body, html, sender, [address], size))
        deliveries.append(Delivery(group, monotonic()))
    connection.close()
    result.send(deliveries)


def _per_group(deliveries: Sequence[Delivery]) -> dict[int, list[float]]:
    committed: dict[int, list[float]] = {}
    for delivery in deliveries:
        committed.setdefault(delivery.group, []).append(delivery.at)
    return committed


def _complete(heard: Sequence[Heard], members: Sequence[Member], deliveries: Sequence[Delivery]) -> bool:
    committed = _per_group(deliveries)
    return len(_latencies(heard, members, committed)) == sum(len(committed.get(m.group, ())) for m in members)


def _latencies(
    heard: Sequence[Heard], members: Sequence[Member], committed: dict[int, list[float]]
) -> dict[tuple[int, int], float]:
    """Return seconds by session and number of the delivery to it; mailboxes are empty when sessions enter them."""
    found: dict[tuple[int, int], float] = {}
    told = [0] * len(members)
    for news in heard:
        times = committed.get(members[news.member].group, [])
        for number in range(told[news.member], min(news.exists, len(times))):
            found[news.member, number] = news.at - times[number]
        told[news.member] = max(told[news.member], news.exists)
    return found


def _figures(heard: Sequence[Heard], members: Sequence[Member], deliveries: Sequence[Delivery]) -> dict[str, Any]:
    committed = _per_group(deliveries)
    found = _latencies(heard, members, committed)
    owed = sum(len(committed.get(member.group, ())) for member in members)
    last: dict[tuple[int, int], float] = {}
    for (member, number), seconds in found.items():
        key = members[member].group, number
        last[key] = max(last.get(key, 0.0), seconds)
    return {
        "deliveries": len(deliveries),
        "told": len(found),
        "missing": owed - len(found),
        "each": _spread(list(found.values())),
        "last": _spread(list(last.values())),
    }


def _spread(seconds: list[float]) -> dict[str, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)
    return {
        "median": statistics.median(ordered),
        "p90": ordered[int(len(ordered) * 0.90)],
        "p99": ordered[int(len(ordered) * 0.99)],
        "most": ordered[-1],
        "least": ordered[0],
    }


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the lines that tell of it."""
    lines = [
        f"push, {results['sessions']} sessions idle, {results['rate']:g} deliveries a second, "
        "from COMMIT to EXISTS (ms):",
        f"{'':44} {'median':>8} {'p90':>8} {'p99':>8} {'most':>8}",
    ]
    titles = {"spread": f"{results['accounts']} accounts", "together": "one mailbox"}
    for key in filter(results.__contains__, titles):
        title, figures = titles[key], results[key]
        for kind, name in (("each", "each session"), ("last", "the last session told")):
            numbers = " ".join(f"{figures[kind][column] * 1000:8.1f}" for column in ("median", "p90", "p99", "most"))
            lines.append(f"{f'{title}, {name}':44} {numbers}")
        lines.append(
            f"{'':4}{figures['deliveries']} deliveries, {figures['told']} times told, {figures['missing']} missing, "
            f"{figures['lost']} connections lost; longest pause {figures['probe']['pause'] * 1000:.1f} ms"
        )
    return lines
