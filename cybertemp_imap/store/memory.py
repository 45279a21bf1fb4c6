"""A store in memory: for tests, of this package and of others, and for trying things out.

It keeps the whole contract of :class:`cybertemp_imap.store.interface.Store`. Set it up with the methods of
:class:`~cybertemp_imap.store.memory_tables.MemoryTables`::

    store = MemoryStore()
    user = store.add_user("me@example.com")
    store.add_token(user, "secret")
    store.add_address(user, "box@example.com")
    store.deliver(EmailRow(...))

While ``available`` is false every method of the contract raises
:class:`~cybertemp_imap.errors.StoreUnavailable`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from uuid import UUID

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow, internal_date
from cybertemp_imap.naming import INBOX, SPECIAL_USES, account_key, is_name_of
from cybertemp_imap.rendition import Rendition, make_rendition
from cybertemp_imap.rules.flags import combine
from cybertemp_imap.store.interface import (
    Expunged,
    FlagChange,
    LoginRecord,
    MailboxEntry,
    MailboxHead,
    MailboxRef,
    MessageState,
    Metadata,
    StatusCounts,
)
from cybertemp_imap.store.memory_mailbox import MemoryMailbox
from cybertemp_imap.store.memory_tables import HASHED_PREFIX, MemoryTables, StoredEmail, hashed_token

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class MemoryStore(MemoryTables):
    """The store. Nothing in it waits: each method is one step, which no other can come into."""

    def __init__(self) -> None:
        super().__init__()
        self.available = True
        self._folders: dict[tuple[str, str], str | None] = {}
        self._subscriptions: dict[UUID, dict[str, bool]] = {}
        self._mailboxes: dict[int, MemoryMailbox] = {}
        self._mailbox_ids: dict[tuple[UUID, str, str], int] = {}
        self._renditions: dict[UUID, Rendition] = {}
        # From the clock, so that a client that knew an earlier store takes nothing here for the same.
        self._uid_validities = count(int(time.time()))

    def add_folder(self, owner: str, folder: str, special_use: str | None = None) -> None:
        """Create a folder under an address or an account's key."""
        self._folders[owner, folder] = special_use

    async def start(self) -> None:
        """Do nothing but fail while the store is not available."""
        self._reach()

    async def stop(self) -> None:
        """Do nothing; what is kept stays."""

    # -- accounts -----------------------------------------------------------------------------------------------------

    async def find_login(self, token: str) -> LoginRecord | None:
        """Return the record of a token as a person typed it, or None."""
        self._reach()
        wanted = {hashed_token(token)} if token.startswith(HASHED_PREFIX) else {token, hashed_token(token)}
        for token_id, kept in self.tokens.items():
            user = self.users.get(kept.user_id)
            if kept.stored in wanted and user is not None:
                return LoginRecord(
                    token_id,
                    kept.user_id,
                    user.email,
                    kept.expires_at,
                    user.subscription_status,
                    user.subscription_end,
                )
        return None

    async def touch_token(self, token_id: UUID) -> None:
        """Set when a token was last used to now."""
        self._reach()
        if token_id in self.tokens:
            self.tokens[token_id].last_used_at = datetime.now(UTC)

    # -- mailboxes ----------------------------------------------------------------------------------------------------

    async def list_mailboxes(self, user_id: UUID) -> Sequence[MailboxEntry]:
        """Return every mailbox of a user whose name a client can use."""
        self._reach()
        account, addresses = account_key(user_id), self.addresses_of(user_id)
        found: dict[tuple[str, str], str | None] = {(account, INBOX): None}
        found.update({(account, folder): use for folder, use in SPECIAL_USES.items()})
        found.update({(address, INBOX): None for address in addresses})
        owners = {account, *addresses}
        found.update({place: None for place in self.places if place[0] in owners and place not in found})
        found.update({place: use for place, use in self._folders.items() if place[0] in owners})
        return [MailboxEntry(*place, use) for place, use in found.items() if is_name_of(user_id, *place)]

    async def subscriptions(self, user_id: UUID) -> dict[str, bool]:
        """Return what the user has said by SUBSCRIBE and UNSUBSCRIBE, by mailbox name."""
        self._reach()
        return dict(self._subscriptions.get(user_id, {}))

    async def set_subscribed(self, user_id: UUID, name: str, subscribed: bool) -> None:
        """Keep what SUBSCRIBE or UNSUBSCRIBE said of a name."""
        self._reach()
        self._subscriptions.setdefault(user_id, {})[name] = subscribed

    async def find_mailbox(self, user_id: UUID, owner: str, folder: str) -> MailboxRef | None:
        """Find a mailbox that the user may open, or None."""
        self._reach()
        key = (user_id, owner, folder)
        if not self._owns(user_id, owner) or not (key in self._mailbox_ids or self._exists(user_id, owner, folder)):
            return None
        if key not in self._mailbox_ids:
            number = self._mailbox_ids[key] = len(self._mailboxes) + 1
            self._mailboxes[number] = MemoryMailbox(*key, id=number, uid_validity=next(self._uid_validities))
        return MailboxRef(user_id, self._mailbox_ids[key])

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Take in what has happened to the mailbox's mail; None when the user has the mailbox no longer."""
        box = self._refreshed(mailbox)
        return None if box is None else box.head()

    async def changes(self, mailbox: MailboxRef, since: int, after_uid: int, limit: int) -> Sequence[MessageState]:
        """Return messages whose ``mod_seq`` is above ``since`` and whose UID is above ``after_uid``."""
        box = self._open(mailbox)
        return [] if box is None else box.changes(since, after_uid, limit)

    async def expunged_since(self, mailbox: MailboxRef, since: int) -> Sequence[int]:
        """Return the UIDs expunged with a ``mod_seq`` above ``since``, ascending."""
        box = self._open(mailbox)
        return [] if box is None else box.expunged_since(since)

    async def claim_recent(self, mailbox: MailboxRef, *, claim: bool = True) -> int:
        """Return the first UID that no session has been told as ``\\Recent``."""
        box = self._open(mailbox)
        if box is None:
            return 1
        first = box.recent_uid
        if claim:
            box.recent_uid = box.uid_next
        return first

    async def status(self, mailbox: MailboxRef, with_size: bool) -> StatusCounts | None:
        """Refresh and count; None when the user has the mailbox no longer."""
        box = self._refreshed(mailbox)
        if box is None:
            return None
        flags = [state.flags for state in box.states()]
        return StatusCounts(
            head=box.head(),
            messages=len(flags),
            unseen=sum("\\Seen" not in each for each in flags),
            deleted=sum("\\Deleted" in each for each in flags),
            recent=sum(uid >= box.recent_uid for uid in box.messages),
            size=sum(self._rendition(self.emails[each]).size for each in box.uids) if with_size else None,
        )

    # -- messages -----------------------------------------------------------------------------------------------------

    async def metadata(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[Metadata]:
        """Return what FETCH answers without a message's text; expunged ones are left out."""
        return [self._metadata(uid, email) for uid, email in self._present(mailbox, uids)]

    async def headers(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Return (UID, header block with its empty line) by ascending UID."""
        return [(uid, self._rendition(email).header) for uid, email in self._present(mailbox, uids)]

    async def sources(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Return (UID, whole RFC 5322 message) by ascending UID."""
        return [(uid, render(email.row)) for uid, email in self._present(mailbox, uids)]

    async def weights(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Return (UID, about how many octets the message has) by ascending UID."""
        return [(uid, _weight(email.row)) for uid, email in self._present(mailbox, uids)]

    async def saved_dates(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, datetime, datetime]]:
        """Return (UID, internal date, date saved in this mailbox), aware, by ascending UID."""
        box = self._open(mailbox)
        return [
            (uid, internal_date(email.row), box.messages[uid].saved_at)
            for uid, email in self._present(mailbox, uids)
            if box is not None
        ]

    async def store_flags(
        self, mailbox: MailboxRef, uids: Sequence[int], mode: str, flags: Sequence[str], unchanged_since: int | None
    ) -> FlagChange | None:
        """Change flags, all messages in one step; None when the user has the mailbox no longer.

        What others have changed is taken in first: it counts for ``unchanged_since`` too.
        """
        box = self._refreshed(mailbox)
        if box is None:
            return None
        named = [uid for uid in uids if uid in box.messages]
        held = [
            uid for uid in named if unchanged_since is not None and box.messages[uid].state.mod_seq > unchanged_since
        ]
        changing = [uid for uid in named if uid not in set(held)]
        step = box.highest_mod_seq + 1
        for uid in changing:
            email = self.emails[box.messages[uid].email_id]
            email.flags = combine(email.flags, mode, flags)
            if box.note_flags(uid, email, step):
                box.highest_mod_seq = step
                self.version += 1
        return FlagChange(box.head(), [box.messages[uid].state for uid in changing], held)

    async def expunge(self, mailbox: MailboxRef, uids: Sequence[int] | None) -> Expunged | None:
        """Remove for ever the messages that have ``\\Deleted``, with ``uids`` only those among them."""
        box = self._refreshed(mailbox)
        if box is None:
            return None
        named = box.messages if uids is None else [uid for uid in uids if uid in box.messages]
        going = [uid for uid in named if "\\Deleted" in box.messages[uid].state.flags]
        for uid in going:
            self.delete_elsewhere(box.messages[uid].email_id)
        self._refreshed(mailbox)
        return Expunged(box.head(), going)

    # -- within -------------------------------------------------------------------------------------------------------

    def delete_elsewhere(self, email_id: UUID) -> None:
        """Delete a message, as another program would, and what was computed of it."""
        super().delete_elsewhere(email_id)
        self._renditions.pop(email_id, None)

    def _reach(self) -> None:
        if not self.available:
            raise StoreUnavailable

    def _owns(self, user_id: UUID, owner: str) -> bool:
        return owner == account_key(user_id) or self.addresses.get(owner) == user_id

    def _exists(self, user_id: UUID, owner: str, folder: str) -> bool:
        fixed = folder == INBOX or (owner == account_key(user_id) and folder in SPECIAL_USES)
        return fixed or (owner, folder) in self._folders or (owner, folder) in self.places

    def _open(self, mailbox: MailboxRef) -> MemoryMailbox | None:
        """Return a mailbox as last refreshed; None when it is not, or no longer, that user's."""
        self._reach()
        box = self._mailboxes.get(mailbox.id)
        return box if box and box.user_id == mailbox.user_id and self._owns(box.user_id, box.owner) else None

    def _refreshed(self, mailbox: MailboxRef) -> MemoryMailbox | None:
        box = self._open(mailbox)
        if box is not None and box.seen_version != self.version:
            box.take_in(self.visible(self._places_of(box)))
            box.seen_version = self.version
        return box

    def _places_of(self, box: MemoryMailbox) -> list[tuple[str, str]]:
        """Return where a mailbox's mail is kept: that of an account's INBOX in all its addresses' as well."""
        own = [(box.owner, box.folder)]
        if box.owner != account_key(box.user_id) or box.folder != INBOX:
            return own
        return own + [(address, INBOX) for address in self.addresses_of(box.user_id)]

    def _present(self, mailbox: MailboxRef, uids: Sequence[int]) -> Iterator[tuple[int, StoredEmail]]:
        """Yield the messages among ``uids`` that are there, even if the mailbox was not refreshed since they went."""
        box = self._open(mailbox)
        for uid in uids if box is not None else ():
            email = self.emails.get(box.messages[uid].email_id) if box and uid in box.messages else None
            if email is not None:
                yield uid, email

    def _rendition(self, email: StoredEmail) -> Rendition:
        rendition = self._renditions.get(email.row.id)
        if rendition is None:
            rendition = self._renditions[email.row.id] = make_rendition(render(email.row))
        return rendition

    def _metadata(self, uid: int, email: StoredEmail) -> Metadata:
        made = self._rendition(email)
        date = _wire_date(internal_date(email.row))
        return Metadata(uid, str(email.row.id), date, made.size, made.envelope, made.body, made.body_structure)


def _weight(row: EmailRow) -> int:
    texts = sum(len(text.encode("utf-8", "surrogatepass")) for text in (row.body, row.html) if text is not None)
    return texts + len(row.source or b"")


def _wire_date(moment: datetime) -> bytes:
    """Return a date-time (RFC 9051 section 9) in UTC, without quotes."""
    utc = moment.astimezone(UTC)
    return f"{utc.day:02}-{_MONTHS[utc.month - 1]}-{utc.year:04} {utc:%H:%M:%S} +0000".encode()
