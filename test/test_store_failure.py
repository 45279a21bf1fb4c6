"""Faults behind the server: a store that cannot be reached, and errors nobody foresaw."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cybertemp_imap.errors import StoreUnavailable
from test.wire import MINE, TOKEN, USER, WireTestCase

SECRET = "SELECT token FROM imap_tokens; /var/lib/secret"


class FaultTestCase(WireTestCase):
    """A mailbox of some messages, and a store whose methods can be made to fail."""

    def setUp(self) -> None:
        """Deliver."""
        super().setUp()
        self.wire.deliver(60, body="x" * 50_000, flags=["\\Deleted"])

    def fail_after(self, method: str, calls: int, error: Callable[[], Exception]) -> None:
        """Let a method of the store fail once it was called that often."""
        original = getattr(self.store, method)
        left = [calls]

        async def failing(*args: Any) -> Any:
            if left[0] <= 0:
                raise error()
            left[0] -= 1
            return await original(*args)

        self.patch(self.store, method, failing)


class UnavailableTests(FaultTestCase):
    """StoreUnavailable: NO [UNAVAILABLE], or BYE after part of an answer (RFC 5530)."""

    def test_every_command(self) -> None:
        """Before anything was sent every command that needs the store is NO [UNAVAILABLE]; then all is as before."""
        client = self.wire.session(MINE)
        for command in (
            'LIST "" *',
            'LIST "" * RETURN (STATUS (MESSAGES))',
            'LSUB "" *',
            "SUBSCRIBE INBOX",
            "UNSUBSCRIBE INBOX",
            "STATUS INBOX (MESSAGES)",
            "NOOP",
            "CHECK",
            "FETCH 1:* ENVELOPE",
            "FETCH 1:* BODY[]",
            "UID FETCH 1:* BODY.PEEK[HEADER]",
            "STORE 1:* +FLAGS (x)",
            "UID STORE 1:* -FLAGS.SILENT (x)",
            "SEARCH TEXT x",
            "EXPUNGE",
            "UID EXPUNGE 1:*",
            "CLOSE",
        ):
            self.store.available = False
            self.assertStatus(client.command(command), "NO", "UNAVAILABLE")
            self.store.available = True
            client.ok("NOOP")
        self.assertEqual(client.ok("SEARCH RETURN (COUNT) DELETED NOT KEYWORD x").data("ESEARCH")[0]["COUNT"], 60)

    def test_without_the_store(self) -> None:
        """What the process knows is answered all the same: never an empty mailbox."""
        client = self.wire.session(MINE)
        self.store.available = False
        self.assertEqual(len(client.ok("FETCH 1:* (UID FLAGS)").responses), 60)
        self.assertEqual(len(client.ok("SEARCH DELETED").data("SEARCH")[0]), 60)
        for command in ("CAPABILITY", "ID NIL", "NAMESPACE", "UNSELECT"):
            client.ok(command)
        client.ok("LOGOUT")

    def test_select(self) -> None:
        """SELECT is NO although it has said that the mailbox before is closed."""
        client = self.wire.session(MINE)
        self.store.available = False
        answer = client.command("SELECT INBOX")
        self.assertStatus(answer, "NO", "UNAVAILABLE")
        self.assertEqual(answer.responses[0].code, (b"CLOSED", None))
        self.store.available = True
        client.select()

    def test_login(self) -> None:
        """LOGIN and AUTHENTICATE are NO [UNAVAILABLE], also after a challenge; then they work."""
        client = self.wire.connect()
        self.store.available = False
        self.assertStatus(client.command(f"LOGIN {USER} {TOKEN}"), "NO", "UNAVAILABLE")
        client.send(b"a AUTHENTICATE PLAIN\r\nAHgAeQ==\r\n")
        self.assertEqual(client.responses()[-1].code, (b"UNAVAILABLE", None))
        self.store.available = True
        client.login()

    def test_token_not_touched(self) -> None:
        """A failed note of the last use never fails a login."""
        self.fail_after("touch_token", 0, StoreUnavailable)
        self.wire.session()

    def test_fetch_half_way(self) -> None:
        """After part of FETCH the connection is closed with BYE, never a NO that lets the part pass for the whole."""
        self.fail_after("sources", 2, StoreUnavailable)
        self.half_way("FETCH 1:* BODY[]", b"FETCH")

    def half_way(self, command: str, name: bytes) -> None:
        """Send a command that breaks off, and check how it does."""
        client = self.wire.session(MINE)
        client.take()
        client.send(f"a {command}\r\n".encode())
        responses = client.responses()
        self.assertEqual({response.name for response in responses[:-1]}, {name})
        self.assertEqual((responses[-1].name, responses[-1].code), (b"BYE", (b"UNAVAILABLE", None)))
        self.assertTrue(client.closed)

    def test_metadata_half_way(self) -> None:
        """The same where only what is cached is sent."""
        self.wire.deliver(500)
        self.fail_after("metadata", 2, StoreUnavailable)
        self.half_way("UID FETCH 1:* ENVELOPE", b"FETCH")

    def test_list_half_way(self) -> None:
        """The same for LIST with STATUS."""
        self.fail_after("status", 2, StoreUnavailable)
        client = self.wire.session()
        client.take()
        client.send(b'a LIST "" * RETURN (STATUS (MESSAGES))\r\n')
        self.assertEqual(client.responses()[-1].code, (b"UNAVAILABLE", None))
        self.assertTrue(client.closed)

    def test_store_half_way(self) -> None:
        """STORE tells what it has changed and ends with NO: each FETCH response is true by itself."""
        self.wire.deliver(700)
        client = self.wire.session(MINE)
        self.fail_after("store_flags", 1, StoreUnavailable)
        answer = client.command("STORE 1:* +FLAGS (x)")
        self.assertStatus(answer, "NO", "UNAVAILABLE")
        self.assertEqual(len(answer.named("FETCH")), 500)

    def test_seen_cannot_be_set(self) -> None:
        """A FETCH that cannot set ``\\Seen`` is refused before anything is sent."""
        client = self.wire.session(MINE)
        self.fail_after("store_flags", 0, StoreUnavailable)
        self.assertStatus(client.command("FETCH 1 BODY[]"), "NO", "UNAVAILABLE")


class UnforeseenTests(FaultTestCase):
    """Any other exception: NO [SERVERBUG] with a number that finds it in the log, and nothing of it on the wire."""

    def check_fault(self, wire: bytes) -> None:
        """Check that the number on the wire is in the log, and the exception's text in neither."""
        (fault,) = self.flush_faults()
        reference = re.search(rb"\[SERVERBUG\] The server failed to do this\. Reference ([0-9a-f]{8})\.\r\n", wire)
        assert reference is not None, wire
        self.assertIn(f"reference {reference[1].decode()}", fault)
        self.assertIn("test_store_failure.py", fault)
        self.assertIn("KeyError", fault)
        self.assertNotIn(SECRET, fault)
        self.assertNotIn(b"KeyError", wire)
        self.assertNotIn(SECRET.encode(), wire)

    def test_before_data(self) -> None:
        """The session goes on, whichever command it was."""
        client = self.wire.session(MINE)
        for method, command in (
            ("status", "STATUS INBOX (MESSAGES)"),
            ("list_mailboxes", 'LIST "" *'),
            ("refresh", "NOOP"),
            ("metadata", "FETCH 1:* ENVELOPE"),
            ("sources", "FETCH 1 BODY.PEEK[]"),
            ("store_flags", "STORE 1 +FLAGS (x)"),
            ("expunge", "EXPUNGE"),
            ("saved_dates", "SEARCH ON 1-Jan-2020"),
        ):
            original = getattr(self.store, method)
            self.fail_after(method, 0, lambda: KeyError(SECRET))
            answer = client.command(command)
            self.assertStatus(answer, "NO", "SERVERBUG")
            self.check_fault(answer.raw)
            self.patch(self.store, method, original)
            client.ok("NOOP")

    def test_after_data(self) -> None:
        """After part of FETCH it is a BYE."""
        self.fail_after("sources", 2, lambda: KeyError(SECRET))
        client = self.wire.session(MINE)
        client.take()
        client.send(b"a FETCH 1:* BODY.PEEK[]\r\n")
        raw = client.take()
        self.assertTrue(client.closed)
        self.assertNotIn(b"\r\na ", raw)
        self.check_fault(raw[raw.rindex(b"* BYE") :])

    def test_login(self) -> None:
        """A login that breaks says as much."""
        self.fail_after("find_login", 0, lambda: KeyError(SECRET + TOKEN))
        client = self.wire.connect()
        answer = client.command(f"LOGIN {USER} {TOKEN}")
        self.assertStatus(answer, "NO", "SERVERBUG")
        (fault,) = self.flush_faults()
        self.assertNotIn(TOKEN, fault)

    def test_caused(self) -> None:
        """The log says what led to it, too."""

        def error() -> Exception:
            outer = KeyError(SECRET)
            outer.__cause__ = OSError(SECRET)
            return outer

        self.fail_after("list_mailboxes", 0, error)
        answer = self.wire.session().command('LIST "" *')
        self.assertStatus(answer, "NO", "SERVERBUG")
        (fault,) = self.flush_faults()
        self.assertIn("builtins.KeyError\nwhich came of:\nbuiltins.OSError", fault)

    def test_connection(self) -> None:
        """An error outside of any command cuts the connection and is logged without its text."""
        client = self.wire.session()

        def next_event() -> None:
            raise KeyError(SECRET)

        self.patch(client.server.reader, "next_event", next_event)
        client.send(b"a NOOP\r\n")
        self.assertTrue(client.transport.aborted)
        (fault,) = self.flush_faults()
        self.assertTrue(fault.startswith("A connection failed: "))
        self.assertNotIn(SECRET, fault)
