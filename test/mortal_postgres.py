"""A PostgreSQL that a test can kill, stop and start again, with databases of the current schema."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg2

from cybertemp_imap.embedded import EmbeddedPostgres
from cybertemp_imap.postgres_programs import ACCOUNT
from cybertemp_imap.store import migrations
from test.postgres import test_programs

PATIENCE = 60.0

_TERMINATE = """
    SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class MortalPostgres:
    """One server below a folder of its own; ``folder`` may be on a file system that is small."""

    programs: Path | None = None
    """The folder of its programs; None for those of all tests."""

    def __init__(self, folder: Path | None = None, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="imap-mortal-", dir="/tmp")) if folder is None else folder
        # PostgreSQL may run under an account of its own, which has to pass through here.
        os.chmod(self.folder, 0o711)
        self._settings = {"shared_buffers": "32MB", "autovacuum": "off", "fsync": "off", **settings}
        self._server = self._new()
        self._databases = 0

    def _new(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.folder / "data", self.programs or test_programs(), "mail", self._settings)

    @property
    def dsn(self) -> str:
        """The connection string of the database; also valid after a restart."""
        return self._server.dsn

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._server.running

    def start(self) -> None:
        """Start it, again if need be, with the schema in place."""
        self._server.start()
        migrations.migrate(self.dsn)

    def create(self) -> str:
        """Return the connection string of a new database with the current schema and no rows."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE mail")
        return self._server.dsn_of(name)

    def start_again(self) -> None:
        """Start one that was killed or stopped."""
        self._server.stop()
        self._server = self._new()
        self._server.start()

    def stop(self) -> None:
        """Stop it in good order."""
        self._server.stop()

    def kill(self) -> None:
        """Kill all of its processes at once, as the end of a machine does."""
        postmaster = self._process()
        for process in self._processes():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._wait_for_end(postmaster)
        self._server.stop()

    def crash(self) -> None:
        """Let one of its processes crash, and return when all have ended for that; it recovers by itself."""
        connection = psycopg2.connect(self._server.dsn_of("postgres"))
        _, *children = self._processes()
        os.kill(connection.info.backend_pid, signal.SIGABRT)
        connection.close()
        for process in children:
            self._wait_for_end(process)

    def terminate(self) -> None:
        """End all connections, and return when they have ended."""
        for process, _ in self.execute(_TERMINATE):
            self._wait_for_end(process)

    def freeze(self) -> None:
        """Stop its processes without ending them: they answer nothing."""
        for process in self._processes():
            os.kill(process, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        for process in self._processes():
            os.kill(process, signal.SIGCONT)

    def remove(self) -> None:
        """Stop it and remove its files."""
        self._server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement by itself, in the database ``postgres``, and return its rows."""
        connection = psycopg2.connect(self._server.dsn_of("postgres"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def _process(self) -> int:
        pid_file = (self.folder / "data" / "postgres").resolve() / "postmaster.pid"
        return int(pid_file.read_text().split()[0])

    def _processes(self) -> list[int]:
        postmaster = self._process()
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    def _wait_for_end(self, process: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while _is_there(process):
            assert time.monotonic() < deadline, "PostgreSQL does not end"
            time.sleep(0.01)


def _is_there(process: int) -> bool:
    """Tell whether a process has not ended; one that nobody has waited for has no command line any more."""
    try:
        return bool(Path(f"/proc/{process}/cmdline").read_bytes())
    except OSError:
        return False


def run_as_database(*command: str) -> None:
    """Run one of PostgreSQL's programs, which refuse to run as root."""
    arguments = {"user": ACCOUNT, "group": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}
    subprocess.run(command, check=True, capture_output=True, cwd="/", **arguments)  # type: ignore[call-overload]
