"""The servers that are measured: each started here, on loopback, over files of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench import machine, watching
from bench.client import Client
from bench.corpus import Mail
from bench.database import USER, Database

# All of the bench's clients come from one address and are one user.
_PLENTY = {"IMAP_IP_CONNECTIONS": "100000", "IMAP_USER_CONNECTIONS": "100000"}

_ROOT = Path(__file__).resolve().parents[1]
_START_TIMEOUT = 30.0

Mails = Mapping[str, Callable[[], Iterable[Mail]]]
"""What is in each mailbox; made anew for each server, since it would not fit into memory."""


class Server(ABC):
    """One server; ``cores`` are what it may use."""

    name: str
    user = USER
    password = ""

    def __init__(self, folder: Path, cores: set[int]) -> None:
        self.folder = folder
        self.cores = cores
        self.address = ("127.0.0.1", free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start; returns when connections are accepted."""

    @abstractmethod
    def forget(self) -> None:
        """Lose all that the server itself has made of the mail, and start anew."""

    def close(self) -> None:
        """Stop, and whatever was started with it."""
        self.stop()

    def stop(self) -> None:
        """Stop the server."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    @property
    def pid(self) -> int:
        """The server's main process."""
        assert self._process is not None
        return self._process.pid

    def processes(self) -> list[int]:
        """Return all processes that work for the server."""
        return machine.family(self.pid)

    def mailbox(self, key: str) -> str:
        """Return the name of a mailbox as a client of this server writes it."""
        return f'"{key}@example.com"'

    def session(self) -> Client:
        """Return a connection that is logged in."""
        client = Client(self.address)
        client.run(f'LOGIN "{self.user}" "{self.password}"')
        return client

    def _spawn(self, command: list[str], environment: dict[str, str], cwd: Path) -> None:
        with (self.folder / "server.log").open("ab") as log, machine.on(self.cores):
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env={"PATH": os.environ.get("PATH", "/usr/bin:/bin:/usr/sbin"), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            with suppress(OSError), socket.create_connection(self.address, 5) as tried:
                if tried.recv(100):
                    return
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = (self.folder / "server.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} does not start:\n{log_text}")
            time.sleep(0.05)


class Watched(Server):
    """This server, with the probe in it."""

    name = "cybertemp-imap"

    def __init__(self, folder: Path, cores: set[int]) -> None:
        super().__init__(folder, cores)
        self.mail_port: int | None = None
        self._report = folder / "probe.json"

    def start_with_mail(self) -> None:
        """Start the server so that it takes mail too."""
        self.mail_port = free_port()
        self.start()

    def _mail_options(self) -> list[str]:
        return [] if self.mail_port is None else ["--lmtp", f"tcp:{self.mail_port}:interface=127.0.0.1"]

    def _start_over(self, dsn: str) -> None:
        host, port = self.address
        command = [sys.executable, "-m", "bench.measured", "--nodaemon", "--pidfile=", "cybertemp-imap"]
        self._spawn(
            [*command, "--bind", f"{host}:{port}", *self._mail_options()],
            {"DATABASE_URL": dsn, "PYTHONPATH": str(_ROOT), "BENCH_PROBE": str(self._report), **_PLENTY},
            self.folder,
        )

    def memory(self) -> int:
        """Return the octets that the server has in memory now."""
        return machine.memory(self.pid)

    def watch(self) -> None:
        """Let the probe begin."""
        watching.begin(self.pid, self._report)

    def watched(self) -> dict[str, Any]:
        """End the probe and return what it measured, and the peak of the memory since."""
        return watching.end(self.pid, self._report)


class ServerOver(Watched):
    """This server over somebody else's PostgreSQL, on any core."""

    def __init__(self, folder: Path, dsn: str) -> None:
        super().__init__(folder, os.sched_getaffinity(0))
        self._dsn = dsn

    def start(self) -> None:
        """Start the server."""
        self._start_over(self._dsn)

    def forget(self) -> None:
        """Start anew; nothing is kept outside of the database."""
        self.stop()
        self.start()


class Ours(Watched):
    """This server over a PostgreSQL of its own, both on the same core."""

    def __init__(self, folder: Path, cores: set[int], database_cores: set[int], programs: Path | None) -> None:
        super().__init__(folder, cores)
        self.database = Database(folder, programs)
        self.password = self.database.token
        self._database_cores = database_cores

    def prepare(self, mailboxes: Mails) -> None:
        """Start the database and deliver the mail."""
        self.database.start()
        for key, mails in mailboxes.items():
            self.database.fill(f"{key}@example.com", mails())
        self.database.settle()
        machine.pin(machine.family(self.database.process()), self._database_cores)

    def start(self) -> None:
        """Start the server, with the probe in it."""
        self._start_over(self.database.dsn)

    def forget(self) -> None:
        """Drop what IMAP knows of the mail."""
        self.stop()
        self.database.forget()
        self.start()

    def close(self) -> None:
        """Stop server and database."""
        try:
            self.stop()
        finally:
            self.database.stop()

    def processes(self) -> list[int]:
        """Return the server's processes and the database's."""
        return super().processes() + machine.family(self.database.process())


_DOVECOT = """
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
mail_location = maildir:{folder}/mail
mail_max_userip_connections = 100000
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 20000
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  process_limit = 2000
}}
"""

#: Mail belongs to an account that is neither root nor anybody's: Dovecot needs no entry in the list of accounts.
_MAIL_ID = 5999


class Dovecot(Server):
    """Dovecot over Maildir, as Debian ships it; logins and sessions in processes of their own."""

    name = "Dovecot"
    password = "bench-only"

    @staticmethod
    def available() -> bool:
        """Tell whether it is installed."""
        return _dovecot_program() is not None

    def prepare(self, mailboxes: Mails) -> None:
        """Write its settings and the Maildir folders."""
        for name in ("run", "state", "home", "mail"):
            (self.folder / name).mkdir(parents=True)
        text = _DOVECOT.format(
            folder=self.folder, password=self.password, port=self.address[1], uid=_MAIL_ID, gid=_MAIL_ID
        )
        (self.folder / "dovecot.conf").write_text(text)
        for key, mails in mailboxes.items():
            _write_maildir(self.folder / "mail" / f".{key}@example_com", mails())
        self._own()

    def start(self) -> None:
        """Start it."""
        program = _dovecot_program()
        assert program is not None
        self._spawn([program, "-F", "-c", str(self.folder / "dovecot.conf")], {}, self.folder)

    def forget(self) -> None:
        """Remove its indexes and the list of its UIDs."""
        self.stop()
        for path in (self.folder / "mail").rglob("dovecot*"):
            path.unlink()
        self.start()

    def mailbox(self, key: str) -> str:
        """Return the name of a mailbox: a dot would divide the name of a Maildir."""
        return f'"{key}@example_com"'

    def _own(self) -> None:
        os.chmod(self.folder, 0o755)
        for name in ("home", "mail"):
            for folder, _, files in os.walk(self.folder / name):
                os.chown(folder, _MAIL_ID, _MAIL_ID)
                for file in files:
                    os.chown(Path(folder, file), _MAIL_ID, _MAIL_ID)


def _dovecot_program() -> str | None:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def _write_maildir(folder: Path, mails: Iterable[Mail]) -> None:
    """Write messages with their flags and dates; the names make Dovecot number them in the order of arrival."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    letters = {"\\Answered": "R", "\\Flagged": "F", "\\Seen": "S"}
    for number, mail in enumerate(mails):
        octets = mail.octets
        assert mail.row.timestamp is not None
        arrived = int(mail.row.timestamp.timestamp())
        flags = "".join(sorted(letters[flag] for flag in mail.flags))
        path = folder / "cur" / f"{arrived}.M{number:06d}P1.bench,S={len(octets)},W={len(octets)}:2,{flags}"
        path.write_bytes(octets)
        os.utime(path, (arrived, arrived))


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as tried:
        port: int = tried.getsockname()[1]
        return port
