"""Names that a process remembers: for as long as they hold, and hardly longer."""

from __future__ import annotations

import gc
from collections import Counter
from unittest import mock
from uuid import UUID

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap import known_names, shared_mailboxes
from cybertemp_imap.account import Account
from cybertemp_imap.auth import Identity
from cybertemp_imap.known_names import SPARE, KnownNames, Name
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.memory import MemoryStore

USER = UUID(int=1)


def called(number: int) -> Name:
    """Return a name."""
    return USER, f"box{number}@example.com", "INBOX"


class KnownNamesTests(SynchronousTestCase):
    """Names by themselves; how many hints there were of each mailbox is the test's."""

    def setUp(self) -> None:
        """Know nothing."""
        self.names = KnownNames()
        self.told: Counter[int] = Counter()

    def hints(self, number: int) -> int:
        """Tell how many hints there were of a mailbox."""
        return self.told[number]

    def put(self, number: int) -> None:
        """Remember the name of a mailbox."""
        self.names.put(called(number), number, self.hints)

    def known(self, *numbers: int) -> list[int | None]:
        """Return which mailboxes are found by their names."""
        return [self.names.get(called(number), self.hints) for number in numbers]

    def test_until_hint(self) -> None:
        """A name holds until there is a hint of its mailbox."""
        self.put(1)
        self.put(2)
        self.told[1] += 1
        self.assertEqual(self.known(1, 2, 3), [None, 2, None])

    def test_forgotten(self) -> None:
        """Names that hold no longer are forgotten, however many come; those that hold are not."""
        for number in range(10):
            self.put(number)
        for number in range(10, 3_000):
            self.put(number)
            self.told[number] += 1
            self.assertLessEqual(len(self.names), 2 * 11 + SPARE)
        self.assertEqual(self.known(*range(12)), [*range(10), None, None])

    def test_bounded(self) -> None:
        """There is a bound for names that hold, too; what was put last is found."""
        with mock.patch.object(known_names, "KEPT", 500):
            for number in range(2_000):
                self.put(number)
                self.assertLessEqual(len(self.names), 500)
                self.assertEqual(self.known(number), [number])


class CertainStore(MemoryStore):
    """A store in memory that says of hints that all have come."""

    async def heard_all(self) -> bool:
        """Say so."""
        return True


class MailboxesTests(SynchronousTestCase):
    """What is kept in a process whose users make addresses, open them and give them back."""

    def setUp(self) -> None:
        """Log in."""
        self.store = CertainStore()
        self.user = self.store.add_user("me@example.com")
        self.mailboxes = SharedMailboxes(self.store)
        self.account = Account(Identity(self.user, "me@example.com", UUID(int=7)), self.mailboxes)

    def opened(self, number: int) -> str:
        """Make an address, and open it and leave it again; return it."""
        address = called(number)[1]
        self.store.add_address(self.user, address)
        self.successResultOf(Deferred.fromCoroutine(self.account.open(address, read_only=True)))
        return address

    def test_given_back(self) -> None:
        """Of addresses that were opened and given back nothing is kept, and some hundred names are remembered."""
        for number in range(1_000):
            address = self.opened(number)
            self.successResultOf(Deferred.fromCoroutine(self.account.delete_mailbox(address)))
        gc.collect()
        self.assertEqual(len(self.mailboxes._open), 0)
        self.assertLessEqual(len(self.mailboxes._names), 200)

    def test_still_there(self) -> None:
        """Of mailboxes that are still there only so many are kept, those opened last."""
        self.patch(shared_mailboxes, "KEPT_MAILBOXES", 10)
        for number in range(100):
            address = self.opened(number)
        gc.collect()
        self.assertEqual(len(self.mailboxes._open), 10)
        self.assertIsNotNone(self.successResultOf(self.mailboxes.named((self.user, address, "INBOX"), current=False)))
