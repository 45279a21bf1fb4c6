"""PgBouncer in transaction mode, as the documentation sets it up, for everything but the connections that listen."""

from __future__ import annotations

from typing import Any

import psycopg2
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store.dialing import Dialer
from cybertemp_imap.store.pool import Pool
from test.clients.case import in_thread
from test.pgbouncer import PgBouncer, pgbouncer
from test.postgres import create_database, drop_database
from test.replaying import Session
from test.test_admin_doctor import DoctorCase
from test.two_servers import Owner, TwoServersTestCase

SERVERS = 2
"""Connections that PgBouncer has to PostgreSQL, for all that ours have to it."""

WITHOUT = None if pgbouncer() else "pgbouncer is not installed"

_DELIVER = """
    INSERT INTO emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, timestamp)
    VALUES (%s, 'INBOX', %s, 'Hello', 'a@b.example', '{}', now())
"""
_USED = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
_END = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def execute(dsn: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run a statement by itself; blocks."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.close()


def before_postgres(test: TestCase) -> tuple[str, PgBouncer]:
    """Start a PgBouncer for a test before a database of its own; return the way past it, too."""
    direct = create_database()
    test.addCleanup(drop_database, direct)
    bouncer = PgBouncer(direct, default_pool_size=SERVERS)
    test.addCleanup(bouncer.remove)
    bouncer.start()
    return direct, bouncer


class PoolTests(TestCase):
    """The pool behind PgBouncer."""

    skip = WITHOUT
    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        """Start both."""
        self.direct, self.bouncer = before_postgres(self)
        self.pool = Pool(self.bouncer.dsn, 6, 1.0, 20.0, reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(self.pool.stop()))
        await self.pool.start()
        while self.pool.connected < 6:
            await deferLater(reactor, 0.01)

    async def test_settings(self) -> None:
        """Every statement has its settings, whatever connection runs it; whoever else uses that has none of them."""
        ask = "SELECT current_setting('statement_timeout'), current_setting('jit'), %s"
        queries = [Deferred.fromCoroutine(self.pool.query(ask, (n,))) for n in range(20)]
        self.assertEqual(await gatherResults(queries), [[("1s", "off", n)] for n in range(20)])
        with self.assertRaises(StoreUnavailable):
            await self.pool.query("SELECT pg_sleep(20)")
        others = [execute(self.bouncer.dsn, "SHOW statement_timeout") for _ in range(2 * SERVERS)]
        self.assertEqual({value for ((value,),) in others}, {"0"})

    async def test_processes(self) -> None:
        """No process of PostgreSQL is taken for our own: others have it in a moment. Without a pooler they are."""
        self.assertEqual(self.pool.backend_pids, frozenset())
        connection = await Dialer(self.direct, 1.0, reactor).connect()
        self.assertFalse(connection.pooled)
        connection.abort()

    async def test_lost(self) -> None:
        """A statement that changes nothing is run again when PostgreSQL or PgBouncer has been started anew."""
        for _ in range(3):
            execute(self.direct, _END)
            self.assertEqual(await self.pool.query("SELECT 1", repeatable=True), [(1,)])
        self.bouncer.stop()
        self.bouncer.start()
        # The reactor has stood still meanwhile: the pool is to hear of what it has lost.
        await deferLater(reactor, 0.2)
        self.assertEqual(await self.pool.query("SELECT 2", repeatable=True), [(2,)])


class SessionTests(TwoServersTestCase):
    """Two servers with four connections each to PgBouncer, which has two to PostgreSQL."""

    skip = WITHOUT
    timeout = 90

    async def setUp(self) -> None:  # type: ignore[override]
        """Start them."""
        self.direct, self.bouncer = before_postgres(self)
        self.dsn = self.bouncer.dsn
        self.ports = (await self.serve(listen_dsn=self.direct), await self.serve(listen_dsn=self.direct))

    def opened(self, owner: Owner, server: int) -> Session:
        """Log in to a server, and open the address."""
        session = owner.session(server)
        self.addCleanup(session.close)
        self.assertTrue(session.select(owner.address("box")))
        session.learn()
        return session

    @in_thread
    def test_two_servers(self) -> None:
        """Sessions of both see what others write and what each other does, those that idle at once."""
        owner = self.account("box")
        for number in range(5):
            execute(self.dsn, _DELIVER, owner.address("box"), f"m{number}")
        first, second = self.opened(owner, 0), self.opened(owner, 1)
        second.idle()
        execute(self.dsn, _DELIVER, owner.address("box"), "pushed")
        while len(second.messages) < 6:
            second.hear()
        first.poll()
        first.ok("STORE 2 +FLAGS (kept)")
        while "kept" not in (second.messages[1].flags or ()):
            second.hear()
        second.done()
        second.ok("STORE 1:3 +FLAGS (\\Deleted)")
        second.ok("EXPUNGE")
        second.ok(f"APPEND {owner.address('box')} {{16+}}\r\nSubject: own\r\n\r\n")
        second.ok("COPY 1 Archive")
        for session in (first, second):
            session.poll()
            session.learn()
            self.assertEqual([subject for subject, _ in session.contents.values()], ["m3", "m4", "pushed", "own"])
        ((used,),) = execute(self.direct, _USED)
        self.assertLessEqual(used, SERVERS + len(self.ports))

    async def test_pooled_listener(self) -> None:
        """Where the connection that listens leads through the pooler too, a session that asks is told all the same."""
        self.pooled = await self.serve()
        await self.ask_by_turns()

    @in_thread
    def ask_by_turns(self) -> None:
        """Ask after each delivery."""
        owner = self.account("box")
        session = Session(self.pooled, owner.email, owner.token)
        self.addCleanup(session.close)
        self.assertTrue(session.select(owner.address("box")))
        for number in range(1, 6):
            execute(self.dsn, _DELIVER, owner.address("box"), f"m{number}")
            session.ok("NOOP")
            self.assertEqual(len(session.messages), number)


class DoctorTests(DoctorCase):
    """What the doctor says of a pooler."""

    skip = WITHOUT

    def setUp(self) -> None:
        """Have one between."""
        super().setUp()
        self.direct = self.dsn
        self.bouncer = PgBouncer(self.direct)
        self.addCleanup(self.bouncer.remove)

    def notifications(self) -> tuple[str, str]:
        """Return what is found of notifications."""
        state, told = self.examine()["notifications"]
        return str(state), str(told)

    def test_transaction_mode(self) -> None:
        """It is a fault until the listener has a way of its own to the same database; migrating needs none."""
        self.bouncer.start()
        self.dsn = self.bouncer.dsn
        self.assertIn("current", self.done("migrate", "--check"))
        state, told = self.notifications()
        self.assertEqual(state, "fault")
        self.assertIn("a pooler in transaction mode", told)
        self.assertIn("set IMAP_LISTEN_DATABASE_URL to", told)
        self.environ["IMAP_LISTEN_DATABASE_URL"] = self.direct
        self.assertEqual(self.notifications()[0], "ok")
        self.environ["IMAP_LISTEN_DATABASE_URL"] = self.bouncer.dsn
        self.assertIn("IMAP_LISTEN_DATABASE_URL leads to a pooler in transaction mode", self.notifications()[1])
        self.environ["IMAP_LISTEN_DATABASE_URL"] = "host=127.0.0.1 port=9 dbname=mail"
        self.assertIn("host and port in IMAP_LISTEN_DATABASE_URL", self.notifications()[1])

    def test_session_mode(self) -> None:
        """It needs nothing else."""
        session_mode = PgBouncer(self.direct, pool_mode="session")
        self.addCleanup(session_mode.remove)
        session_mode.start()
        self.dsn = session_mode.dsn
        self.assertEqual(self.notifications()[0], "ok")
