"""Many sessions told of one change: in slices, and with octets that go to the socket at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from uuid import uuid4

from twisted.internet import protocol, reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTCP
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.protocol.outlet import PIECE, Outlet
from cybertemp_imap.shared import TOLD_AT_ONCE, SharedMailbox
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import MailboxHead, MailboxRef
from cybertemp_imap.view import View

tcp = cast(IReactorTCP, reactor)


class SliceTests(SynchronousTestCase):
    """A mailbox with more idling sessions than are told in one turn of the reactor."""

    def test_slices(self) -> None:
        """Some are told at once and the others in further turns; one that has stopped idling meanwhile is not."""
        turns: list[Callable[[], None]] = []
        shared = SharedMailbox(MemoryStore(), MailboxRef(uuid4(), 1), later=lambda _, turn: turns.append(turn))
        views = [View(shared.messages) for _ in range(2 * TOLD_AT_ONCE + 1)]
        told: list[int] = []
        for number, view in enumerate(views):
            view.on_news = lambda number=number: told.append(number)
            shared.views.add(view)
        shared._tell()
        self.assertEqual((len(told), len(turns)), (TOLD_AT_ONCE, 1))
        left = next(number for number in range(len(views)) if number not in told)
        views[left].on_news = None
        for expected in (2 * TOLD_AT_ONCE - 1, 2 * TOLD_AT_ONCE):
            turns.pop()()
            self.assertIn(len(told), (expected, expected + 1))
        self.assertEqual(turns, [])
        self.assertEqual(sorted(told), [number for number in range(len(views)) if number != left])


class _SlowStore(MemoryStore):
    """Refreshes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.refreshes: list[Deferred[MailboxHead]] = []

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        self.refreshes.append(Deferred())
        return await self.refreshes[-1]


class WaitingTests(SynchronousTestCase):
    """Many hints about a mailbox that is being refreshed."""

    def test_many(self) -> None:
        """However many wait, one more refresh serves them all; one that fails, fails for all that it was for."""
        store = _SlowStore()
        shared = SharedMailbox(store, MailboxRef(uuid4(), 1))
        first = Deferred.fromCoroutine(shared.refresh())
        waiting = [Deferred.fromCoroutine(shared.refresh()) for _ in range(3000)]
        store.refreshes[0].callback(shared.head)
        self.successResultOf(first)
        self.assertEqual(len(store.refreshes), 2)
        late = Deferred.fromCoroutine(shared.refresh())
        store.refreshes[1].errback(StoreUnavailable())
        for each in waiting:
            self.failureResultOf(each, StoreUnavailable)
        store.refreshes[2].callback(shared.head)
        self.successResultOf(late)
        self.assertEqual(len(store.refreshes), 3)


class _Sender(protocol.Protocol):
    """Sends through an outlet as soon as it is connected."""

    def connectionMade(self) -> None:
        """Send small pieces and large ones, more than a socket takes at once."""
        assert self.factory is not None
        self.outlet = Outlet(self.transport, reactor, 30.0, lambda: None)
        for piece in self.factory.pieces:
            self.outlet.write(piece)
        self.outlet.close()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        """Let go of the outlet."""
        self.outlet.lost()


class _Receiver(protocol.Protocol):
    def __init__(self) -> None:
        self.octets = bytearray()
        self.ended: Deferred[bytes] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.octets += data

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self.ended.callback(bytes(self.octets))


class PromptTests(TestCase):
    """An outlet over a real socket."""

    async def test_order(self) -> None:
        """What is sent while the transport still holds octets does not overtake them, and nothing is lost."""
        factory = protocol.Factory.forProtocol(_Sender)
        sizes = [10, PIECE, 8, 8 * PIECE, 9, 0, 100 * PIECE, 11, PIECE - 1, 12]
        factory.pieces = [_response(number, size) for number, size in enumerate(sizes)]  # type: ignore[attr-defined]
        listening = tcp.listenTCP(0, factory, interface="127.0.0.1")  # type: ignore[arg-type]
        self.addCleanup(listening.stopListening)
        receiver = _Receiver()
        port = cast(IPv4Address, listening.getHost()).port
        tcp.connectTCP("127.0.0.1", port, _Once(receiver))
        self.assertTrue(await receiver.ended == b"".join(factory.pieces))  # type: ignore[attr-defined]


def _response(number: int, size: int) -> bytes:
    """Return a response of so many octets, 8 at least, or nothing."""
    return b"* OK " + bytes([65 + number]) * (size - 7) + b"\r\n" if size else b""


class _Once(protocol.ClientFactory):
    """Connects one protocol."""

    def __init__(self, made: protocol.Protocol) -> None:
        self._made = made

    def buildProtocol(self, addr: object) -> protocol.Protocol:
        return self._made
