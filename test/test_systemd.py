"""The units for systemd: what the service tells, sockets that it is given, and what the unit leaves open."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from cybertemp_imap.config import ConfigError, Settings
from cybertemp_imap.listening import Places
from cybertemp_imap.notify import READY, STOPPING, notify
from test.certificates import make_certificate
from test.documentation import TOP
from test.postgres import create_database, drop_database
from test.server_process import ServerProcess
from test.test_embedded import environment
from test.test_migrations import query

SERVICE = TOP / "systemd" / "cybertemp-imap.service"
WORST_EXPOSURE = 1.5

ACCOUNT = """
WITH u AS (
    INSERT INTO users (email, subscription_status) VALUES ('me@example.com', 'active') RETURNING id
) INSERT INTO imap_tokens (user_id, token, expires_at) SELECT id, 'tok-3141592653', now() + interval '1 day' FROM u
RETURNING 1
"""


def program(name: str) -> str:
    """Return where a program of systemd's is; the test is skipped where it is not."""
    found = shutil.which(name)
    if found is None:
        raise SkipTest(f"{name} is not installed")
    return found


class NotifyTests(SynchronousTestCase):
    """What is told to the service manager (sd_notify(3))."""

    def listen(self, address: str) -> socket.socket:
        """Return the service manager's end of a socket."""
        manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(manager.close)
        manager.bind(address)
        manager.settimeout(60)
        return manager

    def test_path(self) -> None:
        """The state is one datagram to the socket that the environment names."""
        folder = Path(self.mktemp())
        folder.mkdir()
        place = os.path.relpath(folder.absolute() / "s")
        manager = self.listen(place)
        self.patch(os, "environ", {"NOTIFY_SOCKET": str(Path(place).absolute())})
        notify(READY)
        self.assertEqual(manager.recv(100), b"READY=1")

    def test_abstract(self) -> None:
        """A name that begins with "@" is an abstract one."""
        name = f"cybertemp-imap-test-{os.getpid()}"
        manager = self.listen(f"\0{name}")
        self.patch(os, "environ", {"NOTIFY_SOCKET": f"@{name}"})
        notify(STOPPING)
        self.assertEqual(manager.recv(100), b"STOPPING=1")

    def test_nobody_listens(self) -> None:
        """Without a socket, and with one that is gone, nothing happens."""
        for environ in ({}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nonexistent/s"}, {"NOTIFY_SOCKET": "x"}):
            self.patch(os, "environ", environ)
            notify(READY)


class ServiceTestCase(SynchronousTestCase):
    """A folder, and a database with an account."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        query(self.dsn, ACCOUNT)


class ProcessTests(ServiceTestCase):
    """The server as a process, with a service manager's socket."""

    def test_ready_and_stopping(self) -> None:
        """READY=1 is told when connections are accepted, STOPPING=1 at SIGTERM."""
        name = f"cybertemp-imap-process-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0{name}")
            manager.settimeout(60)
            server = ServerProcess(self.folder, self.dsn, NOTIFY_SOCKET=f"@{name}")
            self.addCleanup(server.end, signal.SIGKILL)
            server.start()
            self.assertEqual(manager.recv(100), b"READY=1")
            server.end(signal.SIGTERM)
            self.assertEqual(manager.recv(100), b"STOPPING=1")


class ActivationTests(ServiceTestCase):
    """Ports that systemd has bound (``systemd:`` endpoints)."""

    def test_login(self) -> None:
        """A client logs in on both ports that ``systemd-socket-activate`` hands over: in the clear, and under TLS."""
        activate = program("systemd-socket-activate")
        certificate, key = make_certificate(self.folder)
        ports = [_free_port(), _free_port()]
        environ = {
            **environment(),
            "DATABASE_URL": self.dsn,
            "IMAP_TLS_CERT": str(certificate),
            "IMAP_TLS_KEY": str(key),
            "IMAP_THROTTLE_FILE": str(self.folder / "logins"),
        }
        process = subprocess.Popen(
            [
                *(activate, *(f"--listen=127.0.0.1:{port}" for port in ports)),
                # As systemd names the sockets of a unit that gives them no names.
                "--fdname=cybertemp-imap.socket:cybertemp-imap.socket",
                # Nothing else of the environment is handed on.
                *(f"--setenv={name}" for name in environ),
                *(sys.executable, str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile="),
                *("--logfile=server.log", "cybertemp-imap", "--listen=systemd:domain=INET:index=0"),
                "--listen=tls:systemd:domain=INET:index=1",
            ],
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        assert process.stderr is not None
        # "Listening on …" for each port: then a connection starts the server.
        for _ in ports:
            self.assertIn(b"Listening", process.stderr.readline())
        with socket.create_connection(("127.0.0.1", ports[0]), timeout=60) as plain:
            self.assert_login(plain)
        context = ssl.create_default_context(cafile=str(certificate))
        with (
            socket.create_connection(("127.0.0.1", ports[1]), timeout=60) as below,
            context.wrap_socket(below, server_hostname="localhost") as encrypted,
        ):
            self.assert_login(encrypted)
        process.terminate()
        assert process.stdout is not None
        self.assertEqual(
            process.stdout.read().decode().split(),
            ["ready:", f"imap://127.0.0.1:{ports[0]}", "ready:", f"imaps://127.0.0.1:{ports[1]}"],
        )

    def assert_login(self, connection: socket.socket) -> None:
        """A login succeeds."""
        connection.sendall(b"a LOGIN me@example.com tok-3141592653\r\n")
        with connection.makefile("rb") as lines:
            self.assertTrue(lines.readline().startswith(b"* OK "))
            self.assertTrue(lines.readline().startswith(b"a OK "))


class TlsEndpointTests(SynchronousTestCase):
    """``tls:`` before an endpoint string."""

    def test_needs_certificate(self) -> None:
        """Without a certificate it is refused in one sentence."""
        with self.assertRaisesRegex(ConfigError, "IMAP_TLS_CERT and IMAP_TLS_KEY"):
            Places(Settings(bind=None, listen=("tls:tcp:0",)), reactor)

    def test_has_certificate(self) -> None:
        """It encrypts with the certificate of the settings, behind a proxy too."""
        folder = Path(self.mktemp())
        folder.mkdir()
        certificate, key = make_certificate(folder)
        settings = Settings(bind=None, listen=("tls:tcp:0", "haproxy:tls:tcp:0"), tls_cert=certificate, tls_key=key)
        places = Places(settings, reactor)
        self.assertEqual([place.certificate for place in places.all], [places.starttls] * 2)
        self.assertEqual([place.proxied for place in places.all], [False, True])


class UnitTests(SynchronousTestCase):
    """The unit files."""

    def test_understood(self) -> None:
        """systemd finds nothing wrong with the units, but that the programs are not installed where they say."""
        names = ["cybertemp-imap.service", "cybertemp-imap.socket"]
        found = subprocess.run(
            [program("systemd-analyze"), "verify", *(str(SERVICE.with_name(name)) for name in names)],
            capture_output=True,
            text=True,
            check=False,
        )
        faults = [line for line in found.stderr.splitlines() if "cybertemp-imap." in line]
        self.assertTrue(all("is not executable: No such file" in line for line in faults), faults)

    def test_exposure(self) -> None:
        """``systemd-analyze security`` finds the unit no more exposed than it was, of 10."""
        found = subprocess.run(
            [program("systemd-analyze"), "security", "--offline=true", str(SERVICE)],
            capture_output=True,
            text=True,
            check=False,
        )
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", found.stdout)
        assert exposure is not None, found.stderr
        self.assertLessEqual(float(exposure[1]), WORST_EXPOSURE)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
