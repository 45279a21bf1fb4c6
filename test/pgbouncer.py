"""PgBouncer, run with the configuration of the documentation."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import make_dsn, parse_dsn

from cybertemp_imap.postgres_programs import database_account
from test.documentation import TOP, literal_block
from test.test_docs_commands import free_port

PAGE = TOP / "docs" / "howto" / "pgbouncer.rst"

PATIENCE = 30.0


def pgbouncer() -> str | None:
    """Return the program, None where it is not installed; Debian has it where only root looks."""
    return shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


class PgBouncer:
    """Leads to the database of a connection string; other settings of its file are added to those of the page."""

    def __init__(self, dsn: str, **settings: object) -> None:
        self._account = database_account()
        self._folder = Path(tempfile.mkdtemp(prefix="imap-pgbouncer-", dir="/tmp"))
        self.port = free_port()
        parts = parse_dsn(dsn)
        self.dsn = str(make_dsn(host="127.0.0.1", port=self.port, dbname=parts["dbname"], user=parts["user"]))
        # The tests' server knows its user by the account that the program runs under, so no password is needed.
        place = {name: parts[name] for name in ("host", "port", "user") if name in parts}
        text = literal_block(PAGE, "[databases]\n")
        for there, here in (
            ("mail = host=127.0.0.1 port=5432", f"{parts['dbname']} = " + " ".join("=".join(e) for e in place.items())),
            ("listen_port = 6432", f"listen_port = {self.port}"),
            ("auth_type = scram-sha-256\nauth_file = /etc/pgbouncer/userlist.txt", "auth_type = any"),
        ):
            assert there in text, there
            text = text.replace(there, here)
        extra = {"unix_socket_dir": "", "logfile": self._folder / "pgbouncer.log", **settings}
        self._file = self._folder / "pgbouncer.ini"
        self._file.write_text(text + "".join(f"{name} = {value}\n" for name, value in extra.items()))
        self._account.take(self._folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; returns when it lets somebody in."""
        program = pgbouncer()
        assert program is not None
        arguments: dict[str, Any] = self._account.popen_arguments()
        self._process = subprocess.Popen(
            [program, "-q", str(self._file)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **arguments
        )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg2.connect(self.dsn).close()
                return
            except psycopg2.OperationalError:
                assert self._process.poll() is None, self.log()
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, with all connections."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(PATIENCE)

    def remove(self) -> None:
        """Stop it and remove its files."""
        self.stop()
        shutil.rmtree(self._folder)

    def log(self) -> str:
        """Return what it has logged."""
        file = self._folder / "pgbouncer.log"
        return file.read_text() if file.exists() else ""
