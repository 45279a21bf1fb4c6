"""Creating addresses: what stands in the way, in the order in which it is told.

1. Anything that is no address is CANNOT (:mod:`cybertemp_imap.rules.addresses`).
2. A domain that is not open to the user is NOPERM: one that nobody has, and another user's, alike. That a domain is
   inactive is told to those alone to whom it would be open.
3. An address or domain that is banned is NOPERM, whether somebody has the address or nobody.
4. An address of the user's own is ALREADYEXISTS.
5. Above the quota it is OVERQUOTA, whether somebody has the address or nobody.
6. An address that another has is ALREADYEXISTS, as one's own: no more is told. That much cannot be hidden from who
   may create addresses on the domain, since nobody can create it a second time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.rules.addresses import canonical
from cybertemp_imap.rules.domains import may_create
from cybertemp_imap.store.interface import Store
from cybertemp_imap.store.values import DomainRow, MailboxRef

Domains = Callable[[], Awaitable[Sequence[DomainRow]]]
"""Gives the domains there are; raises ``StoreUnavailable`` when none are known and they cannot be read."""


class Addresses:
    """Creates addresses in a store. ``domains`` is asked each time: it had better keep what it knows."""

    def __init__(self, store: Store, domains: Domains) -> None:
        self._store = store
        self._domains = domains

    async def create(self, user_id: UUID, name: str) -> MailboxRef:
        """Create an address, or claim one that is nobody's; raises :class:`Refused`."""
        address = canonical(name)
        if address is None:
            raise Refused(Refusal.BAD_ADDRESS)
        refusal = may_create(address, user_id, await self._domains())
        if refusal is not None:
            raise Refused(refusal)
        return await self._store.create_address(user_id, address)
