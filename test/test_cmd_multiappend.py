"""MULTIAPPEND (RFC 3502)."""

from __future__ import annotations

from cybertemp_imap.incoming import PIECE
from test.appending import AppendTestCase, literal


class MultiAppendTests(AppendTestCase):
    """Several messages: all or none (RFC 3502)."""

    def test_all(self) -> None:
        """Each has its own flags and date; APPENDUID tells all UIDs in their order."""
        self.client.send(b"a APPEND Drafts (\\Seen) " + literal(b"one") + b" " + literal(b"two"))
        self.client.send(b' (\\Draft) "01-Jan-2020 00:00:00 +0000" {5}\r\n')
        self.assertEqual(self.client.take()[:2], b"+ ")
        self.client.send(b"three\r\n")
        (response,) = self.client.responses()
        assert response.code is not None
        self.assertEqual((response.code[0], response.code[1][1]), (b"APPENDUID", b"1:3"))
        self.assertEqual(self.sources(), [b"one", b"two", b"three"])
        flags = self.wire.session("Drafts").ok("FETCH 1:3 FLAGS").flags()
        self.assertEqual([each - {b"\\Recent"} for each in flags.values()], [{b"\\Seen"}, set(), {b"\\Draft"}])

    def test_others_are_told(self) -> None:
        """Other sessions are told of all at once; of an APPEND of which one is refused, of nothing."""
        other = self.wire.session("Drafts")
        good = literal(b"good")
        self.client.command(b"APPEND Drafts " + good + b" (\\Recent) " + good)
        self.assertEqual(other.ok("NOOP").responses, [])
        self.assertStatus(self.client.command(b"APPEND Drafts " + good + b" " + good), "OK", "APPENDUID")
        self.assertEqual(other.ok("NOOP").numbers("EXISTS"), [2])

    def test_waiting(self) -> None:
        """However many small messages come, no more of them waits in memory than of a big one."""
        self.client.send(b"a APPEND Drafts")
        sent = [b"%d" % number * (PIECE // 5) for number in range(10)]
        for number, message in enumerate(sent):
            self.client.send(b" " + literal(message))
            incoming = self.client.server.incoming
            self.assertEqual(len(incoming), number + 1)
            self.assertLessEqual(sum(each.waiting for each in incoming), PIECE + len(message))
        self.assertEqual(len(self.store._uploads), 4)
        self.client.send(b"\r\n")
        self.assertEqual(self.answers(), [(b"a", b"OK", b"APPENDUID")])
        self.assertEqual(self.sources(), sent)

    def test_none(self) -> None:
        """One that cannot be added keeps all from being added."""
        good = literal(b"good")
        for last, status in (
            (b"(\\Recent) " + good, "NO"),
            (literal(b"a\0b"), "BAD"),
            (b'"x" ' + good, "BAD"),
            (literal(b""), "NO"),
            (b"~" + literal(b"a\0b"), "NO"),
            (good + b" x", "BAD"),
        ):
            answer = self.client.command(b"APPEND Drafts " + good + b" " + good + b" " + last)
            self.assertEqual(answer.status, status, last)
            self.assertEqual(self.store._uploads, {})
        self.assertEqual(self.sources(), [])

    def test_too_big(self) -> None:
        """A second message that is too big takes the first back."""
        self.client.send(b"a APPEND Drafts " + literal(b"good") + b" {30000000}\r\n")
        self.assertEqual(self.answers(), [(b"a", b"NO", b"TOOBIG")])
        self.assertEqual(self.store._uploads, {})
        self.assertStatus(self.append(b"good"), "OK", "APPENDUID")
        self.assertEqual(self.sources(), [b"good"])

    def test_octet_by_octet(self) -> None:
        """However it arrives."""
        data = b"APPEND Drafts (\\Seen) " + b" ".join([literal(b"a\n")] * 5)
        self.assertStatus(self.client.command(data, chunk=1), "OK", "APPENDUID")
        self.assertEqual(self.sources(), [b"a\r\n"] * 5)

    def test_too_many(self) -> None:
        """There is a limit to how many messages a command has."""
        data = b"APPEND Drafts " + b" ".join([literal(b"x")] * 1001)
        self.assertStatus(self.client.command(data), "NO", "LIMIT")
        self.assertEqual(self.sources(), [])
