"""Typed command objects: what the grammar makes of a client's line, and what the command modules act on.

Mailbox names stay the bytes the client sent (unquoted): whether they are modified UTF-7 or UTF-8 depends on what the
session has enabled. Every class here is immutable and compares by value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cybertemp_imap.protocol.search_key import SearchKey
from cybertemp_imap.protocol.sequence import SequenceSet


class Command:
    """Base of all command objects."""

    __slots__ = ()


# -- any state (RFC 9051 section 6.1) ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Capability(Command):
    """CAPABILITY."""


@dataclass(frozen=True, slots=True)
class Noop(Command):
    """NOOP."""


@dataclass(frozen=True, slots=True)
class Logout(Command):
    """LOGOUT."""


@dataclass(frozen=True, slots=True)
class Id(Command):
    """ID (RFC 2971): ``params`` is None for NIL; a value is None for NIL."""

    params: tuple[tuple[bytes, bytes | None], ...] | None


# -- not authenticated (RFC 9051 section 6.2) -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTls(Command):
    """STARTTLS."""


@dataclass(frozen=True, slots=True)
class Login(Command):
    """LOGIN; its fields never appear in a ``repr``, so that they cannot reach a log."""

    user: bytes
    password: bytes

    def __repr__(self) -> str:
        return "Login(...)"


@dataclass(frozen=True, slots=True)
class Authenticate(Command):
    """AUTHENTICATE; ``initial`` is the decoded initial response of SASL-IR (RFC 4959), ``b""`` for ``=``."""

    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        return f"Authenticate({self.mechanism!r}, ...)"


# -- authenticated (RFC 9051 section 6.3) -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enable(Command):
    """ENABLE (RFC 5161): capability names, upper case."""

    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QresyncParameter:
    """The QRESYNC parameter of SELECT (RFC 7162 section 3.2.5)."""

    uid_validity: int
    mod_seq: int
    known_uids: SequenceSet | None
    match: tuple[SequenceSet, SequenceSet] | None


@dataclass(frozen=True, slots=True)
class Select(Command):
    """SELECT, or EXAMINE when ``read_only``."""

    mailbox: bytes
    read_only: bool
    condstore: bool = False
    qresync: QresyncParameter | None = None


@dataclass(frozen=True, slots=True)
class Create(Command):
    """CREATE, with the special uses of RFC 6154 section 3 (``\\Archive`` …, as sent)."""

    mailbox: bytes
    special_use: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Delete(Command):
    """DELETE."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class Rename(Command):
    """RENAME."""

    source: bytes
    destination: bytes


@dataclass(frozen=True, slots=True)
class Subscribe(Command):
    """SUBSCRIBE."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class Unsubscribe(Command):
    """UNSUBSCRIBE."""

    mailbox: bytes


@dataclass(frozen=True, slots=True)
class List(Command):
    """LIST (RFC 9051 section 6.3.9, RFC 5258, RFC 5819, RFC 6154); option names are upper case.

    ``extended`` tells the extended syntax (options or several patterns) from the plain one, which differ in what an
    empty pattern means. ``status`` holds the items of ``RETURN (STATUS (…))``, upper case, or None.
    """

    reference: bytes
    patterns: tuple[bytes, ...]
    selection: frozenset[str] = frozenset()
    returns: frozenset[str] = frozenset()
    status: tuple[str, ...] | None = None
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Lsub(Command):
    """LSUB (RFC 3501 section 6.3.9)."""

    reference: bytes
    pattern: bytes


@dataclass(frozen=True, slots=True)
class Namespace(Command):
    """NAMESPACE."""


@dataclass(frozen=True, slots=True)
class Status(Command):
    """STATUS; item names are upper case, in the order given."""

    mailbox: bytes
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """One message of APPEND or MULTIAPPEND (RFC 3502); the grammar keeps only where its literal goes.

    ``data`` is the message, or None where the reader has streamed the literal elsewhere; ``size`` is its length in
    octets; ``utf8`` is true for ``UTF8 (~{n}…)`` (RFC 6855), ``binary`` for a ``literal8``.
    """

    flags: tuple[str, ...]
    internal_date: datetime | None
    size: int
    data: bytes | None
    binary: bool = False
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Append(Command):
    """APPEND."""

    mailbox: bytes
    messages: tuple[AppendMessage, ...]


@dataclass(frozen=True, slots=True)
class Idle(Command):
    """IDLE."""


# -- selected (RFC 9051 section 6.4) ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Check(Command):
    """CHECK (RFC 3501 section 6.4.1)."""


@dataclass(frozen=True, slots=True)
class Close(Command):
    """CLOSE."""


@dataclass(frozen=True, slots=True)
class Unselect(Command):
    """UNSELECT."""


@dataclass(frozen=True, slots=True)
class Expunge(Command):
    """EXPUNGE, or UID EXPUNGE (RFC 4315) when ``uids`` is given."""

    uids: SequenceSet | None = None


@dataclass(frozen=True, slots=True)
class Copy(Command):
    """COPY; with ``uid``, UID COPY."""

    messages: SequenceSet
    mailbox: bytes
    uid: bool = False


@dataclass(frozen=True, slots=True)
class Move(Command):
    """MOVE (RFC 6851); with ``uid``, UID MOVE."""

    messages: SequenceSet
    mailbox: bytes
    uid: bool = False


# FETCH ---------------------------------------------------------------------------------------------------------------


class Attribute(Enum):
    """A FETCH item without arguments; the value is its name on the wire."""

    UID = "UID"
    FLAGS = "FLAGS"
    INTERNALDATE = "INTERNALDATE"
    SIZE = "RFC822.SIZE"
    ENVELOPE = "ENVELOPE"
    BODY = "BODY"
    BODYSTRUCTURE = "BODYSTRUCTURE"
    RFC822 = "RFC822"
    RFC822_HEADER = "RFC822.HEADER"
    RFC822_TEXT = "RFC822.TEXT"
    MODSEQ = "MODSEQ"
    EMAILID = "EMAILID"
    THREADID = "THREADID"
    SAVEDATE = "SAVEDATE"


class Section(Enum):
    """The text part of a section specification; the value is its name on the wire, empty for the whole part."""

    WHOLE = ""
    HEADER = "HEADER"
    HEADER_FIELDS = "HEADER.FIELDS"
    HEADER_FIELDS_NOT = "HEADER.FIELDS.NOT"
    TEXT = "TEXT"
    MIME = "MIME"


@dataclass(frozen=True, slots=True)
class BodySection:
    """``BODY[…]``, ``BINARY[…]`` or ``BINARY.SIZE[…]`` (RFC 9051 section 6.4.5, RFC 3516).

    ``name`` is ``"BODY"``, ``"BINARY"`` or ``"BINARY.SIZE"``; ``part`` the part numbers, empty for the whole message;
    ``fields`` header field names as the client wrote them; ``partial`` is (first octet, number of octets).
    """

    part: tuple[int, ...] = ()
    section: Section = Section.WHOLE
    fields: tuple[bytes, ...] = ()
    partial: tuple[int, int] | None = None
    peek: bool = False
    name: str = "BODY"


FetchItem = Attribute | BodySection


@dataclass(frozen=True, slots=True)
class Fetch(Command):
    """FETCH; the macros ALL, FAST and FULL are expanded; repeated items are kept once."""

    messages: SequenceSet
    items: tuple[FetchItem, ...]
    uid: bool = False
    changed_since: int | None = None
    vanished: bool = False


# STORE ---------------------------------------------------------------------------------------------------------------


class StoreMode(Enum):
    """What STORE does with its flags; the value is the prefix on the wire."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class Store(Command):
    """STORE; with ``uid``, UID STORE. Flags are as the client wrote them."""

    messages: SequenceSet
    mode: StoreMode
    flags: tuple[str, ...]
    silent: bool = False
    uid: bool = False
    unchanged_since: int | None = None


# SEARCH --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Search(Command):
    """SEARCH; ``returns`` is None without RETURN, else its options, upper case (``ALL`` where the list was empty).

    ``charset`` is upper case, or None; strings in ``key`` are the octets as sent. The top level is one key:
    a single one, or :class:`KeyAnd` of several.
    """

    key: SearchKey
    uid: bool = False
    returns: frozenset[str] | None = None
    charset: str | None = None
