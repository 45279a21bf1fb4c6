"""What a process knows of a mailbox when others change it between a change of its own and the answer to that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.errors import Refused
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import Expunged, FlagChange, FlagMode, MailboxHead, MailboxRef
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
        self.user = user
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

    def test_store_of_the_same(self) -> None:
        """Flags that others have changed after a STORE are told, though its own answer comes after that is known."""

        async def changed_elsewhere() -> None:
            self.store.meanwhile = None
            await self.store.store_flags(self.shared.ref, [1], FlagMode.ADD, ["late"], None)
            await self.shared.refresh()

        # The session has been told of the messages, as any that changes one has.
        self.assertEqual(self.view.report(expunge=True).exists, 2)
        self.store.meanwhile = changed_elsewhere
        change = self.shared.store_flags(self.view, [1], FlagMode.ADD, ["work"], None)
        outcome = self.successResultOf(Deferred.fromCoroutine(change))
        # What a session without .SILENT is sent then.
        self.view.told_states(outcome.messages)
        (news,) = self.view.report(expunge=True).flags
        self.assertEqual((news.uid, set(news.flags.names)), (1, {"\\Deleted", "work", "late"}))


class LostStore(MemoryStore):
    """A store in which a user may lose an address as soon as it has been refreshed for them."""

    lost: str | None = None

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Refresh, and give the address to nobody then."""
        head = await super().refresh(mailbox)
        if self.lost is not None:
            self.remove_address(self.lost)
        return head


class LostTests(SynchronousTestCase):
    """An address that is taken away while its mailbox is looked at, and given back."""

    def setUp(self) -> None:
        """Open a mailbox with two messages."""
        self.store = LostStore()
        self.user = self.store.add_user("me@example.com")
        self.store.add_address(self.user, MINE)
        self.rows = [letter() for _ in range(2)]
        for row in self.rows:
            self.store.deliver(row)
        self.mailboxes = SharedMailboxes(self.store)
        ref = self.successResultOf(Deferred.fromCoroutine(self.store.find_mailbox(self.user, MINE, "INBOX")))
        assert ref is not None
        self.shared = self.mailboxes.get(ref)
        self.look()

    def look(self) -> None:
        """Have the mailbox look at the store."""
        self.successResultOf(Deferred.fromCoroutine(self.shared.refresh()))

    def test_changes_are_not_missed(self) -> None:
        """What could not be read then is found when the user has the address again."""
        self.store.delete_elsewhere(self.rows[0].id)
        self.store.deliver(letter())
        self.store.lost = MINE
        self.failureResultOf(Deferred.fromCoroutine(self.shared.refresh()), Refused)
        self.store.lost = None
        self.store.add_address(self.user, MINE)
        self.look()
        # Which of the two has which UID is chance.
        self.assertEqual(list(self.shared.messages.uids)[1:], [3])

    def test_those_that_come_later(self) -> None:
        """Who opens the mailbox then is not told that it is gone, as who had it open before is."""
        self.store.remove_address(MINE)
        self.failureResultOf(Deferred.fromCoroutine(self.shared.refresh()), Refused)
        self.store.add_address(self.user, MINE)
        later = self.mailboxes.get(self.shared.ref)
        self.assertEqual((self.shared.gone, later.gone), (True, False))
