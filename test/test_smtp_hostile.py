"""SMTP with senders that mean harm: smuggling, floods, slowness. Nothing of it crashes, blocks or grows."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.delivery.stream import DotStream
from cybertemp_imap.delivery.wire import READ_AHEAD
from cybertemp_imap.protocol.outlet import PIECE
from test.mail_wire import BOX, LETTER, MailWireTestCase
from test.wire_transport import PIECE as AT_A_TIME


def reference(text: bytes) -> tuple[bytes, bytes] | None:
    """Return a message and what is behind it; None when it has no end: line by line, as RFC 5321 section 4.5.2 says."""
    message: list[bytes] = []
    rest = text
    while b"\r\n" in rest:
        line, _, rest = rest.partition(b"\r\n")
        if line == b".":
            return b"".join(message), rest
        message.append(line.removeprefix(b".") + b"\r\n")
    return None


class DotStreamTests(SynchronousTestCase):
    """The end of DATA."""

    @given(
        st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"a", b"\0", b"\xff"]), max_size=30), st.integers(1, 5)
    )
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    def test_like_lines(self, pieces: list[bytes], step: int) -> None:
        """Whatever comes, however it is cut, the message is what a reader of lines would find."""
        text = b"".join(pieces)
        stream, message, behind = DotStream(), b"", b""
        for start in range(0, len(text), step):
            piece = text[start : start + step]
            if stream.over:
                behind += piece
                continue
            octets, behind = stream.feed(piece)
            message += octets
        expected = reference(text)
        self.assertEqual(stream.over, expected is not None)
        if expected is not None:
            self.assertEqual((message, behind), expected)


class SmugglingTests(MailWireTestCase):
    """One message stays one message."""

    def test_only_crlf_ends(self) -> None:
        """No other line ends around the dot end a message: what follows is part of it."""
        hidden = b"MAIL FROM:<evil@b.example>\r\nRCPT TO:<other@example.com>\r\nDATA\r\nSmuggled.\r\n"
        for end in (
            *(b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r", b"\r.\r\n", b"\n.\r", b"\r\n\0.\r\n"),
            *(b"\r\n.\0\r\n", b"\r\r\n.\r\r\n", b"\r\n. \r\n"),
        ):
            sending = self.begun()
            before = len(self.store.emails)
            codes = sending.codes(LETTER + b"text" + end + hidden + b".\r\n")
            self.assertEqual(codes, [554] if b"\0" in end else [250], end)
            self.assertEqual(len(self.store.emails) - before, 0 if b"\0" in end else 1, end)
            self.assertNotIn(b"other@example.com", b"".join(self.stored()).split(b"Hello.")[0])

    def test_bare_line_feeds(self) -> None:
        """A bare LF is made CR LF when stored, as in every message; a bare CR stays."""
        self.begun().send(b"Subject: a\n\nb\n.\nc\rd\r\n.\r\n")
        self.assertEqual(self.messages(), [b"Subject: a\r\n\r\nb\r\n.\r\nc\rd\r\n"])

    def test_bare_ends_of_commands(self) -> None:
        """A command that does not end by CR LF, or holds CR or NUL, is not done."""
        sending = self.connect()
        for line in (b"MAIL FROM:<>\n", b"MAIL FROM:<>\r\r\n", b"MAIL FROM:<>\rRCPT\r\n", b"MAIL FROM:<>\0\r\n"):
            self.assertEqual(sending.codes(line), [500], line)
        self.assertEqual(sending.codes(b"RCPT TO:<box@example.com>\r\n"), [503])

    def test_nul(self) -> None:
        """A message with NUL is refused: no IMAP client could be given it (RFC 9051 section 9, CHAR8)."""
        sending = self.begun()
        self.assertEqual(sending.send(LETTER + b"\0\r\n.\r\n")[0][:9], b"554 5.6.0")
        self.assertEqual(self.stored(), [])

    def test_eight_bit(self) -> None:
        """Octets beyond ASCII are stored as they are, in header and text."""
        text = bytes(range(128, 256)) + b": x\r\nSubject: " + bytes(range(128, 256)) + b"\r\n\r\n\xff\xfe\r\n"
        self.begun().send(text + b".\r\n")
        self.assertEqual(self.messages(), [text])

    def test_start_tls_injection(self) -> None:
        """What comes behind STARTTLS in the clear is not done, and ends the connection (CVE-2011-0411)."""
        self.factory.certificate = object()
        sending = self.connect()
        self.assertEqual(sending.codes(b"STARTTLS\r\nMAIL FROM:<evil@b.example>\r\n"), [554])
        self.assertTrue(sending.transport.lost)

    def test_start_tls_forgets(self) -> None:
        """What was said before TLS is forgotten, and TLS is offered no more."""
        self.factory.certificate = object()
        sending = self.connect(greeted=False)
        self.assertIn(b"250-STARTTLS", sending.send(b"EHLO me\r\n"))
        sending.send(b"MAIL FROM:<>\r\n")
        self.assertEqual(sending.codes(b"STARTTLS\r\n"), [220])
        self.assertIs(sending.transport.tls, self.factory.certificate)
        self.assertEqual(sending.codes(b"RCPT TO:<box@example.com>\r\nMAIL FROM:<>\r\n"), [503, 503])
        self.assertNotIn(b"250-STARTTLS", sending.send(b"EHLO me\r\n"))
        sending.send(b"MAIL FROM:<>\r\nRCPT TO:<box@example.com>\r\nDATA\r\n", LETTER + b".\r\n")
        self.assertIn(b" with ESMTPS id ", self.stored()[0])
        self.assertEqual(sending.codes(b"STARTTLS\r\n"), [503])


class FloodTests(MailWireTestCase):
    """Too much of everything."""

    def test_too_big(self) -> None:
        """A message above the limit is read to its end, kept nowhere, and refused."""
        sending = self.begun(mail_size=100_000)
        self.assertEqual(sending.codes(LETTER + b"x" * 100_000 + b"\r\n.\r\n"), [552])
        self.assertEqual((self.stored(), self.store._uploads), ([], {}))
        self.assertEqual(sending.codes(b"NOOP\r\n"), [250])

    def test_endless(self) -> None:
        """Of a message without an end no more is read than twice the limit, and little is held at a time."""
        sending = self.begun(mail_size=1_000_000)
        piece, most = b"x" * AT_A_TIME, 0
        for _ in range(100):
            sending.transport.arrive(piece)
            self.clock.settle()
            most = max(most, len(sending.session._buffer))
        self.assertEqual([line[:3] for line in sending.told()], [b"552"])
        self.assertTrue(sending.transport.lost)
        self.assertLessEqual(most, READ_AHEAD + AT_A_TIME)
        self.assertEqual(self.store._uploads, {})

    def test_many_recipients(self) -> None:
        """Recipients above the limit are to be sent again; of 10,000 not even all are answered."""
        sending = self.connect(mail_recipients=3)
        sending.send(b"MAIL FROM:<>\r\n")
        codes = sending.codes(b"".join(b"RCPT TO:<a%d@example.com>\r\n" % n for n in range(10_000)))
        self.assertEqual(codes[:5], [250, 250, 250, 452, 452])
        self.assertEqual(codes[-1], 421)
        self.assertLess(len(codes), 3000)
        self.assertTrue(sending.transport.lost)

    def test_many_mistakes(self) -> None:
        """Who guesses addresses of other domains is turned out."""
        sending = self.connect()
        sending.send(b"MAIL FROM:<>\r\n")
        codes = sending.codes(b"RCPT TO:<a@elsewhere.example>\r\n" * 200)
        self.assertEqual((codes[0], codes[-1], len(codes)), (550, 421, 102))

    def test_long_line(self) -> None:
        """A command line above the limit ends the connection, before its end has come."""
        for line in (b"NOOP " + b"x" * 5000, b"NOOP " + b"x" * 5000 + b"\r\n"):
            sending = self.connect()
            self.assertEqual(sending.codes(line), [500])
            self.assertTrue(sending.transport.lost)

    def test_other_protocol(self) -> None:
        """A browser that was made to send a form here is turned away at its first line."""
        sending = self.connect(greeted=False)
        request = b"POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO me\r\nMAIL FROM:<>\r\n"
        self.assertEqual(sending.codes(request), [554])
        self.assertTrue(sending.transport.lost)

    def test_reads_no_answers(self) -> None:
        """Of a sender that reads no answers, no more commands are done than answers fit."""
        sending = self.connect()
        sending.transport.client_reads = False
        sending.transport.arrive(b"EHLO me\r\n" * 2000)
        self.clock.settle()
        self.assertLess(sending.transport.most_waiting, 3 * PIECE)

    def test_connections(self) -> None:
        """There are no more connections than the limits say, from one address and of all."""
        self.factory = self.make_factory(mail_ip_connections=2)
        kept = [self.connect(), self.connect()]
        third = self.connect(greeted=False)
        self.assertTrue(third.transport.lost)
        kept[0].transport.hang_up()
        self.clock.settle()
        self.assertFalse(self.connect().transport.lost)
        self.factory = self.make_factory(mail_connections=1)
        self.assertFalse(self.connect().transport.lost)
        self.assertTrue(self.connect(greeted=False).transport.lost)


class SlownessTests(MailWireTestCase):
    """Senders that take their time."""

    def test_command_in_drops(self) -> None:
        """A command has its time as a whole: a drop now and then does not keep a connection."""
        sending = self.connect()
        for _ in range(10):
            sending.transport.arrive(b"N")
            self.clock.advance(31)
        self.assertEqual([line[:3] for line in sending.told()], [b"421"])
        self.assertTrue(sending.transport.lost)

    def test_silence_in_message(self) -> None:
        """Silence in a message ends the connection; nothing is delivered."""
        sending = self.begun()
        sending.send(LETTER)
        self.clock.advance(301)
        self.assertEqual([line[:3] for line in sending.told()], [b"421"])
        self.assertEqual(self.stored(), [])

    def test_message_in_drops(self) -> None:
        """So does a message that as a whole takes too long."""
        sending = self.begun()
        for _ in range(10):
            sending.transport.arrive(b"x")
            self.clock.advance(200)
        self.assertTrue(sending.transport.lost)

    def test_gone_in_message(self) -> None:
        """A sender that goes away in a message leaves nothing behind, no timer and no piece."""
        sending = self.begun(BOX)
        sending.send(LETTER + b"x" * 600_000)
        sending.transport.hang_up()
        self.clock.settle()
        self.assertEqual((self.stored(), self.store._uploads), ([], {}))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopping(self) -> None:
        """When the server stops, who is idle is told so at once, and who has a message in hand when it is done."""
        idle, busy = self.connect(), self.begun()
        stopped = self.factory.stop(10)
        done = Deferred.fromCoroutine(stopped)
        self.clock.settle()
        self.assertEqual([line[:3] for line in idle.told()], [b"421"])
        self.assertNoResult(done)
        self.assertEqual(busy.codes(LETTER + b".\r\n"), [250, 421])
        self.successResultOf(done)
        self.assertEqual(len(self.stored()), 1)
