"""The closed set of refusals a client can be given.

Every refusal has a status, a response code (RFC 5530 and the RFC that defines it) and one fixed sentence. Nothing else
reaches a client: an unforeseen exception becomes :data:`Refusal.INTERNAL` with a reference number, its details go to
the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum


class Refusal(Enum):
    """One way in which a command can fail: ``(status, response code or None, sentence)``."""

    # Login
    AUTHENTICATION_FAILED = ("NO", "AUTHENTICATIONFAILED", "The e-mail address or the token is not right.")
    TOKEN_EXPIRED = ("NO", "EXPIRED", "This token has expired; create a new one.")
    SUBSCRIPTION_LAPSED = ("NO", "AUTHORIZATIONFAILED", "The account has no active subscription.")
    PRIVACY_REQUIRED = ("NO", "PRIVACYREQUIRED", "Logging in needs an encrypted connection.")
    TOO_MANY_CONNECTIONS = ("NO", "LIMIT", "The account has too many connections; close one and try again.")
    UNSUPPORTED_MECHANISM = ("NO", "CANNOT", "This authentication mechanism is not supported.")
    BAD_CREDENTIALS_ENCODING = ("BAD", None, "The authentication data is malformed.")
    AUTHENTICATION_CANCELLED = ("BAD", None, "Authentication cancelled.")
    # The end of a session
    TOKEN_REVOKED = ("NO", "NOPERM", "This token is not valid any more.")
    SUBSCRIPTION_ENDED = ("NO", "NOPERM", "The account has no active subscription any more.")
    RIGHTS_CHANGED = ("NO", "NOPERM", "What this token may do has changed; log in again.")
    # Mailboxes
    NO_SUCH_MAILBOX = ("NO", "NONEXISTENT", "There is no such mailbox.")
    NO_SUCH_DESTINATION = ("NO", "TRYCREATE", "There is no such mailbox; it can be created.")
    BAD_MAILBOX_NAME = ("NO", "CANNOT", "This is not a possible mailbox name.")
    MAILBOX_NOT_SELECTABLE = ("NO", "CANNOT", "This name only groups other mailboxes and holds no messages.")
    READ_ONLY = ("NO", "READ-ONLY", "The mailbox is open for reading only.")
    ALREADY_EXISTS = ("NO", "ALREADYEXISTS", "There is a mailbox of that name already.")
    USE_ATTRIBUTE = ("NO", "USEATTR", "A mailbox of this special use cannot be made.")
    CANNOT = ("NO", "CANNOT", "The server cannot do this.")
    NO_PERMISSION = ("NO", "NOPERM", "This is not permitted.")
    BAD_ADDRESS = (
        "NO",
        "CANNOT",
        "This is not an e-mail address that can be created; use letters, digits, dots, hyphens.",
    )
    ADDRESS_NOT_ALLOWED = ("NO", "NOPERM", "This address is not allowed; choose another one.")
    ADDRESS_QUOTA = ("NO", "OVERQUOTA", "The account has as many addresses as it may have; delete one first.")
    HAS_CHILDREN = ("NO", "HASCHILDREN", "There are folders below this address; delete them, or rename them, first.")
    DOMAIN_NOT_OPEN = (
        "NO",
        "NOPERM",
        "This account cannot create addresses of this domain; use a domain of your own or a shared one.",
    )
    DOMAIN_INACTIVE = ("NO", "NOPERM", "This domain is not active; activate it, or use another one.")
    IN_USE = ("NO", "INUSE", "The mailbox is in use by another operation; try again.")
    OVER_QUOTA = ("NO", "OVERQUOTA", "The quota of the account is used up.")
    # Messages
    EXPUNGE_ISSUED = ("NO", "EXPUNGEISSUED", "Some of the messages were expunged.")
    BAD_CHARSET = ("NO", "BADCHARSET (US-ASCII UTF-8)", "Searching is possible in US-ASCII and UTF-8.")
    UNKNOWN_CONTENT_ENCODING = ("NO", "UNKNOWN-CTE", "The content encoding of a part is not known.")
    EIGHT_BIT_HEADER = ("NO", "CANNOT", "A header with 8-bit characters needs UTF8=ACCEPT to be enabled.")
    TOO_BIG = ("NO", "TOOBIG", "The message is too big.")
    # Limits and faults
    LIMIT = ("NO", "LIMIT", "The command needs more than the server allows.")
    UNAVAILABLE = ("NO", "UNAVAILABLE", "The mail store cannot be reached at the moment; try again.")
    UNCERTAIN = (
        "NO",
        "UNAVAILABLE",
        "The mail store was lost on the way; see whether this was done before trying again.",
    )
    INTERNAL = ("NO", "SERVERBUG", "The server failed to do this.")

    @property
    def status(self) -> str:
        """``NO`` or ``BAD`` (RFC 9051 section 7.1)."""
        return str(self.value[0])

    @property
    def code(self) -> str | None:
        """The response code without its brackets, where there is one."""
        code: str | None = self.value[1]
        return code

    @property
    def text(self) -> str:
        """The sentence for a person."""
        return str(self.value[2])


class Refused(Exception):
    """A command is refused in one of the ways of :class:`Refusal`; ``code`` is its response code or a fuller one."""

    def __init__(self, refusal: Refusal, code: str | None = None) -> None:
        super().__init__(refusal.name)
        self.refusal = refusal
        self.code = code or refusal.code


@contextmanager
def suppress_refusal(*passed: Refusal) -> Iterator[None]:
    """Pass over some kinds of refusal."""
    try:
        yield
    except Refused as refused:
        if refused.refusal not in passed:
            raise


class StoreUnavailable(Exception):
    """The store cannot be reached, or answered too late; nothing was changed."""


class OutcomeUnknown(StoreUnavailable):
    """The store was lost before it answered: what it was to do was done as a whole, or not at all."""
