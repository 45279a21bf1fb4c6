"""The values that are given to a store, and that it gives (:mod:`cybertemp_imap.store.interface`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID


@dataclass(frozen=True, slots=True)
class TokenLimits:
    """What a token may do less than its account.

    ``addresses``, in lower case, are all that it reaches, None all of the account's; a token that is ``read_only``
    changes nothing; ``expires_at`` is aware, and counts besides that of the token itself.
    """

    addresses: frozenset[str] | None = None
    read_only: bool = False
    expires_at: datetime | None = None


NO_LIMITS = TokenLimits()
"""Of a token that may do what its account may."""


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """What is known of a token and the account it belongs to; no judgement is made here.

    ``email`` is the account's address as stored; ``subscription_end`` and ``expires_at`` are aware or None.
    """

    token_id: UUID
    user_id: UUID
    email: str
    expires_at: datetime | None
    subscription_status: str | None
    subscription_end: datetime | None
    limits: TokenLimits = NO_LIMITS


@dataclass(frozen=True, slots=True)
class MailboxEntry:
    """One mailbox in a user's list.

    ``owner`` is an address (lower case) or the account's own key (:func:`cybertemp_imap.naming.account_key`),
    ``folder`` the folder under it (``INBOX``, ``Archive``, ``Work/2024``).
    """

    owner: str
    folder: str
    special_use: str | None = None


@dataclass(frozen=True, slots=True)
class MailboxRef:
    """A mailbox that exists, as found for one user."""

    user_id: UUID
    id: int


@dataclass(frozen=True, slots=True)
class MailboxHead:
    """The numbers of a mailbox after a refresh (RFC 9051 section 2.3.1.1, RFC 7162 section 3.1.2)."""

    uid_validity: int
    uid_next: int
    highest_mod_seq: int
    settled: bool = field(default=True, compare=False)
    """Whether every change from now on is told; only a refresh says that it is not so yet. It depends on what other
    transactions there are at the moment, in any database, so equal heads may differ in it.
    """


class MessageState(NamedTuple):
    """What a session must know of a message: ``flags`` in the order stored; two equal tuples may be one object."""

    uid: int
    flags: tuple[str, ...]
    mod_seq: int


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """Counts for STATUS (RFC 9051 section 6.3.11). ``size`` is in octets, None when it was not asked for."""

    head: MailboxHead
    messages: int
    unseen: int
    deleted: int
    recent: int
    size: int | None


class Metadata(NamedTuple):
    """What FETCH answers without touching a message's text; the wire forms are as in :mod:`cybertemp_imap.rendition`.

    ``email_id`` is printed as usual for a UUID; ``internal_date`` is its wire form without quotes:
    ``17-Jul-1996 02:44:25 +0000``.
    """

    uid: int
    email_id: str
    internal_date: bytes
    size: int
    envelope: bytes
    body: bytes
    body_structure: bytes


class DomainRow(NamedTuple):
    """A row of ``domains`` as stored; ``user_id`` is None for a domain that no user owns."""

    domain: str
    user_id: UUID | None
    active: bool
    cloudflare: bool


class BanRow(NamedTuple):
    """A row of ``bans`` as stored."""

    scope: str
    value: str
    match_type: str
    status: str


class FlagMode:
    """How :meth:`Store.store_flags` combines flags; the values are those of the STORE command."""

    REPLACE = ""
    ADD = "+"
    REMOVE = "-"


@dataclass(frozen=True, slots=True)
class FlagChange:
    """The outcome of :meth:`Store.store_flags`.

    ``messages``: the state of every message named that is still there and was not held back by ``unchanged_since``,
    whether its flags changed or not, by ascending UID. ``modified``: UIDs held back, ascending (RFC 7162 section
    3.1.3). ``head``: the mailbox's numbers after it. ``taken``: the mod-sequence that the change took, or None where
    nothing has changed.
    """

    head: MailboxHead
    messages: Sequence[MessageState]
    modified: Sequence[int]
    taken: int | None


@dataclass(frozen=True, slots=True)
class Expunged:
    """The outcome of :meth:`Store.expunge`: UIDs removed, ascending, and the mailbox's numbers after it."""

    head: MailboxHead
    uids: Sequence[int]


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that APPEND adds; all its octets but ``rest`` were given to :meth:`Store.upload` before under ``id``.

    ``size`` is the number of them all. ``subject``, ``body``, ``html``, ``from_addr`` and ``to_addrs`` are the decoded
    text that other programs read; flags are as the client wrote them.
    """

    id: UUID
    size: int
    flags: tuple[str, ...]
    internal_date: datetime
    subject: str = ""
    body: str = ""
    html: str | None = None
    from_addr: str = ""
    to_addrs: tuple[str, ...] = ()
    rest: bytes = b""


@dataclass(frozen=True, slots=True)
class Called:
    """What a mailbox is to be called: a folder, below any of these owners, which are spellings of one."""

    owners: tuple[str, ...]
    folder: str
