"""Flags that several sessions of a mailbox change at a time are changed together, and each is told of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store.values import FlagChange, FlagMode, MailboxHead, MessageState
from cybertemp_imap.storing import TOGETHER, FlagStores


class StoringTests(SynchronousTestCase):
    """What waits while a change is under way."""

    def setUp(self) -> None:
        """Have changes that end when the test wants."""
        self.stores = FlagStores()
        self.asked: list[tuple[list[int], str, tuple[str, ...], int | None]] = []
        self.answers: list[Deferred[None]] = []

    async def change(self, uids: Sequence[int], mode: str, flags: Sequence[str], since: int | None) -> FlagChange:
        """Change flags when the test wants; odd UIDs of a comparing change are held back."""
        self.asked.append((list(uids), mode, tuple(flags), since))
        answer: Deferred[None] = Deferred()
        self.answers.append(answer)
        await answer
        held_back = [uid for uid in uids if since is not None and uid % 2]
        states = [MessageState(uid, tuple(flags), 9) for uid in uids if uid not in held_back]
        return FlagChange(MailboxHead(1, 100, 9), states, held_back, 9)

    def store(self, *uids: int, mode: str = FlagMode.ADD, flag: str = "\\Seen", since: int | None = None) -> Any:
        """Have a session change flags."""
        return Deferred.fromCoroutine(self.stores.store(self.change, uids, mode, [flag], since))

    def changed(self, storing: Any) -> list[int]:
        """Return the UIDs that a session was told of."""
        return [state.uid for state in self.successResultOf(storing).messages]

    def test_together(self) -> None:
        """The first is not kept waiting; those alike that come meanwhile are one change, others one each, in order."""
        first = self.store(1)
        alike = [self.store(3, 5), self.store(2, 5), self.store(4)]
        other = self.store(3, mode=FlagMode.REMOVE)
        self.assertEqual(self.asked, [([1], "+", ("\\Seen",), None)])
        self.answers[0].callback(None)
        self.assertEqual(self.changed(first), [1])
        self.assertEqual(self.asked[1:], [([2, 3, 4, 5], "+", ("\\Seen",), None)])
        self.answers[1].callback(None)
        self.assertEqual([self.changed(each) for each in alike], [[3, 5], [2, 5], [4]])
        self.assertEqual(self.asked[2:], [([3], "-", ("\\Seen",), None)])
        self.answers[2].callback(None)
        self.assertEqual(self.changed(other), [3])

    def test_comparing(self) -> None:
        """What is to be changed only where nobody has changed it is never made with another's change."""
        self.store(1)
        both = [self.store(3, 4, since=7), self.store(3, 4, since=7)]
        for number in range(3):
            self.assertEqual(len(self.asked), number + 1)
            self.answers[number].callback(None)
        outcomes = [self.successResultOf(each) for each in both]
        self.assertEqual([list(outcome.modified) for outcome in outcomes], [[3], [3]])

    def test_failed(self) -> None:
        """A change that fails fails for all whose it was, and for no others."""
        first, second, third = self.store(1), self.store(2), self.store(3, flag="\\Draft")
        self.answers[0].errback(StoreUnavailable("away"))
        self.failureResultOf(first, StoreUnavailable)
        self.answers[1].callback(None)
        self.assertEqual(self.changed(second), [2])
        self.answers[2].callback(None)
        self.assertEqual(self.changed(third), [3])

    def test_bounded(self) -> None:
        """One change has no more than so many messages, but for those of one session."""
        self.store(1)
        for start in range(0, 3 * TOGETHER, 500):
            self.store(*range(start, start + 500))
        self.answers[0].callback(None)
        self.assertEqual(len(self.asked[1][0]), TOGETHER)
