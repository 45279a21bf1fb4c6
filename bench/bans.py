"""What bans cost: SELECT of a mailbox of 10,000 messages, with none and with 10,000 bans of which 200 are ``contains``.

Run as ``python -m bench.bans``. It measures the work that a SELECT makes the store do: the first one, which compares
the whole mailbox; one after a ban has been set or lifted, which compares it again; and one of a mailbox that is known.
Every message has a sender of its own, the worst case, and one of a hundred is hidden once there are bans. Rounds with
and without bans alternate, so that a busy machine slows both; what is printed is the median of each.
"""

from __future__ import annotations

import gc
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import uuid4

import psycopg2

from cybertemp_imap.embedded import EmbeddedPostgres
from cybertemp_imap.store import migrations
from cybertemp_imap.store.statements import CHANGES, FIND_MAILBOX, REFRESH

MESSAGES, BANS, CONTAINS = 10_000, 10_000, 200
ROUNDS = 5

_MAIL = """
    INSERT INTO public.emails (id, mailbox_owner, mailbox, subject, body, from_addr, flags, "timestamp")
    SELECT gen_random_uuid(), 'box@example.com', 'INBOX', 'Letter ' || n, 'Hello.',
           'Correspondent No. ' || n || ' <someone.' || n || '@host' || n %% 977 || '.example.org>', '{}', now()
    FROM generate_series(1, %s) AS n
"""
_BANS = """
    INSERT INTO public.bans (scope, value, match_type)
    SELECT 'sender', CASE WHEN n <= %s THEN '@unwanted' || md5(n::text) || '.example' ELSE
               CASE WHEN n %% 100 = 0 THEN 'someone.' || n || '@host' || n %% 977 || '.example.org'
                    ELSE 'spammer.' || n || '@bad.example' END END,
           CASE WHEN n <= %s THEN 'contains' ELSE 'exact' END
    FROM generate_series(1, %s) AS n
"""
_FORGET = "DELETE FROM imap.message; DELETE FROM imap.expunged; DELETE FROM imap.feed; DELETE FROM imap.mailbox"


class Bench:
    """A database of its own with one mailbox in it."""

    def __init__(self, dsn: str) -> None:
        self._connection: Any = psycopg2.connect(dsn)
        self._connection.autocommit = True
        self._cursor = self._connection.cursor()
        self._user = str(uuid4())
        self._run("INSERT INTO public.inbox (email_address, user_id) VALUES ('box@example.com', %s)", self._user)
        self._run(_MAIL, MESSAGES)
        self._run("ANALYZE")

    def _run(self, statement: str, *parameters: object) -> None:
        self._cursor.execute(statement, parameters)

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def ban(self, wanted: bool) -> None:
        """Have all the bans there, or none."""
        self._run("TRUNCATE public.bans")
        if wanted:
            self._run(_BANS, CONTAINS, CONTAINS, BANS)
        # As autovacuum does after so many changes.
        self._run("VACUUM ANALYZE imap.sender_ban, imap.ban, public.bans")

    def first(self) -> float:
        """Return how long a SELECT takes of a mailbox that was never opened."""
        self._run(_FORGET)
        self._run("VACUUM ANALYZE imap.message")
        return self._selecting()

    def again(self) -> float:
        """Return how long it takes once bans have changed."""
        self._run("UPDATE imap.ban_state SET version = version + 1")
        return self._selecting()

    def known(self) -> float:
        """Return how long it takes when nothing has changed."""
        return self._selecting()

    def _selecting(self) -> float:
        begun = perf_counter()
        self._cursor.execute(FIND_MAILBOX, (self._user, "box@example.com", "INBOX"))
        ((mailbox,),) = self._cursor.fetchall()
        self._cursor.execute(REFRESH, (self._user, mailbox))
        self._cursor.execute(CHANGES, (self._user, mailbox, 0, 0, MESSAGES))
        found = len(self._cursor.fetchall())
        spent = perf_counter() - begun
        assert MESSAGES * 0.9 < found <= MESSAGES, found
        return spent


def measure(bench: Bench, what: Callable[[], float]) -> tuple[float, float]:
    """Return the medians without and with bans, in seconds."""
    spent: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for banned in (False, True):
            bench.ban(banned)
            # The first one after a change of bans takes that in, which is what the others are about.
            if what != bench.first:
                bench.known()
            gc.collect()
            spent[banned].append(what())
    return median(spent[False]), median(spent[True])


def main() -> None:
    """Print a table."""
    folder = Path(tempfile.mkdtemp(prefix="imap-bench-", dir="/tmp"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder, None, "bench")
    try:
        server.start()
        migrations.migrate(server.dsn)
        bench = Bench(server.dsn)
        titles = {"first SELECT": bench.first, "after a change of bans": bench.again, "mailbox known": bench.known}
        for title, what in titles.items():
            without, banned = measure(bench, what)
            line = f"{title:24} without {without * 1000:7.1f} ms  with bans {banned * 1000:7.1f} ms  "
            sys.stdout.write(f"{line}{banned / without:5.2f} times\n")
        bench.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
