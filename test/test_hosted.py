"""The whole server in hosted mode: twistd with its settings, imaplib, mail in PostgreSQL and all else in Supabase."""

from __future__ import annotations

import contextlib
import imaplib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg2
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread

from test.clients.case import CLIENT_TIMEOUT, in_thread
from test.postgres import create_database, drop_database
from test.postgrest import AWAY, CUT, KEY
from test.supabase_case import EMAIL, TOKEN, SupabaseTestCase
from test.test_embedded import environment

MINE = "box@example.com"
SPAM = "spam@bad.example"
LOCAL_TOKEN = "tok-1618033988"

_BAN = "INSERT INTO bans (scope, value, match_type, status) VALUES ('sender', %s, 'exact', 'active')"
_DELIVER = """
    INSERT INTO emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, "timestamp")
    VALUES (%s, 'INBOX', 'A letter', 'Hello', %s, '{}', '{}', now())
"""


class HostedTestCase(SupabaseTestCase):
    """Mail in a database of its own; the server is a process."""

    timeout = 4 * CLIENT_TIMEOUT

    async def setUp(self) -> None:  # type: ignore[override]
        """Fill both databases."""
        await super().setUp()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.mail_dsn = create_database()
        self.addCleanup(drop_database, self.mail_dsn)
        self.user = self.add_user()
        self.add_token(self.user)
        self.write("INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)", MINE, str(self.user))
        for sender in (SPAM, "ada@work.example"):
            self.write(_DELIVER, MINE, sender)

    def write(self, statement: str, *parameters: object) -> None:
        """Write to the database with the mail."""
        connection = psycopg2.connect(self.mail_dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, parameters)
        finally:
            connection.close()

    def serve(self, **changes: str) -> int:
        """Start the server with the settings of the mode, in a .env file, and return its port; it blocks."""
        settings = {
            "DATABASE_URL": self.mail_dsn,
            "SUPABASE_URL": self.project.url,
            "SUPABASE_SERVICE_KEY": KEY,
            "SUPABASE_BAN_CACHE": "1",
            "SUPABASE_TIMEOUT": "5",
            "IMAP_LOGIN_DELAY": "0.1",
            **changes,
        }
        lines = [f"{name}='{value}'\n" for name, value in settings.items()]
        (self.folder / ".env").write_text("".join(lines), encoding="utf-8")
        program = [sys.executable, str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile="]
        self.server = subprocess.Popen(
            [*program, "--logfile=server.log", "cybertemp-imap", "--bind=127.0.0.1:0"],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end)
        assert self.server.stdout is not None
        ready = self.server.stdout.readline()
        self.assertTrue(ready.startswith("ready: imap://127.0.0.1:"), ready + self.log())
        return int(ready.rpartition(":")[2])

    def log(self) -> str:
        """Return what the server has logged."""
        path = self.folder / "server.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def end(self) -> None:
        """End the server; nothing secret and no traceback is in its log."""
        self.server.terminate()
        self.server.communicate(timeout=CLIENT_TIMEOUT)
        for unwanted in (KEY, TOKEN, LOCAL_TOKEN, "Traceback", "Unhandled"):
            self.assertNotIn(unwanted, self.log())

    def connect(self, port: int) -> imaplib.IMAP4:
        """Open a connection."""
        client = imaplib.IMAP4("127.0.0.1", port, timeout=CLIENT_TIMEOUT)
        self.addCleanup(_close, client)
        return client

    def login(self, port: int, token: str = TOKEN) -> imaplib.IMAP4:
        """Open a connection and log in."""
        client = self.connect(port)
        try:
            client.login(EMAIL, token)
        except imaplib.IMAP4.error:
            _close(client)
            raise
        return client

    def refused(self, port: int, code: str, token: str = TOKEN) -> None:
        """Try to log in; be refused with a response code."""
        error = self.assertRaises(imaplib.IMAP4.error, self.login, port, token)
        self.assertIn(f"[{code}]", str(error))

    def back(self, port: int) -> imaplib.IMAP4:
        """Log in as soon as that is possible again."""
        end = time.monotonic() + CLIENT_TIMEOUT
        while True:
            try:
                return self.login(port)
            except imaplib.IMAP4.error as error:
                self.assertIn("[UNAVAILABLE]", str(error))
                self.assertLess(time.monotonic(), end)

    def opened(self, client: imaplib.IMAP4) -> bytes:
        """Open the mailbox, as soon as the bans were read for the first time, and return how many messages it has."""
        end = time.monotonic() + CLIENT_TIMEOUT
        while True:
            status, (answer,) = client.select(MINE)
            assert isinstance(answer, bytes)
            if status == "OK":
                return answer
            self.assertIn(b"[UNAVAILABLE]", answer)
            self.assertLess(time.monotonic(), end)

    def hear(self, client: imaplib.IMAP4, wanted: bytes) -> None:
        """Idle until a response comes."""
        client.send(b"i1 IDLE\r\n")
        self.read_until(client, wanted)
        client.send(b"DONE\r\n")
        self.read_until(client, b"i1 OK")

    def read_until(self, client: imaplib.IMAP4, wanted: bytes) -> None:
        """Read lines up to one that has something in it."""
        while wanted not in (line := client.readline()):
            self.assertTrue(line, "the connection ended")


class HostedTests(HostedTestCase):
    """Everything but mail is in Supabase."""

    @in_thread
    def test_reading(self) -> None:
        """A token of Supabase's logs in, and its owner lists and reads; a wrong one does not; the use is noted."""
        port = self.serve()
        self.refused(port, "AUTHENTICATIONFAILED", "tok-wrong")
        client = self.login(port)
        self.assertIn(MINE, " ".join(map(str, client.list()[1])))
        self.assertEqual(self.opened(client), b"2")
        _, answers = client.fetch("1:*", "(BODY.PEEK[TEXT])")
        self.assertEqual([answer[1].strip() for answer in answers if isinstance(answer, tuple)], [b"Hello"] * 2)
        _in_reactor(lambda: self.project.until_seen(1, "PATCH"))

    @in_thread
    def test_bans(self) -> None:
        """A ban made in Supabase hides mail from a session that has the mailbox open; lifted, it brings it back."""
        port = self.serve()
        client = self.login(port)
        self.assertEqual(self.opened(client), b"2")
        self.project.execute(_BAN, SPAM)
        self.hear(client, b"* 1 EXPUNGE")
        self.assertEqual(self.login(port).select(MINE), ("OK", [b"1"]))
        self.project.execute("UPDATE bans SET status = 'inactive'")
        self.hear(client, b"* 2 EXISTS")

    @in_thread
    def test_away(self) -> None:
        """While Supabase is away nobody can log in, and who is in can read; when it is back, so is all."""
        self.project.execute(_BAN, SPAM)
        port = self.serve()
        client = self.login(port)
        self.opened(client)
        if client.untagged_responses["EXISTS"] != [b"1"]:
            self.hear(client, b"EXPUNGE")
        for fault in (AWAY, CUT):
            self.project.fail(fault)
            for _ in range(4):
                self.refused(port, "UNAVAILABLE")
            self.assertEqual(client.select(MINE), ("OK", [b"1"]))
            self.assertEqual(client.fetch("1", "(BODY.PEEK[])")[0], "OK")
            self.project.fail(None)
            self.back(port).logout()
        address = self.project.port
        _in_reactor(lambda: Deferred.fromCoroutine(self.project.go()))
        self.refused(port, "UNAVAILABLE")
        self.assertEqual(client.select(MINE), ("OK", [b"1"]))
        _in_reactor(lambda: self.project.start(address))
        self.assertEqual(self.back(port).select(MINE), ("OK", [b"1"]))

    @in_thread
    def test_domains(self) -> None:
        """Addresses are created on the domains of Supabase, which are asked once; also while it is away after that."""
        insert = "INSERT INTO domains (domain, user_id, active) VALUES (%s, %s, true)"
        self.project.execute(insert, "mine.example", str(self.user))
        self.write(insert, "here.example", str(self.user))
        client = self.login(self.serve())
        self.assertEqual(client.create("a@mine.example")[0], "OK")
        self.assertIn(b"[NOPERM]", client.create("a@here.example")[1][0])
        self.assertEqual(sum(seen.path.endswith("/domains") for seen in self.project.seen), 1)
        self.project.fail(AWAY)
        self.assertEqual(client.create("b@mine.example")[0], "OK")

    @in_thread
    def test_revoked(self) -> None:
        """A session whose token is taken away in Supabase ends."""
        port = self.serve(IMAP_RIGHTS_INTERVAL="1")
        client = self.login(port)
        self.project.execute("DELETE FROM imap_tokens")
        client.send(b"i1 IDLE\r\n")
        self.read_until(client, b"* BYE")
        self.assertEqual(client.readline(), b"")


class BansAloneTests(HostedTestCase):
    """Bans are in Supabase, accounts are not."""

    @in_thread
    def test_never_read(self) -> None:
        """A server that starts while Supabase is away starts; but it shows no mail until it knows what to hide."""
        self.write(
            "INSERT INTO users (id, email, subscription_status) VALUES (%s, %s, 'active')", str(self.user), EMAIL
        )
        insert = "INSERT INTO imap_tokens (id, user_id, token, expires_at) VALUES (%s, %s, %s, '2100-01-01')"
        self.write(insert, str(uuid4()), str(self.user), LOCAL_TOKEN)
        self.project.execute(_BAN, SPAM)
        self.project.fail(AWAY)
        port = self.serve(USE_SUPABASE_AUTH="false", USE_SUPABASE_DOMAINS="false")
        client = self.login(port, LOCAL_TOKEN)
        for answer in (client.select(MINE), client.status(MINE, "(MESSAGES)")):
            self.assertEqual(answer[0], "NO")
            self.assertIn(b"[UNAVAILABLE]", answer[1][0])
        self.assertEqual(client.list()[0], "OK")
        self.project.fail(None)
        end = time.monotonic() + CLIENT_TIMEOUT
        while (answer := client.select(MINE))[0] != "OK":
            self.assertLess(time.monotonic(), end)
        self.assertEqual(answer, ("OK", [b"1"]))


def _in_reactor(call: Callable[[], Any]) -> None:
    """Do something in the reactor's thread, and wait for it."""
    blocking: Any = blockingCallFromThread
    blocking(reactor, call)


def _close(client: Any) -> None:
    with contextlib.suppress(OSError, imaplib.IMAP4.error):
        client.shutdown()
