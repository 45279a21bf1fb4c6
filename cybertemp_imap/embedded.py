"""A PostgreSQL server of our own: created, started and stopped with this process.

It listens on no network address. Its one socket lies in a folder that only its account can enter, and it accepts, by
the identity that the kernel vouches for (``peer``), its own account and the one this process runs under.

It never outlives this process: PostgreSQL runs below a shell that reads from a pipe whose other end only this process
holds. However this process ends, the pipe closes, and the shell asks PostgreSQL for a fast shutdown.

Everything here blocks, for seconds at times: call it in a thread.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import make_dsn

from cybertemp_imap.postgres_programs import (
    Account,
    EmbeddedError,
    database_account,
    find_programs,
    reachable_folder,
    readable_programs,
)

_PORT = 5432

#: The longest path of a Unix socket that every supported system takes.
_SOCKET_PATH_LIMIT = 103

#: Seconds for a start, which may recover from a crash, and for an orderly stop.
_START_TIMEOUT = 120.0
_STOP_TIMEOUT = 30.0

_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "log_timezone": "UTC",
    "timezone": "UTC",
    # Statements and their values are people's mail and tokens: they stay out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

# The shell's own input is the pipe; PostgreSQL gets none of it. "wait" ends with PostgreSQL, "read" with the pipe. The
# request to stop is repeated because PostgreSQL ignores it while it is very young.
_SUPERVISOR = """
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
{ read -r line <&3; while kill -INT "$server" 2>/dev/null; do sleep 0.3; done; } &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"""


class EmbeddedPostgres:
    """One PostgreSQL over one data folder.

    :param data_dir: is created where missing; holds the cluster (``postgres``), ``postgres.log`` and ``lock``.
    :param programs: the folder of ``postgres`` and ``initdb``; by default those of the ``embedded`` extra.
    :param database: is created where missing; :attr:`dsn` leads to it.
    :param settings: settings of PostgreSQL besides our own.
    """

    def __init__(
        self,
        data_dir: Path,
        programs: Path | None = None,
        database: str = "cybertemp",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._data_dir = data_dir.absolute()
        self._programs = programs
        self._database = database
        self._settings = {**_SETTINGS, **(settings or {})}
        self._cancelled = threading.Event()
        self._lock: int | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None
        self._log = self._data_dir / "postgres.log"

    @property
    def dsn(self) -> str:
        """The connection string of the database; only while it runs."""
        return self.dsn_of(self._database)

    def dsn_of(self, database: str) -> str:
        """Return the connection string of another database of this server."""
        assert self._socket_dir is not None, "the embedded PostgreSQL is not running"
        return str(make_dsn(host=str(self._socket_dir), port=_PORT, user="postgres", dbname=database))

    @property
    def running(self) -> bool:
        """Whether PostgreSQL runs, as far as is known here."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def cancel(self) -> None:
        """Make a :meth:`start` that is under way in another thread give up soon."""
        self._cancelled.set()

    def start(self) -> None:
        """Create the cluster and the database where missing, and return when connections are accepted.

        :raises EmbeddedError: it cannot be had; nothing is left running.
        """
        try:
            self._start()
        except OSError as error:
            self.stop()
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            raise EmbeddedError(f"The embedded PostgreSQL cannot be started: {what}.") from error
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        account = database_account()
        programs = readable_programs(find_programs(self._programs), account)
        self._data_dir.mkdir(mode=0o700 if account.ours else 0o711, parents=True, exist_ok=True)
        self._take_lock()
        cluster = reachable_folder(self._data_dir / "postgres", account)
        if not (cluster / "PG_VERSION").exists():
            self._create_cluster(cluster, programs, account)
        _check_version(cluster, programs)
        _write_access_rules(cluster, account)
        self._socket_dir = _socket_dir(cluster, account)
        self._stop_leftover(cluster, programs, account)
        self._spawn(cluster, programs, account)
        self._wait_until_ready()
        self._create_database()

    def stop(self) -> None:
        """Shut PostgreSQL down, open transactions being rolled back, and return when it is gone."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            assert supervisor.stdin is not None
            supervisor.stdin.close()
            try:
                supervisor.wait(_STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                # SIGQUIT is PostgreSQL's immediate shutdown; it recovers at the next start.
                os.killpg(supervisor.pid, signal.SIGQUIT)
                supervisor.wait()
        if self._socket_dir is not None and self._socket_dir.name.startswith("cybertemp-imap-"):
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        self._socket_dir = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        path = self._data_dir / "lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise EmbeddedError(
                f"The data folder {self._data_dir} is in use by another server (process {holder}): "
                "stop that one, or choose another --data-dir."
            ) from None
        self._lock = lock
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)

    def _create_cluster(self, cluster: Path, programs: Path, account: Account) -> None:
        """Run initdb in a folder beside, and rename it: what has the final name is complete."""
        unfinished = cluster.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        account.take(unfinished)
        command = [str(programs / "initdb"), "--pgdata", str(unfinished), "--username", "postgres", "--encoding=UTF8"]
        command += ["--auth=peer", "--locale=C.UTF-8", "--lc-messages=C", "--no-instructions"]
        with self._open_log() as log:
            result = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **account.popen_arguments(),
            )
        if result.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise EmbeddedError(f"The embedded PostgreSQL cannot be set up: {self._last_words()}.")
        unfinished.rename(cluster)

    def _stop_leftover(self, cluster: Path, programs: Path, account: Account) -> None:
        """Stop a PostgreSQL that somebody else started over this cluster; the lock tells that it is nobody's."""
        if not (cluster / "postmaster.pid").exists():
            return
        try:
            psycopg2.connect(self.dsn_of("postgres")).close()
        except psycopg2.OperationalError:
            return
        command = [str(programs / "pg_ctl"), "stop", "--pgdata", str(cluster), "--mode=fast", "--silent"]
        with self._open_log() as log:
            subprocess.run(command, check=False, stdout=log, stderr=log, **account.popen_arguments())

    def _spawn(self, cluster: Path, programs: Path, account: Account) -> None:
        command = [str(programs / "postgres"), "-D", str(cluster), "-k", str(self._socket_dir)]
        for name, value in self._settings.items():
            command += ["-c", f"{name}={value}"]
        with self._open_log() as log:
            self._supervisor = subprocess.Popen(
                ["/bin/sh", "-c", _SUPERVISOR, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                **account.popen_arguments(),
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            try:
                psycopg2.connect(self.dsn_of("postgres"), connect_timeout=5).close()
                return
            except psycopg2.OperationalError as error:
                refused = error
            if not self.running:
                raise EmbeddedError(f"The embedded PostgreSQL stopped while starting: {self._last_words()}.")
            if self._cancelled.is_set():
                raise EmbeddedError("The start of the embedded PostgreSQL was cancelled.")
            if time.monotonic() > deadline:
                reason = str(refused).strip().splitlines()[-1].rstrip(".")
                raise EmbeddedError(f"The embedded PostgreSQL does not answer ({reason}): see {self._log}.")
            time.sleep(0.03)

    def _create_database(self) -> None:
        connection = psycopg2.connect(self.dsn_of("postgres"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (self._database,))
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._database)))
        finally:
            connection.close()

    def _open_log(self) -> Any:
        return os.fdopen(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), "ab")

    def _last_words(self) -> str:
        """Return the last complaint in PostgreSQL's log, and where the log is."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
        marked = [line for line in lines if "FATAL:" in line or "PANIC:" in line or "error:" in line]
        last = (marked or lines or ["no reason was given"])[-1]
        return f"{last.split('FATAL:')[-1].strip().rstrip('.')} (see {self._log})"


def running_dsn(data_dir: Path, database: str = "cybertemp") -> str:
    """Return the connection string of the embedded PostgreSQL that another process runs over a data folder.

    :raises EmbeddedError: none runs there, or its files may not be read.
    """
    pid_file = data_dir.absolute() / "postgres" / "postmaster.pid"
    try:
        # https://www.postgresql.org/docs/current/storage-file-layout.html: the fifth line is the socket's folder.
        lines = pid_file.read_text(encoding="utf-8").splitlines()
        os.kill(int(lines[0]), 0)
    except PermissionError:
        raise EmbeddedError(
            f"The embedded PostgreSQL of {data_dir.absolute()} is another user's: run this as the user of the server."
        ) from None
    except (OSError, ValueError, IndexError):
        lines = []
    if len(lines) < 5 or not lines[4]:
        raise EmbeddedError(
            f"The embedded PostgreSQL of {data_dir.absolute()} is not running: start the server, "
            "or set IMAP_DATA_DIR or DATABASE_URL."
        )
    return str(make_dsn(host=lines[4], port=int(lines[3]), user="postgres", dbname=database))


def _check_version(cluster: Path, programs: Path) -> None:
    """Refuse a cluster of another major version, which ``postgres`` itself would only do in its log."""
    made_by = (cluster / "PG_VERSION").read_text().strip()
    output = subprocess.run([str(programs / "postgres"), "--version"], check=True, capture_output=True, text=True)
    version = output.stdout.split()[2]
    if version.partition(".")[0] != made_by:
        raise EmbeddedError(
            f"The data in {cluster} was made by PostgreSQL {made_by} and the one installed is {version}: "
            "use the former with IMAP_POSTGRES_BIN, or move the data with pg_upgrade."
        )


def _write_access_rules(cluster: Path, account: Account) -> None:
    """Let in, as the database's superuser, the account that runs PostgreSQL and the one that runs us."""
    rules = {
        "pg_hba.conf": "local all all peer map=owner\n",
        "pg_ident.conf": "".join(f'owner "{name}" postgres\n' for name in {account.name, _own_name()}),
    }
    for name, text in rules.items():
        path = cluster / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        account.take(path)


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _socket_dir(cluster: Path, account: Account) -> Path:
    """Return the cluster's own folder, which is closed to others, or a new one where that path is too long."""
    if len(os.fsencode(cluster / f".s.PGSQL.{_PORT}")) <= _SOCKET_PATH_LIMIT:
        return cluster
    folder = Path(tempfile.mkdtemp(prefix="cybertemp-imap-", dir="/tmp"))
    account.take(folder)
    return folder
