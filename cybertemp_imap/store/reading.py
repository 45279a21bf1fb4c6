"""What is read of mailboxes as such, and reading it from a replica for sessions that change nothing.

A session that only reads is told all that was committed before it asked, like any other. So its reading begins with a
position in the primary's log at some moment after that, and the replica has a moment to come to it. What the replica
does not have, or what takes a change to be told (new mail needs its UIDs), the primary is asked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg2
from psycopg2.extensions import STRINGARRAY

from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.naming import INBOX, is_name_of
from cybertemp_imap.rules.flags import valid_flags
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.asynchronous import Row
from cybertemp_imap.store.messages import PAGE_ROWS
from cybertemp_imap.store.positions import Position
from cybertemp_imap.store.replica import Replica
from cybertemp_imap.store.values import MailboxEntry, MailboxHead, MailboxRef, MessageState, StatusCounts

if TYPE_CHECKING:
    from cybertemp_imap.store.postgres import PostgresStore

FLAGS_REMEMBERED = 10_000
"""Different flag lists whose parsed form is kept."""


class MailboxReader(ABC):
    """What is read of mailboxes, wherever statements are run."""

    replica: Replica | None
    _version: int

    def __init__(self) -> None:
        self._flags: dict[str, tuple[str, ...]] = {}

    @abstractmethod
    async def _ask(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        """Run a statement that only reads."""

    @abstractmethod
    async def _render(self, mailbox: MailboxRef, uids: Sequence[int]) -> None:
        """Compute and keep the renditions of messages."""

    @abstractmethod
    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Take in what has happened; see the interface."""

    async def subscriptions(self, user_id: UUID) -> dict[str, bool]:
        """Return what was said by SUBSCRIBE and UNSUBSCRIBE; see the interface."""
        return dict(await self._ask(sql.SUBSCRIPTIONS, (user_id,)))

    async def changes(self, mailbox: MailboxRef, since: int, after_uid: int, limit: int) -> Sequence[MessageState]:
        """Return a page of changed messages; see the interface."""
        key = (mailbox.user_id, mailbox.id)
        if since:
            rows = await self._ask(sql.CHANGES, (*key, since, after_uid, limit))
        else:
            rows = await self._ask(sql.STATES, (*key, after_uid, limit))
        if not rows:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        return [] if rows[0][0] is None else self._states(rows)

    async def expunged_since(self, mailbox: MailboxRef, since: int) -> Sequence[int] | None:
        """Return expunged UIDs; see the interface."""
        key = (mailbox.user_id, mailbox.id)
        rows = await self._ask(sql.EXPUNGED_SINCE, (since, since, *key))
        if not rows:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        gone = None if rows[0][1] else [uid for uid, _ in rows if uid is not None]
        if self.replica is not None and gone != []:
            # It may be somebody else's by now, and the replica may still show it.
            self.replica.positions.forget([mailbox.id])
        return gone

    async def status(self, mailbox: MailboxRef, with_size: bool) -> StatusCounts | None:
        """Refresh and count; see the interface."""
        head = await self.refresh(mailbox)
        if head is None:
            return None
        key = (mailbox.user_id, mailbox.id)
        ((messages, unseen, deleted, recent),) = await self._ask(sql.COUNTS, key)
        size = await self.total_size(mailbox) if with_size else None
        return StatusCounts(head, messages, unseen, deleted, recent, size)

    async def total_size(self, mailbox: MailboxRef) -> int:
        """Return the octets of all messages, rendering those never seen; see STATUS=SIZE (RFC 8438)."""
        key = (mailbox.user_id, mailbox.id)
        after = 0
        while True:
            rows = await self._ask(sql.UNRENDERED, (*key, after, self._version, PAGE_ROWS))
            await self._render(mailbox, [uid for (uid,) in rows])
            if len(rows) < PAGE_ROWS:
                break
            after = rows[-1][0]
        ((size,),) = await self._ask(sql.TOTAL_SIZE, key)
        return int(size)

    def _states(self, rows: Sequence[Row]) -> list[MessageState]:
        """Make states of (uid, flags as PostgreSQL prints an array, mod_seq), one object for equal flags."""
        known = self._flags
        states = []
        for uid, printed, mod_seq in rows:
            flags = known.get(printed)
            if flags is None:
                if len(known) >= FLAGS_REMEMBERED:
                    known.clear()
                flags = known[printed] = valid_flags(STRINGARRAY(printed, None))
            states.append(MessageState(uid, flags, mod_seq))
        return states


def entries(user_id: UUID, rows: Sequence[Row]) -> list[MailboxEntry]:
    """Return the mailboxes of rows, those whose name can be told."""
    return [MailboxEntry(*row) for row in rows if is_name_of(user_id, row[0], row[1])]


class ReplicaReading(MailboxReader):
    """What one command of a session that changes nothing reads: from the replica where that can be."""

    def __init__(self, store: PostgresStore, replica: Replica) -> None:
        self.replica = self._replica = replica
        self._store = store
        self._flags, self._version = store._flags, store._version
        self._needed: Position | None = None

    async def list_mailboxes(self, user_id: UUID) -> Sequence[MailboxEntry]:
        """List a user's mailboxes; see the interface."""
        rows = await self._look(sql.LISTED_MAILBOXES, (user_id,))
        return entries(user_id, rows) if rows else await self._store.list_mailboxes(user_id)

    async def find_mailbox(self, user_id: UUID, owner: str, folder: str) -> MailboxRef | None:
        """Find a mailbox of the user's; see the interface."""
        found = await self._known(user_id, owner, folder)
        return found or await self._store.find_mailbox(user_id, owner, folder)

    async def limited_inbox(self, user_id: UUID, token_id: UUID) -> MailboxRef:
        """Find the INBOX of a limited token; see the interface."""
        found = await self._known(user_id, f"limited:{token_id}", INBOX)
        return found or await self._store.limited_inbox(user_id, token_id)

    async def _known(self, user_id: UUID, owner: str, folder: str) -> MailboxRef | None:
        rows = await self._look(sql.KNOWN_MAILBOX, (user_id, owner, folder))
        return MailboxRef(user_id, rows[0][0]) if rows else None

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Tell how the mailbox is, where there is nothing to be taken in; see the interface."""
        await self._store.need_bans()
        rows = await self._look(sql.UNCHANGED, (mailbox.user_id, mailbox.id))
        # What is read next is to have what was told by this, wherever it came from.
        self._needed = None
        if not rows:
            return await self._store.refresh(mailbox)
        head = MailboxHead(*rows[0])
        self._replica.positions.told(mailbox, head)
        return head

    async def claim_recent(self, mailbox: MailboxRef, *, claim: bool = True) -> int:
        """Return the first recent UID; see the interface. Nothing can be claimed here."""
        rows = None if claim else await self._look(sql.RECENT, (mailbox.user_id, mailbox.id))
        return int(rows[0][0]) if rows else await self._store.claim_recent(mailbox, claim=claim)

    async def _render(self, mailbox: MailboxRef, uids: Sequence[int]) -> None:
        await self._store._render(mailbox, uids)
        if uids:
            self._needed = None

    async def _ask(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        rows = await self._look(statement, parameters)
        return await self._store._ask(statement, parameters) if rows is None else rows

    async def _look(self, statement: str, parameters: Sequence[object]) -> list[Row] | None:
        """Run a statement on the replica; None where the primary is to be asked."""
        try:
            if self._needed is None:
                self._needed = await self._replica.position()
        except (StoreUnavailable, psycopg2.Error):
            return None
        rows = None if self._needed is None else await self._replica.look(statement, parameters, self._needed)
        self._store.looks["primary" if rows is None else "replica"] += 1
        return rows
