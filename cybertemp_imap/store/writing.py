"""Changing mailboxes in PostgreSQL: folders, APPEND, COPY and MOVE, each in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg2

from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.rules.addresses import domain_forms
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.messages import array
from cybertemp_imap.store.pool import Pool
from cybertemp_imap.store.receiving import Delivery, ReceivedMessage
from cybertemp_imap.store.values import Called, MailboxRef, NewMessage

PIECE = 256 * 1024
"""Octets of a message sent to the server in one statement: about a millisecond of the reactor's time."""

_REFUSALS = {
    "IM001": Refusal.NO_SUCH_MAILBOX,
    "IM002": Refusal.ALREADY_EXISTS,
    "IM003": Refusal.CANNOT,
    "IM004": Refusal.OVER_QUOTA,
    "IM005": Refusal.NO_PERMISSION,
    "IM006": Refusal.HAS_CHILDREN,
    "IM007": Refusal.ADDRESS_NOT_ALLOWED,
    "IM008": Refusal.ADDRESS_QUOTA,
}
"""What the functions in ``schema/`` raise, by SQLSTATE."""


class MailboxWriter:
    """The part of the PostgreSQL store that changes mailboxes."""

    pool: Pool

    def __init__(self, folder_quota: int, address_quota: int) -> None:
        self.folder_quota = folder_quota
        self.address_quota = address_quota

    async def create_address(self, user_id: UUID, address: str) -> MailboxRef:
        """Create or claim an address; see the interface."""
        parameters = (user_id, address, domain_forms(address), self.address_quota, uuid4())
        with refusals():
            ((made,),) = await self.pool.query(sql.CREATE_ADDRESS, parameters)
        return MailboxRef(user_id, made)

    async def delete_address(self, user_id: UUID, address: str) -> None:
        """Give an address back; see the interface."""
        with refusals():
            await self.pool.query(sql.DELETE_ADDRESS, (user_id, address))

    async def create_folder(self, user_id: UUID, owner: str, folder: str, special_use: str | None) -> MailboxRef:
        """Create a folder; see the interface."""
        with refusals():
            ((made,),) = await self.pool.query(
                sql.CREATE_FOLDER, (user_id, owner, folder, special_use, self.folder_quota)
            )
        return MailboxRef(user_id, made)

    async def delete_folder(self, user_id: UUID, owner: str, folder: str) -> None:
        """Delete a folder; see the interface."""
        with refusals():
            await self.pool.query(sql.DELETE_FOLDER, (user_id, owner, folder))

    async def rename_folder(self, user_id: UUID, owner: str, folder: str, new_owner: str, new_folder: str) -> None:
        """Rename a folder and all below it; see the interface."""
        with refusals():
            await self.pool.query(sql.RENAME_FOLDER, (user_id, owner, folder, new_owner, new_folder))

    async def rename_inbox(self, inbox: MailboxRef, new_owner: str, new_folder: str) -> MailboxRef:
        """Move all messages of INBOX to a new folder; see the interface."""
        with refusals():
            ((made,),) = await self.pool.query(
                sql.RENAME_INBOX, (inbox.user_id, inbox.id, new_owner, new_folder, self.folder_quota)
            )
        return MailboxRef(inbox.user_id, made)

    async def upload(self, message_id: UUID, piece: int, octets: bytes) -> None:
        """Keep a piece of a message on its way in; see the interface."""
        await self.pool.query(sql.UPLOAD, (message_id, piece, octets))

    async def discard(self, message_ids: Sequence[UUID]) -> None:
        """Forget messages that were on their way in; see the interface."""
        await self.pool.query(sql.DISCARD, (list(message_ids),), repeatable=True)

    async def append(
        self, mailbox: MailboxRef, messages: Sequence[NewMessage], called: Called | None = None
    ) -> Sequence[int]:
        """Add messages; see the interface."""
        try:
            with refusals():
                rows = await self.pool.query(sql.APPEND, append_parameters(mailbox, messages, called))
        except Refused as refused:
            if refused.refusal is not Refusal.CANNOT:
                raise
            # Pieces of a message on its way in do not outlive a crash of PostgreSQL.
            raise StoreUnavailable("Pieces of a message were lost.") from None
        return [uid for (uid,) in rows]

    async def is_banned(self, address: str) -> bool:
        """Ask about an address and its domain; see the interface."""
        ((banned,),) = await self.pool.query(sql.IS_BANNED, (address, domain_forms(address)), repeatable=True)
        return bool(banned)

    async def receive(self, message: ReceivedMessage, deliveries: Sequence[Delivery]) -> None:
        """Deliver a message; see the interface."""
        text = [storable(each) for each in (message.subject, message.body)]
        html = None if message.html is None else storable(message.html)
        recipients = [storable(address) for address in message.to_addrs]
        with refusals():
            # Done twice, it is done once: the function looks for the first e-mail.
            await self.pool.query(
                sql.RECEIVE,
                (
                    *(message.id, message.pieces, message.rest, message.size),
                    *(*text, html, storable(message.from_addr), recipients, message.received_at),
                    *([d.id for d in deliveries], [d.inbox_id for d in deliveries]),
                    *([d.address for d in deliveries], [d.trace for d in deliveries]),
                ),
                repeatable=True,
            )

    async def copy(self, source: MailboxRef, uids: Sequence[int], target: MailboxRef) -> Sequence[tuple[int, int]]:
        """Copy messages; see the interface."""
        copies = [uuid4() for _ in uids]
        with refusals():
            rows = await self.pool.query(sql.COPY, (source.user_id, source.id, array(uids), target.id, copies))
        return [(old, new) for old, new in rows]

    async def move(self, source: MailboxRef, uids: Sequence[int], target: MailboxRef) -> Sequence[tuple[int, int]]:
        """Move messages; see the interface."""
        with refusals():
            rows = await self.pool.query(sql.MOVE, (source.user_id, source.id, array(uids), target.id))
        return [(old, new) for old, new in rows]


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what the functions in ``schema/`` raise into :class:`Refused`."""
    try:
        yield
    except psycopg2.Error as error:
        refusal = _REFUSALS.get(error.pgcode or "")
        if refusal is None:
            raise
        raise Refused(refusal) from None


def append_parameters(
    mailbox: MailboxRef, messages: Sequence[NewMessage], called: Called | None = None
) -> tuple[Any, ...]:
    """Return the arguments of ``imap.append``: of the messages one list for each column."""
    return (
        mailbox.user_id,
        mailbox.id,
        None if called is None else list(called.owners),
        None if called is None else called.folder,
        [m.id for m in messages],
        [m.size for m in messages],
        [m.rest for m in messages],
        [m.internal_date for m in messages],
        [printed_array(m.flags) for m in messages],
        [storable(m.subject) for m in messages],
        [storable(m.body) for m in messages],
        [None if m.html is None else storable(m.html) for m in messages],
        [storable(m.from_addr) for m in messages],
        [printed_array([storable(address) for address in m.to_addrs]) for m in messages],
    )


def storable(text: str) -> str:
    """Return text that PostgreSQL can hold: without NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def printed_array(values: Sequence[str]) -> str:
    """Print strings as PostgreSQL prints an array of text."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return "{" + ",".join(quoted) + "}"
