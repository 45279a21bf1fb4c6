"""What other programs keep of the service, held in memory: users, tokens, addresses, mail and bans.

The methods here are the things that a test, or a website and a mail receiver, would do to the tables; they take effect
at once, and mailboxes notice at their next refresh.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.rules.bans import EXACT, Ban, SenderBans

HASHED_PREFIX = "sha256:"


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
    """A row of ``emails``; ``flags`` are as any program left them."""

    row: EmailRow
    flags: tuple[str | None, ...]


def hashed_token(token: str) -> str:
    """Return the form in which a token is kept hashed."""
    return HASHED_PREFIX + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


class MemoryTables:
    """The service's tables. Addresses and owners of mail compare without case."""

    def __init__(self) -> None:
        self.users: dict[UUID, User] = {}
        self.tokens: dict[UUID, Token] = {}
        self.addresses: dict[str, UUID | None] = {}
        self.emails: dict[UUID, StoredEmail] = {}
        self.places: dict[tuple[str, str], dict[UUID, StoredEmail]] = {}
        self.bans: dict[UUID, Ban] = {}
        self.sender_bans = SenderBans()
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

    def last_used(self, token_id: UUID) -> datetime | None:
        """Return when a token was last logged in with."""
        return self.tokens[token_id].last_used_at

    def add_address(self, user_id: UUID | None, address: str) -> None:
        """Give an address to a user, or to nobody."""
        self.addresses[address.lower()] = user_id
        self.version += 1

    def remove_address(self, address: str) -> None:
        """Take an address away; its mail stays where it is."""
        self.addresses.pop(address.lower(), None)
        self.version += 1

    def addresses_of(self, user_id: UUID) -> list[str]:
        """Return the addresses that a user owns, in lower case."""
        return [address for address, owner in self.addresses.items() if owner == user_id]

    # -- mail ---------------------------------------------------------------------------------------------------------

    def deliver(self, row: EmailRow, flags: Iterable[str | None] | None = ()) -> None:
        """Add a message."""
        email = self.emails[row.id] = StoredEmail(row, tuple(flags or ()))
        self.places.setdefault((row.owner.lower(), row.folder), {})[row.id] = email
        self.version += 1

    def flags_of(self, email_id: UUID) -> tuple[str | None, ...]:
        """Return the flags of a message as stored."""
        return self.emails[email_id].flags

    def set_flags_elsewhere(self, email_id: UUID, flags: Iterable[str | None] | None) -> None:
        """Replace the flags of a message, as another program would."""
        self.emails[email_id].flags = tuple(flags or ())
        self.version += 1

    def delete_elsewhere(self, email_id: UUID) -> None:
        """Delete a message, as another program would."""
        row = self.emails.pop(email_id).row
        place = (row.owner.lower(), row.folder)
        del self.places[place][email_id]
        if not self.places[place]:
            del self.places[place]
        self.version += 1

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

    def _bans_changed(self) -> None:
        self.sender_bans = SenderBans.of(self.bans.values())
        self.version += 1

    def visible(self, places: Iterable[tuple[str, str]]) -> dict[UUID, StoredEmail]:
        """Return the messages kept in some places, without those of banned senders."""
        return {
            email_id: email
            for place in places
            for email_id, email in self.places.get(place, {}).items()
            if not self.sender_bans.hides(email.row.from_addr)
        }
