"""Isolation: another person's address and one that does not exist answer byte for byte alike, in every command."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from cybertemp_imap.naming import account_key
from cybertemp_imap.protocol.commands.table import NAMES
from cybertemp_imap.store.interface import Store
from test.wire import MINE, THEIRS, Wire, WireTestCase

ABSENT = "absent@example.net"
COMMANDS = (
    "SELECT {}",
    "EXAMINE {}",
    "STATUS {} (MESSAGES UIDVALIDITY SIZE)",
    "SUBSCRIBE {}",
    "UNSUBSCRIBE {}",
    'LIST "" {}',
    'LIST "" "{}*"',
    'LIST "{}" "*"',
    'LIST (SUBSCRIBED) "" {} RETURN (STATUS (MESSAGES))',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" ({} "{}/%")',
    'LSUB "" "{}%"',
    "CREATE {}",
    "CREATE {}/Below",
    "CREATE {} (USE (\\Flagged))",
    "DELETE {}",
    "RENAME {} x@example.net",
    "RENAME {} Here",
    "RENAME Sent {}",
    "RENAME INBOX {}",
    "APPEND {} {{1+}}\r\nx",
    "APPEND {} {{1+}}\r\nx {{1+}}\r\ny",
    "COPY 1 {}",
    "UID COPY 1:* {}",
    "MOVE 1 {}",
    "UID MOVE 1 {}",
)


_NUMBERS = re.compile(rb"((?:APPEND|COPY)UID) \d+|(MAILBOXID) \(F\d+\)")
"""Numbers that no two mailboxes share."""


NO_NAMES = {"LOGIN", "AUTHENTICATE", "ID"}
"""Commands whose strings are not names."""


def commands_with_strings() -> set[str]:
    """Return the commands that take strings from the client, by their typed objects."""
    return {
        name
        for kind, name in NAMES.items()
        if any("bytes" in str(field.type) for field in dataclasses.fields(kind))  # type: ignore[arg-type]
    }


def without_name(raw: bytes, name: str) -> bytes:
    """Return an answer without a name, and without the numbers that differ with it."""
    raw = raw.replace(name.encode(), b"?").replace(name.lower().encode(), b"?")
    return _NUMBERS.sub(rb"\1\2 ?", raw)


class IsolationTests(WireTestCase):
    """A user reaches their own addresses and nothing else."""

    def setUp(self) -> None:
        """Fill another person's mailboxes, and one that nobody owns."""
        super().setUp()
        self.fill()

    def fill(self) -> None:
        """Deliver mail to addresses of everybody's."""
        self.wire.deliver(3, THEIRS, flags=["\\Deleted"])
        self.wire.deliver(1, THEIRS, folder="Work")
        self.store.add_folder(THEIRS, "Work")
        self.store.add_address(None, "ownerless@example.net")
        self.wire.deliver(1, "ownerless@example.net")
        self.wire.deliver(1, MINE)

    def test_every_command_is_here(self) -> None:
        """A command that is added, and takes a name, must be put into the table; EXAMINE is SELECT."""
        tested = {command.removeprefix("UID ").split(" ")[0] for command in COMMANDS}
        self.assertEqual(commands_with_strings() - NO_NAMES - tested, set())

    def answers(self, name: str) -> list[bytes]:
        """Send every command for a name and return the answers, with the name taken out."""
        found = []
        for command in COMMANDS:
            client = self.wire.session("INBOX")
            raw = client.command(command.format(name, name)).raw
            found.append(without_name(raw, name))
            client.hang_up()
        return found

    def test_alike(self) -> None:
        """In every command that takes a name, before and after the owner uses the mailbox."""
        self.wire.connect().login("they@example.net", "tok-2718281828").select(THEIRS)
        expected = self.answers(ABSENT)
        for name in (THEIRS, THEIRS.upper(), "ownerless@example.net"):
            self.assertEqual(self.answers(name), expected, name)
        expected = self.answers(f"{ABSENT}/Work")
        for name in (f"{THEIRS}/Work", f"{THEIRS}/Nothing", "ownerless@example.net/Work"):
            self.assertEqual(self.answers(name), expected, name)

    def test_the_same_is_asked_of_the_store(self) -> None:
        """Nor does the time tell: the store is asked the same questions, as many of them, whoever has the mailbox."""
        asked: list[tuple[str, str]] = []
        # What is done once only, whatever the name, is done before.
        self.answers("first@example.net")
        for method in vars(Store):
            if not method.startswith("_") and method not in ("touch_token", "listening"):
                self.patch(self.store, method, self.recording(getattr(self.store, method), asked))
        questions = []
        for name in (ABSENT, THEIRS, "ownerless@example.net"):
            self.answers(name)
            questions.append([(method, given.replace(name, "?")) for method, given in asked])
            asked.clear()
        self.assertGreater(len(questions[0]), len(COMMANDS))
        for others in questions[1:]:
            self.assertEqual(others, questions[0])

    def recording(self, method: Callable[..., Any], asked: list[tuple[str, str]]) -> Callable[..., Any]:
        """Return a method of the store that notes what it is asked, but for ids that are made up."""

        def recorded(*given: Any, **named: Any) -> Any:
            texts = [repr(each) for each in given if isinstance(each, str | bool | None)]
            asked.append((method.__name__, f"{texts} {sorted(named)}"))
            return method(*given, **named)

        return recorded

    def test_account_keys(self) -> None:
        """The key under which an account's own mail is kept is no name that reaches it, but one as any other."""
        for below in ("", "/Secret"):
            expected = self.answers(account_key(uuid4()) + below)
            self.begin_again()
            key = account_key(self.wire.other_user)
            self.store.add_folder(key, "Secret")
            self.assertEqual(self.answers(key + below), expected)
            self.assertTrue(all(email.row.owner != key for email in self.store.emails.values()))
            self.begin_again()

    def begin_again(self) -> None:
        """Start another server."""
        self.wire.close()
        self.wire.check()
        self.wire = Wire()
        self.store = self.wire.store
        self.fill()

    def test_inbox_holds_no_other_mail(self) -> None:
        """INBOX and every listing have one's own mail only."""
        client = self.wire.session("INBOX")
        self.assertEqual(client.ok("FETCH 1:* UID").numbers("FETCH"), [1])
        listed = client.ok('LIST "" * RETURN (STATUS (MESSAGES))').raw
        for name in (b"theirs", b"ownerless", b"they"):
            self.assertNotIn(name, listed)

    def test_an_address_that_is_taken_away(self) -> None:
        """Once an address is another's, an open session is closed at its next look and sees nothing of the new mail."""
        client = self.wire.session(MINE)
        self.store.add_address(self.wire.other_user, MINE)
        self.wire.deliver(1, MINE, subject="for the new owner")
        for command in ("FETCH 1:* (ENVELOPE)", "UID FETCH 1:* BODY[]", "SEARCH TEXT owner"):
            self.assertNotIn(b"new owner", client.command(command).raw)
        client.take()
        client.send(b"a NOOP\r\n")
        self.assertTrue(client.closed)
