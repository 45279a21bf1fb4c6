"""A token that is limited to some addresses reaches these and nothing else."""

from __future__ import annotations

from cybertemp_imap.naming import limited_key
from test.test_isolation import COMMANDS, without_name
from test.wire import MINE, MINE_TOO, THEIRS, TOKEN, USER, Client, WireTestCase

ABSENT = "absent@example.net"
LIMITED = "tok-1618033988"


class LimitedTokenTestCase(WireTestCase):
    """An account with two addresses, and a second token for the first of them."""

    def setUp(self) -> None:
        """Fill the account, and make the token."""
        super().setUp()
        self.token = self.store.add_token(self.wire.user, LIMITED)
        self.store.limit_token(self.token, [MINE, THEIRS, "nobody@example.com"])
        self.store.add_folder(MINE, "Work")
        self.store.add_folder(MINE_TOO, "Secret")
        self.mine = self.wire.deliver(2)
        self.wire.deliver(3, MINE_TOO)
        self.wire.deliver(1, THEIRS)

    def limited(self, name: str | None = None) -> Client:
        """Return a session of the limited token."""
        client = self.wire.connect().login(USER, LIMITED)
        return client.select(name) if name else client


class ReachTests(LimitedTokenTestCase):
    """What there is for such a token."""

    def test_list(self) -> None:
        """LIST and LSUB show INBOX, the addresses and their folders; nothing tells of the others."""
        for command in ('LIST "" *', 'LSUB "" *', 'LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES))'):
            answer = self.limited().ok(command)
            names = [data["name"] for data in answer.data(command.split(" ")[0])]
            self.assertEqual(names, [b"INBOX", MINE.encode(), f"{MINE}/Work".encode()], command)
        self.assertEqual(self.limited().ok('LIST (SPECIAL-USE) "" *').named("LIST"), [])

    def test_inbox(self) -> None:
        """INBOX is made of the token's addresses alone, under a UIDVALIDITY of its own."""
        client = self.limited()
        answer = client.ok("SELECT INBOX")
        self.assertEqual(answer.numbers("EXISTS"), [2])
        whole = self.wire.session().ok("SELECT INBOX")
        self.assertEqual(whole.numbers("EXISTS"), [5])
        validity = {
            response.code[1]
            for each in (answer, whole)
            for response in each.responses
            if response.code and response.code[0] == b"UIDVALIDITY"
        }
        self.assertEqual(len(validity), 2)
        self.assertEqual(client.ok("STATUS INBOX (MESSAGES)").data("STATUS"), [(b"INBOX", {"MESSAGES": 2})])
        client.send(b"i IDLE\r\n")
        client.take()
        self.wire.deliver(1, MINE_TOO)
        self.assertEqual(client.take(), b"")
        self.wire.deliver(1)
        self.assertIn(b"* 3 EXISTS\r\n", client.take())

    def test_what_it_can_do(self) -> None:
        """Within its addresses it does what any token does."""
        client = self.limited(MINE)
        client.ok("STORE 1 +FLAGS (\\Deleted)")
        client.ok(f"COPY 2 {MINE}/Work")
        client.ok(f"APPEND {MINE}/Work {{5+}}\r\nHello")
        client.ok(f"CREATE {MINE}/Work/Deep")
        client.ok(f"RENAME {MINE}/Work/Deep {MINE}/Flat")
        client.ok(f"SUBSCRIBE {MINE}/Flat")
        client.ok(f"DELETE {MINE}/Flat")
        client.ok("EXPUNGE")
        client.ok("SELECT INBOX")
        client.ok(f"MOVE 1 {MINE}/Work")
        self.assertEqual(client.ok("SELECT INBOX").numbers("EXISTS"), [0])
        self.assertEqual(client.ok(f"SELECT {MINE}/Work").numbers("EXISTS"), [3])

    def test_rename_of_inbox(self) -> None:
        """RENAME of INBOX moves what is in the token's INBOX, and leaves all else (RFC 9051 section 6.3.6)."""
        client = self.limited()
        client.ok(f"RENAME INBOX {MINE}/Kept")
        self.assertEqual(client.ok(f"SELECT {MINE}/Kept").numbers("EXISTS"), [2])
        self.assertEqual(self.wire.session().ok("SELECT INBOX").numbers("EXISTS"), [3])

    def test_nothing_is_put_into_inbox(self) -> None:
        """APPEND, COPY and MOVE into INBOX are refused: it has no place of its own."""
        for command in ("APPEND inbox {5+}\r\nHello", "COPY 1 INBOX", "UID MOVE 1 INBOX"):
            self.assertStatus(self.limited(MINE).command(command), "NO", "NOPERM")
        self.assertEqual(len(self.store.emails), 6)

    def test_addresses(self) -> None:
        """It neither gives its addresses back nor creates others, also not one that it could have."""
        client = self.limited()
        for command, code in (
            (f"DELETE {MINE}", "NOPERM"),
            ("DELETE INBOX", "NOPERM"),
            ("CREATE nobody@example.com", "NOPERM"),
            ("CREATE new@example.com", "NOPERM"),
            (f"CREATE {MINE}", "ALREADYEXISTS"),
            ("CREATE INBOX", "ALREADYEXISTS"),
        ):
            self.assertStatus(client.command(command), "NO", code)
        self.assertEqual(self.store.addresses[MINE], self.wire.user)

    def test_subscriptions(self) -> None:
        """What is said of names outside does not count, and of the account's INBOX the token has nothing to say."""
        account = self.wire.session()
        for name in ("INBOX", "Sent", MINE_TOO):
            account.ok(f"UNSUBSCRIBE {name}")
        account.ok("CREATE Gone")
        account.ok("SUBSCRIBE Gone")
        account.ok("DELETE Gone")
        client = self.limited()
        self.assertIn(b"INBOX", [data["name"] for data in client.ok('LSUB "" *').data("LSUB")])
        self.assertNotIn(b"Gone", client.ok('LIST (SUBSCRIBED) "" *').raw)
        client.ok("SUBSCRIBE INBOX")
        self.assertStatus(client.command("UNSUBSCRIBE INBOX"), "NO", "NOPERM")
        for name in ("Sent", "Gone", MINE_TOO, ABSENT):
            self.assertStatus(client.command(f"UNSUBSCRIBE {name}"), "NO", "NONEXISTENT")
        self.assertEqual(self.store._subscriptions[self.wire.user]["INBOX"], False)

    def test_address_lost(self) -> None:
        """An address that the user loses vanishes, and its mail from INBOX."""
        client = self.limited("INBOX")
        self.store.remove_address(MINE)
        self.assertEqual(client.ok("NOOP").numbers("EXPUNGE"), [2, 1])
        self.assertStatus(client.command(f"SELECT {MINE}"), "NO", "NONEXISTENT")
        self.assertEqual([data["name"] for data in client.ok('LIST "" *').data("LIST")], [b"INBOX"])

    def test_no_addresses(self) -> None:
        """A token limited to nothing has an empty INBOX."""
        self.store.limit_token(self.token, [])
        client = self.limited()
        self.assertEqual([data["name"] for data in client.ok('LIST "" *').data("LIST")], [b"INBOX"])
        self.assertEqual(client.ok("SELECT INBOX").numbers("EXISTS"), [0])

    def test_with_reading_only(self) -> None:
        """Both limits hold at once."""
        self.store.limit_token(self.token, [MINE], True)
        client = self.limited()
        for name in ("INBOX", MINE):
            self.assertStatus(client.ok(f"SELECT {name}"), "OK", "READ-ONLY")
            self.assertStatus(client.command("STORE 1 +FLAGS (\\Seen)"), "NO", "READ-ONLY")
        self.assertStatus(client.command(f"CREATE {MINE}/New"), "NO", "NOPERM")
        self.assertStatus(client.command(f"SELECT {MINE_TOO}"), "NO", "NONEXISTENT")


class IsolationTests(LimitedTokenTestCase):
    """An address outside answers byte for byte as one that does not exist, in every command."""

    def answers(self, name: str) -> list[bytes]:
        """Send every command that takes a name, and return the answers with the name taken out."""
        found = []
        for command in COMMANDS:
            client = self.limited("INBOX")
            found.append(without_name(client.command(command.format(name, name)).raw, name))
            client.hang_up()
        return found

    def test_addresses(self) -> None:
        """Another of the account's, another person's that the limits name, one of neither."""
        expected = self.answers(ABSENT)
        for name in (MINE_TOO, MINE_TOO.upper(), THEIRS, "other@example.com"):
            self.assertEqual(self.answers(name), expected, name)

    def test_folders(self) -> None:
        """The folders of another address, and those of the account."""
        expected = self.answers(f"{ABSENT}/Secret")
        for name in (f"{MINE_TOO}/Secret", f"{MINE_TOO}/None", f"{THEIRS}/Secret"):
            self.assertEqual(self.answers(name), expected, name)
        expected = self.answers("Nothing")
        for name in ("Archive", "Trash", limited_key(self.token), f"account:{self.wire.user}"):
            self.assertEqual(self.answers(name), expected, name)

    def test_nothing_happened(self) -> None:
        """None of it changes anything of the account's."""
        before = {each: email.flags for each, email in self.store.emails.items()}
        names = self.wire.session().ok('LIST "" *').raw
        for name in (MINE_TOO, f"{MINE_TOO}/Secret", "Sent"):
            self.answers(name)
        self.assertEqual({each: email.flags for each, email in self.store.emails.items()}, before)
        self.assertEqual(self.wire.session().ok('LIST "" *').raw, names)
        self.assertEqual(self.wire.session().ok("SELECT INBOX").numbers("EXISTS"), [5])

    def test_another_session_of_the_account(self) -> None:
        """What a session of the whole account has open is not open to a limited one of the same process."""
        account = self.wire.connect().login(USER, TOKEN).select(MINE_TOO)
        client = self.limited()
        self.assertStatus(client.command(f"SELECT {MINE_TOO}"), "NO", "NONEXISTENT")
        self.assertEqual(account.ok("FETCH 1:* UID").numbers("FETCH"), [1, 2, 3])
