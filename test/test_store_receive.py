"""Both stores take mail in."""

from __future__ import annotations

from datetime import UTC, datetime

from test import store_contract_receive
from test.store_contract_receive import message, to
from test.test_store_memory import MemoryFixture
from test.test_store_postgres import PostgresFixture


class MemoryReceiveTests(store_contract_receive.ReceiveContract):
    """Mail that comes in, in memory."""

    fixture_type = MemoryFixture


class PostgresReceiveTests(store_contract_receive.ReceiveContract):
    """Mail that comes in, in PostgreSQL."""

    fixture_type = PostgresFixture

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        assert isinstance(self.fixture, PostgresFixture)
        return self.fixture.execute((statement, ()))

    async def test_columns(self) -> None:
        """Columns that IMAP has no use for are filled for others: size, flags, and an inbox without an owner."""
        await self.receiver.receive(message(b"12345"), [to("new@example.com", b"123")])
        ((size, flags, subject, created),) = self.rows("SELECT size, flags, subject, created_at FROM emails")
        self.assertEqual((size, flags, subject), (8, [], "A  subject"))
        assert isinstance(created, datetime)
        self.assertLess(abs((datetime.now(UTC) - created).total_seconds()), 600)
        inbox = self.rows("SELECT user_id FROM inbox WHERE email_address = 'new@example.com'")
        self.assertEqual(inbox, [(None,)])

    async def test_address_spelt_otherwise(self) -> None:
        """An address that inbox spells with capitals gets no second row, and its owner sees the mail."""
        await self.fixture.add_address(self.user, "Capital@Example.com")
        mailbox = await self.open("capital@example.com")
        await self.receiver.receive(message(), [to("capital@example.com")])
        self.assertEqual(
            self.rows("SELECT count(*) FROM inbox WHERE lower(email_address) = 'capital@example.com'"), [(1,)]
        )
        self.assertEqual(len(await self.uids(mailbox)), 1)
