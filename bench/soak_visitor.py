"""A session of the soak: it works on messages of its own in mailboxes that others use too, and notes each OK."""

from __future__ import annotations

import random
import re
import secrets
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from threading import Event
from uuid import UUID, uuid4

import psycopg2

from test.mail_truth import Tables
from test.replaying import HungUp, Session
from test.wire import Answer

MAILBOXES = ("Drafts", "Archive")
REST = (0.5, 3.0)
"""Seconds between two steps of a session."""

KEPT = 15
"""Messages that a session leaves alone; those beyond are expunged."""

_ACCOUNT = "INSERT INTO users (id, email, subscription_status) VALUES (%s, %s, 'active')"
_TOKEN = "INSERT INTO imap_tokens (user_id, token, expires_at) VALUES (%s, %s, now() + interval '1 day')"
_UID = re.compile(rb"\[APPENDUID [0-9]+ ([0-9]+)\]")


@dataclass(frozen=True)
class Account:
    """A user with folders of the account's own."""

    user: UUID
    email: str
    token: str

    @property
    def owner(self) -> str:
        """The owner of the folders."""
        return f"account:{self.user}"

    @classmethod
    def make(cls, dsn: str, number: int) -> Account:
        """Add one."""
        account = cls(uuid4(), f"user{number}@example.com", secrets.token_hex(8))
        with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(_ACCOUNT, (str(account.user), account.email))
            cursor.execute(_TOKEN, (str(account.user), account.token))
        connection.close()
        return account


@dataclass
class Record:
    """Messages by subject, of which it is certain where they are, and their flags; those that are certainly gone."""

    there: dict[str, tuple[str, set[str]]] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)

    def check(self, found: dict[str, tuple[str, set[str]]]) -> None:
        """Compare with all messages that there are."""
        for subject, (mailbox, flags) in self.there.items():
            assert subject in found, f"{subject} was answered OK and is lost"
            assert found[subject][0] == mailbox, f"{subject} is in {found[subject][0]}, not in {mailbox}"
            assert flags <= found[subject][1], f"{subject} has {found[subject][1]}, not {flags}"
        assert not self.gone & found.keys(), f"expunged and there: {self.gone & found.keys()}"


class Unavailable(Exception):
    """The database is away: the session begins anew."""


class Visitor:
    """One session; :meth:`work` goes on until ``stop``."""

    def __init__(
        self, address: tuple[str, int], account: Account, number: int, stop: Event, failures: list[str]
    ) -> None:
        self.account = account
        self.number = number
        self.record = Record()
        self.done: Counter[str] = Counter()
        self._port = address[1]
        self._stop = stop
        self._failures = failures
        self._chance = random.Random(number)
        self._session: Session | None = None
        self._made = 0
        self._mailbox = MAILBOXES[number % 2]
        self._mine: dict[str, int] = {}

    def work(self) -> None:
        """Do one thing after another."""
        try:
            while not self._stop.wait(self._chance.uniform(*REST)):
                self._turn()
        except Exception:
            said = "" if self._session is None else self._session.transcript
            self._failures.append(f"session {self.number}: {traceback.format_exc()}\n{said}")

    def _turn(self) -> None:
        try:
            session = self._session or self._connect()
            steps = (self._append, self._append, self._flag, self._move, self._idle, self._look)
            self._chance.choice(steps)(session)
            if len(self._mine) > KEPT:
                self._expunge(session)
        except (HungUp, Unavailable, OSError) as end:
            self.done[f"ended: {type(end).__name__}"] += 1
            self._leave()
        except AssertionError as failed:
            # The session asserts OK where nothing else may come while the database is there.
            if "UNAVAILABLE" not in str(failed):
                raise
            self.done["ended: unavailable"] += 1
            self._leave()

    def _leave(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _connect(self) -> Session:
        session = Session(self._port, self.account.email, self.account.token)
        self._session = session
        assert session.select(self._mailbox), session.transcript
        # What was moved or expunged without an answer is told by its being there or not.
        self._mine = {
            message.subject: message.uid
            for message in session.messages
            if message.subject is not None and message.uid is not None and message.subject.startswith(self._prefix)
        }
        return session

    @property
    def _prefix(self) -> str:
        return f"n{self.number}x"

    def _given(self, session: Session, what: str, text: str) -> Answer | None:
        """Give a command; return its answer when it is OK, None when the database is away."""
        answer = session.command(text)
        assert answer.status == "OK" or answer.code == "UNAVAILABLE", (text, answer.tagged.raw)
        self.done[f"{what} {answer.status}"] += 1
        return answer if answer.status == "OK" else None

    # -- steps --------------------------------------------------------------------------------------------------------

    def _append(self, session: Session) -> None:
        self._made += 1
        subject = f"{self._prefix}{self._made}"
        message = f"Subject: {subject}\r\n\r\n" + "x" * self._chance.choice((10, 10, 5000))
        answer = self._given(session, "APPEND", f"APPEND {self._mailbox} {{{len(message)}+}}\r\n{message}")
        if answer is not None:
            uid = _UID.search(answer.tagged.raw)
            assert uid is not None
            self.record.there[subject] = (self._mailbox, set())
            self._mine[subject] = int(uid[1])

    def _flag(self, session: Session) -> None:
        if not self._mine:
            return
        subject, uid = self._chance.choice(list(self._mine.items()))
        flag = self._chance.choice(("Kept", "\\Flagged", "\\Seen"))
        if self._given(session, "STORE", f"UID STORE {uid} +FLAGS ({flag})") and subject in self.record.there:
            self.record.there[subject][1].add(flag)

    def _move(self, session: Session) -> None:
        if not self._mine:
            return
        subject, uid = self._chance.choice(list(self._mine.items()))
        before = self.record.there.pop(subject, None)
        target = MAILBOXES[1 - MAILBOXES.index(self._mailbox)]
        del self._mine[subject]
        if self._given(session, "MOVE", f"UID MOVE {uid} {target}") and before is not None:
            self.record.there[subject] = (target, before[1])

    def _expunge(self, session: Session) -> None:
        some = list(self._mine.items())[: KEPT // 2]
        uids = ",".join(str(uid) for _, uid in some)
        for subject, _ in some:
            self.record.there.pop(subject, None)
            del self._mine[subject]
        # Not .SILENT: should the database be away for what comes next, the session must know of the flag.
        if self._given(session, "STORE", f"UID STORE {uids} +FLAGS (\\Deleted)") and self._given(
            session, "EXPUNGE", f"UID EXPUNGE {uids}"
        ):
            self.record.gone.update(subject for subject, _ in some)

    def _idle(self, session: Session) -> None:
        session.idle()
        self._stop.wait(self._chance.uniform(0.5, 6.0))
        session.done()
        self.done["IDLE OK"] += 1

    def _look(self, session: Session) -> None:
        if self._given(session, "NOOP", "NOOP"):
            session.learn()

    # -- in the end ---------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Take in all there is; a session that is away comes back."""
        deadline = time.monotonic() + 60
        while True:
            try:
                session = self._session or self._connect()
                session.poll()
                return
            except (HungUp, OSError, AssertionError) as end:
                if time.monotonic() > deadline or (isinstance(end, AssertionError) and "UNAVAILABLE" not in str(end)):
                    raise
                self._leave()

    def check(self, tables: Tables) -> None:
        """Compare what the session knows with the tables, and close it."""
        assert self._session is not None
        shown, known = tables.shown(self._mailbox), Counter(self._session.contents.values())
        assert known == shown, f"too much {known - shown}, too little {shown - known}\n{self._session.transcript}"
        self._leave()
