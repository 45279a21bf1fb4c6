"""Folders, APPEND, COPY, MOVE and observers in PostgreSQL: the contracts, atomicity, other stores."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import psycopg2

from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import FlagMode, NewMessage
from test import (
    store_contract,
    store_contract_append,
    store_contract_changes,
    store_contract_folders,
    store_contract_observe,
)
from test.store_contract import BASE, MINE, MINE_TOO, letter
from test.test_store_postgres import PostgresFixture


class PostgresCreateTests(store_contract_folders.CreateContract):
    """CREATE in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresDeleteTests(store_contract_folders.DeleteContract):
    """DELETE in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresRenameTests(store_contract_folders.RenameContract):
    """RENAME in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresAppendTests(store_contract_append.AppendContract):
    """APPEND in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresCopyTests(store_contract_changes.CopyContract):
    """COPY in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresMoveTests(store_contract_changes.MoveContract):
    """MOVE in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresIdentityTests(store_contract_changes.IdentityContract):
    """What identifies e-mails."""

    fixture_type = PostgresFixture


class PostgresObserveTests(store_contract_observe.ObserveContract):
    """Observers in PostgreSQL."""

    fixture_type = PostgresFixture

    async def end_backend(self) -> None:
        """End the listening connection of the store at the server."""
        store, fixture = self.store, self.fixture
        assert isinstance(store, PostgresStore) and isinstance(fixture, PostgresFixture)
        connection = store._listener._connection
        assert connection is not None
        fixture.execute(("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,)))

    async def test_lost_connection(self) -> None:
        """A listener whose connection was ended listens again, and everything is told: nothing is missed."""
        await self.settle()
        for _ in range(2):
            await self.end_backend()
            await self.deliver(letter(minutes=5))
            await self.check_told(None)
            self.assertTrue(self.fixture.is_listening())
            await self.deliver(letter(minutes=6))
            await self.check_told(self.address, self.inbox)

    async def test_stopped_at_once(self) -> None:
        """A store that is stopped while its listener connects leaves nothing behind."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        for delay in (0, 0.001, 0.003, 0.01):
            store = PostgresStore(fixture.dsn, pool_size=1)
            await store.start()
            await store_contract_observe.pause(delay)
            await store.stop()

    async def test_another_store(self) -> None:
        """What is done through another store is told, of that mailbox and of those that show the same mail."""
        await self.settle()
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        other = PostgresStore(fixture.dsn, pool_size=1)
        await other.start()
        try:
            await other.store_flags(self.address, [1], FlagMode.ADD, ["\\Seen"], None)
            await self.check_told(self.address, self.inbox)
            await other.copy(self.address, [1], self.folder)
            await self.check_told(self.folder)
            message = NewMessage(uuid4(), 1, (), BASE)
            await other.upload(message.id, 0, b"x")
            await other.append(self.inbox, [message])
            await self.check_told(self.inbox)
            await other.move(self.folder, [1], self.inbox)
            await self.check_told(self.folder, self.inbox)
            await other.rename_folder(self.user, self.account, "Archive", self.account, "Old")
            await self.check_told(self.folder)
            await other.delete_folder(self.user, self.account, "Old")
            await self.check_told(self.folder)
            self.assertIsNone(await self.store.refresh(self.folder))
        finally:
            await other.stop()


class AtomicTests(store_contract.StoreContract):
    """What fails half-way has done nothing."""

    fixture_type = PostgresFixture

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement as another program."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        return fixture.execute((sql, ()))

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """Return all rows that a change could touch."""
        tables = (
            "public.emails",
            "imap.mailbox",
            "imap.message",
            "imap.expunged",
            "imap.feed",
            "imap.source",
            "imap.origin",
            "imap.rendition",
            "imap.upload",
            "imap.arrival",
        )
        return [sorted(self.execute(f"SELECT t::text FROM {table} t")) for table in tables]

    async def attempts(self) -> list[Callable[[], Awaitable[object]]]:
        """Make mailboxes with mail, and return changes to them."""
        store, user, account = self.store, self.user, self.account
        await self.deliver(*(letter(minutes=n) for n in range(3)), letter(folder="Work"), letter(folder="Work/a"))
        await self.deliver(letter(MINE_TOO))
        source, target = await self.open(), await self.open(account, "Archive")
        for folder in ("Work", "Work/a"):
            await self.open(MINE, folder)
        inbox = await self.open(account)
        await store.metadata(source, [1, 2, 3])
        await store.store_flags(source, [1, 2, 3], FlagMode.ADD, ["\\Deleted"], None)
        for mailbox in (source, await self.find(account)):
            await self.refresh(mailbox)
            await self.refresh(mailbox)
        messages = [NewMessage(uuid4(), 1, (), BASE) for _ in range(3)]
        for message in messages:
            await store.upload(message.id, 0, b"x")
        return [
            lambda: store.append(target, messages),
            lambda: store.copy(source, [1, 2, 3], target),
            lambda: store.move(source, [1], target),
            lambda: store.expunge(source, None),
            lambda: store.delete_folder(user, MINE, "Work"),
            lambda: store.rename_folder(user, MINE, "Work", account, "Work"),
            lambda: store.rename_inbox(inbox, account, "Old"),
        ]

    async def test_failing_statement(self) -> None:
        """Whichever table fails, at whichever row, everything is as it was, and works when tried again."""
        attempts = await self.attempts()
        self.execute(
            """CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN RAISE EXCEPTION ''broken'' USING ERRCODE = ''XX001''; END'"""
        )
        before = self.everything()
        for attempt in attempts:
            failed, done = 0, False
            for table in ("imap.mailbox", "imap.message", "public.emails", "imap.expunged"):
                self.execute(
                    f"CREATE CONSTRAINT TRIGGER zz_break AFTER INSERT OR UPDATE OR DELETE ON {table} "
                    "INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION break()"
                )
                try:
                    await attempt()
                except psycopg2.Error as error:
                    self.assertEqual(error.pgcode, "XX001")
                    failed += 1
                    self.assertEqual(self.everything(), before, table)
                finally:
                    self.execute(f"DROP TRIGGER zz_break ON {table}")
                if self.everything() != before:
                    done = True
                    break
            self.assertGreater(failed, 0)
            if not done:
                await attempt()
            before = self.everything()

    async def test_unknown_columns(self) -> None:
        """A copy has what other programs keep in columns of their own, except what cannot be in two rows."""
        self.execute(
            """ALTER TABLE public.emails ADD "odd e.name" text DEFAULT 'default', ADD score int NOT NULL DEFAULT 1,
               ADD number bigint GENERATED ALWAYS AS IDENTITY, ADD serial bigserial UNIQUE,
               ADD length int GENERATED ALWAYS AS (length(subject)) STORED, ADD gone int"""
        )
        self.execute("ALTER TABLE public.emails DROP gone")
        await self.deliver(letter())
        self.execute("""UPDATE public.emails SET "odd e.name" = 'kept', score = 7, key_version = 3, size = 11""")
        await self.store.copy(await self.open(), [1], await self.open(self.account, "Archive"))
        rows = self.execute(
            'SELECT "odd e.name", score, key_version, size, length, created_at FROM emails ORDER BY mailbox'
        )
        self.assertEqual(rows[0], rows[1])
        self.assertEqual(rows[0][:5], ("kept", 7, 3, 11, 8))
        numbers = self.execute("SELECT count(DISTINCT number), count(DISTINCT serial) FROM emails")
        self.assertEqual(numbers, [(2, 2)])

    async def test_old_uploads(self) -> None:
        """What connections left behind is cleared away, what others are sending now is not."""
        for number in range(2):
            await self.store.upload(uuid4(), 0, b"%d" % number)
        self.execute("UPDATE imap.upload SET created_at = now() - interval '2 days' WHERE octets = '0'")
        assert isinstance(self.store, PostgresStore)
        await self.store.tidy()
        self.assertEqual([bytes(octets) for (octets,) in self.execute("SELECT octets FROM imap.upload")], [b"1"])

    async def test_lost_address(self) -> None:
        """Mail for an address that a user has lost leaves nothing to be cleared up, and the address can return."""
        address, inbox = await self.open(), await self.open(self.account)
        await self.fixture.remove_address(MINE)
        await self.fixture.add_address(self.other, MINE)
        await self.uids(inbox)
        rows = [letter(minutes=n) for n in range(20)]
        for row in rows:
            await self.deliver(row)
        ((left,),) = self.execute("SELECT count(*) FROM imap.arrival")
        self.assertLess(left, 5)
        await self.fixture.remove_address(MINE)
        await self.fixture.add_address(self.user, MINE)
        self.assertEqual(set(await self.contents(address)), {row.id for row in rows})
        await self.deliver(late := letter())
        self.assertIn(late.id, await self.contents(address))
