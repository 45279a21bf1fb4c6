"""Many sessions and programs at once, for a while, against two servers: what must hold, holds in between and after it.

Each thread does what chance says, one connection each: sessions of the same account at both servers, the mail receiver
with transactions that are committed late or not at all, programs that write the tables, bans and an address that come
and go. While they run, every session checks what it is told against what it and others were told before; now and then
all threads stop, and every session must know exactly what the service's tables say.

``INVARIANT_SECONDS`` is how long they run in all (60), ``INVARIANT_SEED`` what chance begins with. Threads are not
repeatable: a test that fails tells what was said last, and what the tables hold.
"""

from __future__ import annotations

import os
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Lock, Thread

from psycopg2.errors import DeadlockDetected

from test.clients.case import in_thread
from test.mail_truth import Letter, Tables
from test.mailbox_ledger import Ledger, check_changes
from test.mailboxes_model import CONDSTORE, QRESYNC, REV2, audit, compare
from test.replaying import HungUp, Session
from test.two_servers import Owner, TwoServersTestCase

ROUND = 5.0
"""Seconds between two times at which everything stands still."""

KINDS = ((QRESYNC,), (), (CONDSTORE,), (QRESYNC,), (REV2,), (QRESYNC, REV2), (CONDSTORE,), (), (QRESYNC,), (CONDSTORE,))
"""What each of the sessions enables; even ones are at one server, odd ones at the other."""

LIMITED, READING = 8, 9
"""The sessions whose tokens are limited to an address, and for reading only."""

SENDERS = ("a@one.example", "Bee <b@two.example>", "c@two.example")
BANS = (("a@one.example", "exact"), ("two.example", "contains"))
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "work", "$Label1")
PERMITTED = (None, "EXPUNGEISSUED", "CANNOT", "TRYCREATE", "NONEXISTENT")
"""Codes of what may come of a command while others are at work; not among them is that the server could not do it."""


@dataclass
class Field:
    """What all threads have in common."""

    owner: Owner
    seed: int
    stop: Event = field(default_factory=Event)
    faults: list[str] = field(default_factory=list)
    subjects: dict[tuple[bytes, int, int], str] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock)
    made: int = 0
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.here, self.there, self.passing = (self.owner.address(word) for word in ("here", "there", "passing"))
        self.targets = ("INBOX", self.here, self.there, f"{self.here}/Work", "Archive")

    def subject(self) -> str:
        """Return a subject that no other message has."""
        with self.lock:
            self.made += 1
            return f"s{self.made:06}"

    def run(self, word: str, number: int, step: Callable[[random.Random], None]) -> Thread:
        """Return a thread that does a step over and over, as chance says."""
        chance = random.Random(f"{self.seed} {word} {number} {sum(self.done.values())}")

        def steps() -> None:
            while not self.stop.is_set():
                try:
                    step(chance)
                except Exception:
                    self.faults.append(f"{word} {number}: {traceback.format_exc()}")
                    self.stop.set()
                with self.lock:
                    self.done[word] += 1

        return Thread(target=steps, name=f"{word} {number}")

    def remember(self, session: Session) -> None:
        """Check that each UID is what it was, to whichever session."""
        assert session.name is not None
        with self.lock:
            for message in session.messages:
                if message.uid is not None and message.subject is not None:
                    key = (session.mailbox_id, session.uid_validity, message.uid)
                    assert self.subjects.setdefault(key, message.subject) == message.subject, key


class Visitor:
    """A session that does what chance says."""

    def __init__(self, common: Field, number: int) -> None:
        self.field = common
        self.number = number
        self.session = self.connect(common.targets[number % len(common.targets)])

    def connect(self, name: str) -> Session:
        """Open a session at one of the servers."""
        owner, enabling = self.field.owner, KINDS[self.number]
        if self.number == LIMITED:
            session = owner.limited_session(self.number % 2, *enabling)
        elif self.number == READING:
            session = owner.reading_session(self.number % 2, *enabling)
        else:
            session = owner.session(self.number % 2, *enabling)
        assert session.select(name)
        return session

    def step(self, chance: random.Random) -> None:
        """Do one thing, and take in what others did."""
        try:
            chance.choice(
                (self.store, self.store, self.expunge, self.copy, self.move, self.append, self.idle, self.select)
            )(chance)
            self.session.poll()
        except HungUp:
            assert self.session.name in (None, self.field.passing), self.session.transcript
            self.session.close()
            self.session = self.connect("INBOX")
        self.field.remember(self.session)

    def command(self, text: str) -> None:
        """Give a command that may fail for what others do, and for nothing else."""
        answer = self.session.command(text)
        if self.session.reads_only:
            assert answer.code in ("READ-ONLY", "NOPERM"), (text, answer.tagged.raw)
            return
        if self.session.reach is not None and answer.code == "NOPERM":
            return
        assert answer.status != "BAD" and answer.code in (*PERMITTED, "APPENDUID", "COPYUID", "HIGHESTMODSEQ"), (
            text,
            answer.tagged.raw,
        )

    def chosen(self, chance: random.Random) -> str:
        """Return UIDs of messages that the session knows, or one that is not there."""
        uids = [message.uid for message in self.session.messages if message.uid is not None]
        return ",".join(str(uid) for uid in sorted(chance.sample(uids, min(len(uids), 4)))) or "4000000000"

    def store(self, chance: random.Random) -> None:
        """Change flags."""
        flags = chance.sample(FLAGS, chance.randint(0, 2))
        mode, silent = chance.choice(("", "+", "-")), chance.random() < 0.5 and not self.session.reads_only
        chosen = self.chosen(chance)
        answer = self.session.store(chosen, mode, flags, uid=True, silent=silent)
        assert answer.status == "OK" or (self.session.reads_only and answer.code == "READ-ONLY"), answer.tagged.raw

    def expunge(self, chance: random.Random) -> None:
        """Expunge."""
        self.command(chance.choice(("EXPUNGE", f"UID EXPUNGE {self.chosen(chance)}")))

    def copy(self, chance: random.Random) -> None:
        """Copy messages; where there are many already, delete some instead."""
        if len(self.session.messages) > 150:
            self.command("UID STORE 1:* +FLAGS.SILENT (\\Deleted)")
            self.session.select("INBOX")
            return
        self.command(f'UID COPY {self.chosen(chance)} "{chance.choice(self.field.targets)}"')

    def move(self, chance: random.Random) -> None:
        """Move messages."""
        self.command(f'UID MOVE {self.chosen(chance)} "{chance.choice(self.field.targets)}"')

    def append(self, chance: random.Random) -> None:
        """Add a message."""
        message = f"Subject: {self.field.subject()}\r\n\r\nHello\r\n"
        target = chance.choice(self.field.targets)
        self.command(f'APPEND "{target}" ({chance.choice(FLAGS)}) {{{len(message)}+}}\r\n{message}')

    def idle(self, chance: random.Random) -> None:
        """Idle for a moment."""
        self.session.idle()
        self.field.stop.wait(chance.random() / 5)
        self.session.done()

    def select(self, chance: random.Random) -> None:
        """Open another mailbox, also one that may just be taken away."""
        if not self.session.select(chance.choice((*self.field.targets, self.field.passing))):
            assert self.session.select("INBOX")


class Programs:
    """Other programs, each of them with a connection."""

    def __init__(self, common: Field) -> None:
        self.field = common
        self.banned = self.given = False

    def receive(self, tables: Tables) -> Callable[[random.Random], None]:
        """Return the steps of the mail receiver: batches that are committed after a while, in no order, or not."""

        def step(chance: random.Random) -> None:
            places = ((self.field.here, "INBOX"), (self.field.there, "INBOX"), (self.field.here, "Work"))
            letters = [
                Letter(*chance.choice(places), self.field.subject(), chance.choice(SENDERS))
                for _ in range(chance.randint(1, 6))
            ]
            tables.begin()
            tables.insert(letters[:3])
            self.field.stop.wait(chance.random() / 3)
            tables.insert(letters[3:] or letters[:0] or [Letter(*places[0], self.field.subject(), SENDERS[0])])
            self.field.stop.wait(chance.random() / 10)
            tables.end(chance.random() < 0.8)

        return step

    def write(self, tables: Tables) -> Callable[[random.Random], None]:
        """Return the steps of a program that changes rows, several in a transaction, in any order."""

        def change(chance: random.Random) -> None:
            owners = [self.field.here, self.field.there, self.field.owner.account]
            rows = tables.execute("SELECT id FROM emails WHERE mailbox_owner = ANY (%s)", owners)
            for (email,) in chance.sample(rows, min(len(rows), 3)):
                what = chance.random()
                if what < 0.6:
                    flags = chance.sample(FLAGS, chance.randint(0, 2))
                    tables.execute("UPDATE emails SET flags = %s WHERE id = %s", flags, email)
                elif what < 0.8:
                    place = chance.choice(((self.field.here, "INBOX"), (self.field.there, "INBOX"), ("x@y", "INBOX")))
                    tables.execute("UPDATE emails SET mailbox_owner = %s, mailbox = %s WHERE id = %s", *place, email)
                else:
                    tables.execute("DELETE FROM emails WHERE id = %s", email)

        def step(chance: random.Random) -> None:
            tables.begin()
            try:
                change(chance)
            except DeadlockDetected:
                # PostgreSQL chooses whom it gives up; this program took rows in any order, and would do it again.
                tables.end(False)
            else:
                tables.end(True)
            self.field.stop.wait(chance.random() / 10)

        return step

    def ban(self, tables: Tables) -> Callable[[random.Random], None]:
        """Return the steps of who bans senders, and lifts bans."""

        def step(chance: random.Random) -> None:
            value, match = chance.choice(BANS)
            tables.begin()
            if not tables.execute("DELETE FROM bans WHERE value = %s RETURNING 1", value):
                statement = "INSERT INTO bans (scope, value, match_type, status) VALUES ('sender', %s, %s, 'active')"
                tables.execute(statement, value, match)
            self.field.stop.wait(chance.random() / 5)
            tables.end(True)
            self.field.stop.wait(chance.random() / 2)

        return step

    def give(self, tables: Tables) -> Callable[[random.Random], None]:
        """Return the steps of who gives an address and takes it; mail comes to it while it is the user's."""

        def step(chance: random.Random) -> None:
            self.given = not self.given
            statement = """
                INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)
                ON CONFLICT (email_address) DO UPDATE SET user_id = excluded.user_id
            """
            tables.execute(statement, self.field.passing, self.field.owner.user if self.given else None)
            if self.given:
                tables.insert([Letter(self.field.passing, "INBOX", self.field.subject(), SENDERS[0])])
            self.field.stop.wait(chance.random())

        return step


class ThreadTests(TwoServersTestCase):
    """Everything at once."""

    @in_thread
    def test_everything_at_once(self) -> None:
        """Whatever threads do, no number breaks its promise, and all know the truth when they stand still."""
        seed = int(os.environ.get("INVARIANT_SEED", "1"))
        common = Field(self.account("here", "there"), seed)
        seconds = float(os.environ.get("INVARIANT_SECONDS", "60"))
        with_folder = common.owner.session(0)
        with_folder.ok(f'CREATE "{common.here}/Work"')
        with_folder.close()
        visitors = [Visitor(common, number) for number in range(len(KINDS))]
        programs = Programs(common)
        connections = [common.owner.tables() for _ in range(6)]
        steps = [programs.receive, programs.receive, programs.write, programs.write, programs.ban, programs.give]
        ledgers: dict[tuple[bytes, int], Ledger] = {}
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                threads = [common.run("visitor", each.number, each.step) for each in visitors]
                threads += [
                    common.run(step.__name__, number, step(tables))
                    for number, (step, tables) in enumerate(zip(steps, connections, strict=True))
                ]
                self.let_run(common, threads, min(ROUND, max(end - time.monotonic(), 0.1)))
                self.check(common, connections[0], visitors, ledgers)
        finally:
            for each in visitors:
                each.session.close()
            for tables in connections:
                tables.close()

    def let_run(self, common: Field, threads: list[Thread], seconds: float) -> None:
        """Let threads run for a while, or until one finds a fault."""
        common.stop.clear()
        for thread in threads:
            thread.start()
        common.stop.wait(seconds)
        common.stop.set()
        for thread in threads:
            thread.join()
        if common.faults:
            self.fail(f"seed {common.seed}, after {common.done}: {common.faults[0]}")

    def check(
        self, common: Field, tables: Tables, visitors: list[Visitor], ledgers: dict[tuple[bytes, int], Ledger]
    ) -> None:
        """Compare what the sessions know with the service's tables, and look into the server's own."""
        for visitor in visitors:
            session = visitor.session
            try:
                session.poll()
            except HungUp:
                assert session.name == common.passing, session.transcript
                session.close()
                session = visitor.session = visitor.connect("INBOX")
            assert session.name is not None
            compare(session, tables)
            common.remember(session)
            ledger = ledgers.setdefault((session.mailbox_id, session.uid_validity), Ledger())
            ledger.observe(session.contents)
            if session.tells_vanished and ledger.points:
                # One that was away since an earlier time at which everything stood still.
                then = ledger.points[visitor.number % len(ledger.points)]
                told = session.resync(session.name, then, "")
                compare(session, tables)
                check_changes(then, told, session.state())
            audit(session, ledger, visitor.number)
        for name in (*common.targets, *((common.passing,) if common.passing in tables.owned() else ())):
            visitors[0].session.ok(f'STATUS "{name}" (MESSAGES)')
        # The INBOX of a limited token is a mailbox of its own.
        visitors[LIMITED].session.ok('STATUS "INBOX" (MESSAGES)')
        tables.check()
