"""What PostgreSQL remembers of expunged messages: the contract, and by what tidying forgets."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg2

from cybertemp_imap.store.postgres import PostgresStore
from test import store_contract_forget
from test.store_contract import MINE, MINE_TOO
from test.test_store_postgres import PostgresFixture


class PostgresForgetTests(store_contract_forget.ForgetContract):
    """Forgetting in PostgreSQL."""

    fixture_type = PostgresFixture

    @property
    def postgres(self) -> PostgresFixture:
        """The fixture, as what it is."""
        assert isinstance(self.fixture, PostgresFixture)
        return self.fixture

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement beside the store."""
        return self.postgres.execute((statement, parameters))

    async def test_by_age(self) -> None:
        """Tidying forgets what is older than 90 days, in every mailbox, and nothing that is younger."""
        store = self.store
        assert isinstance(store, PostgresStore)
        mailboxes = [await self.expunged_one_by_one(owner, 4) for owner in (MINE, MINE_TOO)]
        await store.tidy()
        for mailbox, _ in mailboxes:
            self.assertEqual(await self.gone_since(mailbox, 0), [1, 2, 3, 4])
        self.execute("UPDATE imap.expunged SET expunged_at = now() - interval '91 days' WHERE uid < 3")
        await store.tidy()
        for mailbox, mod_seqs in mailboxes:
            self.assertIsNone(await self.store.expunged_since(mailbox, mod_seqs[1]))
            self.assertEqual(await self.gone_since(mailbox, mod_seqs[2]), [3, 4])
        self.assertEqual(self.execute("SELECT count(*) FROM imap.expunged"), [(4,)])

    async def test_many_mailboxes(self) -> None:
        """Every mailbox has its turn, however many there are."""
        mailbox, _ = await self.expunged_one_by_one(MINE, 1)
        self.execute(
            "INSERT INTO imap.mailbox (user_id, owner, folder) SELECT %s, %s, 'F' || n FROM generate_series(1, 450) n",
            self.user,
            MINE,
        )
        self.execute("INSERT INTO imap.expunged SELECT b.id, 1, 2, now() - interval '91 days' FROM imap.mailbox b")
        store = self.store
        assert isinstance(store, PostgresStore)
        await store.tidy()
        self.assertEqual(self.execute("SELECT mailbox_id FROM imap.expunged"), [(mailbox.id,)])

    async def test_in_use(self) -> None:
        """A mailbox that somebody has locked is left for the next time, and keeps nobody waiting."""
        mailbox, _ = await self.expunged_one_by_one(MINE, 2)
        with closing(psycopg2.connect(self.postgres.dsn)) as other, other.cursor() as cursor:
            cursor.execute("SELECT 1 FROM imap.mailbox WHERE id = %s FOR UPDATE", (mailbox.id,))
            await self.fixture.forget_expunged(mailbox, 0)
            self.assertEqual(await self.gone_since(mailbox, 0), [1, 2])
            other.rollback()
        await self.fixture.forget_expunged(mailbox, 0)
        self.assertIsNone(await self.store.expunged_since(mailbox, 0))
