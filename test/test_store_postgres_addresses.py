"""Addresses and bans in PostgreSQL: the contracts, several connections at once, an upgrade with data in the tables."""

from __future__ import annotations

from uuid import uuid4

import psycopg2
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.naming import INBOX
from cybertemp_imap.store import migrations, pool
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import MailboxRef
from test import store_contract, store_contract_addresses, store_contract_bans
from test.postgres import create_empty_database, drop_database
from test.store_contract_addresses import NEW, arriving
from test.test_store_postgres import PostgresFixture, delivery

ROUNDS = 40
"""How often two users create the same address at once."""


class PostgresBanSourceTests(store_contract_bans.BanSourceContract):
    """Bans kept elsewhere, and domains, in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresAddressTests(store_contract_addresses.AddressContract):
    """Addresses in PostgreSQL."""

    fixture_type = PostgresFixture


class RaceTests(store_contract.StoreContract):
    """Users who want the same address at the same time, through servers of their own."""

    fixture_type = PostgresFixture
    fixture: PostgresFixture

    async def setUp(self) -> None:  # type: ignore[override]
        """Start a second server."""
        await super().setUp()
        # A deadlock fails the test, instead of being got over by trying again.
        self.patch(pool, "ATTEMPTS", 1)
        self.fixture.set_address_quota(1000)
        self.another = PostgresStore(self.fixture.dsn, pool_size=4, address_quota=1000)
        await self.another.start()

    async def tearDown(self) -> None:  # type: ignore[override]
        """Stop it."""
        await self.another.stop()
        await super().tearDown()

    async def test_one_wins(self) -> None:
        """One has it, the other is told that it exists; whether it was nobody's before or not there at all."""
        for number in range(ROUNDS):
            address = f"race{number}@example.com"
            if number % 2:
                await self.fixture.add_address(None, address)
                await self.deliver(arriving(address))
            users = (self.user, self.other)[:: 1 if number % 4 < 2 else -1]
            outcomes = await self.both(address, *users)
            self.assertEqual({type(each) for each in outcomes}, {MailboxRef, Refusal})
            self.assertIn(Refusal.ALREADY_EXISTS, outcomes)
            for user, outcome in zip(users, outcomes, strict=True):
                found = await self.store.find_mailbox(user, address, INBOX)
                self.assertEqual(found, outcome if isinstance(outcome, MailboxRef) else None)
                if found is not None:
                    self.assertEqual(len(await self.uids(found)), number % 2)

    async def both(self, address: str, *users: object) -> list[object]:
        """Have two users create an address at once, each through a server of theirs; return what came of it."""

        async def outcome(store: PostgresStore, user: object) -> object:
            try:
                return await store.create_address(user, address)  # type: ignore[arg-type]
            except Refused as refused:
                return refused.refusal

        stores = (self.fixture.postgres, self.another)
        work = [Deferred.fromCoroutine(outcome(store, user)) for store, user in zip(stores, users, strict=True)]
        return await gatherResults(work, consumeErrors=True)

    async def test_the_same_user_twice(self) -> None:
        """The same user, from two devices: one is told that it exists, and there is one row; the quota holds."""
        self.fixture.set_address_quota(3)
        self.another.address_quota = 3
        self.assertEqual(sum(isinstance(o, Refusal) for o in await self.both(NEW, self.user, self.user)), 1)
        await self.store.delete_address(self.user, NEW)
        outcomes = await gatherResults(
            [
                Deferred.fromCoroutine(self.refusal(store, f"{name}@example.com"))
                for store, name in ((self.fixture.postgres, "one"), (self.another, "two"))
            ]
        )
        self.assertEqual(sorted(outcomes, key=str), [None, Refusal.ADDRESS_QUOTA])

    async def refusal(self, store: PostgresStore, address: str) -> Refusal | None:
        """Create an address and return why not."""
        try:
            await store.create_address(self.user, address)
        except Refused as refused:
            return refused.refusal
        return None

    async def test_another_program_is_faster(self) -> None:
        """One that a website is creating at the moment is told to exist once that is committed."""
        connection = psycopg2.connect(self.fixture.dsn)
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)", (NEW, self.other))
        creating = Deferred.fromCoroutine(self.refusal(self.fixture.postgres, NEW))
        self.fixture.execute(("SELECT 1", ()))
        connection.commit()
        self.assertIs(await creating, Refusal.ALREADY_EXISTS)

    async def test_given_back_and_claimed_at_once(self) -> None:
        """While one gives an address back and another asks for it, mail belongs to the one or the other, never both."""
        held: dict[object, set[object]] = {self.user: set(), self.other: set()}
        await self.store.create_address(self.user, NEW)
        owner, next_owner = self.user, self.other
        for _ in range(10):
            await self.deliver(row := arriving())
            leaving = Deferred.fromCoroutine(self.fixture.postgres.delete_address(owner, NEW))
            outcome = await self.another_create(next_owner)
            await leaving
            if outcome is not None:
                outcome = await self.another_create(next_owner)
            self.assertIsNone(outcome)
            held[owner].add(row.id)
            found = await self.store.find_mailbox(next_owner, NEW, INBOX)
            assert found is not None
            self.assertEqual(set(await self.contents(found)), held[next_owner])
            owner, next_owner = next_owner, owner

    async def another_create(self, user: object) -> Refusal | None:
        """Ask for NEW through the other server."""
        try:
            await self.another.create_address(user, NEW)  # type: ignore[arg-type]
        except Refused as refused:
            return refused.refusal
        return None


class UpgradeTests(SynchronousTestCase):
    """A database of the first release, with data in it."""

    def test_from_the_first_release(self) -> None:
        """Whoever has an address counts as having had it always, so its mail stays theirs; bans stay in force."""
        dsn = create_empty_database()
        self.addCleanup(drop_database, dsn)
        released = [migration for migration in migrations.migrations() if migration.version <= 4]
        connection = psycopg2.connect(dsn)
        self.addCleanup(connection.close)
        first, second = uuid4(), uuid4()
        row = store_contract.letter(NEW)
        with connection, connection.cursor() as cursor:
            for migration in released:
                cursor.execute(migration.sql)
                cursor.execute(
                    "INSERT INTO imap.schema_version (version, name) VALUES (%s, %s)",
                    (migration.version, migration.name),
                )
            cursor.execute(
                "INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)", ("New@Example.com", str(first))
            )
            cursor.execute("INSERT INTO inbox (email_address) VALUES ('nobody@example.com')")
            cursor.execute("INSERT INTO bans (scope, value) VALUES ('sender', 'Bad@Example.com'), ('domain', 'x.org')")
            cursor.execute(*delivery(row, []))
        migrations.migrate(dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT address, user_id, since = '-infinity', until = 'infinity' FROM imap.holding")
            self.assertEqual([(a, str(u), s, e) for a, u, s, e in cursor.fetchall()], [(NEW, str(first), True, True)])
            cursor.execute("SELECT scope, value FROM imap.ban ORDER BY scope")
            self.assertEqual(cursor.fetchall(), [("domain", "x.org"), ("sender", "bad@example.com")])
            cursor.execute("UPDATE inbox SET user_id = %s WHERE lower(email_address) = %s", (str(second), NEW))
            for user, expected in ((first, True), (second, False)):
                cursor.execute("SELECT imap.belongs(%s, id, %s, created_at) FROM emails", (str(user), NEW))
                self.assertEqual(cursor.fetchall(), [(expected,)])
