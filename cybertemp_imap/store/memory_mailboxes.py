"""The mailboxes of a store in memory: which there are, whose they are, and who is told that they have changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from itertools import count
from uuid import UUID

from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.naming import (
    ACCOUNT_PREFIX,
    INBOX,
    LIMITED_PREFIX,
    SPECIAL_USES,
    account_key,
    is_name_of,
    limited_key,
)
from cybertemp_imap.store.memory_addresses import MemoryAddresses
from cybertemp_imap.store.memory_mailbox import MemoryMailbox
from cybertemp_imap.store.memory_tables import Place
from cybertemp_imap.store.values import MailboxEntry, MailboxRef

Observer = Callable[[Collection[int] | None], None]


class MemoryMailboxes(MemoryAddresses):
    """The part of the store in memory that knows the mailboxes. One has a number once it was created or opened."""

    def __init__(self) -> None:
        super().__init__()
        self.available = True
        self._mailboxes: dict[int, MemoryMailbox] = {}
        self._observers: list[Observer] = []
        self._numbers = count(1)
        # From the clock, so that a client that knew an earlier store takes nothing here for the same.
        self._uid_validities = count(int(time.time()))

    def add_folder(self, owner: str, folder: str, special_use: str | None = None) -> None:
        """Create a folder under somebody's address or an account's key."""
        user_id = UUID(owner[len(ACCOUNT_PREFIX) :]) if owner.startswith(ACCOUNT_PREFIX) else self.addresses[owner]
        assert user_id is not None, "nobody's address"
        self._make(user_id, owner, folder, special_use)

    @property
    def listening(self) -> bool:
        """Whether changes are told: as long as the store can be reached."""
        return self.available

    def observe(self, observer: Observer) -> None:
        """Have changes by others told: numbers of mailboxes, or None for all."""
        self._observers.append(observer)

    async def heard_all(self) -> bool:
        """Have mailboxes refreshed, which costs nothing here."""
        return False

    async def list_mailboxes(self, user_id: UUID) -> Sequence[MailboxEntry]:
        """Return every mailbox of a user whose name a client can use."""
        self._reach()
        self._ensure_account(user_id)
        addresses = set(self.addresses_of(user_id))
        found: dict[Place, str | None] = {(address, INBOX): None for address in addresses}
        found.update({place: None for place in self.places if place[0] in addresses and self.mail_at(user_id, place)})
        held = (box for box in self._mailboxes.values() if box.user_id == user_id and self._owns(user_id, box.owner))
        found.update({(box.owner, box.folder): box.special_use for box in held})
        return [MailboxEntry(*place, use) for place, use in found.items() if is_name_of(user_id, *place)]

    async def find_mailbox(self, user_id: UUID, owner: str, folder: str) -> MailboxRef | None:
        """Find a mailbox that the user may open, or None."""
        self._reach()
        box = self._find(user_id, owner, folder)
        return None if box is None else MailboxRef(user_id, box.id)

    async def limited_inbox(self, user_id: UUID, token_id: UUID) -> MailboxRef:
        """Find the INBOX of a limited token."""
        self._reach()
        owner = limited_key(token_id)
        box = self._made(user_id, owner, INBOX) or self._make(user_id, owner, INBOX)
        return MailboxRef(user_id, box.id)

    # -- within -------------------------------------------------------------------------------------------------------

    def _reach(self) -> None:
        if not self.available:
            raise StoreUnavailable

    def _owns(self, user_id: UUID, owner: str) -> bool:
        if owner.startswith(LIMITED_PREFIX):
            return self._made(user_id, owner, INBOX) is not None
        return owner == account_key(user_id) or (self.addresses.get(owner) == user_id and self._is_open(owner))

    def _make(self, user_id: UUID, owner: str, folder: str, special_use: str | None = None) -> MemoryMailbox:
        number = next(self._numbers)
        box = MemoryMailbox(user_id, owner, folder, number, next(self._uid_validities), special_use)
        self._mailboxes[number] = box
        return box

    def _made(self, user_id: UUID, owner: str, folder: str) -> MemoryMailbox | None:
        key = (user_id, owner, folder)
        return next((box for box in self._mailboxes.values() if (box.user_id, box.owner, box.folder) == key), None)

    def _ensure_account(self, user_id: UUID) -> None:
        """Make INBOX and the special-use folders of an account, once."""
        owner = account_key(user_id)
        if self._made(user_id, owner, INBOX) is None:
            for folder, use in {INBOX: None, **SPECIAL_USES}.items():
                if self._made(user_id, owner, folder) is None:
                    self._make(user_id, owner, folder, use)

    def _find(self, user_id: UUID, owner: str, folder: str) -> MemoryMailbox | None:
        """Return a mailbox of the user's; that of an address is made when there is mail for it."""
        if not self._owns(user_id, owner):
            return None
        if owner == account_key(user_id):
            self._ensure_account(user_id)
        found = self._made(user_id, owner, folder)
        if found is None and "@" in owner and (folder == INBOX or self.mail_at(user_id, (owner, folder))):
            return self._make(user_id, owner, folder)
        return found

    def _open(self, mailbox: MailboxRef) -> MemoryMailbox | None:
        """Return a mailbox as last refreshed; None when it is not, or no longer, that user's."""
        self._reach()
        box = self._mailboxes.get(mailbox.id)
        return box if box and box.user_id == mailbox.user_id and self._owns(box.user_id, box.owner) else None

    def _still_open(self, mailbox: MailboxRef) -> MemoryMailbox:
        """Return a mailbox as last refreshed; raises NO_SUCH_MAILBOX when it is not, or no longer, that user's."""
        box = self._open(mailbox)
        if box is None:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        return box

    def _refreshed(self, mailbox: MailboxRef) -> MemoryMailbox | None:
        box = self._open(mailbox)
        if box is not None and box.seen_version != self.version:
            box.take_in(self.visible(box.user_id, self._places_of(box)))
            box.seen_version = self.version
        return box

    def _places_of(self, box: MemoryMailbox) -> list[Place]:
        """Return where a mailbox's mail is kept: that of an account's INBOX in all its addresses' as well."""
        if box.owner.startswith(LIMITED_PREFIX):
            limits = self.limits.get(UUID(box.owner[len(LIMITED_PREFIX) :]))
            within = (limits and limits.addresses) or ()
            return [(address, INBOX) for address in self.addresses_of(box.user_id) if address in within]
        own = [(box.owner, box.folder)]
        if box.owner != account_key(box.user_id) or box.folder != INBOX:
            return own
        return own + [(address, INBOX) for address in self.addresses_of(box.user_id)]

    # -- who is told --------------------------------------------------------------------------------------------------

    def _concerned(self, email_id: UUID) -> set[int]:
        if not self._observers:
            return set()
        place = self.emails[email_id].place
        opened = (box for box in self._mailboxes.values() if box.seen_version >= 0)
        return {box.id for box in opened if email_id in box.uids or place in self._places_of(box)}

    def _tell(self, mailboxes: Collection[int] | None) -> None:
        if mailboxes is None or mailboxes:
            for observer in self._observers:
                observer(mailboxes)

    def _address_changed(self, address: str, users: Collection[UUID]) -> None:
        boxes = (box for box in self._mailboxes.values() if box.user_id in users)
        inboxes = {(account_key(user), INBOX) for user in users}
        self._tell(
            [
                box.id
                for box in boxes
                if box.owner == address or (box.owner, box.folder) in inboxes or box.owner.startswith(LIMITED_PREFIX)
            ]
        )

    def _limits_changed(self, token_id: UUID) -> None:
        boxes = [box.id for box in self._mailboxes.values() if box.owner == limited_key(token_id)]
        if token_id not in self.limits:
            for number in boxes:
                del self._mailboxes[number]
        self._tell(boxes)
