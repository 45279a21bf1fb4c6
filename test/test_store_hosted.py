"""The store whose accounts, domains and bans are in Supabase keeps the contract of stores about them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg2
import psycopg2.extras
from twisted.internet import reactor

from cybertemp_imap.supabase.client import SupabaseClient
from cybertemp_imap.supabase.store import HostedStore
from test import store_contract_accounts, store_contract_bans, store_contract_tokens
from test.postgres import create_database, drop_database
from test.postgrest import KEY, Project
from test.test_store_postgres import PostgresFixture


class HostedFixture(PostgresFixture):
    """A store on a database that is served by a project as well: what is elsewhere is in the same tables."""

    async def set_up(self) -> None:
        """Make a database, and start the project and the store on it."""
        psycopg2.extras.register_uuid()
        self.dsn = create_database()
        self.connection = psycopg2.connect(self.dsn)
        self.project = Project(self.dsn)
        self.project.start()
        client = SupabaseClient(self.project.url, KEY, 20.0, reactor)
        self.hosted = HostedStore(self.dsn, client, auth=True, domains=True, ban_cache=3600, pool_size=4)
        self.store = self.postgres = self.hosted
        await self.store.start()
        assert self.hosted._keeper is not None
        self.keeper = self.hosted._keeper
        assert self.keeper._round is not None
        await self.keeper._round

    async def tear_down(self) -> None:
        """Stop the store and the project, and remove the database."""
        await self.store.stop()
        await self.project.stop()
        self.connection.close()
        drop_database(self.dsn)

    async def ban(self, *row: Any, **fields: Any) -> UUID:
        """Insert into ``bans``, and have it noticed."""
        ban_id = await super().ban(*row, **fields)
        await self.keeper.keep()
        return ban_id

    async def lift(self, ban_id: UUID) -> None:
        """Make a row of ``bans`` inactive, and have it noticed."""
        await super().lift(ban_id)
        await self.keeper.keep()


class HostedLoginTests(store_contract_accounts.LoginContract):
    """Tokens in Supabase."""

    fixture_type = HostedFixture


class HostedLoginsTests(store_contract_tokens.LoginsContract):
    """Records of tokens in Supabase."""

    fixture_type = HostedFixture


class HostedLimitsTests(store_contract_tokens.LimitsContract):
    """Limits in PostgreSQL, of tokens in Supabase."""

    fixture_type = HostedFixture


class HostedTouchTests(store_contract_tokens.TouchContract):
    """Times of use in Supabase."""

    fixture_type = HostedFixture


class HostedBanTests(store_contract_bans.BanContract):
    """Bans in Supabase."""

    fixture_type = HostedFixture


class HostedBanSourceTests(store_contract_bans.BanSourceContract):
    """Domains in Supabase, and what a store is told of bans."""

    fixture_type = HostedFixture

    async def test_the_table_has_no_effect(self) -> None:
        """A server that had the table count, on a database that this one uses, is overruled at the next look."""
        self.assertTrue(await self.store.bans_are_elsewhere())
        await self.store.follow_bans()
        self.assertFalse(await self.store.bans_are_elsewhere())
        assert isinstance(self.fixture, HostedFixture)
        await self.fixture.keeper.keep()
        self.assertTrue(await self.store.bans_are_elsewhere())
