"""The whole server with ports for mail: swaks delivers, IMAP shows."""

from __future__ import annotations

import imaplib
import re
import shutil
import signal
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from test.certificates import make_certificate
from test.postgres import create_database, drop_database
from test.server_process import ServerProcess
from test.test_migrations import query

BOX = "box@example.com"
TOKEN = "tok-mail-in"

_TRACE = re.compile(rb"(?:Return-Path: [^\r]*\r\n)?Delivered-To: [^\r]*\r\nReceived: [^\r]*\r\n(?:\t[^\r]*\r\n)+")

PEOPLE = f"""
    INSERT INTO users (id, email, subscription_status)
    VALUES ('00000000-0000-0000-0000-000000000001', 'me@example.org', 'active');
    INSERT INTO imap_tokens (user_id, token, expires_at)
    VALUES ('00000000-0000-0000-0000-000000000001', '{TOKEN}', now() + interval '1 day');
    INSERT INTO inbox (email_address, user_id) VALUES ('{BOX}', '00000000-0000-0000-0000-000000000001');
    INSERT INTO domains (domain, active) VALUES ('example.com', true);
    SELECT 1
"""


class MailServer(ServerProcess):
    """The server with an LMTP and an SMTP port; :attr:`ports` has them by protocol."""

    def start(self) -> None:
        """Start it, and read where it takes mail."""
        super().start()
        assert self._process is not None and self._process.stdout is not None
        lines = [self._process.stdout.readline().decode() for _ in range(2)]
        self.ports = {line.split()[1].partition(":")[0]: int(line.rpartition(":")[2]) for line in lines}


class MailServerCase(SynchronousTestCase):
    """A server with one account, one address and one domain."""

    settings: dict[str, str] = {}  # noqa: RUF012 - never changed.

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        query(self.dsn, PEOPLE)
        self.server = MailServer(self.folder, self.dsn, **self.more_settings())
        self.server.start()
        self.addCleanup(self.server.end, signal.SIGTERM)

    def more_settings(self) -> dict[str, str]:
        """Return settings of the server."""
        endpoint = "tcp:0:interface=127.0.0.1"
        return {"IMAP_LMTP": endpoint, "IMAP_SMTP": endpoint, "IMAP_MAIL_HOST": "mx.example.com"}

    def messages(self) -> list[bytes]:
        """Return the messages of the address, read by IMAP."""
        with imaplib.IMAP4("127.0.0.1", self.server.port) as client:
            client.login("me@example.org", TOKEN)
            client.select(f'"{BOX}"')
            _, found = client.fetch("1:*", "(BODY.PEEK[])") if client.search(None, "ALL")[1][0] else ("", [])
            return [part[1] for part in found if isinstance(part, tuple)]


def without_trace(message: bytes) -> bytes:
    """Return what is behind the trace lines that this server puts before a message."""
    found = re.match(
        rb"(?:Return-Path: [^\r]*\r\n)?Delivered-To: [^\r]*\r\nReceived: [^\r]*\r\n(?:\t[^\r]*\r\n)+", message
    )
    assert found is not None, message[:300]
    return message[found.end() :]


class SwaksTests(MailServerCase):
    """swaks, the tool that mail administrators test servers with."""

    def more_settings(self) -> dict[str, str]:
        """Have TLS too."""
        certificate, key = make_certificate(self.folder)
        return {**super().more_settings(), "IMAP_TLS_CERT": str(certificate), "IMAP_TLS_KEY": str(key)}

    def swaks(self, protocol: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run swaks; its status says at which step it was refused."""
        program = shutil.which("swaks")
        if program is None:
            raise SkipTest("swaks is not installed")
        return subprocess.run(
            [
                *(program, "--server", "127.0.0.1", "--port", str(self.server.ports[protocol.lower()])),
                *("--from", "sender@good.example", "--to", BOX, "--helo", "me.example", *arguments),
                *(["--protocol", "LMTP"] if protocol == "LMTP" else []),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_delivery(self) -> None:
        """Mail by SMTP, by SMTP under TLS and by LMTP is taken, and IMAP shows it."""
        for arguments in (("SMTP",), ("SMTP", "--tls"), ("SMTP", "--pipeline"), ("LMTP",), ("LMTP", "--pipeline")):
            done = self.swaks(*arguments, "--header", f"Subject: {' '.join(arguments)}", "--body", "one\n.two\n..three")
            self.assertEqual(done.returncode, 0, done.stdout)
        messages = self.messages()
        protocols = [re.search(rb" with (\w+) id ", message) for message in messages]
        self.assertEqual([found and found[1] for found in protocols], [b"ESMTP", b"ESMTPS", b"ESMTP", b"LMTP", b"LMTP"])
        for message in messages:
            self.assertIn(b"\r\n\r\none\r\n.two\r\n..three\r\n", message)

    def test_refusals(self) -> None:
        """What is refused is refused at RCPT, which swaks tells by status 24."""
        self.assertEqual(self.swaks("SMTP", "--to", "a@elsewhere.example").returncode, 24)
        query(self.dsn, f"INSERT INTO bans (scope, value) VALUES ('email', '{BOX}'); SELECT 1")
        self.assertEqual(self.swaks("LMTP").returncode, 24)
        self.assertNotIn("elsewhere", self.server.log())
