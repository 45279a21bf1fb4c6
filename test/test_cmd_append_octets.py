"""The octets of messages that are appended: how they come, what is made of them, and when they stop coming."""

from __future__ import annotations

from cybertemp_imap.incoming import PIECE
from test.appending import LETTER, AppendTestCase


class LineEndTests(AppendTestCase):
    """Every line end is CRLF when it is stored, however the octets were cut."""

    MESSAGES = (
        LETTER * 3,
        b"Subject: x\n\na\nb\n\n\nc\n",
        b"Subject: x\r\n\r\na\r\nb\nc\r\n\n\r\nd\r\n",
        b"\n\n\r\n\r\n\n",
        b"a\rb\r\rc\r\r\nd\r",
    )

    def test_bare_line_feeds(self) -> None:
        """A bare LF becomes CRLF; a CR alone is left alone."""
        for message in self.MESSAGES:
            self.append(message)
        self.assertEqual(self.sources(), [_expected(message) for message in self.MESSAGES])

    def test_chunks(self) -> None:
        """However they arrive: octet by octet, or cut between CR and LF and everywhere else."""
        for message in self.MESSAGES:
            for chunk in (1, 2, 3, 5, 7, len(message) - 1):
                self.append(message, chunk=chunk)
        self.assertEqual(self.sources(), [_expected(message) for message in self.MESSAGES for _ in range(6)])

    def test_every_cut(self) -> None:
        """A message in two pieces, for every place of the cut."""
        message = self.MESSAGES[2]
        for cut in range(len(message) + 1):
            self.client.send(b"a APPEND Drafts {%d+}\r\n" % len(message) + message[:cut])
            self.client.send(message[cut:] + b"\r\n")
        self.assertEqual(set(self.sources()), {_expected(message)})

    def test_large(self) -> None:
        """A message of many pieces for the store, with line ends of both kinds and odd lengths."""
        lines = b"".join(b"line %d%s" % (n, b"\n" if n % 3 else b"\r\n") for n in range(150_000))
        self.append(b"Subject: long\n\n" + lines)
        (source,) = self.sources()
        self.assertEqual(source, _expected(b"Subject: long\n\n" + lines))

    def test_piece(self) -> None:
        """About as many octets as the store is given at a time, which is when some go there before the others."""
        for size in (PIECE - 1, PIECE, PIECE + 1, 2 * PIECE):
            message = b"Subject: x\n" + b"x" * (size - 12)
            self.append(message)
            self.assertEqual(self.sources()[-1], _expected(message))
            self.assertEqual(len(_expected(message)), size)

    def test_nul(self) -> None:
        """A NUL octet is no part of a message (RFC 9051 section 4.3): BAD, and nothing is added."""
        for message in (b"\0", LETTER + b"\0", b"\0" + b"x" * 300_000, b"x" * 300_000 + b"\0"):
            self.assertStatus(self.append(message), "BAD")
            self.assertEqual(self.store._uploads, {})
        self.assertEqual(self.sources(), [])


def _expected(message: bytes) -> bytes:
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class GoneTests(AppendTestCase):
    """A client that leaves in the middle leaves nothing behind."""

    PIECES = (
        b"",
        b"{1000}\r\n",
        b"{1000000+}\r\n",
        b"{1000000+}\r\n" + b"x" * 999_999,
        b"{1000000+}\r\n" + b"x" * 1_000_000,
        b"{1000000+}\r\n" + b"x" * 1_000_000 + b" (\\Seen)",
        b"{1000000+}\r\n" + b"x" * 1_000_000 + b" {300000+}\r\n" + b"y" * 299_999,
    )

    def test_gone(self) -> None:
        """Wherever it breaks off."""
        for piece in self.PIECES:
            client = self.wire.session()
            client.send(b"a APPEND Drafts " + piece)
            client.hang_up()
            self.assertEqual(self.store._uploads, {})
        self.assertEqual(self.store.emails, {})

    def test_timed_out(self) -> None:
        """One that falls silent is let go of after 30 minutes; what it had sent as well."""
        client = self.wire.session()
        client.send(b"a APPEND Drafts {1000000+}\r\n" + b"x" * 999_999)
        self.assertNotEqual(self.store._uploads, {})
        self.wire.later(1800)
        self.assertTrue(client.closed)
        self.assertEqual(self.store._uploads, {})
