"""What the mail receiver pays for IMAP: its batches with our triggers and without, while sessions idle.

Batches of 500 rows are inserted by eight writers at once, as fast as they can: all of them for mailboxes that sessions
have open, the worst there can be, or one in ten, the others for addresses that nobody has open. Without triggers nobody
learns of them, so all that the server and its sessions do on account of the deliveries counts against us too.
"""

from __future__ import annotations

import itertools
import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

import psycopg2

from bench.client import Client, Refused
from bench.corpus import corpus
from bench.crowd import Crowd, Member, accounts
from bench.database import BATCH, INSERT, Database, row_values
from bench.servers import Ours

WRITERS = 8
SESSIONS = 100
ACCOUNTS = 50
SECONDS = 12.0
USERS = 20
"""Sessions that change mailboxes in the long run."""

PAIRS = 5

#: Rows that one INSERT brings: receivers differ, and triggers run once a statement. And of how many rows one is for a
#: mailbox that is open.
STYLES = {
    "500 rows a statement": (500, 1),
    "one row a statement": (1, 1),
    "500, one in ten open": (500, 10),
    "one, one in ten open": (1, 10),
}

_SIZES = (2_000, 50_000)
_SMALL = (400, 600)
_PREPARED = 6
_FILLED = 7
_SETTLE = 120.0

_ROW = "(gen_random_uuid(), %s, 'INBOX', %s, %s, %s, %s, %s, now(), '{}', %s, now())"


def members(people: Sequence[tuple[str, str, list[str]]]) -> list[Member]:
    """Half of the sessions watch everything of an account, the others one address each."""
    return [
        Member(email, token, mailbox, group)
        for group, (email, token, addresses) in enumerate(people)
        for mailbox in ("INBOX", addresses[0])
    ][:SESSIONS]


def batches(database: Database, addresses: Sequence[str], rows: int, sizes: tuple[int, int]) -> list[list[bytes]]:
    """Prepare batches, each a list of statements of so many rows, so that writers take little of the machine."""
    draw = random.Random(rows)
    mails = corpus("receiver@example.com", _PREPARED * BATCH, smallest=sizes[0], largest=sizes[1])
    connection = psycopg2.connect(database.dsn)
    try:
        with connection.cursor() as cursor:
            printed = []
            for mail in mails:
                _, _, _, subject, body, html, sender, _, _, _, size, _ = row_values(mail)
                address = draw.choice(addresses)
                printed.append(cursor.mogrify(_ROW, (address, subject, body, html, sender, [address], size)))
    finally:
        connection.close()
    prefix = INSERT.replace("%s", "").encode()
    statements = [prefix + b",".join(printed[at : at + rows]) for at in range(0, len(printed), rows)]
    each = BATCH // rows
    return [statements[at : at + each] for at in range(0, len(statements), each)]


@dataclass
class Writers:
    """Writers, each with a connection of its own, that insert batch after batch until they are stopped."""

    database: Database
    prepared: Sequence[list[bytes]]
    #: Seconds that a writer rests after a batch.
    rest: float = 0.0

    def __post_init__(self) -> None:
        self.committed = 0
        self.errors: list[str] = []
        self._over = Event()
        self._threads = [Thread(target=self._write, args=(number,), daemon=True) for number in range(WRITERS)]
        self._counts = [0] * WRITERS

    def run(self, seconds: float) -> float:
        """Write for a while; return batches a second, up to the end of the last batch."""
        begun = monotonic()
        self.start()
        sleep(seconds)
        self.stop()
        return self.committed / (monotonic() - begun)

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, each writer with the batch that it is at."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        self.committed = sum(self._counts)

    def _write(self, number: int) -> None:
        connection = psycopg2.connect(self.database.dsn)
        try:
            for batch in self._endless(number):
                try:
                    with connection, connection.cursor() as cursor:
                        for statement in batch:
                            cursor.execute(statement)
                    self._counts[number] += 1
                except psycopg2.Error as error:
                    self.errors.append(type(error).__name__)
                if self._over.wait(self.rest) if self.rest else self._over.is_set():
                    return
        finally:
            connection.close()

    def _endless(self, number: int) -> Iterator[list[bytes]]:
        return itertools.islice(itertools.cycle(self.prepared), number, None)


def measure(server: Ours, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure each style with triggers and without, in turn."""
    people = accounts(server.database, ACCOUNTS, 2)
    addresses = [address for _, _, owned in people for address in owned]
    _fill(server.database, addresses)
    crowd = Crowd(server.address, members(people))
    results: dict[str, Any] = {"writers": WRITERS, "sessions": SESSIONS, "pairs": PAIRS, "styles": {}}
    try:
        crowd.gather()
        server.database.settle()
        for title, (rows, one_in) in STYLES.items():
            say(f"receiver, {title}")
            spread = addresses + [f"a{n}@elsewhere.example" for n in range(len(addresses) * (one_in - 1))]
            results["styles"][title] = _compare(server, batches(server.database, spread, rows, _SIZES))
        results["told"], results["lost"] = len(crowd.heard), crowd.lost
    finally:
        crowd.close()
    return results


def _fill(database: Database, addresses: Sequence[str]) -> None:
    """Have mail in all mailboxes, as there mostly is."""
    connection = psycopg2.connect(database.dsn)
    with connection, connection.cursor() as cursor:
        for batch in batches(database, addresses, BATCH, _SMALL) * _FILLED:
            for statement in batch:
                cursor.execute(statement)
    connection.close()
    database.execute("UPDATE public.emails SET created_at = created_at - interval '1 day'")
    database.settle()


@dataclass(frozen=True, slots=True)
class Leg:
    """One stretch of writing: batches a second, and how many seconds after the end sessions were up to date."""

    rate: float
    drained: float


def _compare(server: Ours, prepared: Sequence[list[bytes]]) -> dict[str, Any]:
    _leg(server, prepared, triggers=True)
    legs: dict[bool, list[Leg]] = {True: [], False: []}
    for pair in range(PAIRS):
        # With first, without first: a drift of the machine meets both alike.
        for triggers in (pair % 2 == 0, pair % 2 == 1):
            legs[triggers].append(_leg(server, prepared, triggers))
    ours, theirs = legs[True], legs[False]
    return {
        "with": [leg.rate * BATCH for leg in ours],
        "without": [leg.rate * BATCH for leg in theirs],
        "ratio": statistics.median(leg.rate for leg in ours) / statistics.median(leg.rate for leg in theirs),
        "pair_ratios": [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)],
        "drained": [leg.drained for leg in ours],
    }


def _leg(server: Ours, prepared: Sequence[list[bytes]], triggers: bool) -> Leg:
    database = server.database
    if not triggers:
        database.execute("ALTER TABLE public.emails DISABLE TRIGGER USER")
    writers = Writers(database, prepared)
    rate = writers.run(SECONDS)
    assert not writers.errors, writers.errors
    drained = settle(database)
    # Removed with the triggers on, so that the server forgets it too: every leg begins alike.
    database.execute("ALTER TABLE public.emails ENABLE TRIGGER USER")
    database.execute("DELETE FROM public.emails WHERE created_at > now() - interval '12 hours'")
    settle(database)
    database.settle()
    return Leg(rate, drained)


def endure(server: Ours, say: Callable[[str], None], minutes: float) -> dict[str, Any]:
    """Write for long, with small mail so that transactions meet often, while sessions change the same mailboxes."""
    people = accounts(server.database, ACCOUNTS, 2)
    addresses = [address for _, _, owned in people for address in owned]
    crowd = Crowd(server.address, members(people))
    writers = Writers(server.database, batches(server.database, addresses, 50, _SMALL), rest=1.0)
    users = [User(server, email, token, owned[0]) for email, token, owned in people[:USERS]]
    before = _deadlocks(server.database)
    try:
        crowd.gather()
        say(f"receiver, {minutes:g} minutes")
        writers.start()
        for user in users:
            user.thread.start()
        sleep(minutes * 60)
    finally:
        for user in users:
            user.over.set()
            user.thread.join()
        writers.stop()
        # What nobody has open waits until somebody opens it.
        drained = settle(server.database)
        crowd.close()
    return {
        "minutes": minutes,
        "rows": writers.committed * BATCH,
        "commands": sum(user.commands for user in users),
        "errors": [*writers.errors, *(error for user in users for error in user.errors)],
        "deadlocks": _deadlocks(server.database) - before,
        "told": len(crowd.heard),
        "lost": crowd.lost,
        "drained": drained,
    }


class User:
    """A session that flags, expunges, copies and reads what is delivered, in a thread of its own."""

    def __init__(self, server: Ours, email: str, token: str, address: str) -> None:
        self.thread = Thread(target=self._work, daemon=True)
        self.over = Event()
        self.commands = 0
        self.errors: list[str] = []
        self._draw = random.Random(email)
        self._login = f'LOGIN "{email}" "{token}"'
        self._mailboxes = ("INBOX", address)
        self._server = server

    def _work(self) -> None:
        client = Client(self._server.address)
        try:
            client.run(self._login)
            while not self.over.is_set():
                client.run(f'SELECT "{self._draw.choice(self._mailboxes)}"')
                for command in (
                    "UID FETCH 1:* (FLAGS)",
                    "UID STORE 1:* +FLAGS.SILENT (\\Seen)",
                    f"UID STORE 1:{self._draw.randint(1, 2000)} +FLAGS.SILENT (\\Deleted)",
                    "UID FETCH * (BODY.PEEK[])",
                    "UID COPY * Archive",
                    "EXPUNGE",
                    "NOOP",
                ):
                    client.run(command)
                    self.commands += 1
                    self.over.wait(0.2)
        except (Refused, OSError) as error:
            self.errors.append(str(error))
        finally:
            client.close()


def _deadlocks(database: Database) -> int:
    return int(database.execute("SELECT sum(deadlocks) FROM pg_stat_database")[0][0])


def endured_as_text(results: dict[str, Any]) -> list[str]:
    """Return the lines that tell of the long run."""
    return [
        f"receiver for {results['minutes']:g} minutes: {results['rows']} rows by {WRITERS} writers, "
        f"{results['commands']} commands of {USERS} sessions that change the mailboxes, {SESSIONS} idle",
        f"{'':4}{results['deadlocks']} deadlocks, {len(results['errors'])} errors, {results['lost']} connections lost, "
        f"told {results['told']} times; up to date {results['drained']:.2f} s after the end",
        *results["errors"][:5],
    ]


def settle(database: Database) -> float:
    """Wait until the server has taken in all that was delivered; return the seconds."""
    begun = monotonic()
    while database.execute("SELECT EXISTS (SELECT 1 FROM imap.arrival)")[0][0]:
        if monotonic() > begun + _SETTLE:
            raise RuntimeError("the server does not take in what was delivered")
        sleep(0.02)
    return monotonic() - begun


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the lines that tell of it."""
    lines = [
        f"receiver: {results['writers']} writers, batches of {BATCH} rows, {results['sessions']} sessions idle; "
        f"medians of {results['pairs']}, rows a second:",
        f"{'':22} {'with':>7} {'without':>8} {'ratio':>6}   of each pair",
    ]
    for title, figures in results["styles"].items():
        pairs = " ".join(f"{ratio:.2f}" for ratio in figures["pair_ratios"])
        late = max(figures["drained"])
        lines.append(
            f"{title:22} {statistics.median(figures['with']):7.0f} {statistics.median(figures['without']):8.0f} "
            f"{figures['ratio']:6.2f}   {pairs}; up to date after {late:.2f} s"
        )
    return [*lines, f"{'':4}told {results['told']} times, {results['lost']} connections lost"]
