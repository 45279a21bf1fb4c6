"""All tables of mail held by somebody else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
from psycopg2.errors import LockNotAvailable

PATIENCE = 30.0

LOCK = "LOCK TABLE emails, imap.message, imap.mailbox NOWAIT"


@contextmanager
def everything_locked(dsn: str) -> Iterator[None]:
    """Hold all tables of mail.

    PostgreSQL locks them one after the other. Who waited for the second and held the first could deadlock with any
    statement, and be the one that is given up; so this never waits while it holds anything.
    """
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                cursor.execute(LOCK)
                break
            except LockNotAvailable:
                connection.rollback()
                assert time.monotonic() < deadline, "The tables are never free all at once."
                time.sleep(0.005)
        yield
