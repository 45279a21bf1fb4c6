"""What one of each costs: a session, a login, a fetch, a delivery, a stored message.

These are the measured part of the capacity model in ``docs/scale.md``. Processor time is that of this server and of
PostgreSQL, apart; it is summed over many, since the system counts it in hundredths of a second. Log and disk are
those of PostgreSQL.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import sleep
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

from bench import machine
from bench.client import Client
from bench.corpus import Mail, corpus
from bench.database import BATCH, INSERT, row_values
from bench.servers import Ours

SIZE = 10_000
STORED = 2_000
LOGINS = 300
FETCHES = 1_500
COMMANDS = 3_000
IDLERS = 300
IDLE_SECONDS = 60.0
DELIVERIES = 600
BATCHES = 4
LEAST = 20

TABLES = """
    SELECT n.nspname || '.' || c.relname,
           pg_relation_size(c.oid), pg_table_size(c.oid) - pg_relation_size(c.oid), pg_indexes_size(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname IN ('public', 'imap') ORDER BY 1
"""
WAITING = "SELECT pg_total_relation_size('imap.arrival')::float8 / count(*) FROM imap.arrival"
WRITTEN = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8"

Say = Callable[[str], None]


@dataclass
class Spent:
    """What was spent meanwhile: seconds of processor time, and octets of PostgreSQL's log."""

    server: float = 0.0
    database: float = 0.0
    log: float = 0.0

    def each(self, count: int) -> dict[str, float]:
        """Return it for one of so many, in microseconds and octets."""
        return {
            "server_us": 1e6 * self.server / count,
            "database_us": 1e6 * self.database / count,
            "log": self.log / count,
        }


@contextmanager
def spending(server: Ours) -> Iterator[Spent]:
    """Measure what is spent by server and PostgreSQL until the end of the block."""
    spent = Spent()
    before = _used(server)
    yield spent
    after = _used(server)
    spent.server, spent.database, spent.log = (b - a for a, b in zip(before, after, strict=True))


def _used(server: Ours) -> tuple[float, float, float]:
    ((written,),) = server.database.execute(WRITTEN)
    database = machine.processor_seconds(machine.family(server.database.process()))
    return machine.processor_seconds(machine.family(server.pid)), database, written


def measure(server: Ours, say: Say) -> Iterator[dict[str, Any]]:
    """Measure all of it; begins with a database without mail."""
    results: dict[str, Any] = {"size": SIZE, "stored": _stored(server, say), "sessions": {}, "deliveries": {}}
    yield results
    for results["sessions"]["commands"] in _commands(server, say):
        yield results
    for results["deliveries"] in _deliveries(server, say):
        yield results
    # What takes longest is last.
    results["sessions"]["idling"] = _idling(server, say)
    yield results


# -- what is stored ---------------------------------------------------------------------------------------------------


def _stored(server: Ours, say: Say) -> dict[str, Any]:
    """Fill an address, then open it and list it, and see by how much each table has grown."""
    say("costs: stored messages")
    steps = {}
    before = _sizes(server)
    server.database.fill("stored@example.com", corpus("stored@example.com", STORED, smallest=SIZE, largest=SIZE))
    after = _sizes(server)
    steps["delivered"] = _grown(before, after)
    with server.session() as client, spending(server) as first:
        client.run('SELECT "stored@example.com"')
        client.run("UID FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")
    steps["opened and listed"] = _grown(after, _sizes(server))
    with server.session() as client, spending(server) as again:
        client.run('SELECT "stored@example.com"')
        client.run("UID FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)")
    return {"tables": steps, "first listing": first.each(STORED), "listing again": again.each(STORED)}


def _sizes(server: Ours) -> dict[str, tuple[int, ...]]:
    server.database.execute("VACUUM")
    return {name: tuple(map(int, sizes)) for name, *sizes in server.database.execute(TABLES)}


def _grown(before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]]) -> dict[str, dict[str, float]]:
    grown = {}
    for name, sizes in after.items():
        each = [(now - then) / STORED for then, now in zip(before[name], sizes, strict=True)]
        # A page that is begun for all of them is not a message's.
        if sum(each) >= LEAST:
            grown[name] = dict(zip(("rows", "toast", "indexes"), each, strict=True))
    return grown


# -- sessions ---------------------------------------------------------------------------------------------------------


def _commands(server: Ours, say: Say) -> Iterator[dict[str, Any]]:
    costs: dict[str, Any] = {}
    say("costs: logins and commands")
    with spending(server) as spent:
        for _ in range(LOGINS):
            with server.session():
                pass
    costs["a connection with a login"] = spent.each(LOGINS)
    yield costs
    with server.session() as client:
        client.run('SELECT "stored@example.com"')
        costs["NOOP"] = _each(server, client, ["NOOP"] * COMMANDS)
        uids = random.Random(1).sample(range(1, STORED + 1), FETCHES)
        for name in ("a body", "a body again"):
            costs[name] = _each(server, client, [f"UID FETCH {uid} BODY.PEEK[]" for uid in uids])
            yield costs
        costs["a flag"] = _each(server, client, [f"UID STORE {uid} +FLAGS.SILENT (\\Seen)" for uid in range(1, 501)])
    with server.session() as client:
        costs["SELECT of a known mailbox"] = _each(server, client, ['SELECT "stored@example.com"'] * 200)
    yield costs


def _each(server: Ours, client: Client, commands: list[str]) -> dict[str, float]:
    with spending(server) as spent:
        for command in commands:
            client.run(command)
    return spent.each(len(commands))


def _idling(server: Ours, say: Say) -> dict[str, float]:
    """Have sessions idle in one mailbox while nothing happens; what is done by the clock is done meanwhile."""
    say(f"costs: {IDLERS} sessions idle for {IDLE_SECONDS:.0f} s")
    memory = server.memory()
    clients = [server.session() for _ in range(IDLERS)]
    for client in clients:
        client.run('SELECT "stored@example.com"')
        client.idle()
    grown = (server.memory() - memory) / IDLERS
    with spending(server) as spent:
        sleep(IDLE_SECONDS)
    for client in clients:
        client.close()
    hours = IDLERS * IDLE_SECONDS / 3600
    return {
        "octets": grown,
        "server_ms_an_hour": 1e3 * spent.server / hours,
        "database_ms_an_hour": 1e3 * spent.database / hours,
    }


# -- deliveries -------------------------------------------------------------------------------------------------------


def _deliveries(server: Ours, say: Say) -> Iterator[dict[str, dict[str, dict[str, float]]]]:
    """Deliver one by one, and 500 at a time: where triggers are off, to an address nobody has opened, to one that was
    opened, and to one that a session watches."""
    database = server.database
    for name in ("off", "unopened", "opened", "watched"):
        database.add_address(f"{name}@example.com")
    with server.session() as client:
        for name in ("opened", "watched"):
            client.run(f'SELECT "{name}@example.com"')
    costs: dict[str, dict[str, dict[str, float]]] = {}
    for name in ("off", "unopened", "opened", "watched"):
        say(f"costs: deliveries, {name}")
        if name == "off":
            database.execute("ALTER TABLE public.emails DISABLE TRIGGER USER")
        watching = None
        if name == "watched":
            watching = server.session()
            watching.run('SELECT "watched@example.com"')
            watching.idle()
        mails = list(corpus(f"{name}@example.com", DELIVERIES + BATCHES * BATCH, smallest=SIZE, largest=SIZE))
        costs[name] = {
            "one a transaction": _insert(server, [[mail] for mail in mails[:DELIVERIES]]),
            "500 a transaction": _insert(
                server, [mails[at : at + BATCH] for at in range(DELIVERIES, len(mails), BATCH)]
            ),
        }
        database.execute("ALTER TABLE public.emails ENABLE TRIGGER USER")
        if watching is not None:
            watching.close()
        if name == "opened":
            ((waiting,),) = database.execute(WAITING)
            with server.session() as client:
                costs["taken in"] = {"at the next SELECT": _taken_in(server, client, len(mails)) | {"waiting": waiting}}
        yield costs


def _insert(server: Ours, batches: list[list[Mail]]) -> dict[str, float]:
    server.database.execute("CHECKPOINT")
    connection = psycopg2.connect(server.database.dsn)
    with spending(server) as spent:
        for batch in batches:
            with connection, connection.cursor() as cursor:
                execute_values(cursor, INSERT, [row_values(mail) for mail in batch], page_size=BATCH)
        # What is told of the last is still on its way.
        sleep(1.0)
    connection.close()
    return spent.each(sum(map(len, batches)))


def _taken_in(server: Ours, client: Client, count: int) -> dict[str, float]:
    with spending(server) as spent:
        client.run('SELECT "opened@example.com"')
    return spent.each(count)


# -- telling ----------------------------------------------------------------------------------------------------------


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the lines that tell of it."""
    lines = [f"costs, with messages of {results['size']} octets; processor time of the server, and of PostgreSQL"]
    for name, cost in results["sessions"].get("commands", {}).items():
        lines.append(f"{'':4}{name:34}{_shown(cost)}")
    if idling := results["sessions"].get("idling"):
        lines.append(
            f"{'':4}a session that idles: {idling['octets'] / 1000:.1f} KB, {idling['server_ms_an_hour']:.0f} ms and "
            f"{idling['database_ms_an_hour']:.0f} ms an hour"
        )
    for name, styles in results["deliveries"].items():
        for style, cost in styles.items():
            lines.append(f"{'':4}{f'delivery, {name}, {style}':46}{_shown(cost)}")
    stored = results["stored"]
    for name in ("first listing", "listing again"):
        lines.append(f"{'':4}{name + ', a message':34}{_shown(stored[name])}")
    for step, tables in stored["tables"].items():
        for table, grown in tables.items():
            parts = ", ".join(f"{what} {octets:.0f}" for what, octets in grown.items())
            lines.append(f"{'':4}{step}, a message: {table:22} {sum(grown.values()):6.0f} octets ({parts})")
    return lines


def _shown(cost: dict[str, float]) -> str:
    waited = f"; waiting {cost['waiting']:.0f}" if "waiting" in cost else ""
    return f"{cost['server_us']:7.0f} µs {cost['database_us']:7.0f} µs  log {cost['log']:7.0f} octets{waited}"
