"""A token that is for reading only changes nothing, in any command."""

from __future__ import annotations

from typing import Any

from cybertemp_imap.protocol.commands.table import RULES
from test.wire import MINE, MINE_TOO, TOKEN, USER, Client, WireTestCase

REFUSED: dict[str, tuple[str, ...]] = {
    "SUBSCRIBE": ("SUBSCRIBE {mine}", "SUBSCRIBE absent@example.net", "SUBSCRIBE Sent"),
    "UNSUBSCRIBE": ("UNSUBSCRIBE {mine}", "UNSUBSCRIBE Drafts", "UNSUBSCRIBE Nothing"),
    "CREATE": ("CREATE Work", "CREATE {mine}/Work", "CREATE {mine}", "CREATE new@example.com", "CREATE Sent"),
    "DELETE": ("DELETE Junk", "DELETE {mine}", "DELETE {mine}/Old", "DELETE INBOX"),
    "RENAME": ("RENAME Sent Gone", "RENAME INBOX Kept", "RENAME {mine}/Old {mine}/New", "RENAME {mine} x@example.com"),
    "APPEND": (
        "APPEND {mine} {{5+}}\r\nHello",
        "APPEND INBOX {{1+}}\r\na {{1+}}\r\nb",
        "APPEND absent@example.net {{5+}}\r\nHello",
    ),
    "COPY": ("COPY 1 {mine}/Old", "UID COPY 1:* Sent", "COPY 1 {mine}", "COPY 1 absent@example.net"),
    "MOVE": ("MOVE 1 {mine}/Old", "UID MOVE 1:* Sent", "MOVE 1 absent@example.net"),
    "STORE": ("STORE 1 FLAGS (\\Seen)", "UID STORE 1:* +FLAGS.SILENT (\\Deleted)", "STORE 1:* -FLAGS (\\Deleted)"),
    "EXPUNGE": ("EXPUNGE", "UID EXPUNGE 1:*"),
}
"""Commands that change something, with what they could change."""

DONE: dict[str, tuple[str, ...]] = {
    "CAPABILITY": ("CAPABILITY",),
    "NOOP": ("NOOP",),
    "ID": ("ID NIL",),
    "ENABLE": ("ENABLE IMAP4REV2",),
    "NAMESPACE": ("NAMESPACE",),
    "LIST": ('LIST "" *', 'LIST (SUBSCRIBED) "" * RETURN (STATUS (MESSAGES UNSEEN))'),
    "LSUB": ('LSUB "" *',),
    "STATUS": ("STATUS {mine} (MESSAGES RECENT UNSEEN SIZE)", "STATUS INBOX (RECENT)"),
    "SELECT": ("SELECT {mine}", "EXAMINE {mine}", "SELECT INBOX", "SELECT {mine}/Old"),
    "IDLE": ("IDLE\r\nDONE",),
    "CHECK": ("CHECK",),
    "CLOSE": ("CLOSE",),
    "UNSELECT": ("UNSELECT",),
    "FETCH": ("FETCH 1:* (FLAGS BODY[])", "FETCH 1:* RFC822", "UID FETCH 1:* (BODY[TEXT] ENVELOPE)"),
    "SEARCH": ("SEARCH UNSEEN", "UID SEARCH RETURN (SAVE) ALL"),
    "LOGOUT": ("LOGOUT",),
}
"""Commands that are carried out all the same."""

BEFORE_LOGIN = {"LOGIN", "AUTHENTICATE", "STARTTLS"}


class ReadOnlyTokenTests(WireTestCase):
    """Every command of the table, in a session of such a token."""

    def setUp(self) -> None:
        """Fill the account's mailboxes, and limit its token."""
        super().setUp()
        self.wire.deliver(2, flags=["\\Deleted"])
        self.wire.deliver()
        self.store.add_folder(MINE, "Old")
        self.wire.deliver(folder="Old")
        self.token = next(iter(self.store.tokens))
        self.store.limit_token(self.token, read_only=True)

    def session(self, name: str = MINE) -> Client:
        """Return a session with a mailbox open."""
        return self.wire.connect().login(USER, TOKEN).select(name)

    def kept(self) -> dict[str, Any]:
        """Return all that a command could change, and reading does not."""
        boxes = self.store._mailboxes.values()
        return {
            "mail": {each: (email.row, email.flags) for each, email in self.store.emails.items()},
            "mailboxes": {(box.user_id, box.owner, box.folder, box.special_use) for box in boxes},
            "recent": {box.id: box.recent_uid for box in boxes if box.recent_uid > 1},
            "subscriptions": {user: dict(said) for user, said in self.store._subscriptions.items()},
            "addresses": dict(self.store.addresses),
            "uploads": dict(self.store._uploads),
            "limits": dict(self.store.limits),
        }

    def test_every_command_is_here(self) -> None:
        """A command that is added must be put into one of the tables."""
        self.assertEqual({*REFUSED, *DONE, *BEFORE_LOGIN}, {rule.name for rule in RULES})
        self.assertFalse(REFUSED.keys() & DONE.keys())

    def run_all(self, table: dict[str, tuple[str, ...]], statuses: set[tuple[str, str | None]]) -> None:
        """Run commands, each in a session of its own, and check that nothing has changed."""
        for box in (MINE, MINE_TOO, "INBOX", f"{MINE}/Old"):
            self.session(box)
        before = self.kept()
        for commands in table.values():
            for command in commands:
                client = self.session()
                answer = client.command(command.format(mine=MINE))
                if statuses:
                    self.assertIn((answer.status, answer.code), statuses, command)
                else:
                    self.assertEqual(answer.status, "OK", command)
                client.hang_up()
                self.assertEqual(self.kept(), before, command)

    def test_refused(self) -> None:
        """What changes something is refused, and changes nothing."""
        self.run_all(REFUSED, {("NO", "NOPERM"), ("NO", "READ-ONLY")})

    def test_done(self) -> None:
        r"""What only reads is done, and changes nothing: no \Seen, no \Recent taken, nothing expunged by CLOSE."""
        self.run_all(DONE, set())

    def test_the_same_without_limits(self) -> None:
        """An unlimited token can do what is refused, so that the refusals are the limit's."""
        self.store.limit_token(self.token)
        for name in ("SUBSCRIBE", "UNSUBSCRIBE", "CREATE", "DELETE", "RENAME", "APPEND", "COPY", "STORE", "MOVE"):
            client = self.session()
            self.assertEqual(client.command(REFUSED[name][0].format(mine=MINE)).status, "OK", name)

    def test_is_told(self) -> None:
        """SELECT answers READ-ONLY, and that no flag can be changed for good (RFC 9051 section 6.3.2)."""
        client = self.wire.connect().login(USER, TOKEN)
        answer = client.ok(f"SELECT {MINE}")
        self.assertStatus(answer, "OK", "READ-ONLY")
        self.assertIn(b"[PERMANENTFLAGS ()]", answer.raw)
        self.assertIn(b"* 3 RECENT\r\n", answer.raw)
        client = self.wire.connect().login(USER, TOKEN)
        self.assertIn(b"* 3 RECENT\r\n", client.ok(f"SELECT {MINE}").raw)

    def test_refused_before_it_is_sent(self) -> None:
        """A message is refused before it is sent (RFC 9051 section 6.3.12), wherever it was to go."""
        for name in (MINE, MINE_TOO, "absent@example.net"):
            client = self.wire.connect().login(USER, TOKEN)
            client.take()
            client.send(b"a APPEND %b {5}\r\n" % name.encode())
            self.assertStatus(client.answer(b"a"), "NO", "NOPERM")
