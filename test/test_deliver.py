"""``cybertemp-imap-admin deliver``: one message from a pipe, and the status that tells a mail server of its fate."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.config import Settings
from cybertemp_imap.delivery.pipe import EX_DATAERR, EX_NOUSER, EX_TEMPFAIL, Envelope, Pipe, status_of
from cybertemp_imap.delivery.replies import Reply, Turned
from cybertemp_imap.mime.render import render
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import DomainRow
from test.mail_wire import BOX, LETTER, OTHER
from test.postgres import create_database, drop_database
from test.test_embedded import environment
from test.test_mail_ports import PEOPLE, without_trace
from test.test_migrations import query
from test.wire_transport import WireClock


class PipeTests(SynchronousTestCase):
    """A pipe over a store in memory."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.store.domains.append(DomainRow("example.com", None, True, True))

    def attempt(
        self, octets: bytes, *recipients: str, sender: str | None = "a@b.example", **settings: Any
    ) -> Deferred[None]:
        """Try to deliver octets."""
        made = Settings(database_url="", mail_host="mx.example.com", **settings)
        pipe = Pipe(self.store, self.store.read_domains, made, WireClock())
        work = pipe.deliver(io.BytesIO(octets), Envelope(recipients or (BOX,), sender))
        return Deferred.fromCoroutine(work)

    def deliver(self, octets: bytes, *recipients: str, **options: Any) -> None:
        """Deliver octets."""
        self.successResultOf(self.attempt(octets, *recipients, **options))

    def refusal(self, octets: bytes, *recipients: str, **settings: Any) -> int:
        """Return the status with which a delivery is refused; nothing is stored then."""
        turned = self.failureResultOf(self.attempt(octets, *recipients, **settings), Turned).value
        self.assertEqual(self.store.emails, {})
        return status_of(turned.reply)

    def stored(self) -> list[bytes]:
        """Return the messages in the store."""
        return [render(email.row) for email in self.store.emails.values()]

    def test_message(self) -> None:
        """The message is stored behind trace lines; mail servers write lines as files have them."""
        self.deliver(LETTER.replace(b"\r\n", b"\n"))
        (message,) = self.stored()
        self.assertEqual(without_trace(message), LETTER)
        self.assertTrue(message.startswith(b"Return-Path: <a@b.example>\r\nDelivered-To: box@example.com\r\n"))
        self.assertIn(b"\r\nReceived: by mx.example.com with local id ", message)

    def test_envelope_line(self) -> None:
        """The line of an mbox is left out; a message can begin by an empty line, or be one line, or nothing."""
        self.deliver(b"From a@b.example Mon May  4 03:02:01 2026\n" + LETTER)
        for text in (b"\r\nHello.\r\n", b"Hello.", b""):
            self.deliver(text)
        found = [without_trace(message) for message in self.stored()]
        self.assertEqual(found, [LETTER, b"\r\nHello.\r\n", b"Hello.", b""])

    def test_senders(self) -> None:
        """A notice has an empty sender; one that is not told, or could not stand in a header, leaves no line."""
        for sender, line in (
            ("", b"Return-Path: <>"),
            ("<a@b.example>", b"Return-Path: <a@b.example>"),
            (None, b"Delivered-To: box@example.com"),
            ("a\nX: y", b"Delivered-To: box@example.com"),
        ):
            self.store.emails.clear()
            self.deliver(LETTER, sender=sender)
            self.assertEqual(self.stored()[0].partition(b"\r\n")[0], line)

    def test_statuses(self) -> None:
        """Each kind of refusal has its status; with several recipients all get a message or none."""
        self.assertEqual(self.refusal(LETTER, BOX, "a@elsewhere.example"), EX_NOUSER)
        self.assertEqual(self.refusal(LETTER, "box"), EX_NOUSER)
        self.assertEqual(self.refusal(LETTER + b"\0"), EX_DATAERR)
        self.assertEqual(self.refusal(LETTER + b"x" * 100_000, mail_size=65536), EX_DATAERR)
        self.store.available = False
        self.assertEqual(self.refusal(LETTER), EX_TEMPFAIL)
        self.store.available = True
        self.store.ban("email", BOX)
        self.assertEqual(self.refusal(LETTER), EX_NOUSER)
        self.deliver(LETTER, OTHER, OTHER.upper())
        self.assertEqual(len(self.stored()), 1)

    def test_every_other_reply(self) -> None:
        """What is not known to be final is tried again."""
        self.assertEqual(status_of(Reply.NOT_STORED), EX_TEMPFAIL)
        self.assertEqual(status_of(Reply.FAULT), EX_TEMPFAIL)


class ProgramTests(SynchronousTestCase):
    """The program as a mail server runs it."""

    def setUp(self) -> None:
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        query(self.dsn, PEOPLE)
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir(parents=True)

    def run_program(self, octets: bytes, *arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
        """Run it to its end."""
        return subprocess.run(
            [sys.executable, "-c", _MAIN, "deliver", *arguments],
            input=octets,
            capture_output=True,
            timeout=120,
            check=False,
            cwd=self.folder,
            env={**environment(), "DATABASE_URL": self.dsn, **settings},
        )

    def test_delivered(self) -> None:
        """A message is in the database when the program ends with status 0; a large one too."""
        for text in (LETTER, LETTER + b"x" * 1_000_000 + b"\r\n"):
            done = self.run_program(text, "--sender", "a@b.example", "--", BOX)
            self.assertEqual((done.returncode, done.stderr, done.stdout), (0, b"", b""))
            rows = query(self.dsn, "SELECT source FROM imap.source")
            self.assertIn(text, [without_trace(bytes(source)) for (source,) in rows])
        self.assertEqual(query(self.dsn, "SELECT count(*) FROM imap.upload"), [(0,)])

    def test_refused(self) -> None:
        """Refusals are a status and one sentence, whatever is wrong; mistakes of the operator are tried again."""
        for arguments, settings, status in (
            ((BOX, "a@elsewhere.example"), {}, 67),
            ((BOX,), {"DATABASE_URL": "host=127.0.0.1 port=1"}, 75),
            ((BOX,), {"IMAP_MAIL_SIZE": "huge"}, 75),
            ((), {}, 75),
            (("--nonsense", BOX), {}, 75),
        ):
            done = self.run_program(LETTER, *arguments, **settings)
            self.assertEqual(done.returncode, status, (arguments, done.stderr))
            self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
            self.assertTrue(done.stderr.startswith(b"cybertemp-imap-admin: "), done.stderr)
            self.assertNotIn(b"Hello", done.stderr)


_MAIN = "import sys; from cybertemp_imap.admin import main; sys.exit(main())"
