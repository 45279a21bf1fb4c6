"""Two servers of PostgreSQL, the second of which takes over; and one that has no connections left, or few."""

from __future__ import annotations

import time
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
from test.fault_case import ADDRESS, FaultTestCase
from test.standby import Standby, allow_standbys


class TwoServersTestCase(FaultTestCase):
    """A primary, a standby that has all that was answered OK, and a connection string that names both."""

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


class FailoverTests(TwoServersTestCase):
    """A primary dies, and the standby is promoted."""

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


class SwitchoverTests(TwoServersTestCase):
    """A primary is made read-only and left running, with all connections to it, and the standby is promoted."""

    options = {"acquire_timeout": 60.0, "poll_interval": 3600.0}  # noqa: RUF012 - read only

    @in_thread
    def test_idling(self) -> None:
        """Who idles is told of what comes at the new primary, though no connection has ended and nobody asks."""
        session = self.session(ADDRESS)
        session.idle()
        self.switch()
        while len(session.messages) < 1:
            session.hear()
        session.done()

    @in_thread
    def test_reading(self) -> None:
        """What sessions read is of the new primary too, once the listening connection has noticed."""
        session = self.session(ADDRESS)
        while not self.is_settled():
            session.ok(f"STATUS {ADDRESS} (MESSAGES)")
        self.switch()
        while "1" not in str(self.eventually(session, f"STATUS {ADDRESS} (MESSAGES)").responses[0].raw):
            time.sleep(0.05)

    def is_settled(self) -> bool:
        """Tell whether looking at the mailbox changes nothing any more: then the old server answers it, too."""
        connection = psycopg2.connect(self.direct)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT settle_xid = 0 FROM imap.mailbox WHERE owner = %s", (ADDRESS,))
            (settled,) = cursor.fetchone()
        connection.close()
        return bool(settled)

    def switch(self) -> None:
        """Have the second server take over, and deliver a message there."""
        self._alone()
        self.addCleanup(self._writable)
        self.postgres.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        self.postgres.execute("SELECT pg_reload_conf()")
        self.standby.promote()
        first, self.direct = self.direct, self.standby.dsn_like(self.direct)
        self.addCleanup(setattr, self, "direct", first)
        self.deliver_here("at the new one")

    def _writable(self) -> None:
        """Leave the first server as it was found."""
        connection = psycopg2.connect(self.proxy.dsn, options="-c default_transaction_read_only=off")
        connection.autocommit = True
        connection.cursor().execute("ALTER SYSTEM RESET default_transaction_read_only")
        connection.cursor().execute("SELECT pg_reload_conf()")
        connection.close()


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
