"""Two servers that share nothing but the database, behind HAProxy as the documentation sets it up."""

from __future__ import annotations

import imaplib
import shutil
import signal
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import psycopg2
from twisted.trial.unittest import SynchronousTestCase

from test.certificates import make_certificate
from test.haproxy import PATIENCE, Client, Haproxy
from test.postgres import create_database, drop_database
from test.server_process import ServerProcess
from test.test_docs_commands import free_port
from test.two_servers import Owner

HERE, ELSEWHERE = "127.7.7.7", "127.7.7.8"

MACHINES = ("127.0.0.11", "127.0.0.12")
"""The addresses of the two; all of 127.0.0.0/8 is this machine's."""

LIMIT = 3
"""Connections at a time from one address, to one server."""

_DELIVER = """
    INSERT INTO emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, timestamp)
    VALUES (%s, 'INBOX', %s, 'Hello', 'a@b.example', '{}', %s, now())
"""

State = tuple[bytes, list[bytes]]


class HaproxyTests(SynchronousTestCase):
    """Each server is a process with an address of its own, and is found by way of HAProxy alone."""

    if shutil.which("haproxy") is None:
        skip = "haproxy is not installed"

    def setUp(self) -> None:
        """Start all of them."""
        self.folder = Path(tempfile.mkdtemp(prefix="imap-machines-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        self.owner = Owner(self.dsn, (), uuid4(), "user@example.com", 1, ("box",))
        self.owner.make()
        self.certificate, key = make_certificate(self.folder)
        ports = [free_port() for _ in MACHINES]
        self.servers = []
        for address, port in zip(MACHINES, ports, strict=True):
            folder = self.folder / address
            folder.mkdir()
            server = ServerProcess(
                folder,
                self.dsn,
                IMAP_LISTEN=f"haproxy:tls:tcp:{port}:interface={address}",
                IMAP_TLS_CERT=str(self.certificate),
                IMAP_TLS_KEY=str(key),
                IMAP_IP_CONNECTIONS=str(LIMIT),
            )
            self.addCleanup(server.end, signal.SIGTERM)
            server.start()
            self.servers.append(server)
        self.port = free_port()
        proxy = Haproxy(
            self.folder,
            {
                "bind :993": f"bind 127.0.0.1:{self.port}",
                "10.0.0.11:1993": f"{MACHINES[0]}:{ports[0]}",
                "10.0.0.12:1993": f"{MACHINES[1]}:{ports[1]}",
            },
        )
        self.addCleanup(proxy.stop)

    def deliver(self, subject: str, *flags: str) -> None:
        """Write mail as the receiver does."""
        connection = psycopg2.connect(self.dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(_DELIVER, (self.owner.address("box"), subject, list(flags)))
        connection.close()

    def client(self, address: str = HERE) -> Client:
        """Connect through HAProxy, log in, and open the address."""
        client = Client(self.port, address, self.certificate)
        self.addCleanup(client.shutdown)
        client.login(self.owner.email, self.owner.token)
        self.assertEqual(client.select(self.owner.address("box"))[0], "OK")
        return client

    def state(self, client: Client) -> State:
        """Return UIDVALIDITY, and UID, flags and subject of every message."""
        _, (validity,) = client.response("UIDVALIDITY")
        _, found = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return validity, [part for each in found for part in (each if isinstance(each, tuple) else [each])]

    def server_of(self, address: str) -> ServerProcess:
        """Return the one server that an address has logged in to, as its log tells."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = [server for server in self.servers if f"peer={address} " in server.log()]
            if found or time.monotonic() > deadline:
                (server,) = found
                return server

    def test_killed(self) -> None:
        """Who was on the server that dies finds the same mailbox on the other one; so do those who come later."""
        for number in range(3):
            self.deliver(f"m{number}", *["\\Flagged"][:number])
        client = self.client()
        client.uid("STORE", "2", "+FLAGS", "(kept)")
        client.select(self.owner.address("box"))
        before = self.state(client)
        self.assertIn(b"kept", b"".join(before[1]))
        dying = self.server_of(HERE)
        dying.end(signal.SIGKILL)
        with self.assertRaises((imaplib.IMAP4.abort, OSError)):
            for _ in range(2):
                client.noop()
        again = self.client()
        self.assertEqual(self.state(again), before)
        self.deliver("m3")
        again.noop()
        self.assertEqual(again.uid("SEARCH", "SUBJECT m3")[1], [b"4"])
        dying.start()
        for address in (ELSEWHERE, HERE):
            validity, told = self.state(self.client(address))
            self.assertEqual((validity, told[: len(before[1])]), before)

    def test_limit(self) -> None:
        """Connections are counted by the client's address, which is not HAProxy's."""
        self.servers[0].end(signal.SIGTERM)
        for _ in range(LIMIT):
            self.client()
        with self.assertRaisesRegex(imaplib.IMAP4.error, "Too many connections from your address"):
            self.client()
        self.client(ELSEWHERE)
