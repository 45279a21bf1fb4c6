"""What other programs keep of the service, held in memory: users, tokens, addresses, mail and bans.

The methods here are the things that a test, or a website and a mail receiver, would do to the tables; they take effect
at once, and mailboxes notice at their next refresh.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.rules.bans import EXACT, AddressBans, Ban, SenderBans
from cybertemp_imap.store.values import TokenLimits

HASHED_PREFIX = "sha256:"

Place = tuple[str, str]
"""An owner and a folder."""


@dataclass(slots=True)
class User:
    """A row of ``users``."""

    email: str
    subscription_status: str | None
    subscription_end: datetime | None


@dataclass(slots=True)
class Token:
    """A row of ``imap_tokens``; ``stored`` is the token or its hash."""

    user_id: UUID
    stored: str
    expires_at: datetime | None
    last_used_at: datetime | None = None


@dataclass(slots=True)
class StoredEmail:
    """A row of ``emails``; ``flags`` are as any program left them, ``original`` is what a copy was first made of."""

    row: EmailRow
    flags: tuple[str | None, ...]
    original: UUID | None = None

    @property
    def identity(self) -> UUID:
        """What a message and its copies have in common."""
        return self.original or self.row.id

    @property
    def place(self) -> Place:
        """The owner, in lower case, and the folder."""
        return self.row.owner.lower(), self.row.folder


def hashed_token(token: str) -> str:
    """Return the form in which a token is kept hashed."""
    return HASHED_PREFIX + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class MemoryTables:
    """The service's tables. Addresses and owners of mail compare without case."""

    def __init__(self) -> None:
        self.users: dict[UUID, User] = {}
        self.tokens: dict[UUID, Token] = {}
        self.limits: dict[UUID, TokenLimits] = {}
        self.emails: dict[UUID, StoredEmail] = {}
        self.places: dict[Place, dict[UUID, StoredEmail]] = {}
        self.bans: dict[UUID, Ban] = {}
        self.sender_bans = SenderBans()
        self.address_bans = AddressBans()
        self._bans_elsewhere: list[Ban] | None = None
        self.version = 0
        """Rises with everything that a mailbox may have to take in."""

    # -- accounts -----------------------------------------------------------------------------------------------------

    def add_user(
        self, email: str, subscription_status: str | None = "active", subscription_end: datetime | None = None
    ) -> UUID:
        """Add an account and return its id."""
        user_id = uuid4()
        self.users[user_id] = User(email, subscription_status, subscription_end)
        return user_id

    def add_token(self, user_id: UUID, token: str, expires_at: datetime | None = None, hashed: bool = False) -> UUID:
        """Add a token, kept as it is or hashed, and return its id."""
        token_id = uuid4()
        self.tokens[token_id] = Token(user_id, hashed_token(token) if hashed else token, expires_at)
        return token_id

    def remove_token(self, token_id: UUID) -> None:
        """Remove a token; its limits stay, as those of a token that is kept elsewhere."""
        del self.tokens[token_id]

    def limit_token(
        self,
        token_id: UUID,
        addresses: Iterable[str] | None = None,
        read_only: bool = False,
        expires_at: datetime | None = None,
    ) -> None:
        """Limit a token, or limit it otherwise."""
        reached = None if addresses is None else frozenset(address.lower() for address in addresses)
        self.limits[token_id] = TokenLimits(reached, read_only, expires_at)
        self.version += 1
        self._limits_changed(token_id)

    def unlimit_token(self, token_id: UUID) -> None:
        """Take a token's limits away."""
        self.limits.pop(token_id, None)
        self._limits_changed(token_id)

    def set_subscription(self, user_id: UUID, status: str | None, end: datetime | None = None) -> None:
        """Change an account's subscription."""
        self.users[user_id] = replace(self.users[user_id], subscription_status=status, subscription_end=end)

    def last_used(self, token_id: UUID) -> datetime | None:
        """Return when a token was last logged in with."""
        return self.tokens[token_id].last_used_at

    # -- mail ---------------------------------------------------------------------------------------------------------

    def deliver(self, row: EmailRow, flags: Iterable[str | None] | None = ()) -> None:
        """Add a message."""
        self._insert(StoredEmail(row, tuple(flags or ())))
        self._tell(self._concerned(row.id))

    def flags_of(self, email_id: UUID) -> tuple[str | None, ...]:
        """Return the flags of a message as stored."""
        return self.emails[email_id].flags

    def set_flags_elsewhere(self, email_id: UUID, flags: Iterable[str | None] | None) -> None:
        """Replace the flags of a message, as another program would."""
        self.emails[email_id].flags = tuple(flags or ())
        self.version += 1
        self._tell(self._concerned(email_id))

    def delete_elsewhere(self, email_id: UUID) -> None:
        """Delete a message, as another program would."""
        concerned = self._concerned(email_id)
        self._remove(email_id)
        self._tell(concerned)

    def _insert(self, email: StoredEmail) -> None:
        self.emails[email.row.id] = email
        self.places.setdefault(email.place, {})[email.row.id] = email
        self.version += 1

    def _remove(self, email_id: UUID) -> StoredEmail:
        email = self.emails.pop(email_id)
        del self.places[email.place][email_id]
        if not self.places[email.place]:
            del self.places[email.place]
        self.version += 1
        return email

    def _relocate(self, email_id: UUID, place: Place) -> None:
        """Put a message elsewhere; its octets stay what they are."""
        email = self._remove(email_id)
        self._insert(StoredEmail(at(email.row, email_id, place), email.flags, email.original))

    # -- bans ---------------------------------------------------------------------------------------------------------

    def ban(
        self, scope: str | None, value: str | None, match_type: str | None = EXACT, status: str | None = "active"
    ) -> UUID:
        """Add a ban as it would be stored and return its id."""
        ban_id = uuid4()
        self.bans[ban_id] = Ban(scope, value, match_type, status)
        self._bans_changed()
        return ban_id

    def lift(self, ban_id: UUID) -> None:
        """Make a ban inactive."""
        ban = self.bans[ban_id]
        self.bans[ban_id] = Ban(ban.scope, ban.value, ban.match_type, "inactive")
        self._bans_changed()

    def _have_in_force(self, elsewhere: list[Ban] | None) -> None:
        """Have bans that are kept elsewhere in force, or with None those of the table."""
        self._bans_elsewhere = elsewhere
        self._bans_changed()

    def _bans_changed(self) -> None:
        in_force = list(self.bans.values()) if self._bans_elsewhere is None else self._bans_elsewhere
        bans = SenderBans.of(in_force), AddressBans.of(in_force)
        if bans != (self.sender_bans, self.address_bans):
            self.sender_bans, self.address_bans = bans
            self.version += 1
            self._tell(None)

    # -- who is told --------------------------------------------------------------------------------------------------

    def _concerned(self, email_id: UUID) -> set[int]:
        """Return the numbers of the opened mailboxes that a change of a message concerns."""
        return set()

    def _address_changed(self, address: str, users: Collection[UUID]) -> None:
        """Tell of an address that these users have now or had before."""

    def _limits_changed(self, token_id: UUID) -> None:
        """Have what the INBOX of a token shows follow its limits, which are gone with them."""

    def _tell(self, mailboxes: Collection[int] | None) -> None:
        """Tell of a change to these mailboxes, or to any."""


def at(row: EmailRow, email_id: UUID, place: Place) -> EmailRow:
    """Return a row for a message in another place, or of another id, that has the octets of this one."""
    return replace(row, id=email_id, owner=place[0], folder=place[1], source=render(row))
