"""The way to PostgreSQL cut, stalled and slow, and answers that are lost on it."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import psycopg2
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cybertemp_imap.store import pool as pool_module
from test.clients.case import in_thread
from test.fault_case import FaultTestCase
from test.replaying import Session


class AnswerLostTests(FaultTestCase):
    """The connection is cut between COMMIT and its answer: it was done, and nobody here knows."""

    options = {"acquire_timeout": 60.0}  # noqa: RUF012 - read only

    def uncertain(self, answer: Any) -> None:
        """Check that the client is asked to look first."""
        self.unavailable(answer)
        self.assertIn(b"see whether this was done", answer.tagged.raw)
        self.assertTrue(self.proxy.lost_answer)

    def told(self, session: Session, is_told: Any) -> None:
        """Wait until a session is told of something, while it idles."""
        session.idle()
        while not is_told():
            session.hear()
        session.done()

    @in_thread
    def test_append(self) -> None:
        """The message is there once, and the session is told."""
        session = self.session()
        self.proxy.lose_answer(b"imap.append(")
        self.uncertain(self.append(session, "once"))
        self.told(session, lambda: session.messages)
        self.assertEqual(self.subjects("Drafts"), ["once"])

    @in_thread
    def test_store(self) -> None:
        """The flag is set, and the session that asked for it is told as if another one had."""
        session = self.session()
        self.append(session, "one")
        session.poll()
        self.proxy.lose_answer(b"imap.store_flags_and_tell(")
        self.uncertain(session.command("STORE 1 +FLAGS.SILENT (kept)"))
        self.told(session, lambda: "kept" in (session.messages[0].flags or ()))

    @in_thread
    def test_move(self) -> None:
        """The message is in the other mailbox, once, and the session is told that it is gone."""
        session = self.session()
        self.append(session, "one")
        session.poll()
        self.proxy.lose_answer(b"imap.move(")
        self.uncertain(session.command("MOVE 1 Archive"))
        self.told(session, lambda: not session.messages)
        self.assertEqual(self.subjects("Archive"), ["one"])

    @in_thread
    def test_copy(self) -> None:
        """The copy is there once."""
        session = self.session()
        self.append(session, "one")
        session.poll()
        self.proxy.lose_answer(b"imap.copy(")
        self.uncertain(session.command("COPY 1 Archive"))
        self.assertEqual(self.subjects("Archive"), ["one"])

    @in_thread
    def test_expunge(self) -> None:
        """The session is told that the message is gone."""
        session = self.session()
        self.append(session, "one")
        session.poll()
        session.ok("STORE 1 +FLAGS.SILENT (\\Deleted)")
        self.proxy.lose_answer(b"imap.expunge(")
        self.uncertain(session.command("EXPUNGE"))
        self.told(session, lambda: not session.messages)


class CutTests(FaultTestCase):
    """Connections that are cut, and a way that is shut."""

    options = {"acquire_timeout": 60.0}  # noqa: RUF012 - read only

    @in_thread
    def test_cut_again_and_again(self) -> None:
        """Whoever reads does not notice."""
        there = 5
        for number in range(there):
            self.deliver_here(f"s{number}")
        session = self.session("INBOX")
        for _ in range(5):
            self.proxy.cut()
            session.ok("NOOP")
            self.assertEqual(len(session.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE)").named("FETCH")), there)

    @in_thread
    def test_slow(self) -> None:
        """A slow way costs time and nothing else."""
        session = self.session()
        self.proxy.delay = 0.05
        self.assertEqual(self.append(session, "one", size=300_000).status, "OK")
        session.poll()
        session.ok("FETCH 1 BODY[]")
        session.ok("STORE 1 +FLAGS (kept)")


class StalledTests(FaultTestCase):
    """A database that accepts everything and answers nothing."""

    options = {"acquire_timeout": 1.0, "statement_timeout": 1.0}  # noqa: RUF012 - read only

    async def setUp(self) -> None:  # type: ignore[override]
        """Have patience for a moment only."""
        self.patch(pool_module, "GRACE", 0.5)
        await super().setUp()

    @in_thread
    def test_stalled(self) -> None:
        """Commands that need it are NO after a while, others work all the time; then everything works again."""
        self.deliver_here("one")
        session, other = self.session("INBOX"), self.session("INBOX")
        self.proxy.stall()
        tags = [session.begin(text) for text in ("STATUS Archive (MESSAGES)", 'LIST "" *')]
        other.ok("CAPABILITY")
        other.ok("FETCH 1:* FLAGS")
        for tag in tags:
            self.unavailable(session.answer(tag))
        other.ok("FETCH 1:* FLAGS")
        self.proxy.resume()
        self.eventually(session, 'LIST "" *')
        self.eventually(other, "NOOP")

    @in_thread
    def test_statement_timeout(self) -> None:
        """A statement that takes too long is NO, nothing of it was done, and the next works."""
        session = self.session()
        self.append(session, "one")
        session.poll()
        holder = psycopg2.connect(self.direct)
        holder.cursor().execute("SELECT * FROM emails FOR UPDATE")
        answer = session.command("STORE 1 +FLAGS (kept)")
        self.unavailable(answer)
        self.assertNotIn(b"see whether", answer.tagged.raw)
        holder.close()
        session.ok("STORE 1 +FLAGS (other)")
        session.poll()
        self.assertEqual(session.messages[0].flags, {"other"})


class LogTests(FaultTestCase):
    """What is in the log of all this; that there are no unhandled errors, trial itself checks in each test."""

    async def test_one_line(self) -> None:
        """That the database is away is a line, not one for each connection and attempt."""
        lines: list[str] = []
        again: Deferred[None] = Deferred()
        log = Mock(
            warn=lambda text, **fields: lines.append(text.format(**fields)),
            info=lambda text, **fields: again.callback(None),
        )
        self.patch(pool_module.Pool, "_log", log)
        self.proxy.shut()
        await deferLater(reactor, 0.5)
        self.proxy.unshut()
        await again
        self.assertEqual(lines, ["Lost all connections to PostgreSQL; reconnecting"])
