"""``cybertemp-imap-admin domain``, ``address`` and ``ban``."""

from __future__ import annotations

from test.admin_case import USER, AdminTestCase


class DomainTests(AdminTestCase):
    """Domains and who may use them."""

    def test_add_list_disable(self) -> None:
        """A domain is an account's or open, and can be disabled and enabled."""
        self.done("account", "add", USER)
        self.done("domain", "add", "Mine.Example", "--account", USER)
        self.done("domain", "add", "open.example", "--open")
        mine, shared = self.facts("domain", "list")
        self.assertEqual((mine["domain"], mine["account"], mine["open"]), ("mine.example", USER, False))
        self.assertEqual((shared["user_id"], shared["open"], shared["active"]), (None, True, True))
        self.done("domain", "disable", "open.example")
        self.assertFalse(self.facts("domain", "list")[1]["active"])
        self.done("domain", "enable", "open.example")
        self.assertTrue(self.facts("domain", "list")[1]["active"])

    def test_mistakes(self) -> None:
        """A domain that is none, is there, or is not there."""
        self.assertIn("is not a domain", self.refused("domain", "add", "nonsense", "--open"))
        self.assertIn("either", self.refused("domain", "add", "a.example", status=2))
        self.done("domain", "add", "a.example", "--open")
        self.assertIn("already", self.refused("domain", "add", "A.example", "--open"))
        self.assertIn("There is no domain", self.refused("domain", "disable", "b.example"))
        self.hosted()
        self.assertIn("Domains are kept in Supabase", self.refused("domain", "list"))


class AddressTests(AdminTestCase):
    """Addresses are given by the rules by which CREATE gives them."""

    def setUp(self) -> None:
        super().setUp()
        self.prepare()

    def add(self, text: str, *options: str) -> str:
        """Try to add an address, and return why that is refused."""
        return self.refused("address", "add", text, "--account", USER, *options)

    def test_add_and_release(self) -> None:
        """An address is listed with its account until it is released."""
        ((holder,),) = self.query("SELECT user_id FROM imap.holding WHERE address = 'box@example.com'")
        (listed,) = self.facts("address", "list", "--account", USER)
        self.assertEqual((listed["address"], listed["user_id"]), ("box@example.com", str(holder)))
        self.done("address", "release", "box@example.com")
        self.assertEqual(self.facts("address", "list"), [])
        self.assertIn("nobody's", self.refused("address", "release", "box@example.com"))

    def test_rules(self) -> None:
        """Syntax, domains, bans, quota and other owners decide."""
        self.assertIn("is not open to", self.add("x@elsewhere.example"))
        self.assertIn("not an e-mail address", self.add('"a b"@example.com'))
        self.assertIn("already", self.add("BOX@example.com"))
        self.done("ban", "add", "email", "bad@example.com")
        self.assertIn("not allowed", self.add("bad@example.com"))
        self.environ["IMAP_ADDRESS_QUOTA"] = "1"
        self.assertIn("as many addresses", self.add("more@example.com"))
        self.done("domain", "disable", "example.com")
        self.assertIn("not active", self.add("late@example.com"))

    def test_any_domain(self) -> None:
        """An operator may give an address of a domain that is not in the table."""
        self.done("address", "add", "x@elsewhere.example", "--account", USER, "--any-domain")
        self.assertEqual(len(self.facts("address", "list")), 2)

    def test_banned_address(self) -> None:
        """A banned address is marked, and cannot be given back as if nothing were."""
        self.done("ban", "add", "email", "box@example.com")
        self.assertTrue(self.facts("address", "list")[0]["banned"])
        self.assertIn("is banned", self.refused("address", "release", "box@example.com"))

    def test_hosted(self) -> None:
        """With accounts and domains in Supabase, an account is named by its id and its domain taken as open."""
        user = self.facts("account", "show", USER)["id"]
        self.hosted()
        self.assertIn("by its id", self.refused("address", "add", "new@example.com", "--account", USER))
        self.assertIn("--any-domain", self.refused("address", "add", "new@example.com", "--account", user))
        self.done("address", "add", "new@example.com", "--account", user, "--any-domain")
        self.assertEqual(len(self.facts("address", "list", "--account", user)), 2)


class BanTests(AdminTestCase):
    """Bans hide mail at once, and say which of them does."""

    def test_test_names_the_ban(self) -> None:
        """The ban that hides a sender is named, and no other; the status tells too."""
        self.done("ban", "add", "sender", "SPAM.example", "--contains")
        self.done("ban", "add", "email", "else@example.net")
        result = self.run_admin("ban", "test", "Spam <news@spam.example>")
        self.assertEqual(result.exit_code, 1)
        self.assertIn('sender contains "spam.example"', result.stdout)
        self.assertNotIn("else@example.net", result.stdout)
        self.assertIn("No ban", self.done("ban", "test", "friend@example.org"))

    def test_lift(self) -> None:
        """A ban that is lifted hides nothing; the row stays, inactive."""
        self.done("ban", "add", "sender", "a@spam.example")
        self.assertEqual(self.query("SELECT imap.hides('a@spam.example')"), [(True,)])
        self.done("ban", "lift", "A@spam.example", "--scope", "sender")
        self.assertEqual(self.query("SELECT imap.hides('a@spam.example')"), [(False,)])
        self.assertEqual(self.facts("ban", "list")[0]["status"], "inactive")
        self.assertIn("no active ban", self.refused("ban", "lift", "a@spam.example"))

    def test_mistakes(self) -> None:
        """A ban that matches nothing, and one that is there, are refused."""
        self.assertIn("match nothing", self.refused("ban", "add", "sender", " "))
        self.done("ban", "add", "domain", "spam.example")
        self.assertIn("such a ban already", self.refused("ban", "add", "domain", "Spam.example"))
        self.refused("ban", "add", "user", "x", status=2)

    def test_hosted(self) -> None:
        """Where bans are in Supabase, those that count are listed and tested, and none is written."""
        self.query("SELECT imap.replace_bans('{sender}', '{s@x.example}', '{exact}', '{active}')")
        self.hosted()
        self.assertIn("Bans are kept in Supabase", self.refused("ban", "add", "sender", "b@x.example"))
        self.assertEqual([row["value"] for row in self.facts("ban", "list")], ["s@x.example"])
        self.assertEqual(self.run_admin("ban", "test", "s@x.example").exit_code, 1)
