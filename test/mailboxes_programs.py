"""What other programs do to an account's mailboxes, as rules of the state machine."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule

from test.mail_truth import NOT_SHOWN, Letter
from test.mailboxes_model import SENDERS, Model, noted

BANS = (("a@one.example", "exact"), ("B@two.example", "exact"), ("two.example", "contains"))
FLAGS = st.lists(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "work", "$Label1"]), max_size=3, unique=True)
WRITTEN = st.lists(st.sampled_from(["\\Seen", "\\Deleted", "\\answered", "other", *NOT_SHOWN]), max_size=4, unique=True)
NUMBER = st.integers(0, 60)
WRITER = st.integers(0, 2)
LETTERS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=4)


class Programs(Model):
    """The mail receiver, programs that write rows, bans, and addresses that are given and taken."""

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
        if self.passing in self.tables.owned():
            letters.append(Letter(self.passing, "INBOX", self.subject(), SENDERS[0]))
        self.tables.insert(letters)

    # -- other programs -----------------------------------------------------------------------------------------------

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
    def ban_address(self) -> None:
        """An address is banned, or is no longer: it is as if it were not there."""
        if self.banning is not None:
            # Whoever changes bans waits for whoever does so already.
            return
        if not self.tables.execute("DELETE FROM bans WHERE value = %s RETURNING 1", self.there):
            statement = "INSERT INTO bans (scope, value, match_type, status) VALUES ('email', %s, 'exact', 'active')"
            self.tables.execute(statement, self.there)
        self.send_away()

    @rule()
    @noted
    def give_or_take(self) -> None:
        """The user is given an address, or it is taken; sessions that have it open are sent away."""
        user = None if self.passing in self.tables.owned() else self.owner.user
        statement = """
            INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)
            ON CONFLICT (email_address) DO UPDATE SET user_id = excluded.user_id
        """
        self.tables.execute(statement, self.passing, user)
        self.send_away()
