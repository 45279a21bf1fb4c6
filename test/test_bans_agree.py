"""The rules of bans in Python and what PostgreSQL does by them agree, on any data."""

from __future__ import annotations

from typing import Any

import psycopg2
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.rules.addresses import canonical, domain_forms
from cybertemp_imap.rules.bans import AddressBans, Ban, SenderBans
from test.postgres import create_database, drop_database

# Pieces that meet: whole addresses, parts of them, brackets, letters whose case differs by locale, wildcards.
_PIECES = st.sampled_from(
    [
        *'aA@<>" \t\n%_\\*.|iIk',
        "b.example",
        "B.Example",
        "a@b.example",
        "x.org",
        "contains:",
        *"\U0001f600\xc4\xe4\u0130\u212a\xdf\u03a3\u03c2",
    ]
)
_TEXT = st.lists(_PIECES, max_size=8).map("".join)
_SENDERS = _TEXT | st.builds('"{}" <{}>'.format, _TEXT, _TEXT) | st.none()
_BANS = st.builds(
    Ban,
    st.sampled_from(["sender", "Sender", "email", "domain", "DOMAIN", "other"]),
    _TEXT
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
    | st.just("x" * 1001),
    st.sampled_from(["exact", "contains", "Contains", "regex", "", None]),
    st.sampled_from(["active", "Active", "inactive", "", None]),
)
_ADDRESSES = st.sampled_from(
    ["a@b.example", "aa@b.example", "a@x.org", "i@a.b.example", "k@xn--4ca.org", "contains.a@x.org", "a_a@b.b.example"]
)
_HIDDEN = """
    SELECT imap.hides(s.sender), coalesce(s.sender = ANY (%s), false)
    FROM unnest(%s::text[]) WITH ORDINALITY AS s (sender, n) ORDER BY n
"""


class AgreementTests(SynchronousTestCase):
    """One database for all examples; each is rolled back."""

    def setUp(self) -> None:
        """Connect to a database."""
        dsn = create_database()
        self.addCleanup(drop_database, dsn)
        self.connection: Any = psycopg2.connect(dsn)
        self.addCleanup(self.connection.close)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(_BANS, max_size=6), st.lists(_SENDERS, max_size=10, unique=True), _ADDRESSES)
    def test_agree(self, bans: list[Ban], senders: list[str | None], address: str) -> None:
        """Whose mail is hidden, one by one and all at once, and which addresses are forbidden."""
        cursor = self.connection.cursor()
        try:
            cursor.executemany(
                "INSERT INTO bans (scope, value, match_type, status) VALUES (%s, %s, %s, %s)",
                [(ban.scope, ban.value, ban.match_type, ban.status) for ban in bans],
            )
            rules, addresses = SenderBans.of(bans), AddressBans.of(bans)
            cursor.execute("SELECT imap.hidden_senders(%s::text[])", ([s for s in senders if s is not None],))
            ((hidden,),) = cursor.fetchall()
            self.assertEqual(sorted(hidden), sorted(s for s in senders if s is not None and rules.hides(s)))
            cursor.execute(_HIDDEN, (hidden, senders))
            expected = [(rules.hides(s), rules.hides(s)) for s in senders]
            self.assertEqual(cursor.fetchall(), expected)
            self.assertEqual(canonical(address), address)
            cursor.execute("SELECT imap.forbids_address(%s, %s::text[])", (address, domain_forms(address)))
            self.assertEqual(cursor.fetchall(), [(addresses.forbids_creating(address),)])
            cursor.execute(
                "INSERT INTO inbox (email_address, user_id) VALUES (%s, gen_random_uuid())", (address.title(),)
            )
            cursor.execute("SELECT count(*) FROM imap.address")
            self.assertEqual(cursor.fetchall(), [(0 if addresses.forbids_opening(address) else 1,)])
        finally:
            self.connection.rollback()
