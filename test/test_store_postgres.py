"""The PostgreSQL store keeps the contract of stores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import psycopg2.extras

from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.protocol.date import parse_date_time
from cybertemp_imap.store.interface import Store
from cybertemp_imap.store.memory_tables import hashed_token
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.statements import FORGET_EXPUNGED
from cybertemp_imap.store.values import DomainRow, MailboxRef
from test import (
    store_contract,
    store_contract_accounts,
    store_contract_bans,
    store_contract_flags,
    store_contract_messages,
    store_contract_uids,
)
from test.postgres import create_database, drop_database

_DELIVER = """
    INSERT INTO public.emails (id, mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, "timestamp",
                               created_at, encrypted, flags)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


_STORED = """
    SELECT id, mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, "timestamp", created_at,
           coalesce(encrypted, false)
    FROM public.emails WHERE id = %s
"""


_LIMIT = """
    INSERT INTO imap.token_limit (token_id, addresses, read_only, expires_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (token_id) DO UPDATE
    SET addresses = excluded.addresses, read_only = excluded.read_only, expires_at = excluded.expires_at
"""

_STORED_AS = (
    *("id", "owner", "folder", "subject", "body", "html", "from_addr", "to_addrs"),
    *("timestamp", "created_at", "encrypted"),
)


def delivery(row: EmailRow, flags: list[str | None] | None) -> tuple[str, tuple[object, ...]]:
    """Return the statement, with its parameters, by which the mail receiver inserts a message."""
    text = (row.subject, row.body, row.html, row.from_addr, list(row.to_addrs))
    rest = (row.timestamp, row.created_at, row.encrypted, flags)
    return _DELIVER, (row.id, row.owner, row.folder, *text, *rest)


class PostgresFixture(store_contract.StoreFixture):
    """A PostgreSQL store on a database of its own, whose tables are written as other programs do."""

    async def set_up(self) -> None:
        """Make a database and start a store on it."""
        psycopg2.extras.register_uuid()
        self.dsn = create_database()
        self.connection: Any = psycopg2.connect(self.dsn)
        self.postgres = PostgresStore(self.dsn, pool_size=4)
        self.store: Store = self.postgres
        await self.store.start()

    def set_folder_quota(self, quota: int) -> None:
        """Say how many folders a user may have."""
        self.postgres.folder_quota = quota

    def set_address_quota(self, quota: int) -> None:
        """Say how many addresses a user may have."""
        self.postgres.address_quota = quota

    def is_listening(self) -> bool:
        """Tell whether notifications are heard."""
        return self.postgres._listener.listening

    async def tear_down(self) -> None:
        """Stop the store and remove the database."""
        await self.store.stop()
        self.connection.close()
        drop_database(self.dsn)

    def execute(self, *statements: tuple[str, tuple[object, ...]]) -> list[tuple[Any, ...]]:
        """Run statements in one transaction and return the rows of the last."""
        with self.connection, self.connection.cursor() as cursor:
            for sql, parameters in statements:
                cursor.execute(sql, parameters)
            return list(cursor.fetchall()) if cursor.description else []

    async def add_user(self, email: str, status: str | None = "active", end: datetime | None = None) -> UUID:
        """Insert into ``users``."""
        user_id = uuid4()
        sql = "INSERT INTO users (id, email, subscription_status, subscription_end_date) VALUES (%s, %s, %s, %s)"
        self.execute((sql, (user_id, email, status, end)))
        return user_id

    async def add_token(self, user_id: UUID, token: str, expires_at: datetime, hashed: bool = False) -> UUID:
        """Insert into ``imap_tokens``."""
        token_id, stored = uuid4(), hashed_token(token) if hashed else token
        sql = "INSERT INTO imap_tokens (id, user_id, token, expires_at) VALUES (%s, %s, %s, %s)"
        self.execute((sql, (token_id, user_id, stored, expires_at)))
        return token_id

    async def remove_token(self, token_id: UUID) -> None:
        """Delete from ``imap_tokens``."""
        self.execute(("DELETE FROM imap_tokens WHERE id = %s", (token_id,)))

    async def limit_token(
        self,
        token_id: UUID,
        addresses: Sequence[str] | None = None,
        read_only: bool = False,
        expires_at: datetime | None = None,
    ) -> None:
        """Write ``imap.token_limit``."""
        reached = None if addresses is None else list(addresses)
        self.execute((_LIMIT, (token_id, reached, read_only, expires_at)))

    async def unlimit_token(self, token_id: UUID) -> None:
        """Delete from ``imap.token_limit``."""
        self.execute(("DELETE FROM imap.token_limit WHERE token_id = %s", (token_id,)))

    async def set_last_used(self, token_id: UUID, moment: datetime) -> None:
        """Write ``imap_tokens``."""
        self.execute(("UPDATE imap_tokens SET last_used_at = %s WHERE id = %s", (moment, token_id)))

    async def last_used(self, token_id: UUID) -> datetime | None:
        """Read ``imap_tokens``."""
        ((found,),) = self.execute(("SELECT last_used_at FROM imap_tokens WHERE id = %s", (token_id,)))
        last_used: datetime | None = found
        return last_used

    async def add_address(self, user_id: UUID | None, address: str) -> None:
        """Insert into ``inbox``."""
        self.execute(("INSERT INTO inbox (email_address, user_id) VALUES (%s, %s)", (address, user_id)))

    async def remove_address(self, address: str) -> None:
        """Delete from ``inbox``."""
        self.execute(("DELETE FROM inbox WHERE email_address = %s", (address,)))

    async def pass_address(self, address: str, user_id: UUID | None) -> None:
        """Update ``inbox``."""
        self.execute(("UPDATE inbox SET user_id = %s WHERE email_address = %s", (user_id, address)))

    async def add_folder(self, user_id: UUID, owner: str, folder: str) -> None:
        """Create a folder as the store does."""
        sql = "INSERT INTO imap.mailbox (user_id, owner, folder) VALUES (%s, %s, %s)"
        self.execute((sql, (user_id, owner, folder)))

    async def deliver(self, rows: Sequence[EmailRow], flags: Iterable[str | None] | None = ()) -> None:
        """Insert into ``emails``, in one transaction, with the sources of messages that have one."""
        stored = None if flags is None else list(flags)
        self.execute(*(delivery(row, stored) for row in rows))
        for row in rows:
            if row.source is not None:
                self.execute(("INSERT INTO imap.source (email_id, source) VALUES (%s, %s)", (row.id, row.source)))

    async def stored_flags(self, email_id: UUID) -> Sequence[str | None] | None:
        """Read ``emails.flags``."""
        rows = self.execute(("SELECT coalesce(flags, '{}') FROM emails WHERE id = %s", (email_id,)))
        return list(rows[0][0]) if rows else None

    async def stored_row(self, email_id: UUID) -> EmailRow | None:
        """Read ``emails``."""
        rows = self.execute((_STORED, (email_id,)))
        if not rows:
            return None
        row = dict(zip(_STORED_AS, rows[0], strict=True))
        return EmailRow(**{**row, "to_addrs": tuple(row["to_addrs"])})

    async def set_flags_elsewhere(self, email_id: UUID, flags: Iterable[str | None] | None) -> None:
        """Write ``emails.flags``."""
        stored = None if flags is None else list(flags)
        self.execute(("UPDATE emails SET flags = %s::text[] WHERE id = %s", (stored, email_id)))

    async def forget_expunged(self, mailbox: MailboxRef, kept: int) -> None:
        """Forget what was expunged in any mailbox."""
        self.execute((FORGET_EXPUNGED, (0, 90, kept)))

    async def delete_elsewhere(self, email_id: UUID) -> None:
        """Delete from ``emails``."""
        self.execute(("DELETE FROM emails WHERE id = %s", (email_id,)))

    async def ban(
        self, scope: str, value: str, match_type: str | None = "exact", status: str | None = "active"
    ) -> UUID:
        """Insert into ``bans``."""
        ban_id = uuid4()
        sql = "INSERT INTO bans (id, scope, value, match_type, status) VALUES (%s, %s, %s, %s, %s)"
        self.execute((sql, (ban_id, scope, value, match_type, status)))
        return ban_id

    async def add_domain(self, row: DomainRow) -> None:
        """Insert into ``domains``."""
        sql = "INSERT INTO domains (domain, user_id, active, cloudflare_domain) VALUES (%s, %s, %s, %s)"
        self.execute((sql, tuple(row)))

    async def lift(self, ban_id: UUID) -> None:
        """Make a row of ``bans`` inactive."""
        self.execute(("UPDATE bans SET status = 'inactive' WHERE id = %s", (ban_id,)))


class PostgresLoginTests(store_contract_accounts.LoginContract):
    """Tokens in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresListTests(store_contract_accounts.ListContract):
    """Lists in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresIsolationTests(store_contract_accounts.IsolationContract):
    """Who may open what in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresUidTests(store_contract_uids.UidContract):
    """UIDs in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresModSeqTests(store_contract_uids.ModSeqContract):
    """Mod-sequences in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresInboxTests(store_contract_uids.InboxContract):
    """INBOX in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresDatesTests(store_contract_uids.DatesContract):
    """Dates in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresBanTests(store_contract_bans.BanContract):
    """Bans in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresStoreFlagsTests(store_contract_flags.StoreFlagsContract):
    """STORE in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresSharedFlagsTests(store_contract_flags.SharedFlagsContract):
    """Flags written by others in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresMessageTests(store_contract_messages.MessageContract):
    """Messages in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresStatusTests(store_contract_messages.StatusContract):
    """Counts in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresExpungeTests(store_contract_messages.ExpungeContract):
    """Expunging in PostgreSQL."""

    fixture_type = PostgresFixture


class PostgresArrivalTests(store_contract.StoreContract):
    """Mail whose transactions commit in any order, and rows that only PostgreSQL can hold."""

    fixture_type = PostgresFixture

    def begin(self, *rows: EmailRow) -> Any:
        """Deliver messages in a transaction of another connection and leave it open."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        connection = psycopg2.connect(fixture.dsn)
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            for row in rows:
                cursor.execute(*delivery(row, []))
        return connection

    async def test_late_commit(self) -> None:
        """Mail that is committed later gets the higher UID, though it was inserted first and is older."""
        early, late = store_contract.letter(), store_contract.letter(minutes=1)
        for mailbox in (await self.open(), await self.open(self.account)):
            await self.refresh(mailbox)
        other = self.begin(early)
        await self.deliver(late)
        for owner in (store_contract.MINE, self.account):
            self.assertEqual(await self.contents(await self.find(owner)), {late.id: 1})
        other.commit()
        for owner in (store_contract.MINE, self.account):
            self.assertEqual(await self.contents(await self.find(owner)), {late.id: 1, early.id: 2})

    async def test_opened_during_delivery(self) -> None:
        """Mail that was being delivered when its mailbox was first opened is found when it is committed."""
        rows = [store_contract.letter(minutes=n) for n in range(4)]
        first, second = self.begin(rows[0]), self.begin(rows[1])
        mailbox = await self.open()
        third = self.begin(rows[2])
        first.commit()
        self.assertEqual(set(await self.contents(mailbox)), {rows[0].id})
        third.commit()
        await self.refresh(mailbox)
        await self.deliver(rows[3])
        self.assertEqual(set(await self.contents(mailbox)), {rows[0].id, rows[2].id, rows[3].id})
        second.commit()
        self.assertEqual(set(await self.contents(mailbox)), {row.id for row in rows})

    async def test_address_added_during_delivery(self) -> None:
        """So is mail that was being delivered to an address when it became the user's."""
        row = store_contract.letter("new@example.com")
        inbox = await self.open(self.account)
        other = self.begin(row)
        await self.fixture.add_address(self.user, "new@example.com")
        self.assertEqual(await self.contents(inbox), {})
        other.commit()
        self.assertEqual(await self.contents(inbox), {row.id: 1})

    async def test_rolled_back(self) -> None:
        """Mail that is never committed never was."""
        mailbox = await self.open()
        other = self.begin(store_contract.letter())
        await self.refresh(mailbox)
        other.rollback()
        self.assertEqual((await self.refresh(mailbox)).uid_next, 1)

    async def test_dates_beyond(self) -> None:
        """Dates that IMAP cannot express do not keep a mailbox from being read."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        rows = [store_contract.letter() for _ in range(5)]
        await self.deliver(*rows)
        dates = ("infinity", "-infinity", "0044-03-15 BC", "20000-01-01", "9999-12-31 23:59:59.9+00")
        for row, date in zip(rows, dates, strict=True):
            fixture.execute(("UPDATE emails SET timestamp = %s WHERE id = %s", (date, row.id)))
        mailbox = await self.find()
        uids = await self.uids(mailbox)
        self.assertEqual(len(uids), len(rows))
        for read in (self.store.headers, self.store.sources, self.store.saved_dates):
            self.assertEqual(len(await read(mailbox, uids)), len(rows), read.__name__)
        for metadata in await self.store.metadata(mailbox, uids):
            parse_date_time(metadata.internal_date)
