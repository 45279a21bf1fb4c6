"""``cybertemp-imap-admin account`` and ``token``."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from click import Command

from cybertemp_imap.admin.cli import program
from test.admin_case import USER, AdminTestCase


class AccountTests(AdminTestCase):
    """Accounts from their beginning to their end."""

    def test_add_and_show(self) -> None:
        """A new account may log in, and is found by its e-mail in any case."""
        made = self.facts("account", "add", USER)
        shown = self.facts("account", "show", "ME@Example.org")
        self.assertEqual((shown["id"], shown["may_log_in"], shown["addresses"]), (made["id"], True, []))
        self.assertEqual(self.facts("account", "show", made["id"])["email"], USER)
        self.assertIn(USER, self.done("account", "list"))

    def test_added_once(self) -> None:
        """An e-mail is one account's, however it is spelt."""
        self.done("account", "add", USER)
        self.assertIn("already", self.refused("account", "add", "ME@example.org"))
        self.assertEqual(len(self.facts("account", "list")), 1)

    def test_mistakes(self) -> None:
        """What is no e-mail, and an account that is not there, are one sentence."""
        self.assertIn("not an e-mail address", self.refused("account", "add", "me"))
        self.assertIn("There is no account", self.refused("account", "show", "you@example.org"))

    def test_suspend_and_resume(self) -> None:
        """A suspended account may not log in; one that is resumed may, until then."""
        self.done("account", "add", USER)
        self.done("account", "suspend", USER)
        self.assertFalse(self.facts("account", "show", USER)["may_log_in"])
        self.done("account", "resume", USER, "--until", "30d")
        self.assertTrue(self.facts("account", "show", USER)["may_log_in"])
        self.assertIsNotNone(self.facts("account", "show", USER)["until"])

    def test_delete(self) -> None:
        """With an account go its tokens, their limits, its mailboxes and its own mail; its addresses are free."""
        self.prepare()
        user = self.facts("account", "show", USER)["id"]
        self.done("token", "issue", "--account", USER, "--read-only")
        insert = "INSERT INTO emails (id, mailbox_owner, mailbox) VALUES (gen_random_uuid(), %s, 'INBOX')"
        self.query(insert, f"account:{user}")
        self.query(insert, "box@example.com")
        self.query("SELECT imap.list_mailboxes(%s::uuid)", user)
        gone = self.facts("account", "delete", USER, "--yes")
        self.assertEqual((gone["messages"], gone["addresses"]), (1, ["box@example.com"]))
        for table in ("users", "imap_tokens", "imap.token_limit", "inbox", "imap.mailbox"):
            self.assertEqual(self.query(f"SELECT count(*) FROM {table}"), [(0,)], table)
        self.assertEqual(self.query("SELECT mailbox_owner FROM emails"), [("box@example.com",)])

    def test_delete_asks(self) -> None:
        """Without --yes nothing is deleted before somebody agrees."""
        self.done("account", "add", USER)
        self.assertEqual(self.run_admin("account", "delete", USER, given="n\n").exit_code, 1)
        self.assertEqual(len(self.facts("account", "list")), 1)

    def test_embedded_is_away(self) -> None:
        """Where the settings name an embedded database and nobody runs it, one sentence says what to do."""
        self.environ |= {"IMAP_EMBEDDED": "true", "DATABASE_URL": "", "IMAP_DATA_DIR": self.mktemp()}
        self.assertIn("is not running: start the server", self.refused("account", "list"))

    def test_hosted(self) -> None:
        """What Supabase keeps is not written here."""
        self.hosted()
        for arguments in (("account", "add", USER), ("account", "list"), ("token", "issue", "--account", USER)):
            self.assertIn("kept in Supabase", self.refused(*arguments))
        self.assertEqual(self.query("SELECT count(*) FROM users"), [(0,)])

    def test_help(self) -> None:
        """Every command has help with an example."""
        pending: list[tuple[list[str], Command]] = [([], program)]
        while pending:
            path, command = pending.pop()
            inner = getattr(command, "commands", {})
            pending += [([*path, name], each) for name, each in inner.items()]
            told = self.done(*path, "--help")
            if not inner:
                self.assertIn("Example: cybertemp-imap-admin " + " ".join(path), told)
                # What a mail server runs prints no result: its status is all that is asked for.
                self.assertEqual("--json" in told, path != ["deliver"])


class TokenTests(AdminTestCase):
    """Tokens are shown once, and stored hashed."""

    def setUp(self) -> None:
        super().setUp()
        self.prepare()

    def test_issue(self) -> None:
        """Standard output is the token alone; the database has its hash, the end, and no limits."""
        token = self.done("token", "issue", "--account", USER, "--expires", "30d").strip()
        ((stored, ends),) = self.query("SELECT token, expires_at FROM imap_tokens")
        self.assertEqual(stored, f"sha256:{hashlib.sha256(token.encode()).hexdigest()}")
        self.assertAlmostEqual((ends - datetime.now(UTC)) / timedelta(days=1), 30, places=1)
        self.assertEqual(self.query("SELECT count(*) FROM imap.token_limit"), [(0,)])
        self.assertNotIn(token, self.done("token", "list"))

    def test_limits(self) -> None:
        """A token can be limited to addresses, to reading, and in time."""
        limits = ("--address", "BOX@example.com", "--read-only", "--until", "2090-01-31")
        made = self.facts("token", "issue", "--account", USER, *limits)
        ((addresses, read_only, until),) = self.query("SELECT addresses, read_only, expires_at FROM imap.token_limit")
        self.assertEqual((addresses, read_only, until), (["box@example.com"], True, datetime(2090, 1, 31, tzinfo=UTC)))
        (listed,) = self.facts("token", "list", "--account", USER)
        self.assertEqual((listed["id"], listed["read_only"], listed["hashed"]), (made["id"], True, True))

    def test_revoke(self) -> None:
        """A token is revoked by its id, with its limits."""
        made = self.facts("token", "issue", "--account", USER, "--read-only")
        self.done("token", "revoke", made["id"])
        self.assertEqual(self.facts("token", "list"), [])
        self.assertEqual(self.query("SELECT count(*) FROM imap.token_limit"), [(0,)])
        self.assertIn("There is no token", self.refused("token", "revoke", made["id"]))

    def test_mistakes(self) -> None:
        """A time that is past or none, and an address that is none, are told."""
        issue = ("token", "issue", "--account", USER)
        self.assertIn("expired already", self.refused(*issue, "--expires", "2020-01-01"))
        self.assertIn("is no time", self.refused(*issue, "--expires", "soon", status=2))
        self.assertIn("not an e-mail address", self.refused(*issue, "--address", "box"))
        self.assertEqual(self.facts("token", "list"), [])

    def test_address_of_another(self) -> None:
        """An address that is not the account's is warned of."""
        result = self.run_admin("token", "issue", "--account", USER, "--address", "other@example.com")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("other@example.com is not the account's", result.stderr)
