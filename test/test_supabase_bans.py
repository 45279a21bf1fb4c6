"""Bans in a Supabase project, over mail in PostgreSQL: kept in step, and never failing open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg2
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.naming import INBOX
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import BanRow, DomainRow, MailboxRef
from cybertemp_imap.supabase.bans import BanKeeper, read_bans
from cybertemp_imap.supabase.domains import read_domains
from cybertemp_imap.supabase.store import HostedStore
from test.postgres import create_database, drop_database
from test.postgrest import AWAY, Fault
from test.postgrest_tables import Reply
from test.supabase_case import JSON, TOKEN, ClientTestCase

MINE = "box@example.com"
SPAM = "spam@bad.example"

_BAN = "INSERT INTO bans (scope, value, match_type, status) VALUES (%s, %s, %s, %s)"
_DELIVER = """
    INSERT INTO emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, "timestamp", created_at)
    VALUES (%s, 'INBOX', 'x', 'x', %s, '{}', '{}', now(), now())
"""


class ReadingTests(ClientTestCase):
    """What is made of rows."""

    async def test_bans(self) -> None:
        """Active bans are read as they are, whatever the case; what can match nothing is left out."""
        self.project.execute("ALTER TABLE bans ALTER COLUMN scope DROP NOT NULL, ALTER COLUMN value DROP NOT NULL")
        for row in (
            ("sender", SPAM, "exact", "active"),
            ("Email", "x", None, "ACTIVE"),
            ("domain", "y", "", "Active"),
            ("sender", "off", "exact", "inactive"),
            ("sender", "off", "exact", "actives"),
            ("sender", "off", "exact", None),
            (None, "z", "exact", "active"),
            ("sender", None, "exact", "active"),
        ):
            self.project.execute(_BAN, *row)
        expected = {
            BanRow("sender", SPAM, "exact", "active"),
            BanRow("Email", "x", "exact", "ACTIVE"),
            BanRow("domain", "y", "", "Active"),
        }
        self.assertEqual(set(await read_bans(self.supabase)), expected)

    async def test_domains(self) -> None:
        """Domains are read as they are; what is null is false."""
        self.project.execute("ALTER TABLE domains ALTER COLUMN domain DROP NOT NULL")
        insert = "INSERT INTO domains (domain, user_id, active, cloudflare_domain) VALUES (%s, %s, %s, %s)"
        owner = uuid4()
        for row in (("A.example", str(owner), True, False), ("b.example", None, None, None), (None, None, True, True)):
            self.project.execute(insert, *row)
        expected = {DomainRow("A.example", owner, True, False), DomainRow("b.example", None, False, False)}
        self.assertEqual(set(await read_domains(self.supabase)), expected)

    async def test_many(self) -> None:
        """Thousands of them are read."""
        self.project.execute("INSERT INTO bans (scope, value) SELECT 'sender', n || '' FROM generate_series(1, 2500) n")
        self.project.execute("INSERT INTO domains (domain) SELECT n || '.example' FROM generate_series(1, 1500) n")
        self.assertEqual(len(set(await read_bans(self.supabase))), 2500)
        self.assertEqual(len(set(await read_domains(self.supabase))), 1500)


class Kept:
    """A store that notes the bans it is given."""

    def __init__(self) -> None:
        self.given: list[Sequence[BanRow]] = []
        self.elsewhere = False
        self.failure: Exception | None = None

    async def replace_bans(self, bans: Sequence[BanRow]) -> None:
        """Note them."""
        if self.failure is not None:
            raise self.failure
        self.given.append(bans)
        self.elsewhere = True

    async def bans_are_elsewhere(self) -> bool:
        """Tell what was said."""
        return self.elsewhere


class KeeperTests(TestCase):
    """When bans are read and put in force."""

    def setUp(self) -> None:
        """Make one that reads what :attr:`bans` holds."""
        self.clock = Clock()
        self.store = Kept()
        self.bans: list[BanRow] | Exception = []
        self.reads = 0
        self.keeper = BanKeeper(self.store, self.read, 10.0, self.clock)
        self.addCleanup(self.keeper.stop)

    async def read(self) -> Sequence[BanRow]:
        """Read."""
        self.reads += 1
        if isinstance(self.bans, Exception):
            raise self.bans
        return list(self.bans)

    def test_changes(self) -> None:
        """Bans are read at once and then within the time; they are written where they have changed."""
        one, two = BanRow("sender", "a", "exact", "active"), BanRow("sender", "b", "exact", "active")
        self.keeper.start()
        self.assertEqual(self.store.given, [[]])
        for bans, writes in (([], 1), ([one], 2), ([two, one], 3), ([one, two], 3), ([], 4)):
            self.bans = list(bans)
            self.clock.advance(10)
            self.assertEqual(len(self.store.given), writes, bans)
            self.assertEqual(self.store.given[-1], sorted(bans))

    def test_failures(self) -> None:
        """What cannot be read or written leaves what was in force, and is tried again; nothing ends the rounds."""
        one = BanRow("sender", "a", "exact", "active")
        self.bans = [one]
        self.keeper.start()
        for failure in (StoreUnavailable("x"), ZeroDivisionError()):
            self.bans = failure
            for _ in range(3):
                self.clock.advance(10)
            self.assertEqual(self.store.given, [[one]])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)
        self.bans, self.store.failure = [], StoreUnavailable("x")
        self.clock.advance(10)
        self.store.failure = None
        self.clock.advance(10)
        self.assertEqual(self.store.given, [[one], []])

    def test_taken_back(self) -> None:
        """Where the table has been made to count again, the bans are put in force again, though they are the same."""
        self.keeper.start()
        self.store.elsewhere = False
        self.clock.advance(10)
        self.assertEqual(self.store.given, [[], []])

    def test_stopped(self) -> None:
        """Nothing is read after the end."""
        self.keeper.start()
        self.keeper.stop()
        self.clock.advance(100)
        self.assertEqual(self.reads, 1)


class HostedMailTests(ClientTestCase):
    """Mail in one database, bans in a project over another one."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Deliver two messages."""
        await super().setUp()
        self.quick()
        self.mail_dsn = create_database()
        self.addCleanup(drop_database, self.mail_dsn)
        self.owner = uuid4()
        self.write("INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)", MINE, str(self.owner))
        for sender in (SPAM, "ada@work.example"):
            self.write(_DELIVER, MINE, sender)

    def write(self, statement: str, *parameters: object) -> None:
        """Write to the database with the mail."""
        connection = psycopg2.connect(self.mail_dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters)
        finally:
            connection.close()

    async def started(self, store: PostgresStore) -> PostgresStore:
        """Start a store; it ends with the test."""
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store

    async def hosted(self, **changes: Any) -> HostedStore:
        """Start a store that has read the bans, or tried to."""
        given = {"ban_cache": 3600, "pool_size": 2, **changes}
        store = HostedStore(self.mail_dsn, self.supabase, **given)
        await self.started(store)
        if store._keeper is not None:
            assert store._keeper._round is not None
            await store._keeper._round
        return store

    async def count(self, store: PostgresStore) -> int:
        """Count the messages."""
        counts = await store.status(await self.mailbox(store), False)
        assert counts is not None
        return counts.messages

    async def mailbox(self, store: PostgresStore, user: UUID | None = None) -> MailboxRef:
        """Find the mailbox."""
        found = await store.find_mailbox(user or self.owner, MINE, INBOX)
        assert found is not None
        return found

    async def test_in_force(self) -> None:
        """What is banned in Supabase is hidden; what PostgreSQL's own table bans is not."""
        self.write(_BAN, "sender", "ada@work.example", "exact", "active")
        store = await self.hosted()
        self.assertEqual(await self.count(store), 2)
        self.project.execute(_BAN, "sender", SPAM, "exact", "active")
        assert store._keeper is not None
        await store._keeper.keep()
        self.assertEqual(await self.count(store), 1)

    async def test_never_read(self) -> None:
        """Where bans were never read no mail is shown, until they are, whichever server reads them."""
        self.project.fail(AWAY)
        store = await self.hosted()
        mailbox = await self.mailbox(store)
        created = store.create_address(self.owner, "new@example.com")
        for work in (store.refresh(mailbox), store.status(mailbox, True), created):
            with self.assertRaises(StoreUnavailable):
                await work
        self.project.fail(None)
        other = await self.hosted()
        self.assertEqual(await self.count(other), 2)
        self.assertEqual(await self.count(store), 2)

    async def test_last_known(self) -> None:
        """While bans cannot be read the last ones hold, also after a restart, and whatever the service says instead."""
        self.project.execute(_BAN, "sender", SPAM, "exact", "active")
        store = await self.hosted()
        self.assertEqual(await self.count(store), 1)
        for fault in (AWAY, Fault(Reply(200, b"{}", JSON)), Fault(Reply(200, b'[{"id": 1}, 2]', JSON))):
            self.project.fail(fault, "/rest/v1/bans")
            assert store._keeper is not None
            with self.assertRaises(StoreUnavailable):
                await store._keeper.keep()
            self.assertEqual(await self.count(store), 1)
        self.assertEqual(await self.count(await self.hosted()), 1)

    async def test_back_to_the_table(self) -> None:
        """A server without Supabase has its own table count again, and what was read elsewhere is forgotten."""
        self.project.execute(_BAN, "sender", SPAM, "exact", "active")
        self.assertEqual(await self.count(await self.hosted()), 1)
        self.assertEqual(await self.count(await self.started(PostgresStore(self.mail_dsn, pool_size=2))), 2)
        self.project.fail(AWAY)
        with self.assertRaises(StoreUnavailable):
            await self.count(await self.hosted())

    async def test_switches(self) -> None:
        """Each of accounts, domains and bans is elsewhere by its own switch."""
        self.project.execute("INSERT INTO domains (domain) VALUES ('there.example')")
        self.write("INSERT INTO domains (domain) VALUES ('here.example')")
        self.project.execute(_BAN, "sender", SPAM, "exact", "active")
        for auth in (False, True):
            for domains in (False, True):
                for bans in (3600.0, None):
                    store = await self.hosted(auth=auth, domains=domains, ban_cache=bans)
                    self.assertEqual(await store.find_login(TOKEN) is not None, auth)
                    found = [row.domain for row in await store.read_domains()]
                    self.assertEqual(found, ["there.example" if domains else "here.example"])
                    self.assertEqual(await self.count(store), 2 if bans is None else 1)
