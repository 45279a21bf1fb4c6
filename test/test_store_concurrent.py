"""Several stores on one PostgreSQL, which change the same mailboxes at once."""

from __future__ import annotations

from collections.abc import Awaitable
from uuid import uuid4

import psycopg2
from twisted.internet.defer import Deferred, gatherResults

from cybertemp_imap.errors import Refused
from cybertemp_imap.naming import INBOX
from cybertemp_imap.store import pool
from cybertemp_imap.store.interface import Store
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import FlagMode, MailboxHead, MailboxRef, NewMessage
from test import store_contract
from test.store_contract import BASE, EVERYTHING, MINE, letter
from test.test_store_postgres import PostgresFixture, delivery

ROUNDS = 12
"""How often each test does everything."""


class ConcurrentTests(store_contract.StoreContract):
    """Two stores that do everything at once to the same mailboxes."""

    fixture_type = PostgresFixture

    async def setUp(self) -> None:  # type: ignore[override]
        """Make the other store."""
        await super().setUp()
        # A deadlock fails the test, instead of being got over by trying again.
        self.patch(pool, "ATTEMPTS", 1)
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        self.another = PostgresStore(fixture.dsn, pool_size=4)
        await self.another.start()

    async def tearDown(self) -> None:  # type: ignore[override]
        """Stop the other store."""
        await self.another.stop()
        await super().tearDown()

    async def at_once(self, *work: Awaitable[object]) -> list[object]:
        """Do things at once; what is refused yields None, anything else that fails fails the test."""

        async def done(each: Awaitable[object]) -> object:
            try:
                return await each
            except Refused:
                return None

        return await gatherResults([Deferred.fromCoroutine(done(each)) for each in work], consumeErrors=True)

    async def check(self, mailbox: MailboxRef, before: MailboxHead) -> list[int]:
        """Check that both stores see the same, and that the numbers are what they must be; return the UIDs."""
        head = await self.refresh(mailbox)
        self.assertEqual(await self.another.refresh(mailbox), head)
        self.assertGreaterEqual(head.highest_mod_seq, before.highest_mod_seq)
        self.assertGreaterEqual(head.uid_next, before.uid_next)
        states = await self.states(mailbox)
        gone = list(await self.gone_since(mailbox, 0))
        uids = [state.uid for state in states]
        self.assertEqual(sorted(uids + gone), list(range(1, head.uid_next)))
        self.assertTrue(all(state.mod_seq <= head.highest_mod_seq for state in states))
        changed = await self.store.changes(mailbox, before.highest_mod_seq, 0, EVERYTHING)
        self.assertTrue({uid for uid in uids if uid >= before.uid_next} <= {state.uid for state in changed})
        return uids

    async def test_both_directions(self) -> None:
        """Moves and copies in both directions, with mail arriving and flags being set, neither hang nor fail."""
        await self.deliver(*(letter(minutes=n) for n in range(10)), *(letter(folder="Work") for _ in range(10)))
        mailboxes = [await self.open(), await self.open(MINE, "Work"), await self.open(self.account)]
        address, folder, inbox = mailboxes
        for _ in range(ROUNDS):
            heads = [await self.refresh(mailbox) for mailbox in mailboxes]
            here, there, both = [await self.uids(mailbox) for mailbox in mailboxes]
            stores: list[Store] = [self.store, self.another]
            work: list[Awaitable[object]] = []
            for turn, store in enumerate(stores):
                work += [
                    store.move(address, here[turn : turn + 3], folder),
                    store.move(folder, there[turn : turn + 3], address),
                    store.move(inbox, both[turn + 2 : turn + 5], folder),
                    store.copy(folder, there[3:4], address),
                    store.copy(address, here[3:4], inbox),
                    store.store_flags(inbox, both, FlagMode.ADD, [f"f{turn}"], None),
                    store.store_flags(folder, there[::-1], FlagMode.REMOVE, [f"f{turn}"], None),
                    store.refresh(address),
                    store.refresh(inbox),
                ]
            await self.at_once(*work, self.deliver(letter(), letter(folder="Work")))
            for mailbox, head in zip(mailboxes, heads, strict=True):
                await self.check(mailbox, head)
        ids = [email_id for mailbox in (address, folder) for email_id in await self.contents(mailbox)]
        self.assertEqual(len(ids), len(set(ids)))

    async def test_moved_once(self) -> None:
        """A message that two move at once is moved once, wherever to."""
        await self.deliver(*(letter(minutes=n) for n in range(30)))
        address, inbox = await self.open(), await self.open(self.account)
        archive, trash = await self.open(self.account, "Archive"), await self.open(self.account, "Trash")
        uids = await self.uids(address)
        pairs = await self.at_once(
            self.store.move(address, uids, archive),
            self.another.move(address, uids, trash),
            self.store.move(inbox, uids, archive),
            self.another.move(inbox, uids, trash),
        )
        self.assertEqual(sum(len(each) for each in pairs if isinstance(each, list)), 30)
        self.assertEqual(len(await self.uids(archive)) + len(await self.uids(trash)), 30)
        for mailbox in (address, inbox):
            self.assertEqual(await self.uids(mailbox), [])

    async def test_limited_inbox(self) -> None:
        """The INBOX of a token is made, filled, moved from, forgotten and tidied at once, without a deadlock."""
        token = uuid4()
        limit = """
            INSERT INTO imap.token_limit (token_id, addresses) VALUES (%s, %s)
            ON CONFLICT (token_id) DO UPDATE SET addresses = excluded.addresses RETURNING 1
        """
        unlimit = "DELETE FROM imap.token_limit WHERE token_id = %s RETURNING 1"
        await self.deliver(*(letter(minutes=n) for n in range(30)))
        folder = await self.store.create_folder(self.user, MINE, "Work", None)
        address = await self.open()
        for number in range(ROUNDS):
            await self.store.pool.query(limit, (token, [MINE]))  # type: ignore[attr-defined]
            made = await self.at_once(*(s.limited_inbox(self.user, token) for s in (self.store, self.another)))
            self.assertEqual(made[0], made[1])
            view = made[0]
            assert isinstance(view, MailboxRef)
            uids = await self.uids(view)
            self.assertEqual(len(uids), len(await self.uids(address)))
            await self.at_once(
                self.store.move(view, uids[:1], folder),
                self.another.move(address, (await self.uids(address))[1:2], folder),
                self.store.store_flags(view, uids, FlagMode.ADD, [f"f{number}"], None),
                self.another.refresh(view),
                self.another.pool.query(limit, (token, [MINE, "x@example.com"])),
                self.another.pool.query(unlimit, (token,)),
                self.another.tidy(),
                self.another.refresh(view),
                self.deliver(letter(), letter()),
            )
            self.assertIsNone(await self.store.refresh(view))
            before = await self.refresh(address)
            await self.check(address, before)

    async def test_folders(self) -> None:
        """Of two that create, rename or delete the same at once, one does; the numbers of the rest stay."""
        for number in range(ROUNDS):
            name = f"f{number}"
            made = await self.at_once(
                *(
                    store.create_folder(self.user, self.account, name, f"\\Use{number}")
                    for store in (self.store, self.another)
                ),
                *(store.create_folder(self.user, MINE, name, f"\\Use{number}") for store in (self.store, self.another)),
            )
            self.assertEqual(sum(each is not None for each in made), 1)
            mailbox = next(each for each in made if isinstance(each, MailboxRef))
            (entry,) = [e for e in await self.store.list_mailboxes(self.user) if e.folder == name]
            await self.deliver(row := letter(entry.owner, name))
            await self.refresh(mailbox)
            await self.at_once(
                self.store.rename_folder(self.user, entry.owner, name, self.account, f"{name}-new"),
                self.another.rename_folder(self.user, entry.owner, name, self.account, f"{name}-new"),
                self.another.rename_folder(self.user, entry.owner, name, MINE, f"{name}-new"),
                self.store.move(mailbox, [1], await self.find(self.account, "Trash")),
                self.another.store_flags(mailbox, [1], FlagMode.ADD, ["\\Seen"], None),
            )
            after = [e for e in await self.store.list_mailboxes(self.user) if e.folder == f"{name}-new"]
            self.assertEqual(len(after), 1)
            self.assertEqual(await self.find(after[0].owner, after[0].folder), mailbox)
            trash = await self.contents(await self.find(self.account, "Trash"))
            self.assertTrue((row.id in trash) != (row.id in await self.contents(mailbox)))
            await self.at_once(
                *(store.delete_folder(self.user, after[0].owner, f"{name}-new") for store in (self.store, self.another))
            )
            self.assertIsNone(await self.store.refresh(mailbox))

    async def test_late_delivery(self) -> None:
        """Mail that was being delivered to a folder's new name while it was renamed is found when it is committed."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        await self.store.create_folder(self.user, MINE, "Old", None)
        mailbox = await self.open(MINE, "Old")
        await self.refresh(mailbox)
        connection = psycopg2.connect(fixture.dsn)
        self.addCleanup(connection.close)
        row = letter(folder="New")
        with connection.cursor() as cursor:
            cursor.execute(*delivery(row, []))
        await self.store.rename_folder(self.user, MINE, "Old", MINE, "New")
        self.assertEqual(await self.contents(mailbox), {})
        connection.commit()
        self.assertEqual(await self.contents(mailbox), {row.id: 1})

    async def test_appends(self) -> None:
        """Messages that are added at once through both stores each get a UID of their own, in one row."""
        inbox, address = await self.open(self.account), await self.open(MINE, INBOX)
        work: list[Awaitable[object]] = []
        for number in range(ROUNDS):
            for store in (self.store, self.another):
                messages = [NewMessage(uuid4(), 1, (), BASE) for _ in range(3)]
                for message in messages:
                    await store.upload(message.id, 0, b"x")
                work.append(store.append((inbox, address)[number % 2], messages))
        for uids in await self.at_once(*work):
            assert isinstance(uids, list)
            self.assertEqual(uids, list(range(uids[0], uids[0] + 3)))
        self.assertEqual(len(await self.uids(inbox)), ROUNDS * 6)
        self.assertEqual(len(await self.uids(address)), ROUNDS * 3)
