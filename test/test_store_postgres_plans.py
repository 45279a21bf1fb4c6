"""Plans that were made when tables were empty, and are kept by a connection."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2

from test.store_contract import MINE, StoreContract
from test.test_store_postgres import PostgresFixture

COUNT = 400

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

    def steps(self, cursor: Any, box: tuple[Any, int], uids: list[int]) -> dict[str, int]:
        """Go through the steps with all messages; return how many rows each has read."""
        read = {}
        for name, call, parameters in (
            ("refresh", "imap.refresh(%s, %s)", box),
            ("store", "imap.store_flags(%s, %s, %s::bigint[], '+', '{\\\\Deleted}', 99)", (*box, uids)),
            ("choose", "imap.choose(%s, %s::bigint[])", (box[1], uids)),
            ("expunge", "imap.expunge(%s, %s, NULL)", box),
        ):
            cursor.execute(READ)
            ((before,),) = cursor.fetchall()
            cursor.execute(f"SELECT * FROM {call}", parameters)
            cursor.execute(READ)
            ((after,),) = cursor.fetchall()
            read[name] = int(after - before)
        return read
