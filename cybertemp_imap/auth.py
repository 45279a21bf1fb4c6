"""Logging in: the credentials checker over IMAP tokens, and the realm that gives out accounts.

Whoever does not hold the right token of the right account learns nothing: a wrong e-mail address, a wrong token and
a malformed one are the same failure after the same query. A store that cannot be reached is no failed login:
:class:`~cybertemp_imap.errors.StoreUnavailable` passes through.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.mail.imap4 import IAccount
from zope.interface import Interface, implementer

from cybertemp_imap.rules.rights import Objection, objection
from cybertemp_imap.store.values import NO_LIMITS, LoginRecord, TokenLimits
from cybertemp_imap.usage import UsageNotes

MAX_CREDENTIAL = 1024
"""Octets in a user name or a token."""

# What is looked up in place of a token that cannot be one, so that it costs what any other costs.
_IMPOSSIBLE = "-"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who has logged in, and by which token: the avatar id. ``email`` is the account's address as stored."""

    user_id: UUID
    email: str
    token_id: UUID
    limits: TokenLimits = NO_LIMITS


class TokenExpired(UnauthorizedLogin):
    """The token and the e-mail address are right, the token has expired."""


class SubscriptionLapsed(UnauthorizedLogin):
    """The token and the e-mail address are right, the account has no subscription that lets it in."""


class LoginStore(Protocol):
    """The part of :class:`cybertemp_imap.store.interface.Store` that logging in needs."""

    async def find_login(self, token: str) -> LoginRecord | None:
        """Return the record of a token."""

    async def touch_token(self, token_id: UUID) -> None:
        """Set ``last_used_at`` of a token to now."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@implementer(ICredentialsChecker)
class TokenChecker:
    """Checks an account's e-mail address and an IMAP token, and yields an :class:`Identity`.

    ``now`` returns the present time, aware; ``reactor`` is for what is done after the login.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, store: LoginStore, now: Callable[[], datetime] = _utc_now, reactor: Any = None) -> None:
        self._store = store
        self._now = now
        self._usage = UsageNotes(store, reactor)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[Identity]:  # type: ignore[override]
        """Return an :class:`Identity`.

        Fails with :class:`UnauthorizedLogin`, :class:`TokenExpired`, :class:`SubscriptionLapsed`, or what the store
        raises.
        """
        return Deferred.fromCoroutine(self._check(_text(credentials.username), _text(credentials.password)))

    async def _check(self, email: str | None, token: str | None) -> Identity:
        possible = email is not None and token is not None
        record = await self._store.find_login(token if possible and token is not None else _IMPOSSIBLE)
        # Compared in every case, for the sake of the time it takes.
        same = _same_email(email or "", "" if record is None else record.email)
        if record is None or not possible or not same:
            raise UnauthorizedLogin
        against = objection(record, self._now())
        if against is not None:
            raise TokenExpired if against is Objection.EXPIRED else SubscriptionLapsed
        self._usage.note(record.token_id)
        return Identity(record.user_id, record.email, record.token_id, record.limits)


def _text(value: object) -> str | None:
    """Return a user name or token as text; None for one that is missing, too long, not UTF-8 or has a NUL."""
    try:
        octets = value.encode() if isinstance(value, str) else value
        if not isinstance(octets, bytes) or not 0 < len(octets) <= MAX_CREDENTIAL or b"\0" in octets:
            return None
        return octets.decode()
    except UnicodeError:
        return None


def _same_email(given: str, stored: str) -> bool:
    """Compare without case, in a time that does not depend on where they differ."""
    return hmac.compare_digest(_folded(given), _folded(stored)) and bool(given.strip())


def _folded(email: str) -> bytes:
    return email.strip().casefold().encode("utf-8", "surrogatepass")


@implementer(IRealm)
class Realm:
    """Gives an :class:`Identity` its account.

    ``account_factory`` makes the account, an ``IAccount``; ``on_logout``, where given, is called with it once when its
    session is over.
    """

    def __init__(
        self, account_factory: Callable[[Identity], object], on_logout: Callable[[object], None] | None = None
    ) -> None:
        self._account_factory = account_factory
        self._on_logout = on_logout

    def requestAvatar(  # type: ignore[override]
        self, avatarId: Identity, mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        """Return ``(IAccount, account, logout)``; raises :class:`NotImplementedError` for other interfaces."""
        if IAccount not in interfaces:
            raise NotImplementedError("only IAccount can be asked for")
        account = self._account_factory(avatarId)
        return IAccount, account, self._logout_of(account)

    def _logout_of(self, account: object) -> Callable[[], None]:
        """Return what ends the session; called again, it does nothing."""
        left = [account]

        def logout() -> None:
            if left and self._on_logout is not None:
                self._on_logout(left.pop())

        return logout
