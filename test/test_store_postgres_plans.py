"""Plans that were made when tables were empty, and are kept by a connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import Any

import psycopg2

from cybertemp_imap.admin import mail_statements
from cybertemp_imap.store import statements
from test.store_contract import MINE, StoreContract
from test.test_store_postgres import PostgresFixture

COUNT = 400
FEW = 50
PAGE = 200

ASKED = """
    SELECT coalesce(sum(calls), 0) FROM pg_stat_xact_user_functions WHERE schemaname = 'imap' AND funcname = 'owns'
"""

READ = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"

_FILL = """
    INSERT INTO public.emails (id, mailbox_owner, mailbox, subject, body, from_addr, created_at, timestamp)
    SELECT gen_random_uuid(), %s, 'INBOX', '', '', 'a@example.net', now(), now() FROM generate_series(1, %s)
"""


class PlanTests(StoreContract):
    """What a step reads depends on what it is about, not on what there was when its plan was made."""

    fixture_type = PostgresFixture

    async def test_begun_empty(self) -> None:
        """Refreshing, STORE, EXPUNGE and COPY read some rows for each message, though planned for empty tables."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        mailbox = await self.open()
        box = (mailbox.user_id, mailbox.id)
        with closing(psycopg2.connect(fixture.dsn)) as kept:
            kept.autocommit = True
            with kept.cursor() as cursor:
                cursor.execute("VACUUM ANALYZE")
                cursor.execute("SET plan_cache_mode = force_generic_plan")
                kept.autocommit = False
                cursor.execute(_FILL, (MINE, 1))
                self.steps(cursor, box, [1])
                kept.rollback()
                cursor.execute(_FILL, (MINE, COUNT))
                for name, read in self.steps(cursor, box, list(range(1, COUNT + 1))).items():
                    self.assertLess(read, 40 * COUNT, name)
                kept.rollback()

    async def test_taken_for_small(self) -> None:
        """A few messages of a mailbox that has grown since PostgreSQL analysed it are read by reading a few rows."""
        async with self.grown() as (cursor, box):
            uids = list(range(COUNT, COUNT + FEW))
            for name in ("WEIGHTS", "ROWS", "SAVED_DATES", "OBJECT_IDS"):
                before = self.counted(cursor, READ)
                cursor.execute(getattr(statements, name), (*box, uids[0], uids[-1], uids))
                self.assertEqual(len(cursor.fetchall()), FEW)
                self.assertLess(self.counted(cursor, READ) - before, 10 * FEW, name)

    async def test_kept(self) -> None:
        """To keep what was computed of a few messages, a few rows are read."""
        async with self.grown() as (cursor, box):
            cursor.execute(
                "SELECT email_id FROM imap.message WHERE mailbox_id = %s ORDER BY uid LIMIT %s", (box[1], FEW)
            )
            ids = [email_id for (email_id,) in cursor.fetchall()]
            before = self.counted(cursor, READ)
            kept = (1, ids, [1] * FEW, *([[""] * FEW] * 3), [b""] * FEW, *box)
            cursor.execute(statements.KEEP_RENDITIONS, kept)
            self.assertEqual(len(cursor.fetchall()), FEW)
            self.assertLess(self.counted(cursor, READ) - before, 10 * FEW)

    async def test_whose_it_is(self) -> None:
        """Whose a mailbox is, is looked at once for all its messages at most, in every statement that reads of them."""
        async with self.grown() as (cursor, box):
            cursor.execute("SET track_functions = 'all'")
            last = COUNT // 4 + COUNT * 10
            page = (1, *box, last - FEW, last, None, None)
            some = (*box, last - FEW, last, list(range(last - FEW, last + 1)))
            statements_of = {
                "METADATA": page,
                "HEADERS": page,
                "UNRENDERED": (*box, 0, 1, FEW),
                "TOTAL_SIZE": box,
                "COUNTS": box,
                "CHANGES": (*box, 0, 0, FEW),
                **dict.fromkeys(("WEIGHTS", "ROWS", "ROWS_WITH_ENCRYPTED", "SAVED_DATES", "OBJECT_IDS"), some),
            }
            reading = [(getattr(statements, name), parameters) for name, parameters in statements_of.items()]
            reading.append((mail_statements.WEIGHTS, (*box, 0, FEW)))
            for _ in range(2):
                for statement, parameters in reading:
                    before = self.counted(cursor, ASKED)
                    cursor.execute(statement, parameters)
                    self.assertNotEqual(cursor.fetchall(), [], statement)
                    self.assertLessEqual(self.counted(cursor, ASKED) - before, 1, statement)
                cursor.execute("ANALYZE")

    async def test_all_of_it(self) -> None:
        """All of a mailbox that has grown since PostgreSQL analysed it is read, in pages, by reading each row once."""
        found: list[int] = []
        async with self.grown() as (cursor, box):
            before = self.counted(cursor, READ)
            while len(found) % PAGE == 0:
                cursor.execute(statements.STATES, (*box, found[-1] if found else 0, PAGE))
                found += [uid for uid, _, _ in cursor.fetchall()]
            read = self.counted(cursor, READ) - before
        self.assertEqual(found, list(range(1, COUNT // 4 + COUNT * 10 + 1)))
        self.assertLess(read, 2 * len(found))

    @asynccontextmanager
    async def grown(self) -> AsyncIterator[tuple[Any, tuple[Any, int]]]:
        """Fill a mailbox, have PostgreSQL analyse it, and fill it with far more, in a transaction; give its cursor."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        mailbox = await self.open()
        box = (mailbox.user_id, mailbox.id)
        with closing(psycopg2.connect(fixture.dsn)) as connection, connection.cursor() as cursor:
            for count, analyse in ((COUNT // 4, True), (COUNT * 10, False)):
                cursor.execute(_FILL, (MINE, count))
                cursor.execute("SELECT * FROM imap.refresh(%s, %s)", box)
                if analyse:
                    cursor.execute("ANALYZE")
            yield cursor, box

    def counted(self, cursor: Any, statement: str) -> int:
        """Return what the transaction has counted so far."""
        cursor.execute(statement)
        ((count,),) = cursor.fetchall()
        return int(count)

    def steps(self, cursor: Any, box: tuple[Any, int], uids: list[int]) -> dict[str, int]:
        """Go through the steps with all messages; return how many rows each has read."""
        read = {}
        for name, call, parameters in (
            ("refresh", "imap.refresh(%s, %s)", box),
            ("store", "imap.store_flags(%s, %s, %s::bigint[], '+', '{\\\\Deleted}', 99)", (*box, uids)),
            ("choose", "imap.choose(%s, %s::bigint[])", (box[1], uids)),
            ("expunge", "imap.expunge(%s, %s, NULL)", box),
        ):
            before = self.counted(cursor, READ)
            cursor.execute(f"SELECT * FROM {call}", parameters)
            read[name] = self.counted(cursor, READ) - before
        return read
