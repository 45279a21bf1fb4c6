"""One message on its way from a sender to its recipients' rows.

It is never held as a whole unless it is small: it goes to the store in pieces, and its beginning is kept for what other
programs are told of it (subject, text).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from twisted.internet.threads import deferToThreadPool

from cybertemp_imap.delivery.replies import Reply, Turned
from cybertemp_imap.delivery.trace import Transfer, trace
from cybertemp_imap.errors import Refused, StoreUnavailable
from cybertemp_imap.incoming import Incoming, Letter, read_letter
from cybertemp_imap.store.receiving import Delivery, ReceivedMessage, ReceivingStore

HEAD = 256 * 1024
"""Octets kept of the beginning of a message."""

AT_ONCE = 32 * 1024
"""A beginning up to this size is read between two turns of the reactor, a longer one in a thread."""

VOLUME = 64 * 1024 * 1024
"""Octets that one transaction writes; a message whose copies are more is delivered in several."""


class Deposit:
    """Takes a message in, and delivers it; whatever fails raises :class:`Turned`."""

    def __init__(self, store: ReceivingStore, limit: int, reactor: Any) -> None:
        """``limit`` is the largest message taken, in octets."""
        self._store = store
        self._limit = limit
        self._reactor = reactor

        self._incoming = Incoming(store, HEAD)
        self._failure: Reply | None = None
        self.size = 0

    async def take(self, octets: bytes) -> None:
        """Take octets. What is wrong with them is told at the end, when the sender listens."""
        self.size += len(octets)
        if self.size > self._limit:
            self._failure = Reply.TOO_BIG
        if self._failure is not None:
            return
        try:
            with _stored():
                await self._incoming.take(octets)
        except Turned as turned:
            self._failure = turned.reply

    async def deliver(self, transfer: Transfer, sender: str | None, recipients: Sequence[str]) -> None:
        """Deliver what was taken to all recipients, each of them once; returns when it is committed."""
        if self._failure is not None:
            raise Turned(self._failure)
        if self._incoming.has_nul:
            raise Turned(Reply.HAS_NUL)
        letter = await self._read()
        message = ReceivedMessage(
            id=self._incoming.id,
            pieces=self._incoming.pieces,
            rest=self._incoming.rest,
            size=self._incoming.size,
            received_at=transfer.received_at,
            subject=letter.subject,
            body=letter.body,
            html=letter.html,
            from_addr=letter.from_addr or sender or "",
            to_addrs=letter.to_addrs or tuple(recipients),
        )
        deliveries = [Delivery(uuid4(), uuid4(), each, trace(transfer, sender, each)) for each in recipients]
        together = max(1, VOLUME // max(1, message.size))
        with _stored():
            for start in range(0, len(deliveries), together):
                await self._store.receive(message, deliveries[start : start + together])

    async def close(self) -> None:
        """Have nothing left of the message but what was delivered."""
        if self._incoming.pieces:
            # Whatever is not forgotten now is cleared away later.
            with contextlib.suppress(StoreUnavailable):
                await self._store.discard([self._incoming.id])

    async def _read(self) -> Letter:
        head = self._incoming.head
        if len(head) <= AT_ONCE:
            return read_letter(head)
        letter: Letter = await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), read_letter, head)
        return letter


@contextlib.contextmanager
def _stored() -> Iterator[None]:
    """Turn what a store raises into replies, all of which ask the sender to try again."""
    try:
        yield
    except StoreUnavailable:
        raise Turned(Reply.UNAVAILABLE) from None
    except Refused:
        raise Turned(Reply.NOT_STORED) from None
