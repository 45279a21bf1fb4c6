"""A server that is stopped, or killed at any moment: what was answered OK is there."""

from __future__ import annotations

import random
import re
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.demo.account import USER
from cybertemp_imap.demo.loader import prepare
from test.postgres import create_database, drop_database
from test.server_process import BlockingClient, ServerProcess

ROUNDS = 4
LETTER = "Subject: {name}\r\n\r\nText of {name}.\r\n"


class ProcessTestCase(SynchronousTestCase):
    """A server process over the demonstration's mail."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        token = prepare(self.dsn, self.folder)
        assert token is not None
        self.token = token
        self.server = ServerProcess(self.folder, self.dsn)
        self.addCleanup(lambda: self.server.end(signal.SIGKILL))

    def client(self) -> BlockingClient:
        """Connect and log in."""
        return BlockingClient(self.server.port, USER, self.token)


class TerminatedTests(ProcessTestCase):
    """SIGTERM."""

    def test_everybody_is_told(self) -> None:
        """Every session hears BYE, in IDLE too, the process ends, and can be started again."""
        self.server.start()
        clients = [self.client() for _ in range(3)]
        clients[0].command("SELECT INBOX")
        clients[0].send(b"a IDLE\r\n")
        clients[0].line()
        # twistd ends itself by the same signal, when all is done.
        self.assertEqual(self.server.end(signal.SIGTERM), -signal.SIGTERM)
        for client in clients:
            self.assertTrue(client.line().startswith(b"* BYE "))
            self.assertRaises(ConnectionError, client.line)
            client.close()
        self.assertNotIn("Traceback", self.server.log())
        self.server.start()
        self.client().close()


@dataclass
class Record:
    """What one client was told: names of messages, by what was answered OK to it."""

    appended: set[str] = field(default_factory=set)
    flagged: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    failure: BaseException | None = None


class KilledTests(ProcessTestCase):
    """SIGKILL, some rounds of it, while clients append, flag, move and expunge."""

    def test_nothing_is_lost(self) -> None:
        """Every message is where the last OK said, with its flag, once; one without an answer is there once or not."""
        chance = random.Random(20261122)
        records = [Record() for _ in range(2)]
        for number in range(ROUNDS):
            self.server.start()
            working = [
                threading.Thread(target=self.work, args=(record, f"r{number}c{which}n"))
                for which, record in enumerate(records)
            ]
            for thread in working:
                thread.start()
            time.sleep(chance.uniform(0.5, 2.0))
            self.server.end(signal.SIGKILL)
            for thread in working:
                thread.join(60)
                self.assertFalse(thread.is_alive())
        self.server.start()
        self.check(records)

    def work(self, record: Record, prefix: str) -> None:
        """Change the mailbox until the server is gone, and note each answer."""
        try:
            client = self.client()
            client.command("SELECT Drafts")
            for number in range(1_000_000):
                self.change(client, record, f"{prefix}{number}", number)
        except ConnectionError:
            pass
        except BaseException as error:
            record.failure = error

    def change(self, client: BlockingClient, record: Record, name: str, number: int) -> None:
        """Append a message and flag it; then move one in three, expunge another, and leave the rest."""
        letter = LETTER.format(name=name)
        answer = client.command(f"APPEND Drafts {{{len(letter)}+}}\r\n{letter}")
        record.appended.add(name)
        found = re.search(rb"\[APPENDUID [0-9]+ ([0-9]+)\]", answer[-1])
        assert found is not None
        uid = found[1].decode()
        client.command(f"UID STORE {uid} +FLAGS (Kept)")
        record.flagged.add(name)
        if number % 3 == 0:
            record.removed.add(name)
            client.command(f"UID MOVE {uid} Archive")
            record.removed.discard(name)
            record.moved.add(name)
        elif number % 3 == 1:
            client.command(f"UID STORE {uid} +FLAGS (\\Deleted)")
            record.removed.add(name)
            client.command(f"UID EXPUNGE {uid}")
            record.appended.discard(name)

    def check(self, records: list[Record]) -> None:
        """Compare the mailboxes with what was answered."""
        client = self.client()
        drafts, archive = self.messages(client, "Drafts"), self.messages(client, "Archive")
        client.close()
        total = 0
        for record in records:
            self.assertIsNone(record.failure)
            total += len(record.flagged)
            for name in record.appended - record.moved - record.removed:
                self.assertIn(name, drafts)
            for name in record.moved:
                self.assertIn(name, archive)
                self.assertNotIn(name, drafts)
            for name in record.flagged & (drafts.keys() | archive.keys()):
                self.assertIn("Kept", (drafts | archive)[name])
            for name in record.removed - record.appended:
                self.assertNotIn(name, drafts)
        self.assertEqual(drafts.keys() & archive.keys(), set())
        self.assertGreater(total, ROUNDS)

    def messages(self, client: BlockingClient, mailbox: str) -> dict[str, str]:
        """Return the flags of the messages of these tests, by name; each is there once."""
        client.command(f"SELECT {mailbox}")
        lines = b"".join(client.command("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")).decode()
        pairs = re.findall(r"FLAGS \(([^)]*)\)[^\r]*\r\nSubject: (r[0-9]+c[0-9]+n[0-9]+)\r\n", lines)
        self.assertEqual([name for name, count in Counter(name for _, name in pairs).items() if count > 1], [])
        return {name: flags for flags, name in pairs}
