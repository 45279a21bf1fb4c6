"""LOGIN (RFC 9051 section 6.2.3), and what it shares with AUTHENTICATE."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet.defer import Deferred
from twisted.mail.imap4 import IAccount

from cybertemp_imap.auth import SubscriptionLapsed, TokenExpired
from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import Login
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Login) -> Completion | None:
    """Log in with an e-mail address and a token."""
    if not session.login_allowed:
        raise Refused(Refusal.PRIVACY_REQUIRED)
    return await log_in(session, UsernamePassword(command.user, command.password), "LOGIN")


async def log_in(session: ImapServer, credentials: IUsernamePassword, name: str) -> Completion | None:
    """Ask the portal. Every failure takes the same time, whatever was wrong."""
    earliest = session.reactor.seconds() + session.limits.login_delay
    try:
        _, account, logout = await session.portal.login(credentials, None, IAccount)
    except LoginFailed as failure:
        await _until(session, earliest)
        _failed(session, _refusal_of(failure))
        return None
    if session.outlet.closed:
        logout()
        return None
    session.logged_in(account, logout)
    return Completion(f"{name} completed", "CAPABILITY " + b" ".join(session.listCapabilities()).decode())


def _refusal_of(failure: LoginFailed) -> Refusal:
    if isinstance(failure, TokenExpired):
        return Refusal.TOKEN_EXPIRED
    if isinstance(failure, SubscriptionLapsed):
        return Refusal.SUBSCRIPTION_LAPSED
    return Refusal.AUTHENTICATION_FAILED


def _failed(session: ImapServer, refusal: Refusal) -> None:
    session.failed_logins += 1
    session.sendNegativeResponse(session.tag, responses.status("", refusal.text, refusal.code).strip())
    if session.failed_logins >= session.limits.login_attempts:
        session.bye("Too many failed logins.")


async def _until(session: ImapServer, moment: float) -> None:
    wait = moment - session.reactor.seconds()
    if wait > 0:
        passed: Deferred[None] = Deferred()
        session.reactor.callLater(wait, passed.callback, None)
        await passed
