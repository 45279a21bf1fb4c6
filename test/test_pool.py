"""The pool of connections, on a real PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg2
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store.asynchronous import Connection
from cybertemp_imap.store.pool import Pool
from test import postgres

PATIENCE = 10.0
"""Seconds within which a connection that was lost must be there again."""


class PoolTests(TestCase):
    """Statements, limits and losses."""

    def setUp(self) -> None:
        self.dsn = postgres.create_database()
        self.addCleanup(postgres.drop_database, self.dsn)

    async def pool(self, size: int = 2, statement_timeout: float = 5.0, acquire_timeout: float = 5.0) -> Pool:
        """Return a pool that is open."""
        pool = Pool(self.dsn, size, statement_timeout, acquire_timeout, reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(pool.stop()))
        await pool.start()
        while pool.connected < size:
            await deferLater(reactor, 0.01)
        return pool

    def terminate_others(self) -> None:
        """End every back-end of the database but our own, as a restart of the server does."""
        connection = psycopg2.connect(self.dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()

    async def eventually(self, pool: Pool, sql: str) -> Any:
        """Run a statement until it works."""
        for _ in range(int(PATIENCE / 0.05)):
            try:
                return await pool.query(sql)
            except StoreUnavailable:
                await deferLater(reactor, 0.05)
        return await pool.query(sql)

    async def test_more_statements_than_connections(self) -> None:
        """Statements wait for a connection, and each gets its own answer."""
        pool = await self.pool()
        queries = [Deferred.fromCoroutine(pool.query("SELECT %s", (n,))) for n in range(20)]
        self.assertEqual(await gatherResults(queries), [[(n,)] for n in range(20)])

    async def test_used_last(self) -> None:
        """Statements that come one after the other are all run by one back-end, however many there are."""
        pool = await self.pool(size=4)
        pids = [await pool.query("SELECT pg_backend_pid()") for _ in range(6)]
        self.assertEqual(pids, pids[:1] * 6)

    async def test_statement_timeout(self) -> None:
        """A statement that takes too long is unavailable, and costs no connection."""
        pool = await self.pool(size=1, statement_timeout=0.1)
        with self.assertRaises(StoreUnavailable):
            await pool.query("SELECT pg_sleep(20)")
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])

    async def test_no_free_connection(self) -> None:
        """Whoever waits too long for a connection is told that there is none."""
        pool = await self.pool(size=1, acquire_timeout=0.1)
        sleeping = Deferred.fromCoroutine(pool.query("SELECT pg_sleep(0.5)"))
        with self.assertRaises(StoreUnavailable):
            await pool.query("SELECT 1")
        await sleeping

    async def test_faulty_statement(self) -> None:
        """A fault of the statement is raised as it is, and costs no connection."""
        pool = await self.pool(size=1)
        with self.assertRaises(psycopg2.ProgrammingError):
            await pool.query("SELECT nonsense")
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])

    async def test_renewed_while_connecting(self) -> None:
        """A connection that was being made when the pool was renewed is not used: it may be to the old server."""
        pool = await self.pool(size=1)
        made, dial = [], pool._dialer.connect
        arrived: Deferred[None] = Deferred()

        async def connect() -> Connection:
            connection = await dial()
            made.append(connection)
            if len(made) == 1:
                arrived.callback(None)
                await deferLater(reactor, 0.1)
            return connection

        self.patch(pool._dialer, "connect", connect)
        pool.renew()
        await arrived
        pool.renew()
        await pool.query("SELECT 1")
        self.assertEqual([connection.dead for connection in made], [True, False])

    async def test_lost_while_idle(self) -> None:
        """Connections that the server closes while nobody uses them are replaced."""
        pool = await self.pool()
        self.terminate_others()
        self.assertEqual(await self.eventually(pool, "SELECT 1"), [(1,)])

    async def test_lost_while_in_use(self) -> None:
        """A statement whose connection is lost is unavailable; the next works."""
        pool = await self.pool(size=1)
        sleeping = Deferred.fromCoroutine(pool.query("SELECT pg_sleep(20)"))
        await deferLater(reactor, 0.1)
        self.terminate_others()
        with self.assertRaises(StoreUnavailable):
            await sleeping
        self.assertEqual(await self.eventually(pool, "SELECT 1"), [(1,)])

    async def test_nowhere(self) -> None:
        """Without a server, starting tells so."""
        pool = Pool("host=127.0.0.1 port=1 dbname=x user=x", 1, 1.0, 1.0, reactor)
        with self.assertRaises(StoreUnavailable):
            await pool.start()
        await pool.stop()

    async def test_stopped_while_connecting(self) -> None:
        """Stopping closes connections that are still being made, and who waits for one is told."""
        pool = Pool(self.dsn, 3, 1.0, 1.0, reactor)
        await pool.start()
        await pool.stop()
        with self.assertRaises(StoreUnavailable):
            await pool.query("SELECT 1")

    async def test_stopped_while_in_use(self) -> None:
        """A statement that is under way when the pool is stopped is unavailable."""
        pool = await self.pool(size=1)
        sleeping = Deferred.fromCoroutine(pool.query("SELECT pg_sleep(1)"))
        await deferLater(reactor, 0.1)
        await pool.stop()
        with self.assertRaises(StoreUnavailable):
            await sleeping
