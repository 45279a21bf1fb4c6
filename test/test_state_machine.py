"""Everything that can happen to an account's mailboxes, as a state machine over real sockets and a real PostgreSQL.

Sessions at two servers follow their mailboxes by nothing but what they are sent, while clients and other programs do to
them all there is: the mail receiver, whose transactions are committed late and in any order, programs that
write flags, delete and move rows, bans that come and go, addresses that are given and taken. Whenever a session has
polled, it must know exactly what the service's tables say.

``STATE_MACHINE_EXAMPLES`` runs more and other examples than the usual ones, which are the same each time.
"""

from __future__ import annotations

import os
import traceback
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from test.clients.case import in_thread
from test.mail_truth import NOT_SHOWN, Letter, Shown, Tables
from test.mailbox_ledger import Ledger
from test.replaying import HungUp, Session
from test.two_servers import Owner, TwoServersTestCase

EXAMPLES = 20
STEPS = 40

SENDERS = ("a@one.example", "Bee <b@two.example>", "c@two.example")
BANS = (("a@one.example", "exact"), ("B@two.example", "exact"), ("two.example", "contains"))
FLAGS = st.lists(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "work", "$Label1"]), max_size=3, unique=True)
WRITTEN = st.lists(st.sampled_from(["\\Seen", "\\Deleted", "\\answered", "other", *NOT_SHOWN]), max_size=4, unique=True)
NUMBER = st.integers(0, 60)
NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=5, unique=True)
SESSION = st.integers(0, 5)
WRITER = st.integers(0, 2)
PLACE = st.integers(0, 5)
LETTERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=4)


def noted(step: Callable[..., None]) -> Callable[..., None]:
    """Keep how a step fails for the first time: where it fails otherwise when repeated, Hypothesis does not tell."""

    @wraps(step)
    def kept(self: Mailboxes, *given: Any, **drawn: Any) -> None:
        self.history.append(f"{step.__name__}({', '.join(f'{key}={value!r}' for key, value in drawn.items())})")
        try:
            step(self, *given, **drawn)
        except Exception:
            self.failures.append("\n".join([*self.history, traceback.format_exc()]))
            raise

    return kept


class Mailboxes(RuleBasedStateMachine):
    """Two servers, six sessions, three writers of late transactions, and other programs."""

    def __init__(self, owner: Owner, failures: list[str]) -> None:
        super().__init__()
        self.owner = owner
        self.failures = failures
        self.history: list[str] = []
        self.tables = owner.tables()
        self.here, self.there, self.passing = (owner.address(word) for word in ("here", "there", "passing"))
        self.names = ("INBOX", self.here, self.there, f"{self.here}/Work", "Archive", self.passing)
        self.passing_owned = False
        self.open_writers: dict[int, Tables] = {}
        self.banning: Tables | None = None
        self.ledgers: dict[tuple[str, int], Ledger] = {}
        self.subjects = 0
        self.steps = 0
        self.sessions: list[Session] = []

    @initialize()
    @noted
    def begin(self) -> None:
        """Open the sessions."""
        for number, name in enumerate(("INBOX", "INBOX", self.here, self.here, "Archive", self.there)):
            self.sessions.append(self.connect(number, name))
        self.sessions[0].ok(f'CREATE "{self.here}/Work"')

    def connect(self, number: int, name: str) -> Session:
        """Open a session; even numbers are at one server, odd ones at the other."""
        session = self.owner.session(number % 2)
        assert session.select(name)
        return session

    def subject(self) -> str:
        """Return a subject that no other message has."""
        self.subjects += 1
        return f"s{self.subjects:04}"

    def letters(self, chosen: list[tuple[int, int]], flags: list[str]) -> list[Letter]:
        """Return new mail for places that are always the user's, by (place, sender)."""
        places = ((self.here, "INBOX"), (self.there, "INBOX"), (self.here, "Work"), (self.here, "INBOX"))
        return [Letter(*places[place], self.subject(), SENDERS[sender], tuple(flags)) for place, sender in chosen]

    # -- the mail receiver --------------------------------------------------------------------------------------------

    @rule(writer=WRITER, chosen=LETTERS, flags=FLAGS)
    @noted
    def begin_batch(self, writer: int, chosen: list[tuple[int, int]], flags: list[str]) -> None:
        """The receiver inserts mail and does not commit yet; or more mail, where it did so before."""
        if writer not in self.open_writers:
            self.open_writers[writer] = self.owner.tables()
            self.open_writers[writer].begin()
        self.open_writers[writer].insert(self.letters(chosen, flags))

    @rule(writer=WRITER, commit=st.sampled_from((True, True, True, False)))
    @noted
    def end_batch(self, writer: int, commit: bool) -> None:
        """The receiver commits, or rolls back."""
        tables = self.open_writers.pop(writer, None)
        if tables is not None:
            tables.end(commit)
            tables.close()

    @rule(chosen=LETTERS, flags=FLAGS)
    @noted
    def deliver(self, chosen: list[tuple[int, int]], flags: list[str]) -> None:
        """The receiver delivers mail at once; where the address that comes and goes is the user's, to that too."""
        letters = self.letters(chosen, flags)
        if self.passing_owned:
            letters.append(Letter(self.passing, "INBOX", self.subject(), SENDERS[0]))
        self.tables.insert(letters)

    # -- other programs -----------------------------------------------------------------------------------------------

    def pick(self, number: int) -> Any:
        """Return the id of one of the user's e-mails, or None."""
        rows = self.tables.execute(
            "SELECT id FROM emails WHERE mailbox_owner = ANY (%s) ORDER BY subject, created_at, id",
            [self.here, self.there, self.owner.account],
        )
        return rows[number % len(rows)][0] if rows else None

    @rule(number=NUMBER, flags=WRITTEN | st.none())
    @noted
    def write_flags(self, number: int, flags: list[str] | None) -> None:
        """Another program writes flags, also what is no flag, or NULL."""
        self.tables.execute("UPDATE emails SET flags = %s WHERE id = %s", flags, self.pick(number))

    @rule(number=NUMBER)
    @noted
    def delete_row(self, number: int) -> None:
        """Another program deletes a message."""
        self.tables.execute("DELETE FROM emails WHERE id = %s", self.pick(number))

    @rule(number=NUMBER, place=st.integers(0, 4), sender=st.integers(0, 2))
    @noted
    def move_row(self, number: int, place: int, sender: int) -> None:
        """Another program gives a message another place, also one that is not the user's, or another sender."""
        owner, folder = (
            (self.here, "INBOX"),
            (self.there, "INBOX"),
            (self.here, "Work"),
            (self.owner.account, "Archive"),
            ("stranger@example.com", "INBOX"),
        )[place]
        statement = "UPDATE emails SET mailbox_owner = %s, mailbox = %s, from_addr = %s WHERE id = %s"
        self.tables.execute(statement, owner, folder, SENDERS[sender], self.pick(number))

    @rule(number=st.integers(0, 2), late=st.booleans())
    @noted
    def ban_or_lift(self, number: int, late: bool) -> None:
        """A sender is banned, or is no longer; it may be a while until that is committed."""
        if self.banning is not None:
            self.banning.end(True)
            self.banning.close()
            self.banning = None
            return
        tables = self.owner.tables() if late else self.tables
        if late:
            self.banning = tables
            tables.begin()
        value, match = BANS[number]
        if not tables.execute("DELETE FROM bans WHERE value = %s RETURNING 1", value):
            statement = "INSERT INTO bans (scope, value, match_type, status) VALUES ('sender', %s, %s, 'active')"
            tables.execute(statement, value, match)

    @rule()
    @noted
    def give_or_take(self) -> None:
        """The user is given an address, or it is taken; sessions that have it open are sent away."""
        self.passing_owned = not self.passing_owned
        user = self.owner.user if self.passing_owned else None
        statement = """
            INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)
            ON CONFLICT (email_address) DO UPDATE SET user_id = excluded.user_id
        """
        self.tables.execute(statement, self.passing, user)
        if not self.passing_owned:
            for number, session in enumerate(self.sessions):
                if session.name == self.passing:
                    self.sent_away(number)

    def sent_away(self, number: int) -> None:
        """A session whose mailbox is the user's no longer is hung up, and comes back elsewhere."""
        session = self.sessions[number]
        try:
            session.poll()
        except HungUp:
            session.close()
        else:
            raise AssertionError("a session goes on in a mailbox that is the user's no longer")
        self.sessions[number] = self.connect(number, "INBOX")

    # -- clients ------------------------------------------------------------------------------------------------------

    def client(self, number: int) -> Session:
        """Return a session that is ready for a command."""
        session = self.sessions[number]
        session.done()
        return session

    def chosen(self, session: Session, numbers: list[int], uid: bool) -> str | None:
        """Return a set of messages that the session knows, and may be gone; None where it knows none."""
        known = [message.uid if uid else seq for seq, message in enumerate(session.messages, 1)]
        # It does not know the UIDs of what it was just told to exist.
        known = [number for number in known if number is not None]
        return ",".join(str(known[n]) for n in sorted({number % len(known) for number in numbers})) if known else None

    def target(self, place: int) -> str:
        """Return a mailbox that is the user's."""
        name = self.names[place]
        return name if name != self.passing or self.passing_owned else "INBOX"

    @rule(number=SESSION, numbers=NUMBERS, mode=st.sampled_from(["", "+", "-"]), flags=FLAGS, uid=st.booleans())
    @noted
    def store(self, number: int, numbers: list[int], mode: str, flags: list[str], uid: bool) -> None:
        """A client changes flags, of messages some of which may have gone."""
        session = self.client(number)
        chosen = self.chosen(session, numbers, uid)
        if chosen is not None:
            answer = session.store(chosen, mode, flags, uid=uid, silent=len(numbers) % 2 == 1)
            assert answer.status == "OK" or answer.code == "EXPUNGEISSUED", answer.tagged.raw

    @rule(number=SESSION, numbers=st.none() | NUMBERS)
    @noted
    def expunge(self, number: int, numbers: list[int] | None) -> None:
        """A client expunges what is marked, or some of it."""
        session = self.client(number)
        chosen = None if numbers is None else self.chosen(session, numbers, uid=True)
        session.ok("EXPUNGE" if chosen is None else f"UID EXPUNGE {chosen}")

    @rule(number=SESSION, numbers=NUMBERS, place=PLACE, move=st.booleans(), uid=st.booleans())
    @noted
    def copy_or_move(self, number: int, numbers: list[int], place: int, move: bool, uid: bool) -> None:
        """A client copies or moves messages; what has become of each is what COPYUID says."""
        session = self.client(number)
        chosen, target = self.chosen(session, numbers, uid), self.target(place)
        if chosen is None:
            return
        answer = session.command(f'{"UID " * uid}{"MOVE" if move else "COPY"} {chosen} "{target}"')
        if answer.status != "OK":
            assert answer.code in (("CANNOT", "EXPUNGEISSUED") if move else ("EXPUNGEISSUED",)), answer.tagged.raw
            return
        session.learn()

    @rule(number=SESSION, place=PLACE, flags=FLAGS)
    @noted
    def append(self, number: int, place: int, flags: list[str]) -> None:
        """A client adds a message, which has the UID that APPENDUID says."""
        session = self.client(number)
        message = f"Subject: {self.subject()}\r\n\r\nHello\r\n"
        target = self.target(place)
        answer = session.ok(f'APPEND "{target}" ({" ".join(flags)}) {{{len(message)}+}}\r\n{message}')
        assert answer.tagged.code is not None
        validity, uid = answer.tagged.code[1]
        ledger = self.ledgers.get((target, validity))
        if ledger is not None:
            assert int(uid) >= ledger.uid_next, "APPENDUID is below UIDNEXT"

    @rule(number=SESSION, place=PLACE)
    @noted
    def select(self, number: int, place: int) -> None:
        """A client opens another mailbox; UIDNEXT is no lie."""
        session, name = self.client(number), self.target(place)
        assert session.select(name), name
        self.compare(session)
        self.ledger(session).announce(session.uid_next)

    @rule(number=SESSION)
    @noted
    def idle(self, number: int) -> None:
        """A client begins to idle."""
        self.sessions[number].idle()

    @rule(number=SESSION, place=PLACE)
    @noted
    def status(self, number: int, place: int) -> None:
        """A client asks for counts of a mailbox, also of the one it has open."""
        session, name = self.client(number), self.target(place)
        answer = session.ok(f'STATUS "{name}" (MESSAGES UNSEEN UIDNEXT UIDVALIDITY)')
        shown = self.tables.shown(name)
        ((_, items),) = answer.data("STATUS")
        assert items["MESSAGES"] == shown.total()
        assert items["UNSEEN"] == sum(n for (_, flags), n in shown.items() if "\\seen" not in flags)
        ledger = self.ledgers.get((name, items["UIDVALIDITY"]))
        if ledger is not None:
            assert items["UIDNEXT"] >= ledger.uid_next, "UIDNEXT falls"
            assert all(uid < items["UIDNEXT"] for uid in ledger.subjects)

    # -- what must hold -----------------------------------------------------------------------------------------------

    @invariant()
    def views_are_true(self) -> None:
        """Sessions that poll know the truth. Not all poll after each step: some are left behind for a while."""
        self.steps += 1
        for number in range(len(self.sessions)):
            if self.steps % (number + 1) == 0:
                self.catch_up(number=number)

    @noted
    def catch_up(self, number: int) -> None:
        """A session is told all there is."""
        self.check(self.sessions[number])

    def check(self, session: Session) -> None:
        """Have a session told all there is, by IDLE where it idles, and compare."""
        assert session.name is not None
        if session.is_idling:
            self.hear_all(session)
        session.poll()
        self.compare(session)
        ledger = self.ledger(session)
        _, uid_next, mod_seq = self.tables.head(session.name)
        ledger.announce(uid_next)
        ledger.keep_point(mod_seq, session.contents)
        ledger.check_changes(session.contents)

    def hear_all(self, session: Session) -> None:
        """Wait until an idling session was told all that there is."""
        assert session.name is not None
        shown = self.tables.shown(session.name)
        while not _agrees(session, shown):
            session.hear()

    def compare(self, session: Session) -> None:
        """What the session was told is what the tables say."""
        assert session.name is not None
        shown = self.tables.shown(session.name)
        known: Shown = Counter(session.contents.values())
        assert known == shown, (
            f"{session.name}: too much {known - shown}, too little {shown - known}\n{session.transcript}"
        )
        self.ledger(session).observe(session.contents)

    def ledger(self, session: Session) -> Ledger:
        """Return the history of a session's mailbox."""
        assert session.name is not None
        key = session.name, session.uid_validity
        if key not in self.ledgers:
            self.ledgers[key] = Ledger(self.tables.head(session.name)[0], self.owner)
        return self.ledgers[key]

    @noted
    def teardown(self) -> None:
        """Let everything come to its end: all is known by all, and the server's own tables hold together."""
        try:
            for writer in list(self.open_writers):
                self.end_batch(writer, True)
            if self.banning is not None:
                self.ban_or_lift(0, False)
            for session in self.sessions:
                self.check(session)
            for place in range(len(self.names)):
                self.status(0, place)
            self.tables.check()
        finally:
            self.leave()

    def leave(self) -> None:
        """Close every connection; bans end, which are everybody's."""
        for session in self.sessions:
            session.close()
        for tables in (*self.open_writers.values(), self.banning):
            if tables is not None:
                tables.end(False)
                tables.close()
        self.tables.execute("DELETE FROM bans")
        self.tables.close()


def _agrees(session: Session, shown: Shown) -> bool:
    """Tell whether what a session knows, it may not have fetched new mail, can be the truth."""
    known = Counter((m.subject, m.flags) for m in session.messages if m.subject is not None and m.flags is not None)
    return len(session.messages) == shown.total() and known <= shown


class StateMachineTests(TwoServersTestCase):
    """The machine, run as a test."""

    @in_thread
    def test_machine(self) -> None:
        """Whatever happens, each session that has polled knows what is true, and all numbers keep their promises."""
        failures: list[str] = []
        try:
            self.run_machine(failures, os.environ.get("STATE_MACHINE_EXAMPLES"))
        except Exception:
            self.fail(failures[0] if failures else traceback.format_exc())

    def run_machine(self, failures: list[str], more: str | None) -> None:
        """Run the machine, ``more`` often and otherwise than usual."""

        def machine() -> Mailboxes:
            return Mailboxes(self.account("here", "there"), failures)

        run_state_machine_as_test(
            machine,  # type: ignore[arg-type]
            settings=settings(
                max_examples=int(more or EXAMPLES),
                derandomize=more is None,
                database=None,
                # Shrinking would take much longer than reading the steps of what failed.
                phases=[Phase.generate],
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
