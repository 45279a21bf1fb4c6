"""An ``emails`` table in partitions, as ``docs/scale.md`` has it: what works unchanged, and what is to be told."""

from __future__ import annotations

import re
from typing import Any

import psycopg2
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.store import migrations
from cybertemp_imap.store import statements as sql
from test.documentation import TOP
from test.postgres import create_empty_database, drop_database

PAGE = TOP / "docs" / "scale.md"

USER = "00000000-0000-0000-0000-000000000001"
DELIVER = """
    INSERT INTO emails (mailbox_owner, subject, body, from_addr, to_addrs, "timestamp")
    SELECT 'box@example.com', 'day ' || i, 'Hello', 'a@b.example', '{}',
           '2026-11-01 12:00+00'::timestamptz + i * interval '1 day'
    FROM generate_series(0, 2) AS i
"""
UIDS = "SELECT array_agg(m.uid ORDER BY m.uid) FROM imap.message m WHERE m.mailbox_id = %s"


class PartitionTests(SynchronousTestCase):
    """Three days, a partition each."""

    def setUp(self) -> None:
        """Make the table as the page does, then migrate, open an address and take three messages in."""
        self.dsn = create_empty_database()
        self.addCleanup(drop_database, self.dsn)
        self.connection: Any = psycopg2.connect(self.dsn)
        self.connection.autocommit = True
        self.addCleanup(self.connection.close)
        self.page = re.findall(r"^```sql\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
        self.run_sql(self.page[0])
        migrations.migrate(self.dsn)
        self.run_sql("INSERT INTO users (id, email, subscription_status) VALUES (%s, 'u@x.org', 'active')", USER)
        self.run_sql("INSERT INTO inbox (user_id, email_address) VALUES (%s, 'box@example.com')", USER)
        ((self.box,),) = self.run_sql("SELECT imap.find_mailbox(%s, 'box@example.com', 'INBOX')", USER)
        self.refresh()
        self.run_sql(DELIVER)
        self.refresh()

    def run_sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def refresh(self) -> None:
        """Take in what has happened."""
        self.run_sql(sql.REFRESH, USER, self.box, USER, self.box)

    def uids(self) -> list[int] | None:
        """Return what is in the mailbox."""
        ((found,),) = self.run_sql(UIDS, self.box)
        return found if found is None else list(found)

    def test_unchanged(self) -> None:
        """Delivery, reading, flags and deletion are the same; so is what retention deletes row by row."""
        self.assertEqual(self.uids(), [1, 2, 3])
        rows = self.run_sql(sql.ROWS, USER, self.box, 1, 3, "{1,2,3}")
        self.assertEqual([row[5] for row in rows], ["day 0", "day 1", "day 2"])
        self.run_sql(sql.STORE_FLAGS, USER, self.box, "{2}", "+", ["\\Seen"], None)
        self.assertEqual(self.run_sql("SELECT subject FROM emails WHERE flags = '{\\\\Seen}'"), [("day 1",)])
        self.run_sql("DELETE FROM emails WHERE subject = 'day 2'")
        self.refresh()
        self.assertEqual(self.uids(), [1, 2])
        ((gone, _),) = self.run_sql(sql.PURGE, "-infinity", "2026-11-02", "2100-01-01", None, None, 100)
        self.refresh()
        self.assertEqual((gone, self.uids()), (1, [2]))

    def test_dropped(self) -> None:
        """What a partition held vanishes once it is said that something has happened; UIDs go on."""
        self.run_sql(self.page[1])
        self.refresh()
        self.assertEqual(self.uids(), [2, 3])
        self.assertEqual(self.run_sql("SELECT uid_next FROM imap.mailbox WHERE id = %s", self.box), [(4,)])
        ((left,),) = self.run_sql("SELECT count(*) FROM imap.expunged WHERE mailbox_id = %s AND uid = 1", self.box)
        self.assertEqual(left, 1)
        # Nor is anything left of it.
        self.assertEqual(self.run_sql("SELECT email_id FROM imap.belonging"), [])
