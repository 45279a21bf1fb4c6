"""For whom mail is taken.

1. What can be no address here is refused, as CREATE refuses it (:mod:`cybertemp_imap.rules.addresses`).
2. Its domain must be active. Mail for any other is not taken: nothing is ever sent on to another server.
3. An address that is banned, or whose domain is, gets none.

Whether anybody has made the address is not asked: one that nobody has becomes one without an owner, and who creates it
later finds the mail. So a stranger cannot learn from the answers who has which address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from cybertemp_imap.delivery.replies import Reply, Turned
from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.rules.addresses import canonical
from cybertemp_imap.rules.domains import takes_mail
from cybertemp_imap.store.receiving import ReceivingStore
from cybertemp_imap.store.values import DomainRow

Domains = Callable[[], Awaitable[Sequence[DomainRow]]]
"""Gives the domains there are; it had better keep what it knows."""


class Recipients:
    """Judges recipients."""

    def __init__(self, store: ReceivingStore, domains: Domains) -> None:
        self._store = store
        self._domains = domains

    async def accept(self, text: str) -> str:
        """Return the canonical form of an address that gets mail; raises :class:`Turned`."""
        address = canonical(text)
        if address is None:
            raise Turned(Reply.BAD_RECIPIENT)
        try:
            if not takes_mail(address.rpartition("@")[2], await self._domains()):
                raise Turned(Reply.NOT_RELAYED)
            if await self._store.is_banned(address):
                raise Turned(Reply.NO_SUCH_RECIPIENT)
        except StoreUnavailable:
            raise Turned(Reply.UNAVAILABLE) from None
        return address
