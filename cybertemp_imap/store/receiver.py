"""A store that takes mail in and does nothing else: one connection, for as long as one message takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg2.extras

from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.connection import watched
from cybertemp_imap.store.pool import Pool
from cybertemp_imap.store.values import DomainRow
from cybertemp_imap.store.writing import MailboxWriter


class ReceiverStore(MailboxWriter):
    """The part of a PostgreSQL store that mail needs. The bans are those in force, wherever they come from."""

    def __init__(self, dsn: str, statement_timeout: float, reactor: Any) -> None:
        super().__init__(0, 0)
        psycopg2.extras.register_uuid()
        self.pool = Pool(watched(dsn), 1, statement_timeout, statement_timeout, reactor)

    async def start(self) -> None:
        """Connect; raises :class:`StoreUnavailable`."""
        await self.pool.start()

    async def stop(self) -> None:
        """Disconnect."""
        await self.pool.stop()

    async def read_domains(self) -> Sequence[DomainRow]:
        """Read the domains; see the interface."""
        return [DomainRow(*row) for row in await self.pool.query(sql.READ_DOMAINS, repeatable=True)]
