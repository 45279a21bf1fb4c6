"""Two servers of PostgreSQL, the second of which takes over; and one with few connections.

They run with ``FAULTS=all`` in the environment only: they start three more servers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cybertemp_imap.postgres_programs import database_account, find_programs, readable_programs
from cybertemp_imap.store.pool import Pool
from test.clients.case import in_thread
from test.database_proxy import DatabaseProxy
from test.fault_case import FaultTestCase
from test.mortal_postgres import MortalPostgres
from test.postgres import test_programs


class OwnPostgresTestCase(FaultTestCase):
    """A PostgreSQL of the test's own."""

    timeout = 180
    skip = None if os.environ.get("FAULTS") == "all" else "runs with FAULTS=all only"

    def remove_later(self, postgres: MortalPostgres) -> MortalPostgres:
        """Start a server that is removed in the end."""
        self.addCleanup(postgres.remove)
        postgres.start()
        return postgres


class Standby:
    """A copy of a server that follows it, until it is promoted."""

    def __init__(self, primary: MortalPostgres) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="imap-standby-", dir="/tmp"))
        os.chmod(self.folder, 0o711)
        self._account = database_account()
        self._programs = readable_programs(find_programs(test_programs()), self._account)
        self.data = self.folder / "data"
        self._account.take(self.folder)
        parts = parse_dsn(primary.dsn)
        self._run(
            "pg_basebackup",
            "-h",
            parts["host"],
            "-U",
            "postgres",
            "-D",
            str(self.data),
            "-R",
            "-X",
            "stream",
            "-c",
            "fast",
        )
        self._run(
            "pg_ctl", "start", "-w", "-D", str(self.data), "-l", str(self.folder / "server.log"), "-o", self._options
        )

    @property
    def _options(self) -> str:
        return f"-k {self.folder} -c listen_addresses='' -c fsync=off -c hot_standby=on -c shared_buffers=32MB"

    def dsn_like(self, dsn: str) -> str:
        """Return the connection string of the same database here."""
        return str(make_dsn(dsn, host=str(self.folder)))

    def promote(self) -> None:
        """Make it a primary."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def remove(self) -> None:
        """Stop it and remove its files."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-m", "immediate", "-D", str(self.data))
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=120,
            **self._account.popen_arguments(),
        )
        assert done.returncode == 0, f"{program} failed: {command}"


class FailoverTests(OwnPostgresTestCase):
    """A primary dies, and the standby is promoted."""

    options = {"acquire_timeout": 60.0}  # noqa: RUF012 - read only

    async def setUp(self) -> None:  # type: ignore[override]
        """Have both, and a server of ours that knows both."""
        await super().setUp()
        self.postgres = self.remove_later(MortalPostgres(synchronous_commit="remote_apply"))
        self.direct = self.postgres.create()
        self._add_account()
        rules = (self.postgres.folder / "data" / "postgres").resolve() / "pg_hba.conf"
        rules.write_text(rules.read_text() + "local replication all peer map=owner\n")
        self.postgres.execute("SELECT pg_reload_conf()")
        self.standby = Standby(self.postgres)
        self.addCleanup(self.standby.remove)
        self.postgres.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.postgres.execute("SELECT pg_reload_conf()")
        first, second = DatabaseProxy(self.direct), DatabaseProxy(self.standby.dsn_like(self.direct))
        self.addCleanup(first.close)
        self.addCleanup(second.close)
        self.first, self.second = first, second
        self.dsn = str(
            make_dsn(
                first.dsn,
                host="localhost,127.0.0.1",
                port=f"{first.port},{second.port}",
                target_session_attrs="read-write",
            )
        )
        self.port = await self.serve(**self.options)

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
        self.postgres.execute("ALTER SYSTEM SET synchronous_standby_names = ''")
        self.first.shut()
        self.first.stall()
        self.first.unshut()
        self.standby.promote()
        self.assertEqual(self.append(session, "two").status, "OK")
        self.assertEqual(self.subjects("Drafts"), ["one", "two"])
        self.first.resume()


class ConnectionTests(OwnPostgresTestCase):
    """Fewer connections than the pool is to have."""

    async def test_too_few(self) -> None:
        """The pool makes do with those there are, and takes the others when they are free."""
        postgres = self.remove_later(MortalPostgres(max_connections="10", superuser_reserved_connections="0"))
        others = [psycopg2.connect(postgres.dsn) for _ in range(7)]
        pool = Pool(postgres.dsn, 6, 10.0, 10.0, reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(pool.stop()))
        await pool.start()
        for _ in range(20):
            self.assertEqual(await pool.query("SELECT 1"), [(1,)])
        self.assertLessEqual(pool.connected, 3)
        for other in others:
            other.close()
        while pool.connected < 6:
            await deferLater(reactor, 0.05)
