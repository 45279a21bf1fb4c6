"""IDLE (RFC 9051 section 6.3.13, RFC 2177)."""

from __future__ import annotations

from test.response_parser import Response
from test.wire import MINE, Client, WireTestCase


def idle(client: Client) -> Client:
    """Begin to idle."""
    client.take()
    client.send(b"i IDLE\r\n")
    first, *news = client.responses()
    assert (first.tag, news) == (b"+", [])
    return client


def told(client: Client) -> list[tuple[bytes, int | None]]:
    """Return name and number of what has come, but for RECENT."""
    return [(each.name, each.number) for each in client.responses() if each.name != b"RECENT"]


def done(client: Client, word: bytes = b"DONE") -> list[Response]:
    """Stop idling, and return what comes before the answer, which is OK."""
    client.send(word + b"\r\n")
    *news, answer = client.responses()
    assert (answer.tag, answer.name) == (b"i", b"OK"), answer
    return news


class IdleTests(WireTestCase):
    """The command."""

    def test_continuation(self) -> None:
        """``+ `` with its space, which some clients insist on; then nothing until DONE."""
        client = self.wire.session(MINE)
        client.take()
        client.send(b"a IDLE\r\n")
        self.assertEqual(client.take()[:2], b"+ ")
        client.send(b"DONE\r\n")
        self.assertEqual(client.take(), b"a OK IDLE completed\r\n")

    def test_done(self) -> None:
        """DONE is without regard to case, ends with CRLF or LF, and may come octet by octet."""
        client = self.wire.session(MINE)
        for word in (b"DONE", b"done", b"DoNe"):
            self.assertEqual(done(idle(client), word), [])
        idle(client).send(b"DONE\n")
        self.assertEqual(client.take(), b"i OK IDLE completed\r\n")
        idle(client).send(b"DONE\r\n", chunk=1)
        self.assertEqual(client.take(), b"i OK IDLE completed\r\n")

    def test_pipelined(self) -> None:
        """DONE in one packet with the next command, and IDLE with its DONE, as real clients send them."""
        client = idle(self.wire.session(MINE))
        client.send(b"DONE\r\nb NOOP\r\nc IDLE\r\n")
        self.assertEqual([each.tag for each in client.responses()], [b"i", b"b", b"+"])
        client.send(b"DONE\r\nd NOOP\r\ne IDLE\r\nDONE\r\nf NOOP\r\n")
        self.assertEqual([each.tag for each in client.responses()], [b"c", b"d", b"+", b"e", b"f"])

    def test_authenticated(self) -> None:
        """Without a mailbox there is nothing to tell (some clients idle before SELECT)."""
        client = idle(self.wire.session())
        self.wire.deliver(1)
        self.assertEqual(done(client), [])
        self.assertStatus(self.wire.connect().command("IDLE"), "BAD")

    def test_other_text(self) -> None:
        """Anything but DONE is BAD, and the session goes on."""
        client = self.wire.session(MINE)
        for line in (b"NOOP", b"", b"DONE x", b"DONEDONE", b"a DONE", b"b NOOP", b"\xff\x00", b"x" * 5000):
            idle(client).send(line + b"\r\n")
            self.assertEqual([(each.tag, each.name) for each in client.responses()], [(b"i", b"BAD")], line[:20])
        client.ok("NOOP")
        self.wire.deliver(1)
        self.assertEqual(client.take(), b"")

    def test_arguments(self) -> None:
        """IDLE has none."""
        self.assertStatus(self.wire.session(MINE).command("IDLE x"), "BAD")

    def test_endless_line(self) -> None:
        """A line without end is the end of the connection."""
        client = idle(self.wire.session(MINE))
        client.send(b"x" * 200_000)
        self.assertIn(b"BYE", client.take())
        self.assertTrue(client.closed)

    def test_client_goes(self) -> None:
        """A client that leaves while idling leaves nothing behind."""
        client = idle(self.wire.session(MINE))
        client.hang_up()
        self.wire.deliver(1)
        self.wire.later(1000)
        self.assertEqual(client.take(), b"")

    def test_over(self) -> None:
        """After DONE nothing is told until the next command."""
        client = self.wire.session(MINE)
        done(idle(client))
        self.wire.deliver(1)
        self.wire.later(600)
        self.assertEqual(client.take(), b"")
        self.assertEqual(client.ok("NOOP").numbers("EXISTS"), [1])

    def test_unavailable(self) -> None:
        """Without the store there is nothing to wait for."""
        client = self.wire.session(MINE)
        self.store.available = False
        self.assertStatus(client.command("IDLE"), "NO", "UNAVAILABLE")


class TimeTests(WireTestCase):
    """How long it takes."""

    def test_still_here(self) -> None:
        """A sign of life every two minutes."""
        client = idle(self.wire.session(MINE))
        for _ in range(3):
            self.wire.later(119)
            self.assertEqual(client.take(), b"")
            self.wire.later(1)
            self.assertEqual(client.take(), b"* OK Still here\r\n")

    def test_never_timed_out(self) -> None:
        """A day of idling is no reason to end it; after it the time for being quiet begins again."""
        for name in (MINE, None):
            client = idle(self.wire.session(name))
            for _ in range(24 * 30):
                self.wire.later(120)
            self.assertFalse(client.closed)
            client.take()
            done(client)
            self.wire.later(1799)
            client.ok("NOOP")
            self.wire.later(1800)
            self.assertTrue(client.closed)

    def test_timed_out_after_bad_text(self) -> None:
        """Ending it by something else than DONE does not switch the time-out off."""
        for line in (b"x", b"x" * 5000):
            client = idle(self.wire.session(MINE))
            client.send(line + b"\r\n")
            self.wire.later(1800)
            self.assertTrue(client.closed)

    def test_a_client_that_does_not_read(self) -> None:
        """One that takes in nothing is let go of."""
        client = idle(self.wire.session(MINE))
        client.transport.client_reads = False
        self.wire.deliver(500)
        for _ in range(15):
            ban = self.store.ban("sender", "sender@good.example")
            self.wire.clock.settle()
            self.store.lift(ban)
            self.wire.clock.settle()
        self.assertGreater(len(client.transport.waiting), 64 * 1024)
        self.wire.later(119)
        self.assertFalse(client.closed)
        self.wire.later(1)
        self.assertTrue(client.closed)


class NewsTests(WireTestCase):
    """What happens is told at once."""

    def setUp(self) -> None:
        """Idle in a mailbox, its address's and INBOX, beside a session that does things."""
        super().setUp()
        self.ids = self.wire.deliver(3)
        self.other = self.wire.session(MINE)
        self.client = idle(self.wire.session(MINE))
        self.inbox = idle(self.wire.session("INBOX"))

    def both(self) -> list[list[tuple[bytes, int | None]]]:
        """Return what both idling sessions were told."""
        return [told(self.client), told(self.inbox)]

    def test_before(self) -> None:
        """What was not told yet when IDLE begins is told after the continuation."""
        client = self.wire.session(MINE)
        self.wire.deliver(1)
        client.take()
        client.send(b"i IDLE\r\n")
        self.assertEqual([name for name, _ in told(client)], [b"+", b"EXISTS"])

    def test_new_mail(self) -> None:
        """EXISTS, for mail that other programs deliver; the message can be fetched right after."""
        self.wire.deliver(1)
        for news in self.both():
            self.assertEqual(news[0], (b"EXISTS", 4))
        self.wire.deliver(2)
        for news in self.both():
            self.assertEqual([entry for entry in news if entry[0] == b"EXISTS"][-1], (b"EXISTS", 6))
        done(self.client)
        self.assertEqual(self.client.ok("FETCH 6 UID").fetched(), {6: {b"UID": 6}})

    def test_expunged(self) -> None:
        """EXPUNGE, by another session and by another program."""
        self.other.ok("STORE 2 +FLAGS.SILENT (\\Deleted)")
        self.both()
        self.other.ok("EXPUNGE")
        self.assertEqual(self.both(), [[(b"EXPUNGE", 2)]] * 2)
        self.store.delete_elsewhere(self.ids[0])
        self.wire.clock.settle()
        self.assertEqual(self.both(), [[(b"EXPUNGE", 1)]] * 2)

    def test_flags(self) -> None:
        """Flags, by another session and by another program."""
        self.other.ok("STORE 2 +FLAGS (\\Seen $Junk)")
        for client in (self.client, self.inbox):
            (data,) = [response.data for response in client.responses() if response.name == b"FETCH"]
            self.assertEqual(set(data[b"FLAGS"]) - {b"\\Recent"}, {b"\\Seen", b"$Junk"})
        self.store.set_flags_elsewhere(self.ids[2], ["\\Flagged"])
        self.wire.clock.settle()
        for client in (self.client, self.inbox):
            ((data),) = [response.data for response in client.responses()]
            self.assertEqual((set(data[b"FLAGS"]) - {b"\\Recent"}, data[b"UID"]), ({b"\\Flagged"}, 3))

    def test_nothing_new(self) -> None:
        """A change that changes nothing is not told, nor what concerns other mailboxes."""
        self.store.set_flags_elsewhere(self.ids[0], [])
        self.other.ok("STORE 1 -FLAGS (\\Seen)")
        self.wire.session().ok("APPEND Drafts {1+}\r\nx")
        self.wire.deliver(1, "theirs@example.net")
        self.wire.clock.settle()
        self.assertEqual(self.both(), [[], []])

    def test_bans(self) -> None:
        """A ban takes messages away; lifted, it brings them back as new ones."""
        ban = self.store.ban("sender", "sender@good.example")
        self.wire.clock.settle()
        self.assertEqual(self.both(), [[(b"EXPUNGE", 3), (b"EXPUNGE", 2), (b"EXPUNGE", 1)]] * 2)
        self.store.lift(ban)
        self.wire.clock.settle()
        for news in self.both():
            self.assertEqual(news[0], (b"EXISTS", 3))
        done(self.client)
        self.assertEqual([each[b"UID"] for each in self.client.ok("FETCH 1:* UID").fetched().values()], [4, 5, 6])

    def test_addresses(self) -> None:
        """INBOX gets the mail of an address that comes, and loses that of one that goes."""
        self.store.add_address(None, "third@example.org")
        self.wire.deliver(2, "third@example.org")
        self.store.add_address(self.wire.user, "third@example.org")
        self.wire.clock.settle()
        self.assertEqual(told(self.inbox)[0], (b"EXISTS", 5))
        self.store.remove_address("third@example.org")
        self.wire.clock.settle()
        self.assertEqual(told(self.inbox)[:2], [(b"EXPUNGE", 5), (b"EXPUNGE", 4)])
        self.assertEqual(told(self.client), [])

    def test_an_address_that_is_taken_away(self) -> None:
        """A session that idles in it is closed at once."""
        self.store.add_address(self.wire.other_user, MINE)
        self.wire.clock.settle()
        self.assertEqual(self.client.take(), b"* BYE The selected mailbox is gone.\r\n")
        self.assertTrue(self.client.closed)

    def test_deleted(self) -> None:
        """A mailbox that is deleted meanwhile ends the connection with BYE (RFC 2180 section 3.3)."""
        self.other.ok("CREATE Box")
        client = idle(self.wire.session("Box"))
        self.other.ok("DELETE Box")
        self.assertEqual(client.take(), b"* BYE The selected mailbox is gone.\r\n")
        self.assertTrue(client.closed)

    def test_renamed(self) -> None:
        """A mailbox that is renamed meanwhile goes on to be told of."""
        self.other.ok("CREATE Box")
        client = idle(self.wire.session("Box"))
        self.other.ok("RENAME Box Other")
        self.other.ok("APPEND Other {1+}\r\nx")
        self.assertEqual(told(client)[0], (b"EXISTS", 1))

    def test_store_away(self) -> None:
        """While the store is away nothing is told; once it is back, the next news tells all."""
        self.store.available = False
        self.wire.deliver(1)
        self.wire.clock.settle()
        self.assertEqual(self.both(), [[], []])
        self.store.available = True
        self.wire.deliver(1)
        self.wire.clock.settle()
        for news in self.both():
            self.assertEqual(news[0], (b"EXISTS", 5))

    def test_recent(self) -> None:
        """What is told while idling becomes ``\\Recent`` in a session that looks, in one and no other."""
        self.wire.deliver(1)
        done(self.client)
        for client in (self.client, self.other):
            client.ok("NOOP")
        flags = [client.ok("FETCH 4 FLAGS").flags()[4] for client in (self.client, self.other)]
        self.assertEqual(flags, [{b"\\Recent"}, set()])
