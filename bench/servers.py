"""What a measured server is, and this one: started here, on loopback, over files of its own."""

from __future__ import annotations

import os
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

# All of the bench's clients come from one address and are one user, of whom ten may log in at the same moment: until a
# login is known to be right it counts as a failure.
_PLENTY = {
    name: "100000"
    for name in ("IMAP_IP_CONNECTIONS", "IMAP_USER_CONNECTIONS", "IMAP_IP_FAILURES", "IMAP_ACCOUNT_FAILURES")
}

ROOT = Path(__file__).resolve().parents[1]

Mails = Mapping[str, Callable[[], Iterable[Mail]]]
"""What is in each mailbox; made anew for each server, since it would not fit into memory."""


class Process(ABC):
    """A server's process; ``cores`` are what it may use."""

    name: str
    user = USER
    password = ""
    patience = 300.0
    """Seconds that a client waits for an answer."""

    start_within = 30.0
    """Seconds that it may take to start."""

    def __init__(self, folder: Path, cores: set[int]) -> None:
        self.folder = folder
        self.cores = cores
        self.address = ("127.0.0.1", free_port())
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def start(self) -> None:
        """Start; returns when connections are accepted."""

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

    @property
    def login(self) -> str:
        """The command that logs in."""
        return f'LOGIN "{self.user}" "{self.password}"'

    def connection(self) -> Client:
        """Return a connection that is still to be greeted."""
        return Client(self.address, self.patience, greeted=False)

    def session(self) -> Client:
        """Return a connection that is logged in."""
        client = Client(self.address, self.patience)
        client.run(self.login)
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
        deadline = time.monotonic() + self.start_within
        while True:
            with suppress(OSError), socket.create_connection(self.address, 5) as tried:
                if tried.recv(100):
                    return
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = (self.folder / "server.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.name} does not start:\n{log_text}")
            time.sleep(0.05)


class Server(Process):
    """One of the servers that are compared."""

    hurried = False
    """Whether few samples are taken of what takes long: it is only measured for the order of magnitude."""

    expected: Mapping[str, int] = {}
    """How many messages each search is to find in the mailbox that is measured with; ``ALL``: how many there are."""

    @abstractmethod
    def prepare(self, mailboxes: Mails) -> None:
        """Bring the mail to where the server finds it."""

    @abstractmethod
    def deliver(self, key: str, mail: Mail) -> float:
        """Deliver a message; return the moment just before others can see it, of the monotonic clock."""

    def restart(self) -> None:
        """Start anew."""
        self.stop()
        self.start()


class Watched(Process):
    """This server, with the probe in it."""

    name = "cybertemp-imap"

    def __init__(self, folder: Path, cores: set[int]) -> None:
        super().__init__(folder, cores)
        self.mail_port: int | None = None
        #: How many processes serve.
        self.workers = 1
        #: Which of :data:`bench.measured.REACTORS` it runs on.
        self.reactor = "epoll"
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
            {
                "DATABASE_URL": dsn,
                "PYTHONPATH": str(ROOT),
                "BENCH_PROBE": str(self._report),
                "BENCH_REACTOR": self.reactor,
                "IMAP_WORKERS": str(self.workers),
                # What fails at other servers of this machine must not slow down who logs in here.
                "IMAP_THROTTLE_FILE": str(self.folder / "logins"),
                **_PLENTY,
            },
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


class Ours(Watched, Server):
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

    def deliver(self, key: str, mail: Mail) -> float:
        """Insert a row as the receiver does; the moment is that before COMMIT."""
        return self.database.deliver(f"{key}@example.com", mail)

    def forget(self) -> None:
        """Drop what IMAP knows of the mail, and start anew."""
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


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as tried:
        port: int = tried.getsockname()[1]
        return port
