"""The server as a process of its own, over a database of the test's, and a client that blocks."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from test.test_embedded import environment


class ServerProcess:
    """``twistd cybertemp-imap`` in ``folder`` on a port of its own; :meth:`start` returns when it is ready."""

    program = "from test.strict_output import main; main()"
    log_options: tuple[str, ...] = ("--logfile=server.log",)

    def __init__(self, folder: Path, dsn: str, **settings: str) -> None:
        self.port = 0
        self._folder = folder
        self._environ = {
            **environment(),
            "DATABASE_URL": dsn,
            "IMAP_THROTTLE_FILE": str(folder / "logins"),
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, at the first time on any free port, then on the same."""
        self._process = self._begun(subprocess.PIPE)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith(b"ready: "), self.log()
        self.port = int(line.rpartition(b":")[2])

    def _begun(self, output: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                *(sys.executable, "-c", self.program, "--nodaemon", "--pidfile=", *self.log_options),
                *("cybertemp-imap", f"--bind=127.0.0.1:{self.port}"),
            ],
            cwd=self._folder,
            env=self._environ,
            stdout=output,
        )

    def end(self, number: signal.Signals) -> int:
        """Send a signal, wait for the end, and return the status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        os.kill(process.pid, number)
        status = process.wait(60)
        if process.stdout is not None:
            process.stdout.close()
        assert "Malformed" not in self.log(), self.log()
        return status

    @property
    def pid(self) -> int:
        """The number of the process."""
        assert self._process is not None
        return self._process.pid

    def log(self, since: int = 0) -> str:
        """Return what was logged, from an octet on."""
        return (self._folder / "server.log").read_bytes()[since:].decode()


class OutputServerProcess(ServerProcess):
    """The same with its log on standard output, which is a file."""

    log_options = ()

    def start(self) -> None:
        """Start it, at the first time on any free port, then on the same."""
        with (self._folder / "server.log").open("a") as output:
            before = output.tell()
            self._process = self._begun(output)
        latest = time.monotonic() + 60
        while not (found := re.search(r"^ready: .*:(\d+)$", self.log(before), re.MULTILINE)):
            assert self._process.poll() is None and time.monotonic() < latest, self.log()
            time.sleep(0.02)
        self.port = int(found[1])


class BlockingClient:
    """A connection, logged in; its end by the server raises ConnectionError."""

    def __init__(self, port: int, user: str, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._lines = self._socket.makefile("rb")
        self.line()
        self.command(f"LOGIN {user} {token}")

    @property
    def local_port(self) -> int:
        """This end's port."""
        port: int = self._socket.getsockname()[1]
        return port

    def line(self) -> bytes:
        """Read a line."""
        line = self._lines.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionResetError
        return line

    def command(self, text: str) -> list[bytes]:
        """Send a command that must succeed, and return the lines of its answer."""
        self.send(f"a {text}\r\n".encode())
        lines = [self.line()]
        while not lines[-1].startswith(b"a "):
            lines.append(self.line())
        assert lines[-1].startswith(b"a OK"), lines[-1]
        return lines

    def send(self, data: bytes) -> None:
        """Send octets."""
        self._socket.sendall(data)

    def close(self) -> None:
        """Go away."""
        self._lines.close()
        self._socket.close()
