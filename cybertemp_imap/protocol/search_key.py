"""Search keys (RFC 9051 section 6.4.4): what SEARCH looks for, as typed, immutable objects."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum

from cybertemp_imap.protocol.sequence import SequenceSet


class DateOrder(Enum):
    """How a date is compared; the value is the search key's ending on the wire."""

    BEFORE = "BEFORE"
    ON = "ON"
    SINCE = "SINCE"


class DateField(Enum):
    """Which date of a message is compared; the value is the search key's beginning on the wire."""

    INTERNAL = ""
    SENT = "SENT"
    SAVED = "SAVED"


@dataclass(frozen=True, slots=True)
class KeyAll:
    """ALL."""


@dataclass(frozen=True, slots=True)
class KeyAnd:
    """Several keys that must all match: a parenthesized list, or the top level of SEARCH."""

    keys: tuple[SearchKey, ...]


@dataclass(frozen=True, slots=True)
class KeyOr:
    """OR."""

    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class KeyNot:
    """NOT."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class KeySequence:
    """A set of message sequence numbers, or ``$`` (RFC 5182)."""

    messages: SequenceSet


@dataclass(frozen=True, slots=True)
class KeyUid:
    """UID set."""

    uids: SequenceSet


@dataclass(frozen=True, slots=True)
class KeyFlag:
    """A flag or keyword is set: ANSWERED, SEEN, KEYWORD …; their UN- forms are :class:`KeyNot` of it.

    ``flag`` is ``\\Seen`` and so on for system flags, the keyword as sent otherwise.
    """

    flag: str


@dataclass(frozen=True, slots=True)
class KeyRecent:
    """RECENT; OLD is its negation, NEW is RECENT UNSEEN (RFC 3501 section 6.4.4)."""


@dataclass(frozen=True, slots=True)
class KeyHeader:
    """HEADER name value, and BCC CC FROM SUBJECT TO; an empty value asks only that the field be there."""

    field: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class KeyBody:
    """BODY: a string in the body of the message."""

    value: bytes


@dataclass(frozen=True, slots=True)
class KeyText:
    """TEXT: a string in the header or body of the message."""

    value: bytes


@dataclass(frozen=True, slots=True)
class KeyLarger:
    """LARGER: size in octets greater than ``octets``."""

    octets: int


@dataclass(frozen=True, slots=True)
class KeySmaller:
    """SMALLER: size in octets less than ``octets``."""

    octets: int


@dataclass(frozen=True, slots=True)
class KeyDate:
    """BEFORE ON SINCE, SENTBEFORE …, SAVEDBEFORE … (RFC 8514): dates compared without time and time zone."""

    field: DateField
    order: DateOrder
    day: date


@dataclass(frozen=True, slots=True)
class KeyAge:
    """YOUNGER and OLDER (RFC 5032): internal date within the last ``seconds``, or not."""

    seconds: int
    older: bool


@dataclass(frozen=True, slots=True)
class KeyModSeq:
    """MODSEQ (RFC 7162 section 3.1.5); the entry name and type are accepted and mean nothing here."""

    mod_seq: int


@dataclass(frozen=True, slots=True)
class KeyEmailId:
    """EMAILID (RFC 8474)."""

    email_id: bytes


@dataclass(frozen=True, slots=True)
class KeyThreadId:
    """THREADID (RFC 8474)."""

    thread_id: bytes


@dataclass(frozen=True, slots=True)
class KeySaveDateSupported:
    """SAVEDATESUPPORTED (RFC 8514)."""


SearchKey = (
    KeyAll
    | KeyAnd
    | KeyOr
    | KeyNot
    | KeySequence
    | KeyUid
    | KeyFlag
    | KeyRecent
    | KeyHeader
    | KeyBody
    | KeyText
    | KeyLarger
    | KeySmaller
    | KeyDate
    | KeyAge
    | KeyModSeq
    | KeyEmailId
    | KeyThreadId
    | KeySaveDateSupported
)
