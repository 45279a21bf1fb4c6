"""The demonstration: its mail, loading it once, and its token."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.demo.account import ADDRESSES, DOMAINS, USER
from cybertemp_imap.demo.corpus import corpus
from cybertemp_imap.demo.loader import TOKEN_FILE, hashed, prepare
from test.postgres import create_database, drop_database
from test.test_migrations import query


class CorpusTests(SynchronousTestCase):
    """What mail there is."""

    def test_the_same_every_time(self) -> None:
        """Two corpora are equal."""
        self.assertEqual(corpus(), corpus())

    def test_variety(self) -> None:
        """There are some 200 messages of every kind, for each of three addresses on two domains."""
        messages = corpus()
        kinds = Counter(message.kind for message in messages)
        self.assertTrue(180 <= len(messages) <= 220, len(messages))
        for kind in ("plain", "html", "alternative", "attachment", "non-ascii", "long", "code", "banned", "malformed"):
            self.assertIn(kind, kinds)
        self.assertEqual({message.mailbox_owner for message in messages}, set(ADDRESSES))
        self.assertEqual({address.partition("@")[2] for address in ADDRESSES}, {domain for domain, _ in DOMAINS})
        self.assertTrue(any(message.size > 200_000 for message in messages))
        self.assertTrue(any(message.mailbox != "INBOX" for message in messages))
        self.assertTrue({"\\Seen", "\\Flagged", "\\Answered"} <= {flag for m in messages for flag in m.flags})

    def test_arrival_order(self) -> None:
        """Messages ascend by time, within a year."""
        times = [message.timestamp for message in corpus()]
        self.assertEqual(times, sorted(times))
        self.assertLess(times[-1] - times[0], timedelta(days=366))


class LoaderTests(SynchronousTestCase):
    """Loading into a database."""

    def setUp(self) -> None:
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def prepare(self) -> str:
        """Load, and return the token."""
        token = prepare(self.dsn, self.folder)
        assert token is not None
        return token

    def test_loads_everything(self) -> None:
        """An empty database gets the account, its addresses and all mail as the corpus has it."""
        self.prepare()
        self.assertEqual(query(self.dsn, "SELECT email, subscription_status FROM users"), [(USER, "active")])
        addresses = query(self.dsn, "SELECT email_address FROM inbox JOIN users ON users.id = user_id")
        self.assertEqual({address for (address,) in addresses}, set(ADDRESSES))
        rows = query(self.dsn, "SELECT subject, body, from_addr, flags FROM emails ORDER BY timestamp, created_at")
        expected = [(m.subject, m.body, m.from_addr, list(m.flags)) for m in corpus()]
        self.assertEqual(sorted(map(repr, rows)), sorted(map(repr, expected)))

    def test_second_time(self) -> None:
        """A second run changes no mail and returns the same token."""
        token = self.prepare()
        query(self.dsn, "DELETE FROM emails WHERE subject = 'Lunch?'")
        left = query(self.dsn, "SELECT count(*) FROM emails")
        self.assertEqual(self.prepare(), token)
        self.assertEqual(query(self.dsn, "SELECT count(*) FROM emails"), left)

    def test_token_is_hashed_and_private(self) -> None:
        """The database has only the token's hash, and the file is its owner's alone."""
        token = self.prepare()
        self.assertEqual(query(self.dsn, "SELECT token FROM imap_tokens"), [(hashed(token),)])
        self.assertNotIn(token, hashed(token))
        self.assertEqual(os.stat(self.folder / TOKEN_FILE).st_mode & 0o777, 0o600)

    def test_lost_token(self) -> None:
        """When the file is lost, or what it holds is not valid, a new token replaces the old one."""
        token = self.prepare()
        (self.folder / TOKEN_FILE).unlink()
        second = self.prepare()
        self.assertNotEqual(second, token)
        (self.folder / TOKEN_FILE).write_text("nonsense\n")
        third = self.prepare()
        self.assertEqual(query(self.dsn, "SELECT token FROM imap_tokens"), [(hashed(third),)])
        query(self.dsn, "UPDATE imap_tokens SET expires_at = now() - interval '1 day'")
        self.assertNotEqual(self.prepare(), third)

    def test_database_in_use(self) -> None:
        """Where there are other users, nothing is loaded and there is no token."""
        query(self.dsn, "INSERT INTO users (email) VALUES ('someone@example.org')")
        self.assertIsNone(prepare(self.dsn, self.folder))
        self.assertEqual(query(self.dsn, "SELECT count(*) FROM emails"), [(0,)])
