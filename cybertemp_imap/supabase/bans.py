"""Bans that live in a Supabase project: read now and then, and put in force in PostgreSQL, where mail is hidden.

What was last read is in the database, and holds for as long as it cannot be read anew, also after a restart. Only where
it has never been read nobody knows what to hide: then no mail is shown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.rules.bans import EXACT
from cybertemp_imap.store.values import BanRow
from cybertemp_imap.supabase import filters
from cybertemp_imap.supabase.client import SupabaseClient
from cybertemp_imap.supabase.rows import Row

_COLUMNS = ("scope", "value", "match_type", "status")

_SHARE = 0.75
"""Of the time within which a change has to be in force: the rest is for reading and writing."""


class BanStore(Protocol):
    """The part of :class:`cybertemp_imap.store.interface.Store` that bans need."""

    async def replace_bans(self, bans: Sequence[BanRow]) -> None:
        """Have these bans in force."""

    async def bans_are_elsewhere(self) -> bool:
        """Tell whether the bans in force were put there by :meth:`replace_bans`."""


async def read_bans(client: SupabaseClient) -> Sequence[BanRow]:
    """Return all active rows of ``bans``; those that can match nothing are left out."""
    active = [filters.ilike("status", "active")]
    return [row for row in await client.all_rows("bans", _COLUMNS, active, _read) if row is not None]


def _read(row: Row) -> BanRow | None:
    scope, value = row.text("scope"), row.text("value")
    if scope is None or value is None:
        return None
    match_type = row.text("match_type")
    return BanRow(scope, value, EXACT if match_type is None else match_type, row.text("status") or "")


class BanKeeper:
    """Keeps a store's bans in step with those that ``read`` returns."""

    _log = Logger()

    def __init__(
        self, store: BanStore, read: Callable[[], Awaitable[Sequence[BanRow]]], max_age: float, reactor: Any
    ) -> None:
        """A change is in force within ``max_age`` seconds."""
        self._store = store
        self._read = read
        self._interval = max_age * _SHARE
        self._in_force: frozenset[BanRow] | None = None
        self._call = LoopingCall(self._begin)
        self._call.clock = reactor
        self._round: Deferred[None] | None = None
        self._clock = reactor
        self._read_at: float | None = None

    @property
    def age(self) -> float | None:
        """Seconds since the bans in force were last read; None when they have not been since the start."""
        return None if self._read_at is None else float(self._clock.seconds() - self._read_at)

    def start(self) -> None:
        """Begin, at once; nobody waits for it."""
        self._call.start(self._interval)

    def stop(self) -> None:
        """End."""
        if self._call.running:
            self._call.stop()
        if self._round is not None:
            self._round.cancel()

    def _begin(self) -> Deferred[None]:
        self._round = Deferred.fromCoroutine(self._keep_trying())
        return self._round

    async def _keep_trying(self) -> None:
        try:
            await self.keep()
        except (StoreUnavailable, CancelledError):
            # What was in force stays so.
            pass
        except Exception:
            # A round that fails must not be the last one.
            self._log.failure("Reading bans failed")

    async def keep(self) -> None:
        """Read the bans, and put them in force where they have changed, or where they are in force no longer."""
        bans = frozenset(await self._read())
        if bans != self._in_force or not await self._store.bans_are_elsewhere():
            await self._store.replace_bans(sorted(bans))
            self._in_force = bans
        self._read_at = self._clock.seconds()
