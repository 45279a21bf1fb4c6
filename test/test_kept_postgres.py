"""What is kept of messages, over PostgreSQL: nothing is given that the database would not give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cybertemp_imap.errors import Refused
from cybertemp_imap.kept.content import Keep
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.values import FlagMode, MailboxRef
from test.store_contract import MINE, THEIRS, StoreContract, letter
from test.store_contract_observe import until
from test.test_store_postgres import PostgresFixture

SPAMMER = "spam@bad.example"


class KeptTests(StoreContract):
    """Three messages that were read, in an address and in INBOX."""

    fixture_type = PostgresFixture

    async def setUp(self) -> None:  # type: ignore[override]
        """Read them."""
        await super().setUp()
        assert isinstance(self.fixture, PostgresFixture)
        self.postgres = self.fixture
        self.rows = [letter(), letter(minutes=1, sender=SPAMMER), letter(minutes=2)]
        await self.deliver(*self.rows)
        keep = Keep(1 << 20)
        self.addCleanup(keep.close)
        self.mailboxes = SharedMailboxes(self.store, keep=keep)
        await until(self.fixture.is_listening)
        self.asked = 0
        sources = self.store.sources

        async def counted(mailbox: MailboxRef, uids: Sequence[int]) -> Any:
            self.asked += 1
            return await sources(mailbox, uids)

        self.patch(self.store, "sources", counted)
        self.address, self.inbox = [await self.opened(await self.open(owner)) for owner in (MINE, self.account)]
        for shared in (self.address, self.inbox):
            await until(shared.is_current)
            self.assertEqual(await self.read(shared), ([1, 2, 3], True))
            self.assertEqual(await self.read(shared), ([1, 2, 3], False))

    async def opened(self, ref: MailboxRef) -> SharedMailbox:
        """Return a mailbox that is known; nobody has it open, so that nobody refreshes it but the test."""
        shared = self.mailboxes.get(ref)
        await shared.refresh()
        return shared

    async def read(self, shared: SharedMailbox) -> tuple[list[int], bool]:
        """Read all three messages; return which there are, and whether the database was asked."""
        self.asked = 0
        found = await shared.content.sources([1, 2, 3])
        return [uid for uid, _ in found], self.asked > 0

    async def doubted(self, *mailboxes: SharedMailbox) -> None:
        """Wait until it is known that mailboxes may have changed."""
        await until(lambda: not any(shared.is_current() for shared in mailboxes))

    async def test_ban(self) -> None:
        """A ban reaches what is kept: from then on the database is asked, and after a refresh the message is gone."""
        await self.fixture.ban("sender", SPAMMER)
        await self.doubted(self.address, self.inbox)
        for shared in (self.address, self.inbox):
            await shared.refresh()
            self.assertEqual(list(shared.messages.uids), [1, 3])
            self.assertEqual((await shared.content.sources([1, 3]))[1][0], 3)
            self.assertTrue(shared.is_current())

    async def test_expunged(self) -> None:
        """A message that another program deletes is given no more, before any refresh."""
        await self.fixture.delete_elsewhere(self.rows[0].id)
        await self.doubted(self.address, self.inbox)
        for shared in (self.address, self.inbox):
            self.assertEqual(await self.read(shared), ([2, 3], True))

    async def test_expunged_here(self) -> None:
        """So is one that a session of this process expunges, in the other mailbox that shows it."""
        await self.address.store.store_flags(self.address.ref, [3], FlagMode.ADD, ["\\Deleted"], None)
        await self.address.expunge(None)
        await self.doubted(self.inbox)
        self.assertEqual(await self.read(self.inbox), ([1, 2], True))

    async def test_taken_away(self) -> None:
        """Of an address that is taken away, passed on or banned nothing is given, though it was read."""
        for lose, win in (
            (lambda: self.fixture.remove_address(MINE), lambda: self.fixture.add_address(self.user, MINE)),
            (lambda: self.fixture.pass_address(MINE, self.other), lambda: self.fixture.pass_address(MINE, self.user)),
        ):
            await lose()
            await self.doubted(self.address)
            self.assertEqual(await self.read(self.address), ([], True))
            try:
                await self.address.refresh()
            except Refused:
                pass
            else:
                self.fail("the address is there")
            self.assertEqual(await self.read(self.address), ([], True))
            await win()
            self.address = await self.opened(await self.open())
        await self.fixture.ban("email", MINE)
        await self.doubted(self.address)
        self.assertEqual(await self.read(self.address), ([], True))

    async def test_deleted_here(self) -> None:
        """Nor of one that a session of this process deletes."""
        await self.store.delete_address(self.user, MINE)
        await self.doubted(self.address)
        self.assertEqual(await self.read(self.address), ([], True))

    async def test_deaf(self) -> None:
        """While notifications are not heard the database is asked, and when they are again until the next refresh."""
        listener = self.postgres.postgres._listener
        connection = listener._connection
        assert connection is not None
        self.postgres.execute(("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,)))
        await until(lambda: not self.fixture.is_listening())
        self.assertEqual(await self.read(self.address), ([1, 2, 3], True))
        await until(self.fixture.is_listening)
        self.assertEqual(await self.read(self.address), ([1, 2, 3], True))
        await self.address.refresh()
        self.assertEqual(await self.read(self.address), ([1, 2, 3], False))

    async def test_others(self) -> None:
        """What concerns other people's mail has nobody ask again."""
        await self.deliver(letter(THEIRS))
        theirs = await self.store.find_mailbox(self.other, THEIRS, "INBOX")
        assert theirs is not None
        await self.store.refresh(theirs)
        self.assertEqual(await self.read(self.address), ([1, 2, 3], False))
