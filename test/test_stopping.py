"""The end of the server: commands in hand are finished, everybody is told, and nobody can hold it up."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from test.wire import MINE, Client, WireTestCase

BYE = b"* BYE [UNAVAILABLE] The server is shutting down.\r\n"
GRACE = 10.0


class StoppingTests(WireTestCase):
    """Sessions in every state when the server stops."""

    def stop(self) -> Deferred[None]:
        """Begin to stop."""
        stopped = Deferred.fromCoroutine(self.wire.factory.sessions.stop(self.wire.clock, GRACE))
        self.wire.clock.settle()
        return stopped

    def held(self, name: str) -> Deferred[None]:
        """Make a method of the store wait until the Deferred is called back."""
        gate: Deferred[None] = Deferred()
        original = getattr(self.store, name)

        async def waiting(*arguments: Any, **named: Any) -> Any:
            await gate
            return await original(*arguments, **named)

        self.patch(self.store, name, waiting)
        return gate

    def test_nobody_there(self) -> None:
        """Without sessions it is over at once."""
        self.successResultOf(self.stop())

    def test_idle_sessions(self) -> None:
        """Sessions that wait for their client hear BYE at once: before login, after, selected, in IDLE and SASL."""
        selected = self.wire.session(MINE)
        idling = self.wire.session(MINE)
        idling.send(b"a IDLE\r\n")
        asked = self.wire.connect()
        asked.send(b"a AUTHENTICATE PLAIN\r\n")
        half = self.wire.session()
        half.send(b"a NO")
        clients = [self.wire.connect(), self.wire.session(), selected, idling, asked, half]
        for client in clients:
            client.take()
        self.successResultOf(self.stop())
        for client in clients:
            self.assertEqual(client.take(), BYE)
            self.assertTrue(client.closed)

    def test_command_in_hand(self) -> None:
        """A command in hand is finished and answered; what was sent behind it is not begun."""
        self.wire.deliver(1)
        client = self.wire.session(MINE)
        gate = self.held("store_flags")
        client.take()
        client.send(b"a STORE 1 +FLAGS (\\Flagged)\r\nb STORE 1 +FLAGS (\\Deleted)\r\n")
        stopped = self.stop()
        self.assertEqual(client.take(), b"")
        self.assertNoResult(stopped)
        self.wire.later(5)
        gate.callback(None)
        self.wire.clock.settle()
        self.assertEqual([r.name for r in client.responses()], [b"FETCH", b"OK", b"BYE"])
        self.successResultOf(stopped)

    def test_message_on_its_way(self) -> None:
        """A message that is being appended may still come whole."""
        client = self.wire.session()
        client.take()
        client.send(b"a APPEND Drafts {10+}\r\n12345")
        stopped = self.stop()
        self.assertNoResult(stopped)
        client.send(b"67890\r\n")
        self.assertEqual([r.name for r in client.responses()], [b"OK", b"BYE"])
        self.successResultOf(stopped)

    def test_too_slow(self) -> None:
        """A command that takes longer than the grace is answered with BYE."""
        self.wire.deliver(1)
        client = self.wire.session(MINE)
        gate = self.held("store_flags")
        client.take()
        client.send(b"a STORE 1 +FLAGS (\\Flagged)\r\n")
        stopped = self.stop()
        self.wire.later(GRACE)
        self.assertEqual(client.take(), BYE)
        self.successResultOf(stopped)
        gate.callback(None)
        self.wire.clock.settle()
        self.assertEqual(client.take(), b"")

    def test_stubborn(self) -> None:
        """A client that reads nothing is cut off."""
        self.wire.deliver(20, body="x" * 70_000)
        client = self.wire.session(MINE)
        client.take()
        client.transport.client_reads = False
        client.send(b"a FETCH 1:* BODY.PEEK[]\r\n")
        stopped = self.stop()
        self.wire.later(GRACE)
        self.wire.later(2)
        self.successResultOf(stopped)
        self.assertTrue(client.transport.aborted)
        client.transport.taken = client.transport.taken[: client._seen]

    def test_login_that_waits(self) -> None:
        """A failed login whose answer is held back does not hold up the end for longer than that."""
        client: Client = self.wire.connect()
        client.take()
        client.send(b"a LOGIN x y\r\n")
        stopped = self.stop()
        self.wire.later(2)
        self.assertEqual([r.name for r in client.responses()], [b"NO", b"BYE"])
        self.successResultOf(stopped)
