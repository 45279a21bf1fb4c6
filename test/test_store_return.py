"""What one connection finds out about a PostgreSQL that is back, all others use."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from cybertemp_imap.store import listener, pool
from cybertemp_imap.store.postgres import PostgresStore
from test import postgres
from test.database_proxy import DatabaseProxy
from test.store_contract_observe import until

NEVER = 10_000.0
"""Seconds, in place of those between two attempts."""


class ReturnTests(TestCase):
    """A store whose way to PostgreSQL is shut for a while; of its two parts, one does not try again by itself."""

    timeout = 30

    async def setUp(self) -> None:  # type: ignore[override]
        """Make the way."""
        dsn = postgres.create_database()
        self.addCleanup(postgres.drop_database, dsn)
        self.proxy = DatabaseProxy(dsn)
        self.addCleanup(self.proxy.close)

    async def cut_off(self) -> PostgresStore:
        """Return a store that has lost all connections, and waits before it tries again."""
        store = PostgresStore(self.proxy.dsn, pool_size=2)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        await until(lambda: store.listening and store.pool.connected == 2)
        self.proxy.shut()
        await until(lambda: not store.listening and not store.pool.connected)
        # Whichever has begun an attempt meanwhile has failed.
        await deferLater(reactor, 0.2)
        return store

    async def test_pool(self) -> None:
        """Statements go on as soon as the connection that listens is there."""
        self.patch(pool, "FIRST_RETRY", NEVER)
        self.patch(pool, "LONGEST_RETRY", NEVER)
        store = await self.cut_off()
        self.proxy.unshut()
        self.assertEqual(await store.pool.query("SELECT 1", repeatable=True), [(1,)])

    async def test_listener(self) -> None:
        """Changes are heard as soon as statements are run."""
        self.patch(listener, "FIRST_RETRY", NEVER)
        self.patch(listener, "LONGEST_RETRY", NEVER)
        store = await self.cut_off()
        self.proxy.unshut()
        await until(lambda: store.listening)
