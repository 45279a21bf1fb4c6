"""The store of a server whose accounts, domains or bans live in Supabase. Mail and addresses are in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import NO_LIMITS, DomainRow, LoginRecord, MailboxRef
from cybertemp_imap.supabase.accounts import SupabaseAccounts
from cybertemp_imap.supabase.bans import BanKeeper, read_bans
from cybertemp_imap.supabase.client import SupabaseClient
from cybertemp_imap.supabase.domains import read_domains

_NO_TOKEN = UUID(int=0)


class HostedStore(PostgresStore):
    """A PostgreSQL store of which each of accounts, domains and bans can be elsewhere."""

    def __init__(
        self,
        dsn: str,
        client: SupabaseClient,
        *,
        auth: bool = False,
        domains: bool = False,
        ban_cache: float | None = None,
        reactor: Any = None,
        **options: Any,
    ) -> None:
        """``auth``: accounts and tokens are in Supabase; ``domains``: domains are; ``ban_cache``: bans are.

        A change of bans is in force within ``ban_cache`` seconds. ``options`` are those of the PostgreSQL store.
        """
        if reactor is None:
            from twisted.internet import reactor
        super().__init__(dsn, reactor=reactor, bans_elsewhere=ban_cache is not None, **options)
        self._client = client
        self._accounts = SupabaseAccounts(client) if auth else None
        self._domains_elsewhere = domains
        self._keeper: BanKeeper | None = None
        if ban_cache is not None:
            self._keeper = BanKeeper(self, lambda: read_bans(client), ban_cache, reactor)
        self._bans_known = ban_cache is None

    async def start(self) -> None:
        """Connect to PostgreSQL; Supabase may be away."""
        await super().start()
        if self._keeper is not None:
            self._keeper.start()

    async def stop(self) -> None:
        """Disconnect from both."""
        if self._keeper is not None:
            self._keeper.stop()
        await self._client.stop()
        await super().stop()

    @property
    def bans_age(self) -> float | None:
        """Seconds since the bans were read from Supabase; None where they are not read there."""
        return None if self._keeper is None else self._keeper.age

    async def find_login(self, token: str) -> LoginRecord | None:
        """Look a token up; see the interface."""
        if self._accounts is None:
            return await super().find_login(token)
        record = await self._accounts.find_login(token)
        # Asked in every case, for the sake of the time it takes.
        token_id = _NO_TOKEN if record is None else record.token_id
        limits = await self.find_limits([token_id])
        return None if record is None else replace(record, limits=limits.get(token_id, NO_LIMITS))

    async def find_logins(self, token_ids: Sequence[UUID]) -> Sequence[LoginRecord]:
        """Look tokens up by their ids; see the interface."""
        if self._accounts is None:
            return await super().find_logins(token_ids)
        records = await self._accounts.find_logins(token_ids)
        limits = await self.find_limits(token_ids)
        return [replace(record, limits=limits.get(record.token_id, NO_LIMITS)) for record in records]

    async def touch_token(self, token_id: UUID) -> None:
        """Set ``last_used_at``; see the interface."""
        if self._accounts is None:
            await super().touch_token(token_id)
        else:
            await self._accounts.touch_token(token_id)

    async def read_domains(self) -> Sequence[DomainRow]:
        """Read the domains; see the interface."""
        if not self._domains_elsewhere:
            return await super().read_domains()
        return await read_domains(self._client)

    async def is_banned(self, address: str) -> bool:
        """Ask about an address and its domain; see the interface. Nothing is taken for what may be banned."""
        await self.need_bans()
        return await super().is_banned(address)

    async def create_address(self, user_id: UUID, address: str) -> MailboxRef:
        """Create or claim an address; see the interface. Nothing is created that may be banned."""
        await self.need_bans()
        return await super().create_address(user_id, address)

    async def need_bans(self) -> None:
        """Raise :class:`StoreUnavailable` while they were never read: nothing is shown then."""
        if not self._bans_known:
            self._bans_known = await self.bans_are_elsewhere()
            if not self._bans_known:
                raise StoreUnavailable("The bans were never read.")
