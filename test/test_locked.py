"""Holding all tables, as tests of faults do."""

from __future__ import annotations

from contextlib import closing
from threading import Event, Thread

import psycopg2
from psycopg2.errors import LockNotAvailable
from twisted.trial.unittest import SynchronousTestCase

from test import locked
from test.locked import everything_locked
from test.postgres import create_database, drop_database

_ASKING = "SELECT 1 FROM pg_stat_activity WHERE query IN (%s, 'ROLLBACK') AND datname = current_database()"


class LockedTests(SynchronousTestCase):
    """Beside a statement that takes the same tables in another order."""

    timeout = 60

    def test_no_deadlock(self) -> None:
        """It goes on as if nobody wanted the tables, and they are held when it has ended."""
        dsn = create_database()
        self.addCleanup(drop_database, dsn)
        held, let_go = Event(), Event()

        def hold() -> None:
            with everything_locked(dsn):
                held.set()
                let_go.wait(self.timeout)

        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute("LOCK TABLE imap.mailbox IN ROW EXCLUSIVE MODE")
            holder = Thread(target=hold)
            holder.start()
            while not self._asked(dsn):
                pass
            cursor.execute("LOCK TABLE emails IN ROW EXCLUSIVE MODE")
            self.assertFalse(held.is_set())
            connection.commit()
            self.assertTrue(held.wait(self.timeout))
            cursor.execute("SET lock_timeout = 1")
            with self.assertRaises(LockNotAvailable):
                cursor.execute("SELECT 1 FROM emails")
        let_go.set()
        holder.join()

    def _asked(self, dsn: str) -> bool:
        """Tell whether somebody has asked for the tables."""
        with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
            cursor.execute(_ASKING, (locked.LOCK,))
            return bool(cursor.fetchall())
