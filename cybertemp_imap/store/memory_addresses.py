"""Addresses and domains in memory: who has which, who had it before, and whose mail is whose."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from cybertemp_imap.rules.holding import Holding, holder_of
from cybertemp_imap.store.memory_tables import MemoryTables, Place, StoredEmail
from cybertemp_imap.store.values import DomainRow


class MemoryAddresses(MemoryTables):
    """The tables ``inbox`` and ``domains``. Addresses compare without case."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: dict[str, UUID | None] = {}
        self.domains: list[DomainRow] = []
        self._holdings: dict[str, list[Holding]] = {}
        self._belonging: dict[UUID, UUID] = {}

    def add_domain(
        self, domain: str, user_id: UUID | None = None, *, active: bool = True, cloudflare: bool = False
    ) -> None:
        """Add a domain."""
        self.domains.append(DomainRow(domain, user_id, active, cloudflare))

    def add_address(self, user_id: UUID | None, address: str) -> None:
        """Give an address to a user, or to nobody."""
        self._give(address.lower(), user_id)

    def remove_address(self, address: str) -> None:
        """Take an address away; its mail stays where it is."""
        self._give(address.lower(), None)
        self.addresses.pop(address.lower(), None)

    def _give(self, address: str, user_id: UUID | None) -> None:
        former = self.addresses.get(address)
        self.addresses[address] = user_id
        if former != user_id:
            self._note_holding(address, user_id)
        self.version += 1
        self._address_changed(address, {user for user in (former, user_id) if user is not None})

    def _note_holding(self, address: str, user_id: UUID | None) -> None:
        now = datetime.now(UTC)
        held = self._holdings.setdefault(address, [])
        if held and held[-1].until is None:
            former = held[-1].user_id
            held[-1] = Holding(former, now)
            # What another clock has given a time to come was here nevertheless.
            for place, emails in self.places.items():
                for email_id, email in emails.items() if place[0] == address else ():
                    if email.row.created_at is not None and email.row.created_at >= now:
                        self._belonging.setdefault(email_id, former)
        if user_id is not None:
            held.append(Holding(user_id))

    def addresses_of(self, user_id: UUID) -> list[str]:
        """Return the addresses that a user owns and may open, in lower case."""
        return [address for address, owner in self.addresses.items() if owner == user_id and self._is_open(address)]

    def _is_open(self, address: str) -> bool:
        return not self.address_bans.forbids_opening(address)

    # -- whose mail is whose ------------------------------------------------------------------------------------------

    def belongs(self, user_id: UUID, email: StoredEmail) -> bool:
        """Tell whether a message is a user's, who has its address now."""
        holder = self._belonging.get(email.row.id)
        if holder is None:
            holder = holder_of(self._holdings.get(email.place[0], ()), email.row.created_at)
        return holder in (None, user_id)

    def note_belonging(self, user_id: UUID, email_id: UUID) -> None:
        """Remember that a user has put a message under an address."""
        self._belonging[email_id] = user_id

    def mail_at(self, user_id: UUID, place: Place) -> dict[UUID, StoredEmail]:
        """Return the messages of a user's that are kept in a place, those of banned senders among them."""
        found = self.places.get(place, {})
        return {email_id: email for email_id, email in found.items() if self.belongs(user_id, email)}

    def visible(self, user_id: UUID, places: Iterable[Place]) -> dict[UUID, StoredEmail]:
        """Return the messages of a user's that are kept in some places, without those of banned senders."""
        return {
            email_id: email
            for place in places
            for email_id, email in self.mail_at(user_id, place).items()
            if not self.sender_bans.hides(email.row.from_addr)
        }
