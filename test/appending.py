"""A session that appends, and checks of what is left behind; for the tests of APPEND."""

from __future__ import annotations

from typing import Any

from test.wire import Answer, Client, WireTestCase

LETTER = b"From: Me <me@example.com>\r\nTo: you@example.org\r\nSubject: Gr\xc3\xbc\xc3\x9fe\r\n\r\nHello.\r\n"


def literal(data: bytes) -> bytes:
    """Return a non-synchronizing literal."""
    return b"{%d+}\r\n" % len(data) + data


class AppendTestCase(WireTestCase):
    """A session to append with, and checks of what is left behind."""

    def setUp(self) -> None:
        """Log in."""
        super().setUp()
        self.client = self.wire.session()
        # LETTER has 8-bit characters in its header, as much mail has (RFC 6855 section 4).
        self.client.ok("ENABLE UTF8=ACCEPT")

    def tearDown(self) -> None:
        """Nothing may be left of messages on their way in."""
        self.assertEqual(self.store._uploads, {})
        super().tearDown()
        self.assertEqual(self.store._uploads, {})

    def append(self, data: bytes, name: str = "Drafts", options: str = "", **more: Any) -> Answer:
        """Append a message by a non-synchronizing literal."""
        return self.client.command(f"APPEND {name} {options}".encode() + literal(data), **more)

    def sources(self, name: str = "Drafts") -> list[bytes]:
        """Return the messages of a mailbox, as another session reads them."""
        client = self.wire.session(name)
        found = client.ok("UID FETCH 1:* BODY.PEEK[]").fetched()
        return [found[seq][b"BODY[]"] for seq in sorted(found)]

    def answers(self, client: Client | None = None) -> list[tuple[bytes, bytes, bytes | None]]:
        """Return tag, name and code of what has come."""
        found = (client or self.client).responses()
        return [(each.tag, each.name, each.code[0] if each.code else None) for each in found]
