"""A real Postfix in front: it delivers by LMTP and by a pipe, and IMAP shows what was sent."""

from __future__ import annotations

import os
import shutil
import smtplib
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest

from cybertemp_imap.postgres_programs import database_account
from test.mail_wire import BOX, OTHER
from test.test_mail_ports import MailServerCase, without_trace
from test.test_migrations import query

LETTER = (
    b"From: Sender <sender@good.example>\r\nTo: box@example.com\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b"Date: Mon, 04 May 2026 03:02:01 +0000\r\nMessage-ID: <one@good.example>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    b"\r\n.\r\n..two\r\nFrom here on\r\n" + "ä\r\n".encode() + b"trailing \t\r\n" + b"x" * 900 + b"\r\n\r\n"
)

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.example
mydestination =
alias_maps =
virtual_mailbox_domains = example.com
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
transport_maps = inline:{{ {{ other@example.com = cybertemp: }} }}
cybertemp_destination_recipient_limit = 1
"""

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
lmtp unix - - n - - lmtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
cybertemp unix - n n - 4 pipe
  user={user} null_sender= argv={folder}/deliver --sender=${{sender}} -- ${{recipient}}
"""

SCRIPT = """#!/bin/sh
cd {folder}
DATABASE_URL='{dsn}' PYTHONPATH='{path}' PYTHONDONTWRITEBYTECODE=1
export DATABASE_URL PYTHONPATH PYTHONDONTWRITEBYTECODE
exec '{python}' -c 'import sys; from cybertemp_imap.admin import main; sys.exit(main())' deliver "$@"
"""

PATIENCE = 120.0
"""Seconds for Postfix to do what it is waited for; mostly it takes less than one."""


class Postfix:
    """A Postfix of its own, with configuration and queue in a folder of its own."""

    def __init__(self, lmtp: int, dsn: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postfix-test-", dir="/tmp"))
        self.folder.chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        # The one account besides this one that the tests' PostgreSQL lets in, and Postfix runs nothing as root.
        self.user = database_account().name
        self.python, path = _python_for(self.user)
        facts = {"folder": self.folder, "lmtp": lmtp, "port": self.port, "user": self.user}
        (self.folder / "main.cf").write_text(MAIN.format(**facts))
        (self.folder / "master.cf").write_text(MASTER.format(**facts))
        (self.folder / "deliver").write_text(SCRIPT.format(**facts, dsn=dsn, path=path, python=self.python))
        (self.folder / "deliver").chmod(0o755)
        for name in ("queue", "data"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")

    def run(self, command: str) -> None:
        """Have it start or stop."""
        subprocess.run(
            ["/usr/sbin/postfix", "-c", str(self.folder), command], check=True, capture_output=True, timeout=60
        )

    def remove(self) -> None:
        """Stop it and leave nothing behind."""
        self.run("stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def send(self, octets: bytes, *recipients: str, sender: str = "sender@good.example") -> None:
        """Give it a message."""
        with smtplib.SMTP("127.0.0.1", self.port, "me.example", timeout=60) as client:
            client.sendmail(sender, recipients, octets, ["BODY=8BITMIME"])

    def log(self) -> str:
        """Return what it has logged."""
        return (self.folder / "log").read_text()


def _python_for(user: str) -> tuple[str, str]:
    """Return a Python that another account can run, and where it finds this package and its dependencies."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), sysconfig.get_paths()["purelib"]])
    for python in (sys.executable, "/usr/bin/python3"):
        found = subprocess.run(
            ["/bin/sh", "-c", f"exec '{python}' -c 'import cybertemp_imap.delivery.pipe'"],
            env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            cwd="/",
            user=user,
            extra_groups=[],
            capture_output=True,
            check=False,
        )
        if found.returncode == 0:
            return python, path
    raise SkipTest(f"the account {user} has no Python that can import this package")


class PostfixTests(MailServerCase):
    """Postfix before the server."""

    def setUp(self) -> None:
        if os.geteuid() != 0 or not os.path.exists("/usr/sbin/postfix"):
            raise SkipTest("Postfix is not installed, or cannot be started without root")
        super().setUp()
        self.postfix = Postfix(self.server.ports["lmtp"], self.dsn)
        self.postfix.run("start")
        self.addCleanup(self.postfix.remove)

    def until(self, found: str) -> str:
        """Wait until Postfix has logged something, and return the line."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for line in self.postfix.log().splitlines():
                if found in line:
                    return line
            time.sleep(0.1)
        raise AssertionError(f"{found} is not in\n{self.postfix.log()}\n{self.server.log()}")

    def as_sent(self, message: bytes, sent: bytes) -> None:
        """Check that a message is as it was sent, but for trace lines of this server and of Postfix."""
        rest = without_trace(message)
        self.assertTrue(rest.endswith(sent), rest)
        added = rest[: len(rest) - len(sent)]
        self.assertRegex(added, rb"\AReceived: from me\.example [^\r]*\r\n(?:\t[^\r]*\r\n)+\Z")

    def test_lmtp(self) -> None:
        """What Postfix delivers by LMTP is in the mailbox octet for octet, however large."""
        large = LETTER + b"0123456789abcdef\r\n" * 60_000
        for number, text in enumerate((LETTER, large)):
            self.postfix.send(text, BOX)
            end = time.monotonic() + PATIENCE
            while len(self.messages()) <= number and time.monotonic() < end:
                time.sleep(0.2)
            self.as_sent(self.messages()[number], text)
        self.assertIn("relay=127.0.0.1[127.0.0.1]:", self.until("status=sent"))
        ((subject, sender, size),) = query(
            self.dsn, "SELECT subject, from_addr, size FROM emails ORDER BY size LIMIT 1"
        )
        self.assertEqual((subject, sender), ("Gr\u00fc\u00dfe", "Sender <sender@good.example>"))
        self.assertEqual(size, len(self.messages()[0]))

    def test_pipe(self) -> None:
        """So is what it gives to the program; and the row of an address that nobody made is there."""
        self.postfix.send(LETTER, OTHER)
        self.assertIn("status=sent", self.until("relay=cybertemp"))
        ((source,),) = query(self.dsn, "SELECT source FROM imap.source")
        self.as_sent(bytes(source), LETTER)
        self.assertTrue(bytes(source).startswith(b"Return-Path: <sender@good.example>\r\n"))
        self.assertEqual(query(self.dsn, f"SELECT user_id FROM inbox WHERE email_address = '{OTHER}'"), [(None,)])
        query(self.dsn, f"INSERT INTO bans (scope, value) VALUES ('email', '{OTHER}'); SELECT 1")
        self.postfix.send(LETTER, OTHER, sender="")
        self.assertIn("dsn=5.1.1", self.until("status=bounced"))

    def test_banned(self) -> None:
        """A recipient that is refused by LMTP is final for Postfix; one that waits for the database is not."""
        query(self.dsn, f"INSERT INTO bans (scope, value) VALUES ('email', '{BOX}'); SELECT 1")
        self.postfix.send(LETTER, BOX, sender="")
        self.assertIn("dsn=5.1.1", self.until("status=bounced"))
