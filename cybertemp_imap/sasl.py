"""SASL mechanisms PLAIN (RFC 4616) and LOGIN (draft-murchison-sasl-login), as cred credentials.

Twisted's own raise on a malformed answer, with a text that a stock server sends on, and ignore PLAIN's authorization
identity. These never raise: what is malformed sets ``malformed`` and leaves credentials that no account has.
"""

from __future__ import annotations

import hmac

from twisted.cred.credentials import IUsernamePassword
from twisted.mail.interfaces import IChallengeResponse
from zope.interface import implementer

MAX_RESPONSE = 4096
"""Octets in one answer of a client; RFC 4616 section 2 asks for 255 in each of PLAIN's three parts."""


class _Credentials:
    """A user name and password in octets, that never show in a log."""

    def __init__(self) -> None:
        self.username = b""
        self.password = b""
        self.malformed = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def checkPassword(self, password: bytes) -> bool:
        """Compare with the right password in a time that does not depend on where they differ."""
        return not self.malformed and hmac.compare_digest(self.password, password)

    def _refuse(self) -> None:
        self.username = self.password = b""
        self.malformed = True


@implementer(IChallengeResponse, IUsernamePassword)
class PlainCredentials(_Credentials):
    """SASL PLAIN: one empty challenge, one answer ``[authzid] NUL authcid NUL passwd``."""

    def getChallenge(self) -> bytes:
        """Return the empty challenge of a mechanism where the client speaks first."""
        return b""

    def setResponse(self, response: bytes) -> None:
        """Take the answer. Acting for somebody else, an authzid other than the authcid, is not possible here."""
        parts = response.split(b"\0") if len(response) <= MAX_RESPONSE else []
        if len(parts) != 3 or not parts[1] or not parts[2] or parts[0] not in (b"", parts[1]):
            self._refuse()
        elif not self.malformed:
            _, self.username, self.password = parts

    def moreChallenges(self) -> bool:
        """Tell that one answer is all."""
        return False


@implementer(IChallengeResponse, IUsernamePassword)
class LoginCredentials(_Credentials):
    """SASL LOGIN: two challenges, each answered as it is; an initial response is the user name."""

    def __init__(self) -> None:
        super().__init__()
        self._answers: list[bytes] = []

    def getChallenge(self) -> bytes:
        """Return the next challenge, worded as by other servers: some clients look at it."""
        return b"Password:" if self._answers else b"Username:"

    def setResponse(self, response: bytes) -> None:
        """Take the user name, then the password."""
        self._answers.append(response)
        if not response or len(response) > MAX_RESPONSE or b"\0" in response or len(self._answers) > 2:
            self._refuse()
        elif not self.malformed:
            self.username = self._answers[0]
            self.password = response if len(self._answers) == 2 else b""

    def moreChallenges(self) -> bool:
        """Tell whether the password is still to be asked for, which a malformed user name does not change."""
        return len(self._answers) < 2
