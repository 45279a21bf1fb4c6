"""Changing mailboxes in memory: folders, APPEND, COPY and MOVE. What is refused is refused before anything is done."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID, uuid4

from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.naming import DELIMITER, INBOX, is_name_of
from cybertemp_imap.store.memory_mailbox import MemoryMailbox
from cybertemp_imap.store.memory_mailboxes import MemoryMailboxes
from cybertemp_imap.store.memory_tables import StoredEmail, at
from cybertemp_imap.store.receiving import Delivery, ReceivedMessage
from cybertemp_imap.store.values import Called, MailboxRef, NewMessage


class MemoryWriter(MemoryMailboxes):
    """The part of the store in memory that changes mailboxes. The quotas are how many of them a user may have."""

    def __init__(self, folder_quota: int, address_quota: int) -> None:
        super().__init__()
        self.folder_quota = folder_quota
        self.address_quota = address_quota
        self._uploads: dict[UUID, dict[int, bytes]] = {}

    # -- addresses ----------------------------------------------------------------------------------------------------

    async def create_address(self, user_id: UUID, address: str) -> MailboxRef:
        """Create or claim an address; see the interface."""
        self._reach()
        if self.address_bans.forbids_creating(address):
            raise Refused(Refusal.ADDRESS_NOT_ALLOWED)
        holder = self.addresses.get(address)
        if holder == user_id:
            raise Refused(Refusal.ALREADY_EXISTS)
        if sum(owner == user_id for owner in self.addresses.values()) >= self.address_quota:
            raise Refused(Refusal.ADDRESS_QUOTA)
        if holder is not None:
            raise Refused(Refusal.ALREADY_EXISTS)
        self.add_address(user_id, address)
        made = self._find(user_id, address, INBOX)
        assert made is not None
        return MailboxRef(user_id, made.id)

    async def delete_address(self, user_id: UUID, address: str) -> None:
        """Give an address back; see the interface."""
        box = None if "@" not in address else self._find(user_id, address, INBOX)
        if box is None:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        if any(entry.owner == address and entry.folder != INBOX for entry in await self.list_mailboxes(user_id)):
            raise Refused(Refusal.HAS_CHILDREN)
        self.remove_address(address)
        del self._mailboxes[box.id]

    # -- folders ------------------------------------------------------------------------------------------------------

    async def create_folder(self, user_id: UUID, owner: str, folder: str, special_use: str | None) -> MailboxRef:
        """Create a folder; see the interface."""
        self._reach()
        if not self._owns(user_id, owner):
            raise Refused(Refusal.NO_PERMISSION)
        self._ensure_account(user_id)
        if not is_name_of(user_id, owner, folder):
            raise Refused(Refusal.CANNOT)
        if self._find(user_id, owner, folder) is not None:
            raise Refused(Refusal.ALREADY_EXISTS)
        mine = [box for box in self._mailboxes.values() if box.user_id == user_id]
        if special_use is not None and any(box.special_use == special_use for box in mine):
            raise Refused(Refusal.CANNOT)
        if sum(box.folder != INBOX for box in mine) >= self.folder_quota:
            raise Refused(Refusal.OVER_QUOTA)
        return MailboxRef(user_id, self._make(user_id, owner, folder, special_use).id)

    async def delete_folder(self, user_id: UUID, owner: str, folder: str) -> None:
        """Delete a folder with its messages; see the interface."""
        self._reach()
        if folder == INBOX:
            raise Refused(Refusal.CANNOT)
        box = self._find(user_id, owner, folder)
        if box is None:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        for email_id in self.mail_at(user_id, (owner, folder)):
            self._remove(email_id)
        del self._mailboxes[box.id]
        self._tell({box.id})

    async def rename_folder(self, user_id: UUID, owner: str, folder: str, new_owner: str, new_folder: str) -> None:
        """Rename a folder and all below it; see the interface."""
        self._reach()
        if INBOX in (folder, new_folder):
            raise Refused(Refusal.CANNOT)
        if not self._owns(user_id, new_owner):
            raise Refused(Refusal.NO_PERMISSION)
        boxes = self._within(user_id, owner, folder)
        if not boxes:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        if owner == new_owner and new_folder.startswith(folder + DELIMITER):
            raise Refused(Refusal.CANNOT)
        targets = [new_folder + box.folder[len(folder) :] for box in boxes]
        if not all(is_name_of(user_id, new_owner, target) for target in targets):
            raise Refused(Refusal.CANNOT)
        taken = [self._find(user_id, new_owner, target) for target in targets if new_folder != folder]
        if self._find(user_id, new_owner, new_folder) or any(box and box not in boxes for box in taken):
            raise Refused(Refusal.ALREADY_EXISTS)
        mail = [self.mail_at(user_id, (box.owner, box.folder)) for box in boxes]
        for box, target, email_ids in zip(boxes, targets, mail, strict=True):
            box.owner, box.folder = new_owner, target
            for email_id in email_ids:
                self._relocate(email_id, (new_owner, target))
                self.note_belonging(user_id, email_id)

    async def rename_inbox(self, inbox: MailboxRef, new_owner: str, new_folder: str) -> MailboxRef:
        """Move all messages of INBOX to a new folder; see the interface."""
        box = self._there(inbox)
        made = await self.create_folder(inbox.user_id, new_owner, new_folder, None)
        await self.move(inbox, sorted(box.messages), made)
        return made

    def _within(self, user_id: UUID, owner: str, folder: str) -> list[MemoryMailbox]:
        """Return the mailboxes of a folder and all below it, those included that exist by their mail alone."""
        self._find(user_id, owner, folder)
        made = {(box.owner, box.folder) for box in self._mailboxes.values() if box.user_id == user_id}
        places = [
            place
            for place in made | set(self.places)
            if place[0] == owner and f"{place[1]}{DELIMITER}".startswith(folder + DELIMITER)
        ]
        return [box for place in places if (box := self._find(user_id, *place)) is not None]

    # -- messages -----------------------------------------------------------------------------------------------------

    async def upload(self, message_id: UUID, piece: int, octets: bytes) -> None:
        """Keep a piece of a message on its way in; see the interface."""
        self._reach()
        self._uploads.setdefault(message_id, {})[piece] = octets

    async def discard(self, message_ids: Sequence[UUID]) -> None:
        """Forget messages that were on their way in; see the interface."""
        self._reach()
        for message_id in message_ids:
            self._uploads.pop(message_id, None)

    async def append(
        self, mailbox: MailboxRef, messages: Sequence[NewMessage], called: Called | None = None
    ) -> Sequence[int]:
        """Add messages; see the interface."""
        self._reach()
        if any(self.sender_bans.hides(message.from_addr) for message in messages):
            raise Refused(Refusal.NO_PERMISSION)
        box = self._there(mailbox)
        if called is not None and (box.owner not in called.owners or box.folder != called.folder):
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        pieces = [sorted(self._uploads.get(message.id, {}).items()) for message in messages]
        sources = [
            b"".join([*(piece for _, piece in each), message.rest])
            for each, message in zip(pieces, messages, strict=True)
        ]
        if any(len(source) != message.size for source, message in zip(sources, messages, strict=True)):
            raise StoreUnavailable("Pieces of a message were lost.")
        await self.discard([message.id for message in messages])
        rows = [_row(message, box, source) for source, message in zip(sources, messages, strict=True)]
        added = [StoredEmail(row, message.flags) for row, message in zip(rows, messages, strict=True)]
        return self._add(box, added)

    async def is_banned(self, address: str) -> bool:
        """Ask about an address and its domain; see the interface."""
        self._reach()
        return self.address_bans.forbids_creating(address)

    async def receive(self, message: ReceivedMessage, deliveries: Sequence[Delivery]) -> None:
        """Deliver a message; see the interface."""
        self._reach()
        pieces = sorted(self._uploads.get(message.id, {}).items()) if message.pieces else []
        octets = b"".join([*(piece for _, piece in pieces), message.rest])
        if len(octets) != message.size:
            raise Refused(Refusal.CANNOT)
        for delivery in deliveries:
            if delivery.id not in self.emails:
                self.addresses.setdefault(delivery.address, None)
                self.deliver(_received(message, delivery, octets))

    async def copy(self, source: MailboxRef, uids: Sequence[int], target: MailboxRef) -> Sequence[tuple[int, int]]:
        """Copy messages; see the interface."""
        box, other = self._there(source), self._there(MailboxRef(source.user_id, target.id))
        present = [uid for uid in uids if uid in box.messages]
        originals = [self.emails[box.messages[uid].email_id] for uid in present]
        place = (other.owner, other.folder)
        copies = [StoredEmail(at(email.row, uuid4(), place), email.flags, email.identity) for email in originals]
        return list(zip(present, self._add(other, copies), strict=True))

    async def move(self, source: MailboxRef, uids: Sequence[int], target: MailboxRef) -> Sequence[tuple[int, int]]:
        """Move messages; see the interface."""
        box, other = self._there(source), self._there(MailboxRef(source.user_id, target.id))
        present = [uid for uid in uids if uid in box.messages]
        ids = [box.messages[uid].email_id for uid in present]
        if not ids:
            return []
        # A message that stays visible where it is moved from, as between INBOX and its address, cannot be moved.
        place = (other.owner, other.folder)
        if place in self._places_of(box) or any(email_id in other.uids for email_id in ids):
            raise Refused(Refusal.CANNOT)
        concerned: set[int] = set()
        for email_id in ids:
            concerned |= self._concerned(email_id)
            self._relocate(email_id, place)
            concerned |= self._concerned(email_id)
            self.note_belonging(source.user_id, email_id)
        box.drop(present)
        moved = other.add([self.emails[email_id] for email_id in ids])
        self._tell(concerned - {box.id, other.id})
        return list(zip(present, moved, strict=True))

    def _there(self, mailbox: MailboxRef) -> MemoryMailbox:
        """Return a mailbox of the user's, up to date; raises NO_SUCH_MAILBOX."""
        box = self._refreshed(mailbox)
        if box is None:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        return box

    def _add(self, box: MemoryMailbox, emails: Sequence[StoredEmail]) -> list[int]:
        """Put new messages into a mailbox; return their UIDs."""
        if not emails:
            return []
        concerned: set[int] = set()
        for email in emails:
            self._insert(email)
            self.note_belonging(box.user_id, email.row.id)
            concerned |= self._concerned(email.row.id)
        uids = box.add(emails)
        self._tell(concerned - {box.id})
        return uids


def _row(message: NewMessage, box: MemoryMailbox, source: bytes) -> EmailRow:
    return EmailRow(
        id=message.id,
        owner=box.owner,
        folder=box.folder,
        subject=message.subject,
        body=message.body,
        html=message.html,
        from_addr=message.from_addr,
        to_addrs=message.to_addrs,
        timestamp=message.internal_date,
        created_at=datetime.now(UTC),
        source=source,
    )


def _received(message: ReceivedMessage, delivery: Delivery, octets: bytes) -> EmailRow:
    return EmailRow(
        id=delivery.id,
        owner=delivery.address,
        folder=INBOX,
        subject=message.subject,
        body=message.body,
        html=message.html,
        from_addr=message.from_addr,
        to_addrs=message.to_addrs,
        timestamp=message.received_at,
        created_at=datetime.now(UTC),
        source=delivery.trace + octets,
    )
