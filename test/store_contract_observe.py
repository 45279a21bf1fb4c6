"""What every store must tell its observers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from time import monotonic
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cybertemp_imap.store.values import FlagMode, MailboxRef
from test.store_contract import MINE, MINE_TOO, StoreContract, letter

PATIENCE = 10.0
"""Seconds that a test waits for something before it fails."""


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so; fail when it does not come to be."""
    end = monotonic() + PATIENCE
    while not condition():
        assert monotonic() < end, "waited in vain"
        await pause(0.005)


async def pause(seconds: float) -> None:
    """Let the reactor run for a while."""
    clock: Any = reactor
    await deferLater(clock, seconds)


class ObserveContract(StoreContract):
    """``observe``."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Open an address, INBOX and a folder, and observe."""
        await super().setUp()
        self.row = letter()
        await self.deliver(self.row)
        self.address, self.inbox = await self.open(), await self.open(self.account)
        self.folder = await self.open(self.account, "Archive")
        self.told: set[int | None] = set()
        self.store.observe(self.note)
        await until(self.fixture.is_listening)

    def note(self, mailboxes: Collection[int] | None) -> None:
        """Take note of what is told."""
        self.told |= {None} if mailboxes is None else set(mailboxes)

    async def settle(self) -> None:
        """Wait until all that was done is told: then what is done now is told too."""
        marker = await self.open(MINE_TOO)
        await self.deliver(letter(MINE_TOO))
        await until(lambda: marker.id in self.told)
        self.told.clear()

    async def check_told(self, *mailboxes: MailboxRef | None) -> None:
        """Wait until these mailboxes, or with None all, have been told of."""
        expected = {None if mailbox is None else mailbox.id for mailbox in mailboxes}
        await until(lambda: expected <= self.told)
        self.told.clear()

    async def test_others(self) -> None:
        """What other programs do to mail is told of every opened mailbox that it is in."""
        await self.settle()
        await self.deliver(letter(minutes=1))
        await self.check_told(self.address, self.inbox)
        await self.fixture.set_flags_elsewhere(self.row.id, ["\\Seen"])
        await self.check_told(self.address, self.inbox)
        await self.fixture.delete_elsewhere(self.row.id)
        await self.check_told(self.address, self.inbox)

    async def test_bans(self) -> None:
        """Bans concern every mailbox, made as well as lifted."""
        await self.settle()
        ban = await self.fixture.ban("sender", "spam@bad.example")
        await self.check_told(None)
        await self.fixture.lift(ban)
        await self.check_told(None)

    async def test_addresses(self) -> None:
        """An address that comes or goes concerns INBOX, and one that goes itself."""
        await self.settle()
        await self.fixture.add_address(self.user, "new@example.com")
        await self.check_told(self.inbox)
        await self.fixture.remove_address(MINE)
        await self.check_told(self.inbox, self.address)

    async def test_gone(self) -> None:
        """A mailbox that this store deletes is told of: other sessions may have it open."""
        await self.settle()
        await self.store.delete_folder(self.user, self.account, "Archive")
        await self.check_told(self.folder)
        await self.store.delete_address(self.user, MINE)
        await self.check_told(self.address)

    async def test_own(self) -> None:
        """What was done through this store to a mailbox is not told of that mailbox."""
        await self.settle()
        await self.store.store_flags(self.folder, [1], FlagMode.ADD, ["\\Seen"], None)
        await self.store.copy(self.address, [1], self.folder)
        await self.store.store_flags(self.folder, [1], FlagMode.ADD, ["\\Deleted"], None)
        await self.store.expunge(self.folder, None)
        marker = await self.find(MINE_TOO)
        await self.deliver(letter(MINE_TOO))
        await until(lambda: marker.id in self.told)
        self.assertNotIn(self.folder.id, self.told)

    async def test_own_elsewhere(self) -> None:
        """It is told of the other mailboxes that show the same mail."""
        await self.settle()
        await self.store.store_flags(self.address, [1], FlagMode.ADD, ["\\Seen"], None)
        await self.check_told(self.inbox)
        await self.store.copy(self.folder, [], self.folder)
        await self.store.copy(self.address, [1], self.address)
        await self.check_told(self.inbox)
        await self.store.move(self.inbox, [1], self.folder)
        await self.check_told(self.address)
        await self.store.move(self.folder, [1], self.address)
        await self.check_told(self.inbox)

    async def test_truth_is_there(self) -> None:
        """By the time that something is told, a refresh finds it."""
        await self.settle()
        seen: list[int] = []
        heads: list[Any] = []

        def look(mailboxes: Collection[int] | None) -> None:
            if mailboxes is not None and self.inbox.id in mailboxes and not seen:
                seen.append(1)

                Deferred.fromCoroutine(self.uids(self.inbox)).addCallback(heads.append)

        self.store.observe(look)
        await self.deliver(letter(minutes=3))
        await until(lambda: bool(heads))
        self.assertEqual(len(heads[0]), 3)
