"""What the state machine's rules have in common: sessions, other programs' connections, and what must hold."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from test.mail_truth import Letter, Shown, Tables
from test.mailbox_ledger import Ledger, check_changes
from test.replaying import HungUp, Session
from test.two_servers import Owner

SENDERS = ("a@one.example", "Bee <b@two.example>", "c@two.example")
FOLDERS = ("{here}/Work", "{here}/Old", "Projects", "{there}/Work")
"""Names that the one folder can have that comes and goes."""

WHOLE = 6
"""Sessions whose token is neither limited nor for reading only."""

QRESYNC, CONDSTORE, REV2 = "QRESYNC", "CONDSTORE", "IMAP4rev2"

KINDS: tuple[tuple[str, ...], ...] = ((QRESYNC,), (), (CONDSTORE,), (QRESYNC,), (REV2,), (REV2, QRESYNC))
"""What the first sessions enable; even ones are at one server, odd ones at the other."""


def noted(step: Callable[..., None]) -> Callable[..., None]:
    """Keep how a step fails for the first time: where it fails otherwise when repeated, Hypothesis does not tell."""

    @wraps(step)
    def kept(self: Model, *given: Any, **drawn: Any) -> None:
        self.history.append(f"{step.__name__}({', '.join(f'{key}={value!r}' for key, value in drawn.items())})")
        try:
            step(self, *given, **drawn)
        except Exception:
            self.failures.append("\n".join([*self.history, traceback.format_exc()]))
            raise

    return kept


class Model(RuleBasedStateMachine):
    """Two servers, eight sessions, three writers of late transactions, and other programs."""

    def __init__(self, owner: Owner, failures: list[str]) -> None:
        super().__init__()
        self.owner = owner
        self.failures = failures
        self.history: list[str] = []
        self.tables = owner.tables()
        self.here, self.there, self.passing = (owner.address(word) for word in ("here", "there", "passing"))
        self.folder: str | None = None
        self.open_writers: dict[int, Tables] = {}
        self.banning: Tables | None = None
        self.ledgers: dict[tuple[bytes, int], Ledger] = {}
        self.named: dict[tuple[str, bool, int], bytes] = {}
        self.subjects = 0
        self.steps = 0
        self.sessions: list[Session] = []

    @initialize()
    @noted
    def begin(self) -> None:
        """Open the sessions."""
        names = ("INBOX", "INBOX", self.here, self.here, "Archive", self.there, "INBOX", self.here)
        for number, name in enumerate(names):
            self.sessions.append(self.connect(number, name))
        self.folder = f"{self.here}/Work"
        self.sessions[0].ok(f'CREATE "{self.folder}"')

    def connect(self, number: int, name: str) -> Session:
        """Open a session; the last two have a token that is limited, and one for reading only."""
        if number == WHOLE:
            session = self.owner.limited_session(0, QRESYNC)
        elif number > WHOLE:
            session = self.owner.reading_session(1, CONDSTORE)
        else:
            session = self.owner.session(number % 2, *KINDS[number])
        self.enter(session, name)
        return session

    def enter(self, session: Session, name: str) -> None:
        """Have a session open a mailbox that is there."""
        assert session.select(name), name
        key = name, session.reach is None, session.uid_validity
        assert self.named.setdefault(key, session.mailbox_id) == session.mailbox_id, "UIDVALIDITY is used again"

    def subject(self) -> str:
        """Return a subject that no other message has."""
        self.subjects += 1
        return f"s{self.subjects:04}"

    def letters(self, chosen: list[tuple[int, int]], flags: list[str]) -> list[Letter]:
        """Return new mail, by (place, sender); to an address that was given back or banned as well."""
        folder = self.tables.place(self.folder) if self.folder is not None else (self.here, "INBOX")
        places = ((self.here, "INBOX"), (self.there, "INBOX"), folder, (self.here, "INBOX"))
        return [Letter(*places[place], self.subject(), SENDERS[sender], tuple(flags)) for place, sender in chosen]

    # -- who is where -------------------------------------------------------------------------------------------------

    def names(self, session: Session) -> list[str]:
        """Return the mailboxes that a session can open."""
        names = ["INBOX", self.here, self.there, "Archive", self.passing]
        if self.folder is not None:
            names.append(self.folder)
        owned = self.tables.owned()
        if session.reach is not None:
            owned &= session.reach
        return [
            name
            for name in names
            if name == "INBOX" or (name.split("/")[0] in owned if "@" in name else session.reach is None)
        ]

    def target(self, session: Session, place: int) -> str:
        """Return a mailbox that a session can open."""
        names = self.names(session)
        return names[place % len(names)]

    def client(self, number: int) -> Session:
        """Return a session that is ready for a command."""
        session = self.sessions[number]
        session.done()
        return session

    def send_away(self) -> None:
        """Sessions whose mailbox is there no longer are hung up, and come back elsewhere."""
        for number, session in enumerate(self.sessions):
            if session.name not in self.names(session):
                try:
                    session.poll()
                except HungUp:
                    session.close()
                else:
                    raise AssertionError(f"session {number} goes on in {session.name}, which is there no longer")
                self.sessions[number] = self.connect(number, "INBOX")

    def pick(self, number: int) -> Any:
        """Return the id of one of the user's e-mails, or None."""
        rows = self.tables.execute(
            "SELECT id FROM emails WHERE mailbox_owner = ANY (%s) ORDER BY subject, created_at, id",
            [self.here, self.there, self.owner.account],
        )
        return rows[number % len(rows)][0] if rows else None

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
        """Have a session told all there is, by IDLE where it idles, and compare; ask for what has changed since."""
        if session.is_idling:
            self.hear_all(session)
        session.poll()
        self.compare(session)
        audit(session, self.ledger(session), self.steps)

    def hear_all(self, session: Session) -> None:
        """Wait until an idling session was told all that there is."""
        shown = self.shown(session)
        while not _agrees(session, shown):
            session.hear()

    def shown(self, session: Session) -> Shown:
        """Return what a session's mailbox must show."""
        assert session.name is not None
        return self.tables.shown(session.name, session.reach)

    def compare(self, session: Session) -> None:
        """What the session was told is what the tables say."""
        compare(session, self.tables)
        self.ledger(session).observe(session.contents)

    def ledger(self, session: Session) -> Ledger:
        """Return the history of a session's mailbox, which it keeps when it is renamed."""
        return self.ledgers.setdefault((session.mailbox_id, session.uid_validity), Ledger())

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


def compare(session: Session, tables: Tables) -> None:
    """What a session was told is what the tables say."""
    assert session.name is not None
    shown = tables.shown(session.name, session.reach)
    known: Shown = Counter(session.contents.values())
    if known != shown:
        more, less = known - shown, shown - known
        about = tables.explain([subject for subject, _ in more + less])
        raise AssertionError(f"{session.name}: too much {more}, too little {less}\n{about}\n{session.transcript}")


def audit(session: Session, ledger: Ledger, number: int) -> None:
    """Ask on the wire what has changed since the first point of a mailbox and another one; all have their turn."""
    if not session.tells_mod_seqs:
        return
    now = session.state()
    for point in {0, number % max(len(ledger.points), 1)} if ledger.points else ():
        then = ledger.points[point]
        check_changes(then, session.changes_since(then), now)
    ledger.keep_point(now)


def _agrees(session: Session, shown: Shown) -> bool:
    """Tell whether what a session knows, it may not have fetched new mail, can be the truth."""
    known = Counter((m.subject, m.flags) for m in session.messages if m.subject is not None and m.flags is not None)
    return len(session.messages) == shown.total() and known <= shown
