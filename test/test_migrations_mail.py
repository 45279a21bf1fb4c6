"""Upgrading a database whose mailboxes were opened by the first released schema: what clients know stays true."""

from __future__ import annotations

from typing import Any
from unittest import mock

import psycopg2
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.store import migrations
from test.postgres import create_empty_database, drop_database

RELEASED = 4
"""The schema that has been released."""

USER = "00000000-0000-0000-0000-000000000001"
_ACCOUNT = """
    INSERT INTO inbox (email_address, user_id) VALUES ('a@example.com', %(user)s), ('b@example.com', %(user)s);
    INSERT INTO bans (scope, value, match_type, status) VALUES ('sender', 'spam@bad.example', 'exact', 'active')
"""
_DELIVER = """
    INSERT INTO emails (id, mailbox_owner, mailbox, subject, body, from_addr, "timestamp", flags, created_at)
    SELECT md5(n::text)::uuid, CASE n %% 2 WHEN 0 THEN 'a@example.com' ELSE 'b@example.com' END, 'INBOX',
           'Letter ' || n, 'Hello', CASE n %% 5 WHEN 0 THEN 'spam@bad.example' ELSE 'x@example.net' END,
           now() + n * interval '1 second', '{}', now()
    FROM generate_series(%s, %s) AS n
"""
_HEADS = "SELECT id, uid_validity, uid_next, highest_mod_seq FROM imap.mailbox ORDER BY id"
_MESSAGES = "SELECT mailbox_id, uid, email_id, mod_seq, flags FROM imap.message ORDER BY 1, 2"
_EXPUNGED = "SELECT mailbox_id, uid, mod_seq FROM imap.expunged ORDER BY 1, 2"
_FLAGGED = "SELECT uid, flags FROM imap.message WHERE mailbox_id = %s AND mod_seq > %s ORDER BY uid"


class UpgradeTests(SynchronousTestCase):
    """An address and INBOX, with messages, flags, expunged messages, and mail that nobody has looked at."""

    def setUp(self) -> None:
        """Fill a database of the released schema."""
        self.dsn = create_empty_database()
        self.addCleanup(drop_database, self.dsn)
        with mock.patch.object(migrations, "migrations", return_value=migrations.migrations()[:RELEASED]):
            migrations.migrate(self.dsn)
        self.connection = psycopg2.connect(self.dsn)
        self.addCleanup(self.connection.close)
        self.connection.autocommit = True
        with self.connection.cursor() as cursor:
            cursor.execute(_ACCOUNT, {"user": USER})
        self.run_sql(_DELIVER, 1, 20)
        names = (("a@example.com", "INBOX"), (f"account:{USER}", "INBOX"))
        self.address, self.inbox = (
            self.run_sql("SELECT imap.find_mailbox(%s, %s, %s)", USER, *name)[0][0] for name in names
        )
        self.refresh()
        self.run_sql("SELECT * FROM imap.store_flags(%s, %s, '{2,4}', '+', '{work}', NULL)", USER, self.address)
        self.run_sql("SELECT * FROM imap.store_flags(%s, %s, '{1,3}', '+', '{\\Deleted}', NULL)", USER, self.inbox)
        self.run_sql("SELECT * FROM imap.expunge(%s, %s, NULL)", USER, self.inbox)
        self.run_sql("DELETE FROM emails WHERE subject = 'Letter 8'")
        self.refresh()

    def run_sql(self, statement: str, *parameters: object) -> list[Any]:
        """Run a statement and return its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def refresh(self) -> list[Any]:
        """Bring both mailboxes up to date, as often as it takes to find what was under way; return their numbers."""
        for _ in range(2):
            for mailbox in (self.address, self.inbox):
                self.run_sql("SELECT * FROM imap.refresh(%s, %s)", USER, mailbox)
        return self.run_sql(_HEADS)

    def state(self) -> list[list[Any]]:
        """Return all that clients were told."""
        return [self.run_sql(statement) for statement in (_HEADS, _MESSAGES, _EXPUNGED)]

    def test_nothing_lost(self) -> None:
        """UIDs, mod-sequences, flags and what was expunged are as they were, also after mailboxes were looked at."""
        before = self.state()
        self.assertTrue(all(before))
        migrations.migrate(self.dsn)
        self.assertEqual(self.state(), before)
        self.refresh()
        self.assertEqual(self.state(), before)
        for mailbox, _, _, mod_seq in before[0]:
            since = "SELECT forgotten_mod_seq FROM imap.mailbox WHERE id = %s"
            self.assertEqual(self.run_sql(since, mailbox), [(0,)], "what was expunged is remembered")
            self.assertEqual(self.run_sql(_FLAGGED, mailbox, mod_seq), [])

    def test_untold(self) -> None:
        """What has happened between the last look and the upgrade is taken in after it, under new numbers."""
        (_, validity, uid_next, mod_seq), *_ = (head for head in self.run_sql(_HEADS) if head[0] == self.address)
        self.run_sql(_DELIVER, 21, 26)
        self.run_sql("UPDATE emails SET flags = '{\\Flagged}' WHERE subject = 'Letter 4'")
        self.run_sql("DELETE FROM emails WHERE subject = 'Letter 14'")
        self.run_sql("DELETE FROM bans")
        migrations.migrate(self.dsn)
        (head,) = (head for head in self.refresh() if head[0] == self.address)
        self.assertEqual(head[1], validity)
        shown = self.run_sql(
            "SELECT subject FROM emails e JOIN imap.message m ON m.email_id = e.id WHERE m.mailbox_id = %s"
            " AND m.uid >= %s ORDER BY m.uid",
            self.address,
            uid_next,
        )
        # Letters 10 and 20 were hidden by the ban, and return as new.
        self.assertEqual([subject for (subject,) in shown], [f"Letter {n}" for n in (10, 20, 22, 24, 26)])
        gone = self.run_sql(
            "SELECT count(*) FROM imap.expunged WHERE mailbox_id = %s AND mod_seq > %s", self.address, mod_seq
        )
        self.assertEqual(gone, [(1,)])
        everything = "SELECT count(*) FROM imap.message WHERE mailbox_id = %s"
        mine = "SELECT count(*) FROM emails WHERE mailbox_owner IN ('a@example.com', 'b@example.com')"
        self.assertEqual(self.run_sql(everything, self.inbox), self.run_sql(mine))
