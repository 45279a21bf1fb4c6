"""What a process knows of a mailbox when others change it between a change of its own and the answer to that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.store.interface import Expunged, FlagChange, FlagMode, MailboxRef
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.view import View
from test.wire import MINE, letter


class LateStore(MemoryStore):
    """A store that reads a mailbox's numbers some time after it has changed it; ``meanwhile`` happens in between."""

    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def expunge(self, mailbox: MailboxRef, uids: Sequence[int] | None) -> Expunged | None:
        """Expunge, and answer with the numbers of afterwards."""
        outcome = await super().expunge(mailbox, uids)
        assert self.meanwhile is not None and outcome is not None
        await self.meanwhile()
        return Expunged(self._mailboxes[mailbox.id].head(), outcome.uids)

    async def store_flags(
        self, mailbox: MailboxRef, uids: Sequence[int], mode: str, flags: Sequence[str], unchanged_since: int | None
    ) -> FlagChange | None:
        """Change flags, and answer with the numbers of afterwards."""
        outcome = await super().store_flags(mailbox, uids, mode, flags, unchanged_since)
        assert outcome is not None
        if self.meanwhile is not None:
            await self.meanwhile()
        return FlagChange(self._mailboxes[mailbox.id].head(), outcome.messages, outcome.modified, outcome.taken)


class OvertakenTests(SynchronousTestCase):
    """Mail comes after the change, and another process has taken it in before the change is answered."""

    def setUp(self) -> None:
        """Open a mailbox with two messages, one of which is to be expunged."""
        self.store = LateStore()
        user = self.store.add_user("me@example.com")
        self.store.add_address(user, MINE)
        for _ in range(2):
            self.store.deliver(letter(), ["\\Deleted"])
        ref = self.successResultOf(Deferred.fromCoroutine(self.store.find_mailbox(user, MINE, "INBOX")))
        assert ref is not None
        self.looked_at: list[int] = []
        self.shared = SharedMailbox(self.store, ref, self.looked_at.append)
        self.view = View(self.shared.messages)
        self.shared.views.add(self.view)
        self.refresh()

    def refresh(self) -> None:
        """Have the mailbox look at the store."""
        self.successResultOf(Deferred.fromCoroutine(self.shared.refresh()))

    async def taken_in_elsewhere(self) -> None:
        """Our process learns of its change by a refresh; then mail comes, which another process takes in."""
        await self.shared.refresh()
        self.store.deliver(letter())
        await self.store.refresh(self.shared.ref)

    def test_expunge(self) -> None:
        """What came after it is not taken for what was expunged: the next refresh finds it."""
        self.store.meanwhile = self.taken_in_elsewhere
        gone = self.successResultOf(Deferred.fromCoroutine(self.shared.expunge([1])))
        self.assertEqual(gone, [1])
        self.refresh()
        self.assertEqual(list(self.shared.messages.uids), [2, 3])
        self.view.report(expunge=True)
        self.assertEqual(self.view.told_mod_seq, self.shared.head.highest_mod_seq)

    def test_store(self) -> None:
        """Sessions are told of it at once, as of anything that came between a STORE and what was known before."""
        self.store.meanwhile = self.taken_in_elsewhere
        change = self.shared.store_flags(self.view, [1], FlagMode.ADD, ["work"], None)
        self.successResultOf(Deferred.fromCoroutine(change))
        self.assertEqual(self.looked_at, [self.shared.ref.id])
        self.refresh()
        self.assertEqual(list(self.shared.messages.uids), [1, 2, 3])
