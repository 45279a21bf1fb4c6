"""``python -m bench.soak``: many sessions at work while PostgreSQL fails again and again.

Every few seconds chance chooses a fault. Each session appends messages of its own, flags, moves and expunges them, and
notes what was answered OK; what it is told is replayed and checked as it comes. In the end everything must be as the
last OK said, what sessions know must be what the tables say, and the server's own tables must hold together.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg2
from psycopg2.extras import register_uuid

from bench import machine
from bench.aside import Aside
from bench.servers import ServerOver
from bench.soak_newcomer import Newcomer
from bench.soak_visitor import Account, Visitor
from test.database_proxy import DatabaseProxy
from test.locked import everything_locked
from test.mail_truth import Tables
from test.mortal_postgres import MortalPostgres

SESSIONS_PER_ACCOUNT = 10
ABSENCE = (0.5, 3.0)
"""Seconds for which a fault lasts, chosen by chance."""


MANY_CONNECTIONS = 1000
"""More than PostgreSQL allows."""


class Faults:
    """What can happen; each returns when PostgreSQL can be reached again."""

    def __init__(self, postgres: MortalPostgres, proxy: Aside, chance: random.Random) -> None:
        self._postgres = postgres
        self._proxy = proxy
        self._chance = chance
        self.kinds: dict[str, Callable[[], None]] = {
            "connections cut": lambda: proxy.run(DatabaseProxy.cut),
            "back-ends terminated": postgres.terminate,
            "way shut": lambda: self._way(DatabaseProxy.shut, DatabaseProxy.unshut),
            "way stalled": lambda: self._way(DatabaseProxy.stall, DatabaseProxy.resume),
            "way slow": self._slow,
            "PostgreSQL frozen": lambda: self._during(postgres.freeze, postgres.thaw),
            "PostgreSQL killed": lambda: self._during(postgres.kill, postgres.start_again),
            "PostgreSQL restarted": lambda: self._during(postgres.stop, postgres.start_again),
            "process crashed": postgres.crash,
            "everything locked": self._lock,
            "no connections left": self._use_up,
        }

    def _during(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        begin()
        time.sleep(self._chance.uniform(*ABSENCE))
        end()

    def _way(self, begin: Callable[[DatabaseProxy], None], end: Callable[[DatabaseProxy], None]) -> None:
        self._during(lambda: self._proxy.run(begin), lambda: self._proxy.run(end))

    def _slow(self) -> None:
        self._proxy.run(setattr, "delay", 0.1)
        time.sleep(self._chance.uniform(*ABSENCE))
        self._proxy.run(setattr, "delay", 0.0)

    def _lock(self) -> None:
        with everything_locked(self._postgres.dsn):
            time.sleep(self._chance.uniform(*ABSENCE))

    def _use_up(self) -> None:
        """Let other programs have all the connections."""
        taken: list[Any] = []
        self._proxy.run(DatabaseProxy.shut)
        with suppress(psycopg2.OperationalError):
            while len(taken) < MANY_CONNECTIONS:
                taken.append(psycopg2.connect(self._postgres.dsn))
        self._proxy.run(DatabaseProxy.unshut)
        time.sleep(self._chance.uniform(*ABSENCE))
        for connection in taken:
            connection.close()


class Soak:
    """One run; :meth:`run` returns its figures."""

    def __init__(self, folder: Path, sessions: int, seed: int) -> None:
        self.chance = random.Random(seed)
        self.postgres = MortalPostgres()
        self.sessions = sessions
        self.stop = Event()
        self.failures: list[str] = []
        self.happened: dict[str, list[dict[str, Any]]] = {}
        self.sizes: list[tuple[float, int, int]] = []
        self._folder = folder

    def run(self, seconds: float, every: float) -> dict[str, Any]:
        """Run for so long, with a fault every so many seconds."""
        self.postgres.start()
        proxy = Aside(DatabaseProxy, self.postgres.dsn)
        server = ServerOver(self._folder, proxy.run(getattr, "dsn"))
        asides = [proxy]
        try:
            server.start()
            accounts = [
                Account.make(self.postgres.dsn, n) for n in range(max(1, self.sessions // SESSIONS_PER_ACCOUNT))
            ]
            newcomer = Aside(Newcomer, server.address, accounts[0].email, accounts[0].token)
            asides.append(newcomer)
            visitors = [
                Visitor(server.address, accounts[n % len(accounts)], n, self.stop, self.failures)
                for n in range(self.sessions)
            ]
            threads = [Thread(target=visitor.work, name=f"visitor {visitor.number}") for visitor in visitors]
            for thread in threads:
                thread.start()
            self._break(server, newcomer, Faults(self.postgres, proxy, self.chance), seconds, every)
            self.stop.set()
            for thread in threads:
                thread.join()
            self._check(accounts, visitors)
            return self._figures(seconds, visitors, server)
        finally:
            self.stop.set()
            server.stop()
            for aside in asides:
                aside.close()
            self.postgres.remove()

    def _break(self, server: ServerOver, newcomer: Aside, faults: Faults, seconds: float, every: float) -> None:
        end = time.monotonic() + seconds
        time.sleep(min(every, 5.0))
        while time.monotonic() < end and not self.failures:
            began = time.monotonic()
            kind = self.chance.choice(list(faults.kinds))
            self.sizes.append((began, machine.memory(server.pid), machine.descriptors(server.pid)))
            server.watch()
            faults.kinds[kind]()
            back = newcomer.run(Newcomer.come, time.monotonic())
            time.sleep(max(0.5, began + every - time.monotonic()))
            self.happened.setdefault(kind, []).append({**back, **server.watched()})
        self.sizes.append((time.monotonic(), machine.memory(server.pid), machine.descriptors(server.pid)))

    # -- what must be true in the end ---------------------------------------------------------------------------------

    def _check(self, accounts: list[Account], visitors: list[Visitor]) -> None:
        if self.failures:
            raise SystemExit(f"A session failed:\n{self.failures[0]}")
        register_uuid()
        for account in accounts:
            own = [visitor for visitor in visitors if visitor.account is account]
            tables = Tables(self.postgres.dsn, account.user)
            for visitor in own:
                visitor.settle()
            for visitor in own:
                visitor.check(tables)
            tables.check()
            self._check_record(tables, account, own)
            tables.close()

    def _check_record(self, tables: Tables, account: Account, visitors: list[Visitor]) -> None:
        rows = tables.execute("SELECT subject, mailbox, flags FROM emails WHERE mailbox_owner = %s", account.owner)
        count = Counter(subject for subject, _, _ in rows)
        twice = [subject for subject, times in count.items() if times > 1]
        assert not twice, f"there more than once: {twice[:5]}"
        found = {subject: (mailbox, set(flags or ())) for subject, mailbox, flags in rows}
        for visitor in visitors:
            visitor.record.check(found)

    def _figures(self, seconds: float, visitors: list[Visitor], server: ServerOver) -> dict[str, Any]:
        every = [each for happened in self.happened.values() for each in happened]
        log = (server.folder / "server.log").read_text(errors="replace")
        early = self.sizes[min(len(self.sizes) - 1, max(1, len(self.sizes) // 5))]
        return {
            "machine": machine.describe(),
            "seconds": seconds,
            "sessions": len(visitors),
            "faults": {kind: len(each) for kind, each in sorted(self.happened.items())},
            "back": {kind: _worst(each, "back") for kind, each in sorted(self.happened.items())},
            "back_worst": _worst(every, "back"),
            "back_longest": self._longest(),
            "pause_worst": _worst(every, "pause"),
            "reactor_worst": _worst(every, "used"),
            "held_worst": _worst(every, "held"),
            "held_longest": max((each["held_longest"] for each in every), key=lambda each: each["held"], default={}),
            "commands": dict(sum((visitor.done for visitor in visitors), Counter[str]())),
            "memory": {"early": early[1], "end": self.sizes[-1][1], "most": max(size[1] for size in self.sizes)},
            "descriptors": {"early": early[2], "end": self.sizes[-1][2], "most": max(size[2] for size in self.sizes)},
            "log_tracebacks": log.count("Traceback"),
            "log_unhandled": log.count("Unhandled"),
        }

    def _longest(self) -> dict[str, Any]:
        """Return after what it took longest until everything worked again, and on what the time was spent."""
        every = [(kind, each) for kind, happened in self.happened.items() for each in happened]
        kind, longest = max(every, key=lambda each: float(each[1]["back"]), default=("", {}))
        return {
            "fault": kind,
            **{name: longest.get(name) for name in ("back", "refused", "greeting", "login", "change")},
        }


def _worst(happened: list[dict[str, Any]], name: str) -> float:
    return round(max((each[name] for each in happened), default=0.0), 3)


def main() -> None:
    """Run the soak, print its figures, and leave with status 1 where something does not hold."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak", description="Sessions at work while PostgreSQL fails."
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="cybertemp-soak-") as name:
        os.chmod(name, 0o755)
        figures = Soak(Path(name), arguments.sessions, arguments.seed).run(arguments.minutes * 60, arguments.every)
    print(json.dumps(figures, indent=1))
    if figures["log_tracebacks"] or figures["log_unhandled"]:
        sys.exit("There are unforeseen errors in the server's log.")


if __name__ == "__main__":
    main()
