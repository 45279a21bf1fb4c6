"""Open sessions end when the right to them does: their token goes or expires, the subscription lapses, limits change.

All tokens with open sessions are looked up again and again, many with one statement, however busy their sessions are.
A look-up that fails ends nothing: who is let in is not known then, and the sessions stay until it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeVar
from uuid import UUID

from twisted.logger import Logger

from cybertemp_imap.auth import Identity
from cybertemp_imap.errors import Refusal, StoreUnavailable
from cybertemp_imap.rules.rights import end_of_session
from cybertemp_imap.store.values import LoginRecord

SLICE = 500
"""Tokens looked up by one statement."""


class RecordStore(Protocol):
    """The part of :class:`cybertemp_imap.store.interface.Store` that is needed."""

    async def find_logins(self, token_ids: Sequence[UUID]) -> Sequence[LoginRecord]:
        """Return the records of those tokens that there are."""


class Watched(Protocol):
    """An account that somebody has logged in to."""

    identity: Identity

    def end(self, reason: Refusal) -> None:
        """Let it do nothing any more."""


Account = TypeVar("Account", bound=Watched)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class SessionWatch:
    """The accounts of all open sessions; :meth:`check` ends those that nobody has a right to any more.

    ``now`` returns the present time, aware.
    """

    _log = Logger()

    def __init__(self, store: RecordStore, now: Callable[[], datetime] = _utc_now) -> None:
        self._store = store
        self._now = now
        self._open: dict[UUID, set[Watched]] = {}

    @property
    def tokens(self) -> int:
        """How many tokens have sessions open."""
        return len(self._open)

    def enter(self, account: Account) -> Account:
        """Watch an account; return it."""
        self._open.setdefault(account.identity.token_id, set()).add(account)
        return account

    def leave(self, account: Watched) -> None:
        """Watch an account no longer; one that is not watched is passed over."""
        token_id = account.identity.token_id
        accounts = self._open.get(token_id, set())
        accounts.discard(account)
        if not accounts:
            self._open.pop(token_id, None)

    async def check(self) -> None:
        """Look all tokens up; raises :class:`StoreUnavailable` when some could not be, after looking at the others."""
        tokens = list(self._open)
        failure: StoreUnavailable | None = None
        for start in range(0, len(tokens), SLICE):
            try:
                await self._check(tokens[start : start + SLICE])
            except StoreUnavailable as unavailable:
                failure = unavailable
        if failure is not None:
            raise failure

    async def _check(self, tokens: Sequence[UUID]) -> None:
        records = {record.token_id: record for record in await self._store.find_logins(tokens)}
        now = self._now()
        for token_id in tokens:
            for account in list(self._open.get(token_id, ())):
                identity = account.identity
                reason = end_of_session(identity.user_id, identity.limits, records.get(token_id), now)
                if reason is not None:
                    self._log.info(
                        "A session of token {token_id} is ended: {reason}", token_id=token_id, reason=reason.name
                    )
                    account.end(reason)
