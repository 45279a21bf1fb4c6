"""``cybertemp-imap-admin purge``, and the same by the clock of the service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cybertemp_imap import config
from cybertemp_imap.admin import purge
from cybertemp_imap.config import ConfigError
from cybertemp_imap.service import build_factory
from cybertemp_imap.store import postgres
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.upkeep import RETENTION_BATCHES, Retention
from test.admin_case import AdminTestCase
from test.postgres import create_database, drop_database
from test.test_migrations import query

FILL = """
    INSERT INTO emails (id, mailbox_owner, mailbox, subject, size, timestamp, created_at)
    SELECT gen_random_uuid(), 'box@example.com', 'INBOX', 'old', 10, now() - n * interval '1 day',
           now() - n * interval '1 day' FROM generate_series(1, 60) AS n;
    INSERT INTO emails (id, mailbox_owner, mailbox, subject, timestamp, created_at)
    VALUES (gen_random_uuid(), 'box@example.com', 'INBOX', 'imported', now() - interval '1 year', now()),
           (gen_random_uuid(), 'box@example.com', 'INBOX', 'undated', NULL, now() - interval '1 year'),
           (gen_random_uuid(), 'other@example.com', 'INBOX', 'other', now() - interval '1 year', NULL)
"""
LEFT = "SELECT subject, count(*) FROM emails GROUP BY 1 ORDER BY 1"


class PurgeTests(AdminTestCase):
    """Old mail is deleted, in batches."""

    def setUp(self) -> None:
        super().setUp()
        self.query(FILL)
        self.patch(purge, "PURGE_BATCH", 7)

    def test_older_than(self) -> None:
        """What is older, and has been here for longer, is gone; what came later though it is old stays."""
        self.assertEqual(self.facts("purge", "--older-than", "30d")["deleted"], 33)
        self.assertEqual(self.query(LEFT), [("imported", 1), ("old", 29)])

    def test_dry_run(self) -> None:
        """It is said how much would be deleted, and nothing is."""
        found = self.facts("purge", "--older-than", "30d", "--dry-run")
        self.assertEqual((found["would_delete"], found["octets"]), (33, 310))
        self.assertEqual(sum(count for _, count in self.query(LEFT)), 63)

    def test_address(self) -> None:
        """Only mail of the address is deleted."""
        self.assertEqual(self.facts("purge", "--older-than", "30d", "--address", "Other@example.com")["deleted"], 1)

    def test_told_to_sessions(self) -> None:
        """An opened mailbox is told what is gone: its next refresh has it expunged."""
        self.prepare()
        ((user,),) = self.query("SELECT id FROM users")
        ((box,),) = self.query("SELECT imap.find_mailbox(%s, 'box@example.com', 'INBOX')", user)
        refresh = "SELECT uid_next FROM imap.refresh(%s, %s)"
        self.query(refresh, user, box)
        self.done("purge", "--older-than", "30d")
        self.query(refresh, user, box)
        self.assertEqual(self.query("SELECT count(*) FROM imap.expunged WHERE mailbox_id = %s", box), [(32,)])

    def test_mistake(self) -> None:
        """An age without a unit could be anything."""
        self.assertIn("is not a time such as", self.refused("purge", "--older-than", "30", status=2))


class RetentionTests(TestCase):
    """The service deletes old mail by itself."""

    def setUp(self) -> None:
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        query(self.dsn, FILL)

    def test_purge(self) -> Deferred[None]:
        """Old mail goes, so many batches at a time and the rest the next time."""
        self.patch(postgres, "PURGE_BATCH", 3)

        async def check() -> None:
            store = PostgresStore(self.dsn, pool_size=1)
            await store.start()
            try:
                retention = Retention(store, timedelta(days=30).total_seconds())
                await retention.purge()
                self.assertEqual(query(self.dsn, LEFT), [("imported", 1), ("old", 29)])
                self.assertEqual(await store.purge(datetime.now(UTC) - timedelta(days=1, hours=-1), 2), 6)
            finally:
                await store.stop()

        self.assertGreater(RETENTION_BATCHES * 3, 33)
        return Deferred.fromCoroutine(check())

    def test_by_the_clock(self) -> None:
        """It is one of the service's rounds when IMAP_RETENTION is set, and else not."""
        rounds = []
        for environ in ({}, {"IMAP_RETENTION": "30d"}):
            settings = config.load({}, {"DATABASE_URL": self.dsn, **environ})
            upkeep, _ = build_factory(settings, self.dsn)
            rounds.append(len(upkeep._rounds))  # type: ignore[attr-defined]
        self.assertEqual(rounds[1] - rounds[0], 1)


class SettingTests(SynchronousTestCase):
    """IMAP_RETENTION."""

    def test_forms(self) -> None:
        """An age with its unit; anything else is one sentence."""
        environ = {"DATABASE_URL": "postgresql:///d"}
        self.assertEqual(config.load({}, {**environ, "IMAP_RETENTION": "2w"}).retention, 14 * 86400)
        self.assertIsNone(config.load({}, environ).retention)
        for wrong in ("30", "0d", "d", "-1d", "999999999w"):
            error = self.assertRaises(ConfigError, config.load, {}, {**environ, "IMAP_RETENTION": wrong})
            self.assertIn("is not a time such as", str(error))
