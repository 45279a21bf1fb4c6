"""FETCH answers the same from what is kept as from the store, octet for octet."""

from __future__ import annotations

from cybertemp_imap.mime.row import EmailRow
from test.wire import MINE, Client, WireTestCase, letter

COMMANDS = (
    "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
    "FETCH 1:* (ENVELOPE FLAGS BODY MODSEQ)",
    "FETCH 1:* (MODSEQ RFC822.SIZE)",
    "FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Subject Date X-Odd)])",
    "FETCH 1:* (BODY.PEEK[HEADER.FIELDS.NOT (From To)]<3.40> UID)",
    "FETCH 1:* RFC822.HEADER",
    "UID FETCH 2,4:5 (BODY.PEEK[HEADER] SAVEDATE EMAILID THREADID)",
    "UID FETCH 1,3:* (FLAGS INTERNALDATE)",
    "FETCH 1:* (BODY.PEEK[])",
    "UID FETCH 1:3,5 (RFC822.SIZE BODY.PEEK[]<5.100> BODY.PEEK[TEXT] FLAGS)",
    "FETCH 1:* (BODY.PEEK[1] BODY.PEEK[1.MIME] BINARY.PEEK[1] BINARY.SIZE[1] ENVELOPE)",
)


async def _not_to_be_asked(*_: object) -> None:
    raise AssertionError("the store is asked")


def rows() -> list[EmailRow]:
    """Return messages of which some are odd."""
    source = b"From: a@b.example\r\nX-Odd: \0 nul\r\nSubject: \xff\xfe\r\n\r\nbody \0 nul\r\n"
    return [
        letter(subject="Grüße", html="<b>Hallo</b>"),
        letter(source=source),
        letter(encrypted=True),
        letter(subject="x" * 3000, body="y" * 150_000),
        letter(from_addr='"\0\r\nX: y" <a@b>', subject=None, body="\0\r\n.\r\n", to_addrs=()),
    ]


class KeptAnswerTests(WireTestCase):
    """Every form of FETCH, asked again and again."""

    def setUp(self) -> None:
        """Deliver the messages, with different flags."""
        super().setUp()
        for number, row in enumerate(rows()):
            self.store.deliver(row, ["\\Seen", "$Junk"][: number % 3])
        self.wire.session(MINE).hang_up()

    def asked(self, client: Client) -> list[bytes]:
        """Return the answers to all commands."""
        return [b"".join(response.raw for response in client.ok(command).named("FETCH")) for command in COMMANDS]

    def test_alike(self) -> None:
        """First, again, from another session, and without anything being kept; and the store is asked but once."""
        client = self.wire.session(MINE)
        first = self.asked(client)
        names = ("metadata", "headers", "sources", "weights")
        patches = [self.patch(self.store, name, _not_to_be_asked) for name in names]
        # Envelopes are asked for where they are wanted beside what is in the message only.
        commands = [command for command in COMMANDS if "BINARY" not in command]
        again = [b"".join(each.raw for each in client.ok(command).named("FETCH")) for command in commands]
        self.assertEqual(again, first[:-1])
        for patch in patches:
            patch.restore()
        self.assertEqual(self.asked(self.wire.session(MINE)), first)
        self.wire.mailboxes.changed(None)
        self.assertEqual(self.asked(client), first)

    def test_flags_are_those_of_now(self) -> None:
        """Flags and mod-sequences are never those that a line was kept with."""
        client, other = self.wire.session(MINE), self.wire.session(MINE)
        command = "UID FETCH 1:5 (FLAGS RFC822.SIZE MODSEQ)"
        before = client.ok(command).fetched()
        other.ok("STORE 2 +FLAGS.SILENT (\\Flagged kw)")
        after = client.ok(command).fetched()
        self.assertEqual(set(after[2][b"FLAGS"]), {*before[2][b"FLAGS"], b"\\Flagged", b"kw"})
        self.assertGreater(after[2][b"MODSEQ"], before[2][b"MODSEQ"])
        for number in (1, 3, 4, 5):
            self.assertEqual(after[number], before[number])

    def test_recent(self) -> None:
        """A session to which messages are recent is told so, others are not."""
        client = self.wire.session(MINE)
        self.store.deliver(letter(), [])
        client.ok("NOOP")
        for session in (client, self.wire.session(MINE)):
            flags = [session.ok(f"FETCH {number} (FLAGS RFC822.SIZE)").fetched()[number] for number in (1, 6)]
            recent = [b"\\Recent" in found[b"FLAGS"] for found in flags]
            self.assertEqual(recent, [False, session is client])

    def test_expunged(self) -> None:
        """A message that somebody else has expunged is not shown, kept or not (RFC 2180 section 4.1.3)."""
        client, other = self.wire.session(MINE), self.wire.session(MINE)
        command = "FETCH 1:* (RFC822.SIZE BODY.PEEK[HEADER.FIELDS (From)])"
        self.assertEqual(len(client.ok(command).fetched()), 5)
        other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        other.ok("EXPUNGE")
        answer = client.command(command)
        self.assertEqual((answer.status, sorted(answer.fetched())), ("NO", [1, 3, 4, 5]))
        self.assertEqual(sorted(client.ok("UID FETCH 1:3 (RFC822.SIZE)").fetched()), [1, 3])
