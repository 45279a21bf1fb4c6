"""Every SQL statement of the store is bound to the user whose session runs it."""

from __future__ import annotations

import re
from typing import Any

import psycopg2
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.store import statements
from test.postgres import create_database, drop_database

UNBOUND = {
    "FIND_LOGIN": "before there is a user: it finds out whose a token is",
    "FIND_LOGINS": "by the ids of tokens of sessions that are logged in, to see whether they may stay",
    "FIND_LIMITS": "by the id of a token that is logged in with",
    "TOUCH_TOKEN": "by the id of the token that is logged in with",
    "READ_DOMAINS": "the domains of all users, judged by rules/domains; a user is told of their own alone",
    "REPLACE_BANS": "bans are for everybody; no session runs it",
    "BANS_ARE_ELSEWHERE": "tells where bans come from",
    "IS_BANNED": "whether an address may be one at all: mail that comes in is asked about, before it is anybody's",
    "RECEIVE": "mail that comes in, by its recipients' addresses; no session runs it",
    "FOLLOW_BANS": "bans are for everybody; no session runs it",
    "HAS_ENCRYPTED": "reads the catalogue",
    "UPLOAD": "by the id of a message on its way in, which the session has made up and nobody else knows",
    "DISCARD": "by the ids of messages on their way in, which the session has made up and nobody else knows",
    "TIDY": "done by the clock",
    "TIDY_LIMITED": "done by the clock",
    "TIDY_ARRIVALS": "done by the clock",
    "FORGET_EXPUNGED": "done by the clock",
    "PURGE": "done by the clock, or by the operator",
    "PURGE_UNDATED": "done by the clock, or by the operator",
    "AGED": "counts what the operator is going to purge",
    "SCHEMA_VERSIONS": "tells what is installed",
    "SYSTEM": "tells which database it is",
    "WRITTEN": "tells how far the database's log is",
    "REPLAYED": "comes before statements that are bound",
    "TAKES_CHANGES": "asks the server about itself",
    "LISTEN": "numbers of mailboxes, looked at for those who have them open",
}
"""Statements that are not, and why."""

_CALL = re.compile(r"imap\.(\w+)\(%s")
_BOUND = re.compile(r"(?:\w\.)?user_id = %s")
_INSERTED = re.compile(r"INSERT INTO imap\.\w+ \(user_id,.*?VALUES \(%s", re.S)


class StatementTests(SynchronousTestCase):
    """The constants of the module, whatever they are."""

    def setUp(self) -> None:
        """Connect to a database, to know the functions in it."""
        dsn = create_database()
        self.addCleanup(drop_database, dsn)
        connection: Any = psycopg2.connect(dsn)
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT proname, proargnames[1], proargtypes[0] = 'uuid'::regtype, prosrc FROM pg_proc "
                "WHERE pronamespace = 'imap'::regnamespace"
            )
            self.functions: dict[str, tuple[str, bool, str]] = {row[0]: row[1:] for row in cursor.fetchall()}

    def is_bound(self, sql: str) -> bool:
        """Tell whether a statement names the user, itself or to a function whose first argument that is."""
        if _BOUND.search(sql) or _INSERTED.search(sql):
            return True
        called = [self.functions[name] for name in _CALL.findall(sql)]
        return bool(called) and all(first == "p_user" and is_uuid for first, is_uuid, _ in called)

    def test_every_statement(self) -> None:
        """Each is bound to the user, or on the list above; and nothing is on it that need not be."""
        found = {name: sql for name, sql in vars(statements).items() if name.isupper()}
        self.assertGreater(len(found), 30)
        self.assertEqual({name for name, sql in found.items() if not self.is_bound(sql)}, set(UNBOUND))

    def test_every_function(self) -> None:
        """A function that is given the user makes use of that, for more than to hand it back."""
        for name, (first, is_uuid, source) in self.functions.items():
            if first == "p_user" and is_uuid:
                self.assertIn("p_user", source, name)

    def test_reads_go_through_what_is_held(self) -> None:
        """What reads messages joins the mailboxes that are their user's at this moment."""
        for name, sql in vars(statements).items():
            if name.isupper() and re.search(r"imap\.(message|expunged)\b", sql):
                self.assertIn("imap.held", sql, name)

    def test_no_pieces(self) -> None:
        """Values are parameters: no statement has a place for text to be put in."""
        for name, sql in vars(statements).items():
            if name.isupper():
                self.assertEqual(re.findall(r"%(?!s)|\{", sql), [], name)
