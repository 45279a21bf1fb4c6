"""A PostgreSQL whose disk is full: for its tables, and for its log of changes (WAL), which ends it."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
from twisted.trial.unittest import SkipTest

from test.clients.case import in_thread
from test.fault_case import FaultTestCase
from test.mortal_postgres import MortalPostgres
from test.replaying import Session
from test.small_disk import NotPermitted, SmallDisk

MANY = 200
"""Commands after which the room that pages had left is used up for certain."""

ROOM = 200_000
"""Octets that are left for the first of them."""

SMALL_LOG = {"min_wal_size": "32MB", "max_wal_size": "32MB", "wal_keep_size": "0"}

_found: list[tuple[SmallDisk, MortalPostgres]] = []


def postgres_on_disk() -> tuple[SmallDisk, MortalPostgres]:
    """Return the one of this process and its disk, or skip the test."""
    if not _found:
        folder = Path(tempfile.mkdtemp(prefix="imap-disk-", dir="/tmp"))
        atexit.register(folder.rmdir)
        try:
            disk = SmallDisk(folder)
        except NotPermitted as reason:
            raise SkipTest(f"no disk that can be full: {reason}") from None
        atexit.register(disk.remove)
        server = folder / "server"
        server.mkdir()
        postgres = MortalPostgres(server, **SMALL_LOG)
        atexit.register(postgres.remove)
        _found.append((disk, postgres))
        postgres.start()
    return _found[0]


class DiskTestCase(FaultTestCase):
    """A database on a small disk, with some messages of known flags."""

    there = 5

    def choose_postgres(self) -> MortalPostgres:
        """Have that disk."""
        self.disk, postgres = postgres_on_disk()
        self.addCleanup(self.disk.free)
        return postgres

    def begin(self) -> Session:
        """Return a session with messages, some of which are to be expunged."""
        session = self.session()
        for number in range(self.there):
            self.assertEqual(self.append(session, f"s{number}").status, "OK")
        session.poll()
        session.ok("STORE 1:2 +FLAGS (\\Deleted)")
        return session

    def right_or_unavailable(self, answer: Any) -> bool:
        """Check that a command is OK or refused because there is no database, and tell which."""
        if answer.status == "OK":
            return True
        self.unavailable(answer)
        return False

    def until_refused(self, command: Callable[[int], Any]) -> int:
        """Give a command until it is refused; return how often it was OK."""
        for number in range(MANY):
            if not self.right_or_unavailable(command(number)):
                return number
        return MANY

    def check(self, session: Session, appended: int, stored: int, expunged: bool) -> None:
        """Check that what was answered OK is there, and nothing else, for the session itself and for others."""
        session.poll()
        kept = [f"s{number}" for number in range(2 * expunged, self.there)]
        expected = [*kept, *(f"n{number}" for number in range(appended))]
        self.assertEqual([subject for subject, _ in session.contents.values()], expected)
        self.assertEqual(self.subjects("Drafts"), expected)
        flags = dict(session.contents.values())["s4"]
        self.assertEqual({flag for flag in flags if flag.startswith("k")}, {f"k{number}" for number in range(stored)})


class TableTests(DiskTestCase):
    """No table can grow."""

    @in_thread
    def test_full(self) -> None:
        """Changes are right or NO, reading goes on, and changes work as soon as there is room, with no other help."""
        session, last = self.begin(), self.there
        self.disk.fill(ROOM)
        appended = self.until_refused(lambda number: self.append(session, f"n{number}", size=30_000))
        stored = self.until_refused(lambda number: session.command(f"STORE {last} +FLAGS (k{number})"))
        expunged = self.right_or_unavailable(session.command("EXPUNGE"))
        self.assertTrue(0 < appended < MANY, appended)
        self.assertEqual(len(session.ok("FETCH 1:3 (FLAGS BODY.PEEK[])").named("FETCH")), 3)
        session.ok("SEARCH TEXT Hello")
        session.ok("STATUS Archive (MESSAGES)")
        self.session("Archive").ok('LIST "" *')
        self.disk.free()
        self.assertEqual(self.append(session, f"n{appended}").status, "OK")
        self.check(session, appended + 1, stored, expunged)


class LogTests(DiskTestCase):
    """What PostgreSQL cannot do without: it ends all connections, and itself where it cannot recover."""

    @in_thread
    def test_full(self) -> None:
        """Sessions outlive it, and go on by themselves when PostgreSQL is there again."""
        session = self.begin()
        self.disk.fill()
        self.use_up_log()
        # It tries to recover, which takes room as well, and gives up.
        while self.postgres.running:
            pass
        self.unavailable(self.append(session, "n0"))
        session.ok("CAPABILITY")
        self.disk.free()
        self.postgres.stop()
        self.postgres.start_again()
        self.eventually(session, "NOOP")
        self.assertEqual(self.append(session, "n0").status, "OK")
        session.ok("STORE 5 +FLAGS (k0)")
        session.ok("EXPUNGE")
        self.check(session, 1, 1, True)

    def use_up_log(self) -> None:
        """Begin new files of the log until there can be none."""
        with self.assertRaises(psycopg2.OperationalError):
            for _ in range(MANY):
                self.postgres.execute("SELECT pg_switch_wal()")
                self.postgres.execute("SELECT pg_create_restore_point('here')")
