"""FLAGS and PERMANENTFLAGS when keywords come up that the session was not told of (RFC 9051 section 7.3.5)."""

from __future__ import annotations

from cybertemp_imap.messages import KEYWORDS
from test.wire import MINE, Answer, Client, WireTestCase

SYSTEM = (b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Seen", b"\\Draft")


class KeywordTests(WireTestCase):
    """Two sessions with one mailbox open."""

    def setUp(self) -> None:
        """Open a mailbox with a keyword in use."""
        super().setUp()
        self.wire.deliver(2)
        self.wire.deliver(1, flags=["$Known"])
        self.client = self.wire.session(MINE)
        self.other = self.wire.session(MINE)

    def check_told(self, answer: Answer, *keywords: bytes) -> None:
        """Check that both responses tell of these keywords, before any FETCH; of none, that neither is sent."""
        codes = [response.code for response in answer.named("OK") if response.code]
        if not keywords:
            self.assertEqual((answer.data("FLAGS"), codes), ([], []))
            return
        self.assertEqual(answer.data("FLAGS"), [(*SYSTEM, *keywords)])
        self.assertEqual(codes, [(b"PERMANENTFLAGS", (*SYSTEM, *keywords, b"\\*"))])
        self.assertEqual([response.name for response in answer.responses[:2]], [b"FLAGS", b"OK"])

    def test_own(self) -> None:
        """The session that has set one is told, silent or not, and once."""
        self.check_told(self.client.ok("STORE 1 +FLAGS (new $KNOWN \\Seen)"), b"$Known", b"new")
        self.check_told(self.client.ok("STORE 2 +FLAGS (New)"))
        self.check_told(self.client.ok("STORE 2 +FLAGS.SILENT (Another)"), b"$Known", b"Another", b"new")
        self.check_told(self.client.ok("NOOP"))

    def test_others(self) -> None:
        """So is a session that hears of it by another, or by another program, before it is told of the flags."""
        self.client.ok("STORE 1 +FLAGS (new)")
        answer = self.other.ok("NOOP")
        self.check_told(answer, b"$Known", b"new")
        self.assertEqual(answer.flags(), {1: {b"new"}})
        self.wire.deliver(1, flags=["newest"])
        self.check_told(self.other.ok("NOOP"), b"$Known", b"new", b"newest")
        self.check_told(self.other.ok("NOOP"))

    def test_idle(self) -> None:
        """An idling session is told at once."""
        self.other.send(b"a IDLE\r\n")
        self.other.take()
        self.client.ok("STORE 1 +FLAGS (new)")
        self.assertEqual([response.name for response in self.other.responses()], [b"FLAGS", b"OK", b"FETCH"])
        self.other.send(b"DONE\r\n")

    def test_read_only(self) -> None:
        """After EXAMINE none of them can be changed."""
        reader = self.wire.session()
        reader.ok(f"EXAMINE {MINE}")
        self.client.ok("STORE 1 +FLAGS (new)")
        answer = reader.ok("NOOP")
        self.assertEqual(answer.data("FLAGS"), [(*SYSTEM, b"$Known", b"new")])
        self.assertEqual(answer.named("OK")[0].code, (b"PERMANENTFLAGS", ()))

    def test_gone(self) -> None:
        """A keyword that no message has any more is not told of when the mailbox is opened again."""
        self.client.ok("STORE 1 +FLAGS (new)")
        self.client.ok("STORE 1 -FLAGS (new)")
        self.assertEqual(self.keywords(self.wire.session()), [b"$Known"])
        self.check_told(self.client.ok("STORE 1 +FLAGS (new)"), b"$Known", b"new")

    def test_many(self) -> None:
        """No more are named than there is room for; the others can be used all the same."""
        for start in range(0, KEYWORDS + 100, 100):
            self.client.ok(f"STORE 1 +FLAGS.SILENT ({' '.join(f'k{n:03}' for n in range(start, start + 100))})")
        self.assertEqual(len(self.keywords(self.wire.session())), KEYWORDS)
        self.check_told(self.client.ok("STORE 2 +FLAGS.SILENT (beyond)"))
        self.assertEqual(self.client.ok("FETCH 2 FLAGS").flags()[2], {b"beyond", b"\\Recent"})

    def keywords(self, client: Client) -> list[bytes]:
        """Open the mailbox and return the keywords told."""
        return [flag for flag in client.ok(f"SELECT {MINE}").data("FLAGS")[0] if flag not in SYSTEM]
