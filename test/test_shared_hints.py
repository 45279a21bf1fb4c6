"""How a process follows hints of changes when many mailboxes are open."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.looks import LOOKERS
from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.messages import Messages
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import MailboxHead, MailboxRef
from cybertemp_imap.view import View
from test.store_contract import MINE

COUNT = 30


class SlowStore(MemoryStore):
    """A store whose refreshes end when the test wants; ``asked`` has those that are under way."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[int, Deferred[None]] = {}
        self.order: list[int] = []
        self.broken: set[int] = set()

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Wait for the test."""
        self.order.append(mailbox.id)
        waiting = self.asked[mailbox.id] = Deferred()
        await waiting
        if mailbox.id in self.broken:
            raise ZeroDivisionError
        return MailboxHead(1, 1, 0)

    def end(self, number: int) -> None:
        """Let a refresh end."""
        self.asked.pop(number).callback(None)


class HintTests(SynchronousTestCase):
    """Many open mailboxes."""

    def setUp(self) -> None:
        """Open them."""
        self.store = SlowStore()
        self.mailboxes = SharedMailboxes(self.store)
        user = self.store.add_user("me@example.com")
        self.store.add_address(user, MINE)
        self.views: list[View] = []
        self.shared: list[SharedMailbox] = []
        for number in range(1, COUNT + 1):
            shared = self.mailboxes.get(MailboxRef(user, number))
            self.views.append(View(Messages()))
            shared.views.add(self.views[-1])
            self.shared.append(shared)

    def end_all(self) -> None:
        """Let all refreshes end, also those that begin by that."""
        while self.store.asked:
            self.store.end(next(iter(self.store.asked)))

    def test_bounded(self) -> None:
        """What concerns all mailboxes is looked at a few at a time, each of them once."""
        self.mailboxes.changed(None)
        self.mailboxes.changed(None)
        self.assertEqual(len(self.store.asked), LOOKERS)
        for number in range(1, COUNT + 1):
            self.assertLessEqual(len(self.store.asked), LOOKERS)
            self.store.end(number)
        # Those under way when the second hint came may have missed what it is about.
        self.end_all()
        self.assertEqual(set(self.store.order), set(range(1, COUNT + 1)))
        self.assertEqual(len(self.store.order), COUNT + LOOKERS)

    def test_named_first(self) -> None:
        """A hint of one mailbox does not wait for all the others."""
        self.mailboxes.changed(None)
        self.mailboxes.changed([COUNT])
        self.store.end(1)
        self.assertIn(COUNT, self.store.asked)
        self.end_all()
        self.assertEqual(self.store.order.count(COUNT), 1)

    def test_hint_meanwhile(self) -> None:
        """A hint that comes while its mailbox is being looked at has it looked at again."""
        self.mailboxes.changed([3])
        self.mailboxes.changed([3])
        self.end_all()
        self.assertEqual(self.store.order, [3, 3])

    def test_fault(self) -> None:
        """A fault with one mailbox is logged, and the others are looked at all the same."""
        self.store.broken = set(range(1, 2 * LOOKERS))
        self.mailboxes.changed(None)
        self.end_all()
        self.assertEqual(sorted(self.store.order), list(range(1, COUNT + 1)))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2 * LOOKERS - 1)

    def test_closed_meanwhile(self) -> None:
        """A mailbox that no session has open any more is passed over."""
        self.mailboxes.changed(None)
        self.shared[-1].views.discard(self.views[-1])
        self.end_all()
        self.assertNotIn(COUNT, self.store.order)


class RoutedStore(MemoryStore):
    """A store that notes for which kind of session it is refreshed."""

    def __init__(self) -> None:
        super().__init__()
        self.route: list[str] = []

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Note that it was asked itself."""
        self.route.append("store")
        return await super().refresh(mailbox)

    def reading(self) -> MemoryStore:
        """Return what notes that it was asked in the store's place."""
        return OnlyRead(self)


class OnlyRead(MemoryStore):
    """What is asked for sessions that change nothing."""

    def __init__(self, store: RoutedStore) -> None:
        self._routed = store

    def __getattr__(self, name: str) -> Any:
        """Have what the store has."""
        return getattr(self._routed, name)

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Note that it was asked."""
        self._routed.route.append("reading")
        return await MemoryStore.refresh(self._routed, mailbox)


class RouteTests(SynchronousTestCase):
    """What is asked for a mailbox that only sessions have open which change nothing."""

    def setUp(self) -> None:
        """Have one open."""
        self.store = RoutedStore()
        user = self.store.add_user("me@example.com")
        self.store.add_address(user, MINE)
        ref = self.successResultOf(Deferred.fromCoroutine(self.store.find_mailbox(user, MINE, "INBOX")))
        assert ref is not None
        self.mailboxes = SharedMailboxes(self.store)
        self.shared = self.mailboxes.get(ref)
        self.opened = [self.open(read_only=True)]
        self.store.route.clear()

    def open(self, *, read_only: bool) -> Mailbox:
        """Open it as a session does."""
        opening = Mailbox.open(self.shared, read_only=read_only)
        return self.successResultOf(Deferred.fromCoroutine(opening))

    def poll(self) -> list[str]:
        """Look by the clock, and return what was asked."""
        self.store.route.clear()
        self.successResultOf(Deferred.fromCoroutine(self.mailboxes.poll()))
        return self.store.route

    def test_poll(self) -> None:
        """Looking by the clock is reading, unless a session has it open that changes something."""
        self.assertEqual(self.poll(), ["reading"])
        self.opened.append(self.open(read_only=False))
        self.assertEqual(self.poll(), ["store"])

    def test_hint(self) -> None:
        """After a hint there is something that only the store takes in, whoever looks."""
        self.mailboxes.changed([self.shared.ref.id])
        self.assertEqual(self.store.route, ["store"])
        self.shared.trust.hint()
        self.store.route.clear()
        self.open(read_only=True)
        self.assertEqual(self.store.route, ["store"])
        self.store.route.clear()
        self.open(read_only=True)
        self.assertEqual(self.store.route, ["reading"])
