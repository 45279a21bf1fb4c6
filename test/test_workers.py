"""A server with workers, as real processes: they serve as one, and none outlives the process that started them."""

from __future__ import annotations

import os
import re
import signal
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.demo.account import USER
from cybertemp_imap.demo.loader import prepare
from test.certificates import make_certificate
from test.postgres import create_database, drop_database
from test.server_process import BlockingClient, OutputServerProcess, ServerProcess
from test.test_docs_commands import free_port
from test.test_embedded import alive
from test.web import ask, samples

PREFIX = "cybertemp_imap_"
LIMIT = 24
SESSIONS = PREFIX + "sessions"
BYE = b"* BYE [UNAVAILABLE] The server is shutting down.\r\n"


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(number) for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class WorkersTestCase(SynchronousTestCase):
    """A database with the demonstration account, and two workers."""

    process = ServerProcess

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        token = prepare(self.dsn, self.folder)
        assert token is not None
        self.token = token
        self.clients: list[BlockingClient] = []
        self.addCleanup(self.hang_up)

    def hang_up(self) -> None:
        """Close every connection."""
        for client in self.clients:
            client.close()

    def start(self, **settings: str) -> ServerProcess:
        """Start the server."""
        server = self.server = self.process(self.folder, self.dsn, IMAP_WORKERS="2", **settings)
        self.addCleanup(server.end, signal.SIGKILL)
        server.start()
        return server

    def client(self) -> BlockingClient:
        """Connect and log in."""
        client = BlockingClient(self.server.port, USER, self.token)
        self.clients.append(client)
        return client

    def worker_of(self, client: BlockingClient) -> int:
        """Return which worker serves a client."""
        port = client.local_port
        found: list[int] = []

        def logged() -> bool:
            for number in re.findall(rf"\[worker (\d) .*event=login .* port={port} ", self.server.log()):
                found.append(int(number))
            return bool(found)

        self.until(logged)
        return found[-1]

    def one_of_each(self) -> tuple[BlockingClient, BlockingClient]:
        """Return two clients that two workers serve."""
        found: dict[int, BlockingClient] = {}
        while len(found) < 2:
            client = self.client()
            found.setdefault(self.worker_of(client), client)
        return found[1], found[2]

    def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that must come to be."""
        latest = time.monotonic() + 60
        while not true():
            assert time.monotonic() < latest, self.server.log()
            time.sleep(0.02)


class LifeTests(WorkersTestCase):
    """From the start to SIGTERM."""

    def test_as_one(self) -> None:
        """Two workers serve as one: what is told, counted and limited; one that is killed is no loss to the other."""
        http = free_port()
        server = self.start(IMAP_HTTP=str(http), IMAP_USER_CONNECTIONS=str(LIMIT))
        one, two = self.one_of_each()
        self.told_to_the_other(one, two)
        self.limited_together()
        before = samples(ask(http, "/metrics").text)
        states = {labels[0][1]: value for (name, labels), value in before.items() if name == SESSIONS}
        self.assertEqual((states["selected"], states["authenticated"]), (2, LIMIT - 2))
        self.assertEqual(before[PREFIX + "logins_total", (("result", "ok"),)], LIMIT)
        self.assertEqual(before[PREFIX + "workers", ()], 2)
        self.killed(one, two)
        after = samples(ask(http, "/metrics").text)
        fallen = [
            key
            for key in before
            if key[0].startswith(PREFIX) and key[0].endswith("_total") and after[key] < before[key]
        ]
        self.assertEqual(fallen, [])
        self.assertEqual(after[PREFIX + "worker_restarts_total", ()], 1)
        self.assertEqual(ask(http, "/readyz").text, "ready\n")
        self.drained(server)

    def told_to_the_other(self, one: BlockingClient, two: BlockingClient) -> None:
        """A change through one worker is told to an idling session of the other."""
        for client in (one, two):
            client.command("SELECT INBOX")
        two.send(b"a IDLE\r\n")
        two.line()
        one.command("STORE 1 FLAGS ($ByTheOther)")
        line = two.line()
        while b"$ByTheOther" not in line:
            line = two.line()
        two.send(b"DONE\r\n")
        while not two.line().startswith(b"a OK "):
            pass

    def limited_together(self) -> None:
        """The sessions of a user are counted in both workers together."""
        while len(self.clients) < LIMIT:
            self.client()
        self.assertEqual({self.worker_of(client) for client in self.clients}, {1, 2})
        for _ in range(8):
            with self.assertRaisesRegex(AssertionError, "LIMIT"):
                BlockingClient(self.server.port, USER, self.token)

    def killed(self, one: BlockingClient, two: BlockingClient) -> None:
        """The other's sessions live on, one line tells of it, and the user may have as many sessions anew."""
        lost = [client for client in self.clients if self.worker_of(client) == 1]
        old = children(self.server.pid)
        os.kill(old[0], signal.SIGKILL)
        for client in lost:
            self.assertRaises(ConnectionError, client.line)
            self.clients.remove(client)
            client.close()
        two.command("NOOP")
        # The other has its sockets meanwhile: nobody has to wait for the one that is started. But until the end of the
        # one that was killed is noticed, its sessions count.
        self.until(self.admitted)
        self.until(lambda: len(set(children(self.server.pid)) - set(old)) == 1)
        while len(self.clients) < LIMIT:
            self.client()
        with self.assertRaisesRegex(AssertionError, "LIMIT"):
            BlockingClient(self.server.port, USER, self.token)
        self.assertEqual(len(re.findall(r"Worker 1 was ended by signal 9 after .* s; starting", self.server.log())), 1)
        self.until(lambda: self.someone_at(1))

    def admitted(self) -> bool:
        """Log in, and tell whether that was possible."""
        try:
            self.client().command("NOOP")
        except AssertionError as refused:
            self.assertIn("[LIMIT]", str(refused))
            return False
        return True

    def someone_at(self, worker: int) -> bool:
        """Log in instead of another, and tell whether that worker serves now."""
        self.clients.pop().close()
        return self.worker_of(self.client()) == worker

    def drained(self, server: ServerProcess) -> None:
        """At SIGTERM a command in hand is finished, everybody hears BYE, and all processes end well."""
        pids = children(server.pid)
        slow = self.clients[-1]
        slow.send(b"a APPEND INBOX {10}\r\n")
        slow.line()
        os.kill(server.pid, signal.SIGTERM)
        for client in self.clients[:-1]:
            self.assertEqual(client.line(), BYE)
        slow.send(b"Subject: a\r\n")
        self.assertTrue(slow.line().startswith(b"a OK "))
        self.assertEqual(slow.line(), BYE)
        self.assertEqual(server.end(signal.SIGCONT), 0)
        self.assertEqual([pid for pid in pids if alive(pid)], [])
        self.assertNotIn("Traceback", server.log())


class SignalTests(WorkersTestCase):
    """SIGHUP, and a parent that is killed; the log is on standard output, where the workers write it themselves."""

    process = OutputServerProcess

    def test_hang_up_and_kill(self) -> None:
        """SIGHUP has every worker read certificates; when their parent is killed, workers end and free the port."""
        certificate, key = make_certificate(self.folder)
        secure = free_port()
        name = f"cybertemp-imap-workers-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(f"\0{name}")
            manager.settimeout(60)
            server = self.start(
                NOTIFY_SOCKET=f"@{name}",
                IMAP_TLS_CERT=str(certificate),
                IMAP_TLS_KEY=str(key),
                IMAP_TLS_BIND=f"127.0.0.1:{secure}",
            )
            # Once, by the parent alone.
            self.assertEqual(manager.recv(100), b"READY=1")
            manager.setblocking(False)
            self.assertRaises(BlockingIOError, manager.recv, 100)
        old = self.presented(secure)
        self.assertEqual(len(old), 1)
        # As the whole group gets it from a terminal, the files being looked at every ten seconds only.
        certificate.write_bytes(make_certificate(self.folder, "new")[0].read_bytes())
        key.write_bytes((self.folder / "new.key").read_bytes())
        os.kill(server.pid, signal.SIGHUP)
        self.until(lambda: not self.presented(secure) & old)
        self.killed(server)

    def presented(self, port: int) -> set[bytes]:
        """Return the certificates that so many connections get that each worker has had some."""
        found = set()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for _ in range(16):
            with (
                socket.create_connection(("127.0.0.1", port), timeout=60) as below,
                context.wrap_socket(below) as encrypted,
            ):
                certificate = encrypted.getpeercert(binary_form=True)
                assert certificate is not None
                found.add(certificate)
        return found

    def killed(self, server: ServerProcess) -> None:
        """No worker outlives its parent, even when it is killed."""
        clients = self.one_of_each()
        lines = [line for line in server.log().splitlines() if "event=login" in line]
        whole = r"[-\dT:]{19}[+-]\d{4} \[worker [12] cybertemp_imap\.sessions#info\] event=login .* tls=no"
        self.assertEqual([line for line in lines if not re.fullmatch(whole, line)], [])
        pids = children(server.pid)
        self.assertEqual(len(pids), 2)
        server.end(signal.SIGKILL)
        self.until(lambda: not any(alive(pid) for pid in pids))
        for client in clients:
            self.assertEqual(client.line(), BYE)
        server.start()
        self.client().command("NOOP")
