"""Secrets never reach the log: no token, no SASL blob, no text of a message, at any level."""

from __future__ import annotations

from base64 import b64encode
from io import StringIO
from typing import Any

from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from zope.interface import provider

from cybertemp_imap.errors import StoreUnavailable
from test.wire import MINE, TOKEN, USER, WireTestCase

GUESS = "guess-1618033988"
TEXT = "Dear-Secret-Text"
SUBJECT = "Dear-Secret-Subject"
BLOBS = [b64encode(f"\0{USER}\0{secret}".encode()).decode() for secret in (TOKEN, GUESS)]
SECRETS = (TOKEN, GUESS, TEXT, SUBJECT, *BLOBS, *(b64encode(each.encode()).decode()[:12] for each in (TOKEN, GUESS)))


class LogSecretTests(WireTestCase):
    """Everything that is logged while sessions go well and badly."""

    def setUp(self) -> None:
        """Take down every event, with all that is in it."""
        super().setUp()
        self.log = StringIO()

        @provider(ILogObserver)
        def observer(event: LogEvent) -> None:
            self.log.write(eventAsText(event, includeTraceback=True) + "\n")
            self.log.write(repr({key: value for key, value in event.items() if key != "log_logger"}) + "\n")

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.wire.deliver(3, body=TEXT, subject=SUBJECT)

    def tearDown(self) -> None:
        """Look for secrets in what was logged."""
        super().tearDown()
        logged = self.log.getvalue()
        for secret in SECRETS:
            self.assertNotIn(secret, logged)

    def logins(self) -> None:
        """Log in in every way, well and badly, in the right state and in the wrong one."""
        plain, guess = BLOBS
        lines = (
            [f"LOGIN {USER} {TOKEN}"],
            [f"LOGIN {USER} {GUESS}"],
            [f"LOGIN {USER} {TOKEN} x"],
            [f"LOGIN {TOKEN}"],
            [f"LOGIM {USER} {TOKEN}"],
            [f"{TOKEN}"],
            [f"AUTHENTICATE PLAIN {plain}"],
            [f"AUTHENTICATE PLAIN {guess}"],
            [f"AUTHENTICATE PLAIN {plain}!"],
            [f"AUTHENTICATE CRAM-MD5 {plain}"],
            ["AUTHENTICATE PLAIN", plain],
            ["AUTHENTICATE PLAIN", guess + "!"],
            ["AUTHENTICATE LOGIN", b64encode(USER.encode()).decode(), b64encode(TOKEN.encode()).decode()],
        )
        for each in lines:
            for peer in ("127.0.0.1", "203.0.113.9"):
                client = self.wire.connect(peer=peer)
                for tag, line in zip(("a ", "", ""), each, strict=False):
                    client.send(f"{tag}{line}\r\n".encode())
                self.wire.later(2)
                client.send(f"b LOGIN {USER} {TOKEN}\r\n".encode())
                client.hang_up()

    def test_logins(self) -> None:
        """Logins, good and bad."""
        self.logins()

    def test_logins_that_break(self) -> None:
        """Logins while the store is away, and while it raises errors that quote what they were given."""
        self.store.available = False
        self.logins()
        self.store.available = True

        async def find_login(token: str) -> Any:
            raise ValueError(f"LINE 1: SELECT ... {token!r}")

        self.patch(self.store, "find_login", find_login)
        self.logins()
        self.assertTrue(self.flush_faults())

    def test_note_of_use_that_breaks(self) -> None:
        """The failed note of a token's use."""

        async def touch_token(token_id: object) -> None:
            raise StoreUnavailable(f"UPDATE ... {TOKEN}")

        self.patch(self.store, "touch_token", touch_token)
        self.wire.session()
        self.assertIn("last_used_at", self.log.getvalue())

    def test_messages(self) -> None:
        """FETCH, SEARCH, STORE and mistakes with the text of messages in them."""
        client = self.wire.session(MINE)
        for command in (
            "FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY[])",
            f"SEARCH TEXT {TEXT} SUBJECT {SUBJECT}",
            f"SEARCH TEXT {TEXT} FOO",
            f"SEARCH CHARSET x TEXT {TEXT}",
            f"STORE 1 +FLAGS ({TEXT})",
            f"SELECT {SUBJECT}",
            f"APPEND Drafts {{{len(TEXT)}+}}\r\n{TEXT}",
            f"{TEXT}",
        ):
            client.command(command)
        client.transport.client_reads = False
        client.send(b"a FETCH 1:* BODY[]\r\n" * 200)
        self.wire.later(120)
        self.assertTrue(client.transport.aborted)
        self.assertIn("takes nothing in", self.log.getvalue())
        client.transport.taken.clear()

    def test_messages_that_break(self) -> None:
        """Errors that quote the text of a message."""

        async def broken(mailbox: object, uids: object) -> Any:
            raise UnicodeDecodeError("utf-8", TEXT.encode(), 0, 1, SUBJECT)

        for reading in ("sources", "letters"):
            self.patch(self.store, reading, broken)
        client = self.wire.session(MINE)
        self.assertStatus(client.command("FETCH 1 BODY[]"), "NO", "SERVERBUG")
        self.assertStatus(client.command(f"SEARCH BODY {TEXT}"), "NO", "SERVERBUG")
        self.assertEqual(len(self.flush_faults()), 2)
