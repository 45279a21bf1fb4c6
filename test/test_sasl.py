"""SASL PLAIN and LOGIN as credentials."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.credentials import IUsernamePassword
from twisted.mail.interfaces import IChallengeResponse
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from cybertemp_imap.sasl import MAX_RESPONSE, LoginCredentials, PlainCredentials

USER = b"me@example.com"
SECRET = b"s\xc3\xa9cret token"


def plain(response: bytes) -> PlainCredentials:
    """Return PLAIN credentials after one answer."""
    credentials = PlainCredentials()
    credentials.setResponse(response)
    return credentials


def login(*responses: bytes) -> LoginCredentials:
    """Return LOGIN credentials after some answers."""
    credentials = LoginCredentials()
    for response in responses:
        credentials.setResponse(response)
    return credentials


class PlainTests(SynchronousTestCase):
    """RFC 4616."""

    def test_interfaces(self) -> None:
        """They are what an IMAP server challenges with, and what a portal checks."""
        verifyObject(IChallengeResponse, PlainCredentials())
        verifyObject(IUsernamePassword, PlainCredentials())

    def test_one_answer(self) -> None:
        """The challenge is empty and one answer is all."""
        credentials = PlainCredentials()
        self.assertEqual(credentials.getChallenge(), b"")
        credentials.setResponse(b"\0" + USER + b"\0" + SECRET)
        self.assertFalse(credentials.moreChallenges())
        self.assertEqual((credentials.username, credentials.password), (USER, SECRET))
        self.assertTrue(credentials.checkPassword(SECRET))
        self.assertFalse(credentials.checkPassword(b"other"))

    def test_authorization_identity(self) -> None:
        """An authorization identity is accepted when it is the authentication identity (section 2)."""
        self.assertEqual(plain(USER + b"\0" + USER + b"\0" + SECRET).username, USER)
        other = plain(b"you@example.com\0" + USER + b"\0" + SECRET)
        self.assertTrue(other.malformed)
        self.assertEqual((other.username, other.password), (b"", b""))

    def test_malformed(self) -> None:
        """What is not three parts, or lacks a name or a password, is malformed and logs nobody in."""
        for response in (
            b"",
            b"\0",
            b"\0\0",
            USER,
            USER + b"\0" + SECRET,
            b"\0" + USER + b"\0",
            b"\0\0" + SECRET,
            b"\0" + USER + b"\0" + SECRET + b"\0",
            b"\0" + USER + b"\0" + b"x" * MAX_RESPONSE,
        ):
            credentials = plain(response)
            self.assertTrue(credentials.malformed, response)
            self.assertEqual((credentials.username, credentials.password), (b"", b""))
            self.assertFalse(credentials.checkPassword(b""))

    def test_malformed_for_good(self) -> None:
        """A good answer after a malformed one changes nothing."""
        credentials = plain(b"")
        credentials.setResponse(b"\0" + USER + b"\0" + SECRET)
        self.assertEqual((credentials.malformed, credentials.username), (True, b""))

    def test_no_secret_shows(self) -> None:
        """Neither name nor password is in what a log would print."""
        self.assertEqual(repr(plain(b"\0" + USER + b"\0" + SECRET)), "<PlainCredentials>")

    @given(st.binary(max_size=40))
    def test_any_answer(self, response: bytes) -> None:
        """No answer raises; the credentials are complete or empty."""
        credentials = plain(response)
        self.assertEqual(credentials.malformed, not credentials.username)
        self.assertEqual(credentials.malformed, not credentials.password)


class LoginTests(SynchronousTestCase):
    """The LOGIN mechanism."""

    def test_interfaces(self) -> None:
        """They are what an IMAP server challenges with, and what a portal checks."""
        verifyObject(IChallengeResponse, LoginCredentials())
        verifyObject(IUsernamePassword, LoginCredentials())

    def test_two_answers(self) -> None:
        """The name is asked for, then the password."""
        credentials = LoginCredentials()
        self.assertEqual(credentials.getChallenge(), b"Username:")
        credentials.setResponse(USER)
        self.assertTrue(credentials.moreChallenges())
        self.assertEqual(credentials.getChallenge(), b"Password:")
        credentials.setResponse(SECRET)
        self.assertFalse(credentials.moreChallenges())
        self.assertEqual((credentials.username, credentials.password), (USER, SECRET))
        self.assertTrue(credentials.checkPassword(SECRET))

    def test_initial_response(self) -> None:
        """With SASL-IR (RFC 4959) the name comes unasked; what is asked for next is the password."""
        self.assertEqual(login(USER).getChallenge(), b"Password:")

    def test_malformed(self) -> None:
        """An empty, overlong or surplus answer, or one with a NUL, is malformed and logs nobody in."""
        for answers in (
            (b"", SECRET),
            (USER, b""),
            (USER, b"\0"),
            (b"a\0b", SECRET),
            (b"x" * (MAX_RESPONSE + 1), SECRET),
            (USER, SECRET, b"more"),
        ):
            credentials = login(*answers)
            self.assertTrue(credentials.malformed, answers)
            self.assertEqual((credentials.username, credentials.password), (b"", b""))
            self.assertFalse(credentials.moreChallenges())

    def test_malformed_name(self) -> None:
        """After a malformed name the password is still asked for: the exchange tells nothing."""
        self.assertTrue(login(b"").moreChallenges())

    def test_no_secret_shows(self) -> None:
        """Neither name nor password is in what a log would print."""
        self.assertEqual(repr(login(USER, SECRET)), "<LoginCredentials>")

    @given(st.lists(st.binary(max_size=10), max_size=4))
    def test_any_answers(self, answers: list[bytes]) -> None:
        """No answers raise."""
        credentials = login(*answers)
        self.assertEqual(credentials.moreChallenges(), len(answers) < 2)
