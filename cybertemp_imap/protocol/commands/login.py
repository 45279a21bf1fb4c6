"""LOGIN (RFC 9051 section 6.2.3), and what it shares with AUTHENTICATE."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginFailed
from twisted.internet.defer import Deferred
from twisted.mail.imap4 import IAccount

from cybertemp_imap.auth import SubscriptionLapsed, TokenExpired
from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import Login
from cybertemp_imap.protocol.outlet import Gone
from cybertemp_imap.protocol.rule import Completion
from cybertemp_imap.throttle import Attempt

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

FIRST_LOOK = 0.02
LONGEST_PAUSE = 1.0
"""Seconds after which a login that waits for other processes' looks again: the pause is doubled from the first to the
longest. Those of its own process wake it."""


async def run(session: ImapServer, command: Login) -> Completion | None:
    """Log in with an e-mail address and a token."""
    if not session.login_allowed:
        raise Refused(Refusal.PRIVACY_REQUIRED)
    return await log_in(session, UsernamePassword(command.user, command.password), "LOGIN")


async def log_in(session: ImapServer, credentials: IUsernamePassword, name: str) -> Completion | None:
    """Ask the portal. Every failure takes the same time, whatever was wrong."""
    attempt = session.factory.throttle.attempt(session.origin.network, _octets(credentials.username))
    await _turn(session, attempt)
    earliest = session.reactor.seconds() + session.limits.login_delay
    wrong = False
    account: Any
    try:
        _, account, logout = await session.portal.login(credentials, None, IAccount)
    except LoginFailed as failure:
        refusal = _refusal_of(failure)
        wrong = refusal is Refusal.AUTHENTICATION_FAILED
        await _until(session, earliest)
        _failed(session, refusal, name)
        return None
    except StoreUnavailable:
        session.notes.login_refused(Refusal.UNAVAILABLE)
        raise
    finally:
        if not wrong:
            attempt.forgive()
    if session.outlet.closed:
        logout()
        return None
    if not session.factory.sessions.log_in(session, account.identity.user_id):
        logout()
        session.notes.login_refused(Refusal.TOO_MANY_CONNECTIONS)
        raise Refused(Refusal.TOO_MANY_CONNECTIONS)
    session.logged_in(account, logout)
    session.notes.logged_in(account.identity.email, name, session.encrypted)
    return Completion(f"{name} completed", "CAPABILITY " + b" ".join(session.listCapabilities()).decode())


def _refusal_of(failure: LoginFailed) -> Refusal:
    if isinstance(failure, TokenExpired):
        return Refusal.TOKEN_EXPIRED
    if isinstance(failure, SubscriptionLapsed):
        return Refusal.SUBSCRIPTION_LAPSED
    return Refusal.AUTHENTICATION_FAILED


def _failed(session: ImapServer, refusal: Refusal, method: str) -> None:
    session.failed_logins += 1
    session.status = refusal.status
    session.notes.login_failed(refusal, method)
    session.sendNegativeResponse(session.tag, responses.status("", refusal.text, refusal.code).strip())
    if session.failed_logins >= session.limits.login_attempts:
        session.bye("Too many failed logins.", why="failed_logins")


async def _turn(session: ImapServer, attempt: Attempt) -> None:
    """Begin, after a wait while there are too many failures: others may prove to be none."""
    reactor = session.reactor
    latest = reactor.seconds() + attempt.longest_wait
    pause = FIRST_LOOK
    while (wait := attempt.ask()) > 0:
        left = latest - reactor.seconds()
        if left <= 0:
            attempt.begin()
            return
        await attempt.rest(reactor, min(wait, left, pause))
        if session.outlet.closed:
            raise Gone
        pause = min(2 * pause, LONGEST_PAUSE)


def _octets(username: object) -> bytes:
    return username.encode() if isinstance(username, str) else bytes(username)  # type: ignore[call-overload]


async def _until(session: ImapServer, moment: float) -> None:
    wait = moment - session.reactor.seconds()
    if wait > 0:
        passed: Deferred[None] = Deferred()
        session.reactor.callLater(wait, passed.callback, None)
        await passed
