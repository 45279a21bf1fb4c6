"""Two servers of PostgreSQL, the second of which takes over; and one that has no connections left, or few."""

from __future__ import annotations

from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from cybertemp_imap.store.pool import Pool
from test.clients.case import in_thread
from test.database_proxy import DatabaseProxy
from test.fault_case import FaultTestCase
from test.standby import Standby, allow_standbys


class FailoverTests(FaultTestCase):
    """A primary dies, and the standby is promoted."""

    options = {"acquire_timeout": 60.0}  # noqa: RUF012 - read only

    async def reach(self) -> str:
        """Have both, and a connection string that leads to whichever is the primary."""
        name = parse_dsn(self.direct)["dbname"]
        self.standby = await deferToThread(self._follow)
        self.addCleanup(self.standby.remove)
        # What is answered OK is at both, so that nothing of it is lost with the first.
        self.postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = 'remote_apply'")
        self.addCleanup(self._alone)
        self.postgres.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.postgres.execute("SELECT pg_reload_conf()")
        self.second = DatabaseProxy(self.standby.dsn_like(self.direct))
        self.addCleanup(self.second.close)
        return str(
            make_dsn(
                self.proxy.dsn,
                host="localhost,127.0.0.1",
                port=f"{self.proxy.port},{self.second.port}",
                target_session_attrs="read-write",
            )
        )

    def _follow(self) -> Standby:
        allow_standbys(self.postgres)
        return Standby(self.postgres)

    def _alone(self) -> None:
        """Leave the first server as it was found."""
        if not self.postgres.running:
            self.postgres.start_again()
        self.postgres.execute("ALTER SYSTEM RESET synchronous_standby_names")
        self.postgres.execute("SELECT pg_reload_conf()")

    @in_thread
    def test_killed(self) -> None:
        """Sessions go on at the other server, where everything is that was answered OK."""
        session = self.session()
        for number in range(5):
            self.assertEqual(self.append(session, f"s{number}").status, "OK")
        session.poll()
        session.ok("STORE 2 +FLAGS (kept)")
        self.postgres.kill()
        self.standby.promote()
        self.eventually(session, "STORE 3 +FLAGS (after)")
        session.poll()
        self.assertEqual([len(message.flags or ()) for message in session.messages], [0, 1, 1, 0, 0])
        self.assertEqual(self.append(session, "s5").status, "OK")
        self.assertEqual(self.subjects("Drafts"), [f"s{number}" for number in range(6)])

    @in_thread
    def test_silent(self) -> None:
        """The same where the first server's machine is gone without a word."""
        session = self.session()
        self.assertEqual(self.append(session, "one").status, "OK")
        self._alone()
        self.proxy.shut()
        self.proxy.stall()
        self.proxy.unshut()
        self.standby.promote()
        self.assertEqual(self.append(session, "two").status, "OK")
        self.assertEqual(self.subjects("Drafts"), ["one", "two"])
        self.proxy.resume()


class ConnectionTests(FaultTestCase):
    """Other programs take the connections that PostgreSQL allows."""

    def take_all(self) -> list[Any]:
        """Take all that are left."""
        taken: list[Any] = []
        try:
            while True:
                taken.append(psycopg2.connect(self.direct))
                self.addCleanup(taken[-1].close)
        except psycopg2.OperationalError:
            return taken

    @in_thread
    def test_none(self) -> None:
        """While there are none, commands are NO; then everything goes on by itself."""
        session = self.session()
        self.append(session, "one")
        self.proxy.shut()
        others = self.take_all()
        self.proxy.unshut()
        self.unavailable(session.command("STATUS Archive (MESSAGES)"))
        self.unavailable(self.append(session, "two"))
        for other in others:
            other.close()
        self.eventually(session, "NOOP")
        self.assertEqual(self.append(session, "two").status, "OK")
        self.assertEqual(self.subjects("Drafts"), ["one", "two"])

    async def test_too_few(self) -> None:
        """The pool makes do with those there are, and takes the others when they are free."""
        others = self.take_all()
        for _ in range(3):
            others.pop().close()
        pool = Pool(self.proxy.dsn, 6, 10.0, 10.0, reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(pool.stop()))
        await pool.start()
        for _ in range(20):
            self.assertEqual(await pool.query("SELECT 1"), [(1,)])
        self.assertLessEqual(pool.connected, 3)
        for other in others:
            other.close()
        while pool.connected < 6:
            await deferLater(reactor, 0.05)
