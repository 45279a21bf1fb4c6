"""A standby of a PostgreSQL, by streaming replication."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from psycopg2.extensions import make_dsn, parse_dsn

from cybertemp_imap.postgres_programs import database_account, find_programs, readable_programs
from test.mortal_postgres import MortalPostgres
from test.postgres import test_programs


def allow_standbys(primary: MortalPostgres) -> None:
    """Let the server be copied and followed."""
    rules = (primary.folder / "data" / "postgres").resolve() / "pg_hba.conf"
    rules.write_text(rules.read_text() + "local replication all peer map=owner\n")
    primary.execute("SELECT pg_reload_conf()")


class Standby:
    """A copy of a server that follows it, until it is promoted."""

    def __init__(self, primary: MortalPostgres) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="imap-standby-", dir="/tmp"))
        os.chmod(self.folder, 0o711)
        self._account = database_account()
        self._programs = readable_programs(find_programs(primary.programs or test_programs()), self._account)
        self.data = self.folder / "data"
        self._account.take(self.folder)
        parts = parse_dsn(primary.dsn)
        copy = ("--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
        self._run("pg_basebackup", "-h", parts["host"], "-U", "postgres", "-D", str(self.data), *copy)
        self.start()

    @property
    def _options(self) -> str:
        return f"-k {self.folder} -c listen_addresses='' -c fsync=off -c hot_standby=on -c shared_buffers=32MB"

    def dsn_like(self, dsn: str) -> str:
        """Return the connection string of the same database here."""
        return str(make_dsn(dsn, host=str(self.folder)))

    def start(self) -> None:
        """Start it, again if need be."""
        log = str(self.folder / "server.log")
        self._run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", log, "-o", self._options)

    def stop(self) -> None:
        """Stop it, and cut all of its connections."""
        self._run("pg_ctl", "stop", "-m", "immediate", "-D", str(self.data))

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
