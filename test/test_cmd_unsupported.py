"""Commands that are understood and not carried out, and those that are not known at all."""

from __future__ import annotations

from test.wire import MINE, TOKEN, USER, WireTestCase


class UnsupportedTests(WireTestCase):
    """A proper answer, and the session goes on."""

    limits = {"bad_commands": 100}  # noqa: RUF012

    def test_malformed(self) -> None:
        """Commands with wrong arguments are BAD."""
        client = self.wire.session(MINE)
        for command in ("CREATE", "DELETE a b", "RENAME a", "COPY 1", "MOVE x y", "APPEND a", "APPEND a (x) b"):
            self.assertStatus(client.command(command), "BAD")

    def test_starttls(self) -> None:
        """STARTTLS is not announced, and refused (section 6.2.1); what follows it in the clear is served as before."""
        client = self.wire.connect(peer="203.0.113.9")
        client.take()
        client.send(b"a STARTTLS\r\nb NOOP\r\n")
        self.assertEqual([(r.tag, r.name) for r in client.responses()], [(b"a", b"BAD"), (b"b", b"OK")])
        self.assertStatus(self.wire.session().command("STARTTLS"), "BAD")

    def test_unknown(self) -> None:
        """What is no command is BAD with its tag (section 7.1.3); what has no tag is an untagged BAD."""
        client = self.wire.session(MINE)
        for command in ("FOO", "X-FOO bar", "DONE", "UID", "UID FOO 1", "UID NOOP", "NOOPX", "COMPRESS X"):
            self.assertStatus(client.command(command), "BAD")
        for line in (b"", b"   ", b"(NOOP)", b'"a" NOOP', b"a+b NOOP", b"\x00\xff", b"{5}x NOOP"):
            client.take()
            client.send(line + b"\r\n")
            self.assertEqual([(r.tag, r.name) for r in client.responses()], [(b"*", b"BAD")], line)
        client.ok("NOOP")

    def test_case_of_commands(self) -> None:
        """Commands are without regard to case, tags keep theirs."""
        client = self.wire.connect()
        client.take()
        client.send(f"aB.c noop\r\nx/Y: LoGiN {USER} {TOKEN}\r\n".encode())
        self.assertEqual([response.tag for response in client.responses()], [b"aB.c", b"x/Y:"])
