"""Logging in with an e-mail address and a token."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.mail.imap4 import IAccount, IMailbox, LOGINCredentials, MemoryAccount, PLAINCredentials
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import provider
from zope.interface.verify import verifyObject

from cybertemp_imap.auth import MAX_CREDENTIAL, Identity, Realm, SubscriptionLapsed, TokenChecker, TokenExpired
from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.sasl import LoginCredentials, PlainCredentials
from cybertemp_imap.store.values import LoginRecord, TokenLimits

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EMAIL = "Me@Example.com"
TOKEN = "tok-\xe9n-1"
RECORD = LoginRecord(uuid4(), uuid4(), EMAIL, None, "active", None)
IDENTITY = Identity(RECORD.user_id, EMAIL, RECORD.token_id)


class Tokens:
    """A store of one token that counts how often it is asked."""

    def __init__(self, record: LoginRecord | None = RECORD) -> None:
        self.record = record
        self.limits = TokenLimits()
        self.asked: list[str] = []
        self.touched: list[object] = []
        self.fault: Exception | None = None
        self.touching: Deferred[None] | None = None

    async def find_login(self, token: str) -> LoginRecord | None:
        """Find the one token."""
        self.asked.append(token)
        if self.fault is not None:
            raise self.fault
        return replace(self.record, limits=self.limits) if token == TOKEN and self.record is not None else None

    async def touch_token(self, token_id: object) -> None:
        """Take as long as the test says."""
        self.touched.append(token_id)
        if self.touching is not None:
            await self.touching


def record(**changed: Any) -> LoginRecord:
    """Return the one token's record with some fields changed."""
    fields = {name: getattr(RECORD, name) for name in LoginRecord.__slots__}
    return LoginRecord(**(fields | changed))


class CheckerTestCase(SynchronousTestCase):
    """A checker over one token."""

    def setUp(self) -> None:
        self.tokens = Tokens()
        self.clock = Clock()
        self.checker = TokenChecker(self.tokens, now=lambda: NOW, reactor=self.clock)

    def check(self, username: Any, password: Any) -> Deferred[Identity]:
        """Ask for the avatar id of a name and a password."""
        return self.checker.requestAvatarId(UsernamePassword(username, password))

    def log(self) -> list[str]:
        """Return the list that whatever is logged from now on goes to."""
        lines: list[str] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            lines.append(f"{formatEvent(event)} {event!r}")

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        return lines


class AcceptedTests(CheckerTestCase):
    """Who is let in."""

    def test_interface(self) -> None:
        """It is a credentials checker."""
        verifyObject(ICredentialsChecker, self.checker)

    def test_identity(self) -> None:
        """The right e-mail and token yield the account's identity; the token is marked as used."""
        self.assertEqual(self.successResultOf(self.check(EMAIL.encode(), TOKEN.encode())), IDENTITY)
        self.assertEqual(self.tokens.asked, [TOKEN])
        self.assertEqual(self.tokens.touched, [])
        self.clock.advance(0)
        self.assertEqual(self.tokens.touched, [RECORD.token_id])

    def test_limits(self) -> None:
        """What limits the token is part of the identity."""
        self.tokens.limits = TokenLimits(frozenset({"box@example.com"}), True, NOW + SECOND)
        self.assertEqual(
            self.successResultOf(self.check(EMAIL, TOKEN)),
            Identity(RECORD.user_id, EMAIL, RECORD.token_id, self.tokens.limits),
        )

    def test_text(self) -> None:
        """Name and token may be text as well as octets."""
        self.assertEqual(self.successResultOf(self.check(EMAIL, TOKEN)), IDENTITY)

    def test_without_case(self) -> None:
        """The e-mail address compares without case and outer spaces."""
        for email in (b"me@example.com", b"ME@EXAMPLE.COM", b" Me@example.com\r\n"):
            self.assertEqual(self.successResultOf(self.check(email, TOKEN)), IDENTITY)

    def test_subscriptions(self) -> None:
        """A token that has not yet expired, and every subscription that may log in, will do."""
        for accepted in (
            record(expires_at=NOW + SECOND),
            record(subscription_status="trialing", subscription_end=NOW - SECOND),
            record(subscription_status="past_due", subscription_end=NOW + SECOND),
        ):
            self.tokens.record = accepted
            self.assertEqual(self.successResultOf(self.check(EMAIL, TOKEN)), IDENTITY)


class RefusedTests(CheckerTestCase):
    """Who is not let in, and what they learn."""

    def refused(self, username: Any, password: Any) -> None:
        """Check that the failure is the plain one, after the same query, and marks no token as used."""
        self.tokens.asked.clear()
        failure = self.failureResultOf(self.check(username, password))
        self.assertIs(failure.type, UnauthorizedLogin)
        self.assertEqual(str(failure.value), "")
        self.assertEqual(len(self.tokens.asked), 1)
        self.clock.advance(0)
        self.assertEqual(self.tokens.touched, [])

    def test_wrong(self) -> None:
        """A wrong e-mail and a wrong token are told alike."""
        for username, password in (
            (b"you@example.com", TOKEN),
            (EMAIL, "other"),
            (b"you@example.com", "other"),
            (EMAIL, TOKEN + " "),
            (EMAIL + "\0", TOKEN),
        ):
            self.refused(username, password)

    def test_not_told_to_strangers(self) -> None:
        """Expired, lapsed and limited are secrets of who has the right e-mail."""
        self.tokens.record = record(expires_at=NOW - SECOND, subscription_status="canceled")
        self.refused("you@example.com", TOKEN)
        self.tokens.record = record()
        for limits in (TokenLimits(expires_at=NOW - SECOND), TokenLimits(frozenset(), True)):
            self.tokens.limits = limits
            self.refused("you@example.com", TOKEN)
            self.refused(EMAIL, "other")

    def test_impossible(self) -> None:
        """Missing, overlong and undecodable ones cost what any other costs, and reach no store."""
        for impossible in (
            None,
            b"",
            "",
            b"\xff\xfe",
            b"a\0b",
            "\ud800",
            17,
            b"x" * (MAX_CREDENTIAL + 1),
            "\xe9" * (MAX_CREDENTIAL // 2 + 1),
        ):
            self.refused(EMAIL, impossible)
            self.refused(impossible, TOKEN)
            self.assertNotIn(TOKEN, self.tokens.asked)

    def test_empty_email(self) -> None:
        """An account without an e-mail address is nobody's."""
        self.tokens.record = record(email="")
        for email in ("", " ", "\t", EMAIL):
            self.refused(email, TOKEN)

    def test_expired(self) -> None:
        """An expired token is told to its owner, before anything of the subscription."""
        for expires_at in (NOW, NOW - SECOND):
            self.tokens.record = record(expires_at=expires_at, subscription_status="canceled")
            self.failureResultOf(self.check(EMAIL, TOKEN), TokenExpired)
        self.tokens.record = record(expires_at=NOW + SECOND)
        self.tokens.limits = TokenLimits(expires_at=NOW)
        self.failureResultOf(self.check(EMAIL, TOKEN), TokenExpired)

    def test_lapsed(self) -> None:
        """A subscription that has ended is told to the account's owner."""
        for status, end in (("canceled", None), (None, None), ("past_due", NOW), ("past_due", None)):
            self.tokens.record = record(subscription_status=status, subscription_end=end)
            self.failureResultOf(self.check(EMAIL, TOKEN), SubscriptionLapsed)
        self.assertEqual(self.tokens.touched, [])

    def test_store_away(self) -> None:
        """A store that cannot be reached is no failed login."""
        self.tokens.fault = StoreUnavailable()
        for token in (TOKEN, "other", b"\xff"):
            self.failureResultOf(self.check(EMAIL, token), StoreUnavailable)

    def test_log(self) -> None:
        """Whatever comes of a login, no token is logged."""
        lines = self.log()
        self.check(EMAIL, TOKEN)
        self.tokens.record = record(expires_at=NOW)
        for username, password in ((EMAIL, TOKEN), ("you@example.com", TOKEN), (EMAIL, "hunter2"), (EMAIL, b"\xff")):
            self.failureResultOf(self.check(username, password))
        self.assertNotIn(TOKEN, "".join(lines))
        self.assertNotIn("hunter2", "".join(lines))


class RealmTests(SynchronousTestCase):
    """Giving out accounts."""

    def setUp(self) -> None:
        self.left: list[object] = []
        self.realm = Realm(lambda identity: MemoryAccount(identity.email), self.left.append)

    def test_interface(self) -> None:
        """It is a realm."""
        verifyObject(IRealm, self.realm)

    def test_account(self) -> None:
        """An identity gets the account that the factory makes of it, whatever else is asked for besides."""
        interface, account, _ = self.realm.requestAvatar(IDENTITY, None, IMailbox, IAccount)
        self.assertIs(interface, IAccount)
        verifyObject(IAccount, account)
        self.assertEqual(getattr(account, "name", None), EMAIL)

    def test_logout(self) -> None:
        """Logging out lets go of the account, once."""
        _, account, logout = self.realm.requestAvatar(IDENTITY, None, IAccount)
        self.assertEqual(self.left, [])
        logout()
        logout()
        self.assertEqual(self.left, [account])

    def test_nothing_on_logout(self) -> None:
        """Nothing needs to be done on logging out."""
        _, _, logout = Realm(lambda identity: MemoryAccount(identity.email)).requestAvatar(IDENTITY, None, IAccount)
        logout()

    def test_other_interface(self) -> None:
        """There is nothing but accounts."""
        self.assertRaises(NotImplementedError, self.realm.requestAvatar, IDENTITY, None, IMailbox)
        self.assertRaises(NotImplementedError, self.realm.requestAvatar, IDENTITY, None)


class PortalTests(SynchronousTestCase):
    """The whole way, as IMAP servers go it."""

    def setUp(self) -> None:
        realm = Realm(lambda identity: MemoryAccount(identity.email))
        self.portal = Portal(realm, [TokenChecker(Tokens(), now=lambda: NOW, reactor=Clock())])

    def test_every_kind(self) -> None:
        """Our credentials, Twisted's and those of LOGIN are all accepted."""
        answer = b"\0" + EMAIL.encode() + b"\0" + TOKEN.encode()
        every: list[Any] = [UsernamePassword(EMAIL.encode(), TOKEN.encode())]
        for kind, answers in (
            (PlainCredentials, [answer]),
            (PLAINCredentials, [answer]),
            (LoginCredentials, [EMAIL.encode(), TOKEN.encode()]),
            (LOGINCredentials, [EMAIL.encode(), TOKEN.encode()]),
        ):
            credentials: Any = kind()
            for each in answers:
                credentials.getChallenge()
                credentials.setResponse(each)
            every.append(credentials)
        for credentials in every:
            interface, account, logout = self.successResultOf(self.portal.login(credentials, None, IAccount))
            self.assertIs(interface, IAccount)
            self.assertEqual(getattr(account, "name", None), EMAIL)
            logout()

    def test_malformed(self) -> None:
        """Malformed answers, and exchanges that were never finished, are plain failures."""
        malformed = PlainCredentials()
        malformed.setResponse(TOKEN.encode())
        for credentials in (malformed, LoginCredentials(), LOGINCredentials(), PLAINCredentials()):
            failure = self.failureResultOf(self.portal.login(credentials, None, IAccount))
            self.assertIs(failure.type, UnauthorizedLogin)
