"""The pool, on a way to PostgreSQL that fails in every manner."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from cybertemp_imap.errors import OutcomeUnknown, StoreUnavailable
from cybertemp_imap.store import dialing
from cybertemp_imap.store import pool as pool_module
from cybertemp_imap.store.pool import Pool
from test import postgres
from test.database_proxy import DatabaseProxy

ADD = "INSERT INTO done VALUES (%s) RETURNING 1"
READ_ONLY = """
    CREATE FUNCTION read_only() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
        RAISE 'cannot execute INSERT in a read-only transaction' USING ERRCODE = '25006';
    END $$
"""
DEADLOCKING = """
    CREATE TABLE pair (n int PRIMARY KEY, times int);
    INSERT INTO pair VALUES (1, 0), (2, 0);
    CREATE FUNCTION take_both(a int, b int) RETURNS int LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE pair SET times = times + 1 WHERE n = a;
        PERFORM pg_sleep(0.5);
        UPDATE pair SET times = times + 1 WHERE n = b;
        RETURN 1;
    END $$
"""


def begun(work: Any) -> Deferred[Any]:
    """Begin a coroutine."""
    return Deferred.fromCoroutine(work)


class PoolFaultTestCase(TestCase):
    """A database behind a proxy."""

    timeout = 120

    def setUp(self) -> None:
        """Make both."""
        self.direct = postgres.create_database()
        self.addCleanup(postgres.drop_database, self.direct)
        self.proxy = DatabaseProxy(self.direct)
        self.addCleanup(self.proxy.close)
        self.execute("CREATE TABLE done (what text)")

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement without the proxy."""
        connection = psycopg2.connect(self.direct)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def make(self, dsn: str = "", size: int = 2, statement_timeout: float = 20.0, wait: float = 60.0) -> Pool:
        """Return a pool that is closed at the end."""
        pool = Pool(dsn or self.proxy.dsn, size, statement_timeout, wait, reactor)
        self.addCleanup(lambda: begun(pool.stop()))
        return pool

    async def started(self, dsn: str = "", size: int = 2, **times: float) -> Pool:
        """Return a pool whose connections are all open."""
        pool = self.make(dsn, size, **times)
        await pool.start()
        await self.full(pool, size)
        return pool

    async def full(self, pool: Pool, size: int) -> None:
        """Wait until all connections are open, and none of them is in use."""
        while pool.connected < size or len(pool._free) < size:
            await deferLater(reactor, 0.01)


class LossTests(PoolFaultTestCase):
    """Connections that end."""

    async def test_answer_lost(self) -> None:
        """Where the answer to a change is lost, nobody knows whether it was done; it is not done again."""
        pool = await self.started()
        self.proxy.lose_answer(b"INSERT INTO done")
        with self.assertRaises(OutcomeUnknown):
            await pool.query(ADD, ("once",))
        self.assertEqual(await pool.query("SELECT what FROM done"), [("once",)])

    async def test_answer_lost_of_repeatable(self) -> None:
        """What may be done again is."""
        pool = await self.started()
        self.proxy.lose_answer(b"SELECT 'here'")
        self.assertEqual(await pool.query("SELECT 'here'", repeatable=True), [("here",)])
        self.assertTrue(self.proxy.lost_answer)

    async def test_all_cut(self) -> None:
        """All connections are made anew when they are cut, in use or not; changes that wait then lose nothing."""
        pool = await self.started(size=3)
        sleeping = begun(pool.query("SELECT pg_sleep(20)", repeatable=False))
        await deferLater(reactor, 0.1)
        self.proxy.cut()
        with self.assertRaises(OutcomeUnknown):
            await sleeping
        await gatherResults([begun(pool.query(ADD, (str(n),), repeatable=True)) for n in range(10)])
        await self.full(pool, 3)
        self.assertEqual(len(pool.backend_pids), 3)

    async def test_socket_closed(self) -> None:
        """libpq closes a socket by itself where it cannot send: the next one of that number is heard all the same."""
        pool = await self.started(self.direct, size=1)
        for number in range(3):
            (connection,) = pool._free
            # Before the reactor has had a turn in which it would notice.
            with socket.socket(fileno=os.dup(connection.fileno())) as same:
                same.shutdown(socket.SHUT_RDWR)
            with self.assertRaises(OutcomeUnknown):
                await pool.query(ADD, (str(number) * 3_000_000,))
            self.assertEqual(await pool.query("SELECT count(*) FROM done", repeatable=True), [(0,)])

    async def test_away_and_back(self) -> None:
        """What comes while nothing can be reached waits and is done when it can, with all connections."""
        pool = await self.started(size=3)
        self.proxy.shut()
        waiting = [begun(pool.query(ADD, (str(n),), repeatable=True)) for n in range(50)]
        await deferLater(reactor, 0.5)
        self.assertLessEqual(pool._opening, 1)
        self.proxy.unshut()
        await gatherResults(waiting)
        await self.full(pool, 3)
        self.assertEqual(await pool.query("SELECT count(*) FROM done"), [(50,)])

    async def test_away_too_long(self) -> None:
        """Nobody waits for ever, and nothing is left of who did."""
        pool = await self.started(wait=0.2)
        self.proxy.shut()
        for answer in [begun(pool.query("SELECT 1", repeatable=True)) for _ in range(200)]:
            with self.assertRaises(StoreUnavailable):
                await answer
        self.assertEqual(len(pool._waiting), 0)

    async def test_read_only(self) -> None:
        """A server that takes no changes any more is left for another one."""
        self.execute(READ_ONLY)
        pool = await self.started(size=1)
        before = pool.backend_pids
        with self.assertRaises(StoreUnavailable):
            await pool.query("SELECT read_only()")
        await self.full(pool, 1)
        self.assertNotEqual(pool.backend_pids, before)

    async def test_deadlock(self) -> None:
        """Who is given up in a deadlock is run again, on the same connection."""
        self.execute(DEADLOCKING)
        pool = await self.started()
        before = pool.backend_pids
        await gatherResults([begun(pool.query("SELECT take_both(%s, %s)", pair)) for pair in ((1, 2), (2, 1))])
        self.assertEqual(await pool.query("SELECT sum(times) FROM pair"), [(4,)])
        self.assertEqual(pool.backend_pids, before)


class SilenceTests(PoolFaultTestCase):
    """No answer at all, which no end of a connection tells."""

    def setUp(self) -> None:
        """Have patience for a moment only."""
        super().setUp()
        self.patch(pool_module, "GRACE", 0.1)

    async def test_no_answer(self) -> None:
        """A statement without an answer is given up after its time-out, and so is its connection."""
        pool = await self.started(size=1, statement_timeout=0.5)
        self.proxy.stall()
        with self.assertRaises(OutcomeUnknown):
            await pool.query(ADD, ("x",))
        self.proxy.resume()
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])
        await self.full(pool, 1)

    async def test_no_greeting(self) -> None:
        """A connection that is accepted and never greeted is given up after ``connect_timeout``."""
        self.proxy.stall()
        pool = self.make(make_dsn(self.proxy.dsn, connect_timeout=1))
        with self.assertRaises(StoreUnavailable):
            await pool.start()
        self.proxy.resume()
        await pool.start()
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])

    async def test_slow(self) -> None:
        """A slow way costs time and nothing else."""
        self.proxy.delay = 0.1
        pool = await self.started()
        self.assertEqual(await pool.query("SELECT repeat('x', 300000)"), [("x" * 300_000,)])

    async def test_cancelled(self) -> None:
        """Who wants no answer any more does not hold the reactor up, and no connection is lost by it."""
        pool = await self.started(size=1)
        running, waiting = (begun(pool.query("SELECT pg_sleep(20)")) for _ in range(2))
        await deferLater(reactor, 0.1)
        self.proxy.stall()
        waiting.cancel()
        running.cancel()
        self.proxy.resume()
        for each in (running, waiting):
            with self.assertRaises(Exception):  # noqa: B017 - whichever says that there is no answer
                await each
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])
        await self.full(pool, 1)


class PlaceTests(PoolFaultTestCase):
    """Several servers, and names."""

    async def test_name(self) -> None:
        """Looking a name up does not hold the reactor up."""
        reactor_turned = threading.Event()
        look_up = dialing._addresses

        def slow(host: str) -> list[str]:
            assert reactor_turned.wait(30), "the reactor is held up"
            return look_up(host)

        self.patch(dialing, "_addresses", slow)
        pool = self.make(make_dsn(self.proxy.dsn, host="localhost"))
        starting = begun(pool.start())
        reactor.callLater(0.1, reactor_turned.set)
        await starting
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])

    async def test_comes_back(self) -> None:
        """A server of which nothing is heard is asked anew: what it was sent while it was away may be lost."""
        asked: list[str] = []
        dial = dialing.Dialer.dial

        async def away(dialer: dialing.Dialer, dsn: str, connection: Any) -> Any:
            asked.append(dsn)
            if len(asked) <= 2:
                await Deferred()
            return await dial(dialer, dsn, connection)

        self.patch(dialing, "AGAIN", 0.1)
        self.patch(dialing.Dialer, "dial", away)
        pool = self.make(self.direct, size=1)
        await pool.start()
        self.assertEqual(asked, asked[:1] * 3)

    async def test_unknown_name(self) -> None:
        """A name that cannot be found is a server that cannot be reached."""
        self.patch(dialing, "_addresses", lambda host: [])
        with self.assertRaises(StoreUnavailable):
            await self.make("host=db.invalid dbname=x").start()

    def two(self, first: int, **more: object) -> str:
        """Return a connection string of two servers, the second of which is the proxy."""
        return str(make_dsn(self.proxy.dsn, host="127.0.0.1,127.0.0.1", port=f"{first},{self.proxy.port}", **more))

    async def test_first_refuses(self) -> None:
        """The next server is taken where the first is not there."""
        pool = await self.started(self.two(1))
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])

    async def test_first_is_silent(self) -> None:
        """The next server is taken where the first accepts and says nothing, long before the time-out."""
        silent = DatabaseProxy(self.direct)
        self.addCleanup(silent.close)
        silent.stall()
        pool = await self.started(self.two(silent.port, connect_timeout=600))
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])

    async def test_standby_preferred(self) -> None:
        """Where there is no standby and one is only preferred, the primary is taken; where it is demanded, none."""
        pool = await self.started(self.two(1, target_session_attrs="prefer-standby"))
        self.assertEqual(await pool.query("SELECT 1"), [(1,)])
        with self.assertRaises(StoreUnavailable):
            await self.make(self.two(1, target_session_attrs="standby")).start()
