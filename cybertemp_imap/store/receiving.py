"""What mail that comes in needs of a store, besides what sessions need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from cybertemp_imap.store.values import DomainRow


class Delivery(NamedTuple):
    """One recipient of a message: an address in its canonical form, and the octets that go before the message's.

    ``id`` is that of the new e-mail, ``inbox_id`` that of the row of ``inbox`` that is made where there is none.
    """

    id: UUID
    inbox_id: UUID
    address: str
    trace: bytes


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message that comes in: ``pieces`` pieces given to :meth:`ReceivingStore.upload` under ``id``, and the rest.

    ``size`` is the number of all its octets. The text is what other programs read, as in
    :class:`cybertemp_imap.store.values.NewMessage`.
    """

    id: UUID
    pieces: int
    rest: bytes
    size: int
    received_at: datetime
    subject: str = ""
    body: str = ""
    html: str | None = None
    from_addr: str = ""
    to_addrs: tuple[str, ...] = ()


class ReceivingStore(Protocol):
    """The part of a store that takes mail in. Everything raises :class:`StoreUnavailable`."""

    async def read_domains(self) -> Sequence[DomainRow]:
        """Return all rows of ``domains``, in no particular order."""

    async def is_banned(self, address: str) -> bool:
        """Tell whether an address, in its canonical form, or its domain is banned."""

    async def upload(self, message_id: UUID, piece: int, octets: bytes) -> None:
        """Take a piece, numbered from 0, of a message on its way in."""

    async def discard(self, message_ids: Sequence[UUID]) -> None:
        """Forget the pieces of messages."""

    async def receive(self, message: ReceivedMessage, deliveries: Sequence[Delivery]) -> None:
        """Deliver a message, to all or to none; an address that nobody has made becomes one without an owner.

        Mail of a banned sender is kept, and hidden for as long as the ban is in force. Raises :class:`Refused` with
        CANNOT when pieces are missing. What was uploaded stays: another call may need it.
        """
