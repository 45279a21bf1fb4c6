"""Logging in with the tokens and accounts of a Supabase project.

``imap_tokens`` says whose a token is, ``users`` whether that account's subscription lets its owner in. Its e-mail
address is in ``users`` where that has a column for it, and else in the project's auth service.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from twisted.internet.defer import Deferred, FirstError, gatherResults

from cybertemp_imap.store.values import LoginRecord
from cybertemp_imap.supabase import filters
from cybertemp_imap.supabase.client import SupabaseClient
from cybertemp_imap.supabase.rows import Row

T = TypeVar("T")

HASHED = "sha256:"
"""Tokens stored hashed begin so; the rest is hexadecimal."""

LONGEST_TOKEN = 1024
"""Octets: nothing longer is looked for, as it would not fit into a request."""

IDS_AT_ONCE = 100
"""Ids in one request: with their percent-encoded quotes they are 4,500 octets, and proxies take 8,000."""

EMAILS_REMEMBERED = 10_000
"""Accounts whose address the auth service told; each open session is asked about once a minute."""

_TOKEN_COLUMNS = ("id", "user_id", "token", "expires_at")


@dataclass(frozen=True, slots=True)
class _Token:
    id: UUID
    user_id: UUID
    stored: str | None
    expires_at: datetime | None

    @classmethod
    def of(cls, row: Row) -> _Token:
        return cls(row.uuid("id"), row.uuid("user_id"), row.text("token"), row.moment("expires_at"))


@dataclass(frozen=True, slots=True)
class _User:
    """``has_email`` tells whether the table has a column for it."""

    id: UUID
    has_email: bool
    email: str | None
    status: str | None
    end: datetime | None

    @classmethod
    def of(cls, row: Row) -> _User:
        return cls(
            row.uuid("id"),
            row.has("email"),
            row.text("email"),
            row.text("subscription_status"),
            row.moment("subscription_end_date"),
        )


class SupabaseAccounts:
    """Tokens and accounts (the part of :class:`cybertemp_imap.store.interface.Store` that logging in needs)."""

    def __init__(self, client: SupabaseClient) -> None:
        self._client = client
        self._users_have_emails = True
        self._emails: OrderedDict[UUID, str] = OrderedDict()

    async def find_login(self, token: str) -> LoginRecord | None:
        """Return the record of a token as a person typed it; see the interface."""
        candidates = _as_stored(token)
        if not candidates:
            return None
        conditions = [filters.is_in("token", candidates)]
        found = await self._client.rows("imap_tokens", _TOKEN_COLUMNS, conditions, _Token.of)
        # Whatever has answered, only a token that was asked for lets somebody in.
        first = next((each for each in found if each.stored in candidates), None)
        if first is None:
            return None
        # Whose address is known to be in the auth service alone is looked up in both at once.
        user, email = await together(self._find_user(first.user_id), self._early_email(first.user_id))
        if user is not None:
            self._users_have_emails = user.has_email
        email = (user.email if user is not None else None) or email or await self._ask_email(first.user_id)
        return _record(first, user, email)

    async def find_logins(self, token_ids: Sequence[UUID]) -> Sequence[LoginRecord]:
        """Return the present records of tokens; see the interface.

        An address that the auth service told before is not asked for again.
        """
        tokens = await self._by_ids("imap_tokens", _TOKEN_COLUMNS, token_ids, _Token.of)
        user_ids = {token.user_id for token in tokens}
        users = {user.id: user for user in await self._by_ids("users", (), user_ids, _User.of)}
        emails = dict(await together(*(self._known_email(each, users.get(each)) for each in user_ids)))
        records = (_record(token, users.get(token.user_id), emails[token.user_id]) for token in tokens)
        return [record for record in records if record is not None]

    async def touch_token(self, token_id: UUID) -> None:
        """Set when a token was last used; see the interface. The time is this machine's."""
        now = datetime.now(UTC)
        stale = filters.any_of(
            filters.is_null("last_used_at"),
            filters.lt("last_used_at", (now - timedelta(minutes=1)).isoformat()),
            filters.gt("last_used_at", now.isoformat()),
        )
        conditions = [filters.eq("id", token_id), stale]
        await self._client.update("imap_tokens", conditions, {"last_used_at": now.isoformat()})

    # -- accounts -----------------------------------------------------------------------------------------------------

    async def _find_user(self, user_id: UUID) -> _User | None:
        found = await self._client.rows("users", (), [filters.eq("id", user_id)], _User.of)
        return next((user for user in found if user.id == user_id), None)

    async def _early_email(self, user_id: UUID) -> str | None:
        return None if self._users_have_emails else await self._ask_email(user_id)

    async def _known_email(self, user_id: UUID, user: _User | None) -> tuple[UUID, str | None]:
        email = (user.email if user is not None else None) or self._emails.get(user_id)
        return user_id, email or await self._ask_email(user_id)

    async def _ask_email(self, user_id: UUID) -> str | None:
        """Ask the auth service for the address of an account, and remember it."""
        found = await self._client.auth_user(user_id, lambda row: (row.uuid("id"), row.text("email")))
        if found is None or found[0] != user_id or not found[1]:
            return None
        self._emails[user_id] = found[1]
        self._emails.move_to_end(user_id)
        if len(self._emails) > EMAILS_REMEMBERED:
            self._emails.popitem(last=False)
        return found[1]

    async def _by_ids(self, table: str, columns: Sequence[str], ids: Iterable[UUID], read: Any) -> list[Any]:
        wanted = sorted(set(ids))
        parts = [wanted[start : start + IDS_AT_ONCE] for start in range(0, len(wanted), IDS_AT_ONCE)]
        pages = await together(
            *(self._client.rows(table, columns, [filters.is_in("id", part)], read) for part in parts)
        )
        return [row for page in pages for row in page]


async def together(*works: Coroutine[Any, Any, Any]) -> list[Any]:
    """Do all of them at the same time; return what they return, or raise what the first that fails raises."""
    doing = [Deferred.fromCoroutine(work) for work in works]
    try:
        return list(await gatherResults(doing, consumeErrors=True))
    except FirstError as error:
        # Which of them it was is of no consequence.
        failed: BaseException = error.subFailure.value  # type: ignore[assignment]
        raise failed from None


def _as_stored(token: str) -> list[str]:
    """Return what ``imap_tokens`` may hold for a token: its hash, and the token itself.

    Whoever has read a stored hash must not be able to log in with it.
    """
    if not token or "\0" in token:
        return []
    try:
        octets = token.encode()
    except UnicodeEncodeError:
        return []
    if len(octets) > LONGEST_TOKEN:
        return []
    hashed = HASHED + hashlib.sha256(octets).hexdigest()
    return [hashed] if token.startswith(HASHED) else [hashed, token]


def _record(token: _Token, user: _User | None, email: str | None) -> LoginRecord | None:
    """Return what is known of a token; an account whose address nobody knows cannot be logged in to."""
    if not email:
        return None
    status, end = (None, None) if user is None else (user.status, user.end)
    return LoginRecord(token.id, token.user_id, email, token.expires_at, status, end)
