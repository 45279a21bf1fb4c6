"""Commands sent without waiting (RFC 9051 section 5.5), cut into any pieces, with literals wherever a string stands."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.internet.defer import Deferred

from cybertemp_imap.store.values import StatusCounts
from test.wire import MINE, TOKEN, USER, Client, WireTestCase

LOGIN = f"l LOGIN {USER} {TOKEN}\r\n".encode()


class PipelineTests(WireTestCase):
    """One command at a time, in order, whatever the packets are."""

    def tags(self, client: Client) -> list[bytes]:
        """Return the tags answered since the last time."""
        return [response.tag for response in client.responses() if response.tag != b"*"]

    def test_in_order(self) -> None:
        """A whole session in one packet, or in pieces of any size, gets the same answers."""
        self.wire.deliver(2)
        session = LOGIN + (
            b'a LIST "" *\r\nb SELECT box@example.com\r\nc FETCH 1:* (UID BODY.PEEK[TEXT])\r\n'
            b"d UID SEARCH SUBJECT {6+}\r\nLetter\r\ne STATUS {5+}\r\nINBOX (MESSAGES)\r\nf NOOP\nlogout LOGOUT\r\n"
        )
        answers = set()
        for chunk in (None, 1, 2, 3, 7, 50, 200):
            self.wire.session(MINE).hang_up()
            client = self.wire.connect()
            client.send(session, chunk)
            answers.add(client.take())
            self.assertTrue(client.closed)
        self.assertEqual(len(answers), 1)

    def test_waits_for_each(self) -> None:
        """A command begins when the one before is answered, however long that takes."""
        counted: list[Deferred[None]] = []
        original = self.store.status

        async def status(*args: object) -> StatusCounts | None:
            counted.append(Deferred())
            await counted[-1]
            return await original(*args)  # type: ignore[arg-type]

        self.patch(self.store, "status", status)
        client = self.wire.session()
        client.take()
        client.send(b"a STATUS INBOX (MESSAGES)\r\nb NOOP\r\nc STATUS Drafts (MESSAGES)\r\nd LOGOUT\r\ne NOOP\r\n")
        self.assertEqual((self.tags(client), len(counted)), ([], 1))
        counted[0].callback(None)
        self.wire.clock.settle()
        self.assertEqual((self.tags(client), len(counted)), ([b"a", b"b"], 2))
        counted[1].callback(None)
        self.wire.clock.settle()
        self.assertEqual(self.tags(client), [b"c", b"d"])
        self.assertTrue(client.closed)

    def test_login_changes_what_follows(self) -> None:
        """Commands behind LOGIN are judged by the state that it leads to."""
        client = self.wire.connect()
        client.take()
        client.send(b"a SELECT INBOX\r\n" + LOGIN + b"b SELECT INBOX\r\nc FETCH 1 UID\r\nd CLOSE\r\ne CLOSE\r\n")
        status = {r.tag: r.name for r in client.responses() if r.tag != b"*"}
        self.assertEqual(status, {b"a": b"BAD", b"l": b"OK", b"b": b"OK", b"c": b"BAD", b"d": b"OK", b"e": b"BAD"})

    def test_many(self) -> None:
        """Thousands of commands in one packet are all answered, others are served meanwhile."""
        client = self.wire.session()
        client.take()
        client.send(b"".join(b"n%d NOOP\r\n" % n for n in range(20_000)))
        self.assertEqual(self.tags(client), [b"n%d" % n for n in range(20_000)])

    def test_gone_in_the_middle(self) -> None:
        """A client that leaves while a command runs costs nothing more, and the rest is not carried out."""
        waiting: Deferred[None] = Deferred()
        original = self.store.list_mailboxes

        async def list_mailboxes(user_id: object) -> object:
            await waiting
            return await original(user_id)  # type: ignore[arg-type]

        self.patch(self.store, "list_mailboxes", list_mailboxes)
        client = self.wire.session()
        client.send(b'a LIST "" *\r\nb UNSUBSCRIBE INBOX\r\n')
        client.hang_up()
        waiting.callback(None)
        self.wire.clock.settle()
        self.assertTrue(self.wire.session().ok('LIST (SUBSCRIBED) "" INBOX').responses)


class LiteralTests(WireTestCase):
    """Literals stand wherever the grammar has a string (RFC 9051 section 4.3, RFC 7888)."""

    def cases(self) -> Iterable[tuple[str, list[bytes]]]:
        """Yield commands with ``$n`` for each string, and the strings."""
        yield "LOGIN $0 $1", [USER.encode(), TOKEN.encode()]
        yield "ID ($0 $1)", [b"name", b"x y"]
        yield "SELECT $0", [MINE.encode()]
        yield "EXAMINE $0", [b"inbox"]
        yield "STATUS $0 (MESSAGES)", [b"INBOX"]
        yield "SUBSCRIBE $0", [b"Drafts"]
        yield "UNSUBSCRIBE $0", [b"Drafts"]
        yield "LIST $0 $1", [b"", b"%"]
        yield "LIST () $0 ($1 $2) RETURN (CHILDREN)", [b"", b"IN*", b"D%"]
        yield "LSUB $0 $1", [b"", b"*"]
        yield "SELECT $0", [MINE.encode()]
        yield "SEARCH FROM $0 OR SUBJECT $1 HEADER $2 $3", [b"a", b"b c", b"X-Y", b""]
        yield "UID SEARCH RETURN (COUNT) CHARSET $0 TEXT $1", [b"utf-8", "ü".encode()]
        yield "FETCH 1 BODY.PEEK[HEADER.FIELDS ($0 $1)]", [b"Subject", b"From"]

    def test_everywhere(self) -> None:
        """Synchronizing, non-synchronizing, quoted: the same answer, also octet by octet."""
        self.wire.deliver(1)
        clients = [self.wire.connect() for _ in range(4)]
        for command, strings in self.cases():
            answers = set()
            for client, form in zip(clients, ("quoted", "literal+", "literal", "octets"), strict=True):
                client.take()
                self._send(client, command, strings, form)
                raw = b"".join(r.raw for r in client.responses() if r.tag != b"+")
                self.assertIn(b"a OK", raw, (command, form))
                answers.add(raw if "SELECT" not in command else b"")
            self.assertEqual(len(answers), 1, command)

    def _send(self, client: Client, command: str, strings: list[bytes], form: str) -> None:
        pieces = ("a " + command).split("$")
        client_sends = pieces[0].encode()
        for piece, string in zip(pieces[1:], strings, strict=True):
            rest = piece[1:].encode()
            if form == "quoted":
                client_sends += b'"' + string + b'"' + rest
            elif form in ("literal+", "octets"):
                client_sends += b"{%d+}\r\n" % len(string) + string + rest
            else:
                client.send(client_sends + b"{%d}\r\n" % len(string))
                self.assertTrue(bytes(client.transport.taken).endswith(b"+ Go ahead\r\n"), command)
                client_sends = string + rest
        client.send(client_sends + b"\r\n", 1 if form == "octets" else None)

    def test_not_asked_for(self) -> None:
        """A literal inside quotes or in the middle of a line is none."""
        client = self.wire.session()
        for line in ('SELECT "{5}"', 'SEARCH SUBJECT "a {3+}'):
            self.assertIn(client.command(line).status, ("NO", "BAD"))
        client.ok("NOOP")

    def test_commands_in_literals(self) -> None:
        """What is in a literal is never a command (RFC 7888 section 4)."""
        client = self.wire.session()
        client.take()
        client.send(b"a SELECT {14+}\r\nx UNSUBSCRIBE \r\nb NOOP\r\n")
        self.assertEqual([(r.tag, r.name) for r in client.responses()], [(b"a", b"NO"), (b"b", b"OK")])
