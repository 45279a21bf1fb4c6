"""The embedded PostgreSQL: what it leaves, keeps, refuses and survives."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg2
from psycopg2.extensions import parse_dsn
from twisted.trial.unittest import SkipTest, SynchronousTestCase

import cybertemp_imap
from cybertemp_imap import postgres_programs
from cybertemp_imap.embedded import EmbeddedPostgres, running_dsn
from cybertemp_imap.postgres_programs import EmbeddedError, database_account, find_programs, readable_programs
from test.postgres import test_programs
from test.test_migrations import query

_HOLDER = """
import sys, time
from pathlib import Path
from cybertemp_imap.embedded import EmbeddedPostgres, running_dsn
server = EmbeddedPostgres(Path(sys.argv[1]), Path(sys.argv[2]) if sys.argv[2] else None)
server.start()
print(server.dsn, flush=True)
time.sleep(600)
"""


def environment() -> dict[str, str]:
    """Return an environment in which a new Python finds what this one does, and no settings of the server.

    A server that is started in it is one process, unless a test says otherwise: it starts sooner.
    """
    ours = ("IMAP_", "DATABASE_", "SUPABASE_", "USE_SUPABASE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    path = [str(Path(cybertemp_imap.__file__).parents[1]), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(path), "IMAP_WORKERS": "1"}


def postmaster(folder: Path) -> int:
    """Return the process id of the PostgreSQL over a data folder."""
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def alive(pid: int) -> bool:
    """Tell whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_gone(pid: int) -> bool:
    """Wait for the end of a process, up to 15 s; tell whether it came."""
    deadline = time.monotonic() + 15
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not alive(pid)


class EmbeddedTestCase(SynchronousTestCase):
    """Each test has a folder that PostgreSQL's account can reach."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="imap-embedded-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = self.folder / "data"

    def server(self, folder: Path | None = None) -> EmbeddedPostgres:
        """Return a server that is stopped when the test ends."""
        server = EmbeddedPostgres(folder or self.data, test_programs(), settings={"fsync": "off"})
        self.addCleanup(server.stop)
        return server

    def refusal(self, server: EmbeddedPostgres) -> str:
        """Return the sentence with which a server does not start."""
        sentence = str(self.assertRaises(EmbeddedError, server.start))
        self.assertNotIn("\n", sentence)
        return sentence


class LifeTests(EmbeddedTestCase):
    """Starting, stopping, and dying."""

    def test_data_survives(self) -> None:
        """What was written is there after a stop and a new start; nothing runs in between."""
        server = self.server()
        server.start()
        query(server.dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        pid = postmaster(self.data)
        server.stop()
        self.assertFalse(alive(pid))
        self.assertFalse(server.running)
        server.start()
        self.assertEqual(query(server.dsn, "SELECT answer FROM kept"), [(42,)])

    def test_found_by_others(self) -> None:
        """Who knows the folder alone finds the database while it runs, and is told when it does not."""
        server = self.server()
        server.start()
        self.assertEqual(query(running_dsn(self.data), "SELECT current_database()"), [("cybertemp",)])
        server.stop()
        self.assertIn("is not running", str(self.assertRaises(EmbeddedError, running_dsn, self.data)))

    def test_stop_with_open_sessions(self) -> None:
        """Open sessions do not hold up a stop."""
        server = self.server()
        server.start()
        connection = psycopg2.connect(server.dsn)
        self.addCleanup(connection.close)
        connection.cursor().execute("CREATE TABLE unfinished (a int)")
        before = time.monotonic()
        server.stop()
        self.assertLess(time.monotonic() - before, 10)

    def test_stop_is_idempotent(self) -> None:
        """Stopping what is not running does nothing."""
        server = self.server()
        server.stop()
        server.start()
        server.stop()
        server.stop()

    def test_no_orphan(self) -> None:
        """PostgreSQL ends with the process that started it, even when that is killed; a new start recovers."""
        arguments = [sys.executable, "-c", _HOLDER, str(self.data), str(test_programs() or "")]
        path = str(Path(cybertemp_imap.__file__).parents[1])
        with subprocess.Popen(
            arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
        ) as p:
            assert p.stdout is not None
            dsn = p.stdout.readline().strip()
            query(dsn, "CREATE TABLE kept AS SELECT 1")
            pid = postmaster(self.data)
            p.send_signal(signal.SIGKILL)
        self.assertTrue(wait_until_gone(pid))
        server = self.server()
        server.start()
        self.assertEqual(query(server.dsn, "SELECT * FROM kept"), [(1,)])

    def test_crash_leftovers(self) -> None:
        """A PostgreSQL that was killed, with its lock file and socket left, starts again."""
        server = self.server()
        server.start()
        pid = postmaster(self.data)
        query(server.dsn, "CREATE TABLE kept AS SELECT 1")
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(wait_until_gone(pid))
        server.stop()
        server.start()
        self.assertEqual(query(server.dsn, "SELECT * FROM kept"), [(1,)])

    def test_unfinished_set_up(self) -> None:
        """A folder in which a set-up was interrupted is set up anew."""
        unfinished = self.data / "postgres.unfinished"
        unfinished.mkdir(parents=True)
        (unfinished / "PG_VERSION").write_text("18\n")
        self.server().start()
        self.assertFalse(unfinished.exists())

    def test_cancelled_start(self) -> None:
        """A start that is cancelled from another thread ends soon, with nothing running."""
        server = self.server()
        server.start()
        server.stop()
        server.cancel()
        (self.data / "postgres" / "postmaster.pid").unlink(missing_ok=True)
        outcome: list[BaseException] = []

        def start() -> None:
            try:
                server.start()
            except EmbeddedError as error:
                outcome.append(error)

        thread = threading.Thread(target=start)
        thread.start()
        thread.join(30)
        self.assertFalse(thread.is_alive())
        self.assertEqual([str(error) for error in outcome], ["The start of the embedded PostgreSQL was cancelled."])
        self.assertFalse(server.running)


class RefusalTests(EmbeddedTestCase):
    """What keeps it from starting is one sentence."""

    def test_two_over_one_folder(self) -> None:
        """A second server over the same data is refused, and the first one lives on."""
        first = self.server()
        first.start()
        sentence = self.refusal(self.server())
        self.assertIn(f"is in use by another server (process {os.getpid()})", sentence)
        self.assertEqual(query(first.dsn, "SELECT 1"), [(1,)])

    def test_broken_configuration(self) -> None:
        """PostgreSQL's own complaint is passed on, with the place of its log."""
        server = self.server()
        server.start()
        server.stop()
        with (self.data / "postgres" / "postgresql.conf").open("a") as stream:
            stream.write("\nshared_buffers = 'nonsense'\n")
        sentence = self.refusal(server)
        self.assertIn("stopped while starting", sentence)
        self.assertIn("postgres.log", sentence)
        self.assertFalse(server.running)

    def test_other_version(self) -> None:
        """Data of another major version is refused before PostgreSQL sees it."""
        server = self.server()
        server.start()
        server.stop()
        (self.data / "postgres" / "PG_VERSION").write_text("9\n")
        self.assertIn("was made by PostgreSQL 9", self.refusal(server))

    def test_no_programs(self) -> None:
        """A folder without PostgreSQL in it is named."""
        server = EmbeddedPostgres(self.data, self.folder)
        self.assertEqual(self.refusal(server), f"{self.folder} holds no PostgreSQL server programs (postgres, initdb).")

    def test_unwritable_folder(self) -> None:
        """A data folder that cannot be made is named."""
        blocked = self.folder / "file"
        blocked.write_text("")
        sentence = self.refusal(EmbeddedPostgres(blocked / "data", test_programs()))
        self.assertIn(str(blocked), sentence)


class AccessTests(EmbeddedTestCase):
    """Who can reach the database."""

    def test_closed_to_others(self) -> None:
        """It listens on no network address, and its socket lies in a folder closed to other accounts."""
        server = self.server()
        server.start()
        self.assertEqual(query(server.dsn, "SHOW listen_addresses"), [("",)])
        socket_dir = Path(parse_dsn(server.dsn)["host"])
        self.assertEqual(stat.S_IMODE(socket_dir.stat().st_mode), 0o700)
        rules = query(server.dsn, "SELECT type, auth_method FROM pg_hba_file_rules")
        self.assertEqual(rules, [("local", "peer")])

    def test_long_path(self) -> None:
        """A path too long for a socket moves the socket elsewhere, in a folder as closed, removed at the stop."""
        folder = self.folder / ("long" * 20) / ("path" * 20)
        server = self.server(folder)
        server.start()
        socket_dir = Path(parse_dsn(server.dsn)["host"])
        self.assertNotIn(str(folder), str(socket_dir))
        self.assertEqual(stat.S_IMODE(socket_dir.stat().st_mode), 0o700)
        server.stop()
        self.assertFalse(socket_dir.exists())


class RootTests(EmbeddedTestCase):
    """As root, with programs and data where PostgreSQL's account cannot go."""

    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        super().setUp()
        self.patch(postgres_programs, "PLACE", self.folder / "place")
        self.closed = self.folder / "closed"
        self.closed.mkdir(0o700)

    def test_data_in_closed_folder(self) -> None:
        """The data is kept behind a link, the closed folder stays closed, and the data is found again."""
        server = self.server(self.closed / "data")
        server.start()
        query(server.dsn, "CREATE TABLE kept AS SELECT 1")
        server.stop()
        self.assertTrue((self.closed / "data" / "postgres").is_symlink())
        self.assertEqual(stat.S_IMODE(self.closed.stat().st_mode), 0o700)
        again = self.server(self.closed / "data")
        again.start()
        self.assertEqual(query(again.dsn, "SELECT * FROM kept"), [(1,)])

    def test_programs_in_closed_folder(self) -> None:
        """The programs are copied with their libraries, once, to where they can be run."""
        original = find_programs()
        package = original.parent.parent
        copy = self.closed / package.name
        shutil.copytree(original.parent, copy / original.parent.name, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self.closed / libraries.name)
        account = database_account()
        programs = readable_programs(copy / original.parent.name / "bin", account)
        self.assertTrue(programs.is_relative_to(self.folder / "place"))
        self.assertEqual(readable_programs(copy / original.parent.name / "bin", account), programs)
        command = [str(programs / "initdb"), "--version"]
        subprocess.run(command, check=True, capture_output=True, **account.popen_arguments())
