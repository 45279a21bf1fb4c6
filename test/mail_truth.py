"""What a user's mailboxes must show, found out from the service's own tables by the plainest of means.

Nothing of the server's own tables and functions is used for it, except by :meth:`Tables.check`, which looks at whether
those are consistent in themselves, and :meth:`Tables.explain`, which shows them when a test has failed.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import psycopg2.extras

NOT_SHOWN = ("two words", "\\Bogus", "")
"""Entries in ``flags`` that are no flags of IMAP."""

Shown = Counter[tuple[str, frozenset[str]]]
"""Subject and flags of messages; copies have the same subject."""

_INSERT = """
    INSERT INTO public.emails (id, mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, "timestamp")
    VALUES %s
"""
_BARE = re.compile(r"<([^<>]*)>[^<>]*$")

_FAULTS = {
    "a message without its e-mail": """
        SELECT m.mailbox_id, m.uid FROM imap.held h JOIN imap.message m ON m.mailbox_id = h.id
        WHERE h.user_id = %(user)s AND NOT EXISTS (SELECT 1 FROM public.emails e WHERE e.id = m.email_id)
    """,
    "an e-mail with two UIDs in a mailbox": """
        SELECT m.mailbox_id, m.email_id FROM imap.message m GROUP BY 1, 2 HAVING count(*) > 1
    """,
    "a UID that is there and expunged": """
        SELECT m.mailbox_id, m.uid FROM imap.message m JOIN imap.expunged x USING (mailbox_id, uid)
    """,
    "a UID expunged twice": """
        SELECT x.mailbox_id, x.uid FROM imap.expunged x GROUP BY 1, 2 HAVING count(*) > 1
    """,
    "a UID not below UIDNEXT": """
        SELECT b.id, m.uid FROM imap.mailbox b JOIN imap.message m ON m.mailbox_id = b.id WHERE m.uid >= b.uid_next
    """,
    "a mod-sequence above the highest": """
        SELECT b.id, m.uid FROM imap.mailbox b JOIN imap.message m ON m.mailbox_id = b.id
        WHERE m.mod_seq > b.highest_mod_seq
        UNION ALL
        SELECT b.id, x.uid FROM imap.mailbox b JOIN imap.expunged x ON x.mailbox_id = b.id
        WHERE x.mod_seq > b.highest_mod_seq
    """,
    "arrivals that were not taken in": """
        SELECT a.mailbox_id, a.email_id FROM imap.arrival a JOIN imap.held h ON h.id = a.mailbox_id
        WHERE h.user_id = %(user)s
    """,
    "flags that are not those of the e-mail": """
        SELECT m.mailbox_id, m.uid FROM imap.held h JOIN imap.message m ON m.mailbox_id = h.id
        JOIN public.emails e ON e.id = m.email_id
        WHERE h.user_id = %(user)s AND m.flags <> coalesce(e.flags, '{}')
    """,
    "octets of an e-mail that is gone": """
        SELECT s.email_id FROM imap.source s WHERE NOT EXISTS (SELECT 1 FROM public.emails e WHERE e.id = s.email_id)
    """,
}

_THESE = "(SELECT id FROM public.emails WHERE subject = ANY (%s))"
_EXPLAIN = {
    "e-mails": "SELECT id, mailbox_owner, mailbox, subject, from_addr, flags, created_at, xmin FROM public.emails"
    " WHERE subject = ANY (%s)",
    "messages": f"SELECT mailbox_id, uid, email_id, mod_seq, flags, xmin FROM imap.message WHERE email_id IN {_THESE}",
    "arrivals": f"SELECT mailbox_id, email_id FROM imap.arrival WHERE email_id IS NULL OR email_id IN {_THESE}",
    "mailboxes": "SELECT id, owner, folder, uid_next, highest_mod_seq, settle_xid, ban_version, scanned_at, xmin"
    " FROM imap.mailbox ORDER BY id",
    "feeds": "SELECT mailbox_id, owner, folder FROM imap.feed ORDER BY 1, 2",
    "bans": "SELECT value, match_type, status, (SELECT version FROM imap.ban_state) FROM public.bans",
}


@dataclass(frozen=True)
class Letter:
    """A row of ``emails`` that another program writes."""

    owner: str
    folder: str
    subject: str
    sender: str
    flags: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of ``_INSERT``."""
        return (uuid4(), self.owner, self.folder, self.subject, "Hello", self.sender, [self.owner], list(self.flags))


class Tables:
    """A connection of another program to the service's tables, and what it finds to be true of one user's mail."""

    def __init__(self, dsn: str, user: UUID) -> None:
        psycopg2.extras.register_uuid()
        self._connection = psycopg2.connect(dsn)
        self._connection.autocommit = True
        self.user = user
        # A test that waits for a lock of its own fails.
        self.execute("SET statement_timeout = '20s'")

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def begin(self) -> None:
        """Begin a transaction that :meth:`end` ends."""
        self._connection.autocommit = False

    def end(self, commit: bool) -> None:
        """Commit or roll back."""
        if commit:
            self._connection.commit()
        else:
            self._connection.rollback()
        self._connection.autocommit = True

    def insert(self, letters: list[Letter]) -> None:
        """Deliver mail as the receiver does: one statement."""
        with self._connection.cursor() as cursor:
            psycopg2.extras.execute_values(
                cursor, _INSERT, [each.values for each in letters], template="(" + "%s, " * 8 + "now())"
            )

    # -- the truth ----------------------------------------------------------------------------------------------------

    def owned(self) -> set[str]:
        """Return the user's addresses that are not banned."""
        bans = self.execute("SELECT lower(value), match_type FROM bans WHERE status = 'active' AND scope = 'email'")
        return {
            name
            for (name,) in self.execute("SELECT email_address FROM inbox WHERE user_id = %s", self.user)
            if not any(value in name if match == "contains" else value == name for value, match in bans)
        }

    def shown(self, name: str, reach: frozenset[str] | None = None) -> Shown:
        """Return what a mailbox must show; ``reach``: to a token that is limited to these addresses."""
        places = self._places(name, reach)
        bans = self.execute(
            "SELECT value, match_type FROM bans WHERE status = 'active' AND scope IN ('sender', 'email')"
        )
        rows = self.execute(
            "SELECT mailbox_owner, mailbox, subject, from_addr, flags FROM emails WHERE mailbox_owner = ANY (%s)",
            [owner for owner, _ in places],
        )
        return Counter(
            (subject, shown_flags(flags or ()))
            for owner, folder, subject, sender, flags in rows
            if (owner, folder) in places and not is_banned(sender, bans)
        )

    def _places(self, name: str, reach: frozenset[str] | None) -> list[tuple[str, str]]:
        if name == "INBOX":
            own = [f"account:{self.user}"] if reach is None else []
            return [(owner, "INBOX") for owner in (*own, *(self.owned() if reach is None else self.owned() & reach))]
        return [self.place(name)]

    def place(self, name: str) -> tuple[str, str]:
        """Return the owner and folder of a mailbox other than INBOX, as rows of ``emails`` have them."""
        first, _, rest = name.partition("/")
        return (first, rest or "INBOX") if "@" in first else (f"account:{self.user}", name)

    # -- what the server keeps ----------------------------------------------------------------------------------------

    def explain(self, subjects: list[str]) -> str:
        """Show all there is about messages that a session knows wrongly."""
        return "\n".join(
            f"{title}: {self.execute(statement, subjects if '%s' in statement else None)}"
            for title, statement in _EXPLAIN.items()
        )

    def check(self) -> None:
        """Check that the server's own tables hold together, when all the user's mailboxes are up to date."""
        for fault, statement in _FAULTS.items():
            with self._connection.cursor() as cursor:
                cursor.execute(statement, {"user": self.user})
                rows = cursor.fetchall()
            assert not rows, f"{fault}: {rows[:5]}"


def shown_flags(flags: tuple[str, ...]) -> frozenset[str]:
    """Return those of a row's flags that clients are told, as they compare."""
    return frozenset(flag.lower() for flag in flags if flag not in NOT_SHOWN)


def is_banned(sender: str, bans: list[tuple[Any, ...]]) -> bool:
    """Tell whether mail of a sender is hidden."""
    found = _BARE.search(sender)
    bare = (found[1] if found else sender).lower()
    return any(
        value.lower() in sender.lower() if match == "contains" else value.lower() == bare for value, match in bans
    )
