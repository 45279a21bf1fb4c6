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

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from cybertemp_imap.mime.letter import Letter
from cybertemp_imap.mime.parse import ALL_PARTS, MimeLimits
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow, internal_date
from cybertemp_imap.rendition import Rendition, make_rendition
from cybertemp_imap.rules.bans import Ban
from cybertemp_imap.rules.flags import combine
from cybertemp_imap.store.memory_tables import HASHED_PREFIX, StoredEmail, hashed_token
from cybertemp_imap.store.memory_writer import MemoryWriter
from cybertemp_imap.store.values import (
    NO_LIMITS,
    BanRow,
    DomainRow,
    Expunged,
    FlagChange,
    LoginRecord,
    MailboxHead,
    MailboxRef,
    MessageState,
    Metadata,
    StatusCounts,
)

MINUTE = timedelta(minutes=1)

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class MemoryStore(MemoryWriter):
    """The store. Nothing in it waits: each method is one step, which no other can come into."""

    def __init__(self, folder_quota: int = 1000, address_quota: int = 100, mime_limits: MimeLimits = ALL_PARTS) -> None:
        super().__init__(folder_quota, address_quota)
        self.mime_limits = mime_limits
        self._subscriptions: dict[UUID, dict[str, bool]] = {}
        self._renditions: dict[UUID, Rendition] = {}

    async def start(self) -> None:
        """Do nothing but fail while the store is not available."""
        self._reach()

    async def stop(self) -> None:
        """Do nothing; what is kept stays."""

    def reading(self) -> MemoryStore:
        """Return the store itself."""
        return self

    # -- accounts -----------------------------------------------------------------------------------------------------

    async def find_login(self, token: str) -> LoginRecord | None:
        """Return the record of a token as a person typed it, or None."""
        self._reach()
        wanted = {hashed_token(token)} if token.startswith(HASHED_PREFIX) else {token, hashed_token(token)}
        found = [token_id for token_id, kept in self.tokens.items() if kept.stored in wanted]
        return next(iter(await self.find_logins(found)), None)

    async def find_logins(self, token_ids: Sequence[UUID]) -> Sequence[LoginRecord]:
        """Return the records of tokens; those that are gone, or whose account is, are left out."""
        self._reach()
        return [
            LoginRecord(
                each,
                kept.user_id,
                user.email,
                kept.expires_at,
                user.subscription_status,
                user.subscription_end,
                self.limits.get(each, NO_LIMITS),
            )
            for each in token_ids
            if (kept := self.tokens.get(each)) is not None and (user := self.users.get(kept.user_id)) is not None
        ]

    async def touch_token(self, token_id: UUID) -> None:
        """Set when a token was last used to now, unless that was within the last minute."""
        self._reach()
        token, now = self.tokens.get(token_id), datetime.now(UTC)
        if token is not None and not (token.last_used_at and timedelta(0) <= now - token.last_used_at <= MINUTE):
            token.last_used_at = now

    # -- domains and bans ---------------------------------------------------------------------------------------------

    async def read_domains(self) -> Sequence[DomainRow]:
        """Return all domains."""
        self._reach()
        return list(self.domains)

    async def replace_bans(self, bans: Sequence[BanRow]) -> None:
        """Have bans that are kept elsewhere in force instead of :attr:`bans`."""
        self._reach()
        self._have_in_force([Ban(*ban) for ban in bans])

    async def bans_are_elsewhere(self) -> bool:
        """Tell whether :attr:`bans` counts no longer."""
        self._reach()
        return self._bans_elsewhere is not None

    async def follow_bans(self) -> None:
        """Have :attr:`bans` count again."""
        self._reach()
        self._have_in_force(None)

    # -- mailboxes ----------------------------------------------------------------------------------------------------

    async def subscriptions(self, user_id: UUID) -> dict[str, bool]:
        """Return what the user has said by SUBSCRIBE and UNSUBSCRIBE, by mailbox name."""
        self._reach()
        return dict(self._subscriptions.get(user_id, {}))

    async def set_subscribed(self, user_id: UUID, name: str, subscribed: bool) -> None:
        """Keep what SUBSCRIBE or UNSUBSCRIBE said of a name."""
        self._reach()
        self._subscriptions.setdefault(user_id, {})[name] = subscribed

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Take in what has happened to the mailbox's mail; None when the user has the mailbox no longer."""
        box = self._refreshed(mailbox)
        return None if box is None else box.head()

    async def changes(self, mailbox: MailboxRef, since: int, after_uid: int, limit: int) -> Sequence[MessageState]:
        """Return messages whose ``mod_seq`` is above ``since`` and whose UID is above ``after_uid``."""
        return self._still_open(mailbox).changes(since, after_uid, limit)

    async def expunged_since(self, mailbox: MailboxRef, since: int) -> Sequence[int] | None:
        """Return the UIDs expunged with a ``mod_seq`` above ``since``, ascending; None where that is forgotten."""
        return self._still_open(mailbox).expunged_since(since)

    def forget_expunged(self, mailbox: MailboxRef, kept: int) -> None:
        """Forget which messages of a mailbox were expunged, but the last ones."""
        self._mailboxes[mailbox.id].forget_expunged(kept)

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

    async def letters(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, Letter]]:
        """Return (UID, message that is not rendered yet) by ascending UID."""
        return [(uid, Letter(email.row, limits=self.mime_limits)) for uid, email in self._present(mailbox, uids)]

    async def weights(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Return (UID, about how many octets the message has) by ascending UID."""
        return [(uid, _weight(email.row)) for uid, email in self._present(mailbox, uids)]

    async def holds(self, mailbox: MailboxRef) -> bool:
        """Tell whether the mailbox is its user's at this moment."""
        return self._open(mailbox) is not None

    async def saved_dates(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, datetime, datetime]]:
        """Return (UID, internal date, date saved in this mailbox), aware, by ascending UID."""
        box = self._open(mailbox)
        return [
            (uid, internal_date(email.row), box.messages[uid].saved_at)
            for uid, email in self._present(mailbox, uids)
            if box is not None
        ]

    async def object_ids(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, UUID]]:
        """Return (UID, identity of the e-mail) by ascending UID."""
        return [(uid, email.identity) for uid, email in self._present(mailbox, uids)]

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
        concerned: set[int] = set()
        for uid in changing:
            email = self.emails[box.messages[uid].email_id]
            email.flags = combine(email.flags, mode, flags)
            if box.note_flags(uid, email, step):
                box.highest_mod_seq = step
                self.version += 1
                concerned |= self._concerned(email.row.id)
        self._tell(concerned - {box.id})
        taken = step if box.highest_mod_seq == step else None
        return FlagChange(box.head(), [box.messages[uid].state for uid in changing], held, taken)

    async def expunge(self, mailbox: MailboxRef, uids: Sequence[int] | None) -> Expunged | None:
        """Remove for ever the messages that have ``\\Deleted``, with ``uids`` only those among them."""
        box = self._refreshed(mailbox)
        if box is None:
            return None
        named = box.messages if uids is None else [uid for uid in uids if uid in box.messages]
        going = [uid for uid in named if "\\Deleted" in box.messages[uid].state.flags]
        concerned: set[int] = set()
        for uid in going:
            concerned |= self._concerned(box.messages[uid].email_id)
            self._remove(box.messages[uid].email_id)
        self._refreshed(mailbox)
        self._tell(concerned - {box.id})
        return Expunged(box.head(), going)

    # -- within -------------------------------------------------------------------------------------------------------

    def _remove(self, email_id: UUID) -> StoredEmail:
        self._renditions.pop(email_id, None)
        return super()._remove(email_id)

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
            rendition = self._renditions[email.row.id] = make_rendition(render(email.row), limits=self.mime_limits)
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
