"""The PostgreSQL store: one statement a step, each bound to the user (see ``schema/`` for what they do)."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg2.extras

from cybertemp_imap.mime.parse import ALL_PARTS, MimeLimits
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.asynchronous import Row
from cybertemp_imap.store.connection import watched
from cybertemp_imap.store.interface import MailboxReads
from cybertemp_imap.store.listener import Listener, Observer
from cybertemp_imap.store.logins import limits, login_record
from cybertemp_imap.store.messages import MessageReader, array
from cybertemp_imap.store.pool import Pool
from cybertemp_imap.store.reading import MailboxReader, ReplicaReading, entries
from cybertemp_imap.store.replica import Replica
from cybertemp_imap.store.values import (
    BanRow,
    DomainRow,
    Expunged,
    FlagChange,
    LoginRecord,
    MailboxEntry,
    MailboxHead,
    MailboxRef,
    TokenLimits,
)
from cybertemp_imap.store.writing import MailboxWriter, storable

HASHED = "sha256:"
"""Tokens stored hashed begin so; the rest is hexadecimal."""

EXPUNGED_DAYS = 90
EXPUNGED_KEPT = 100_000
"""How long, and of how many messages of a mailbox, it is remembered that they were expunged."""

IDLE_DAYS = 30
"""A mailbox that was not looked at for so long is no longer told of deliveries, until it is looked at again."""

MAILBOXES_TIDIED = 200
"""How many of them are tidied by one statement."""

PURGE_BATCH = 500
"""Messages that are deleted for their age in one transaction."""


class PostgresStore(MessageReader, MailboxReader, MailboxWriter):
    """Accounts, mailboxes and messages in PostgreSQL (:class:`cybertemp_imap.store.interface.Store`)."""

    def __init__(
        self,
        dsn: str,
        *,
        pool_size: int = 8,
        statement_timeout: float = 30.0,
        acquire_timeout: float = 10.0,
        folder_quota: int = 1000,
        address_quota: int = 100,
        bans_elsewhere: bool = False,
        listen_dsn: str | None = None,
        replica_dsn: str | None = None,
        mime_limits: MimeLimits = ALL_PARTS,
        reactor: Any = None,
    ) -> None:
        """Take a libpq connection string; times are in seconds.

        ``listen_dsn`` is that of the connection that listens, where ``dsn`` leads to a pooler; ``replica_dsn`` that of
        a replica, from which messages are read where it has what sessions were told.
        ``mime_limits`` are best the same in all processes: each computes anew what another has kept under other ones.
        ``bans_elsewhere``: somebody is going to say by :meth:`replace_bans` what is banned.
        """
        if reactor is None:
            from twisted.internet import reactor
        psycopg2.extras.register_uuid()
        dsn = watched(dsn)
        pool, replica = Pool(dsn, pool_size, statement_timeout, acquire_timeout, reactor), None
        if replica_dsn is not None:
            replica = Replica(watched(replica_dsn), pool, pool_size, lambda: self.listening, reactor)
        MessageReader.__init__(self, pool, reactor, replica, mime_limits)
        MailboxReader.__init__(self)
        MailboxWriter.__init__(self, folder_quota, address_quota)
        self._bans_elsewhere = bans_elsewhere
        self._observers: list[Observer] = []
        self._listener = Listener(
            watched(listen_dsn or dsn), reactor, self._tell, lambda: self.pool.backend_pids, self.pool.renew
        )
        # Each waits between its attempts, and would learn by itself only later what the other knows.
        self._listener.on_return, pool.on_return = pool.hurry, self._listener.hurry

    async def start(self) -> None:
        """Connect; see the interface."""
        await self.pool.start()
        try:
            await self.look_at_columns()
            if not self._bans_elsewhere:
                await self.follow_bans()
        except BaseException:
            await self.pool.stop()
            raise
        self._listener.start()
        if self.replica is not None:
            self.replica.start()

    async def stop(self) -> None:
        """Disconnect; see the interface."""
        self._listener.stop()
        if self.replica is not None:
            await self.replica.stop()
        await self.pool.stop()

    async def heard_all(self) -> bool:
        """Wait for what observers are told of; see the interface."""
        return await self._listener.heard_all()

    @property
    def listening(self) -> bool:
        """Whether notifications of changes are heard at the moment, for certain."""
        return self._listener.certain

    @property
    def listener_up(self) -> bool:
        """Whether there is a connection that listens; behind a pooler it may hear nothing."""
        return self._listener.listening

    @property
    def bans_age(self) -> float | None:
        """Seconds since the bans were read, where they are read from elsewhere; here they are in force at once."""
        return None

    async def schema_versions(self) -> Collection[int]:
        """Return the numbers of the schema files that have been applied."""
        return [version for (version,) in await self.pool.query(sql.SCHEMA_VERSIONS, repeatable=True)]

    async def tidy(self) -> None:
        """Clear away unfinished messages, INBOXes of old tokens, what was noted in vain, and expunged long ago."""
        await self.pool.query(sql.TIDY, repeatable=True)
        ((dropped,),) = await self.pool.query(sql.TIDY_LIMITED, repeatable=True)
        if dropped:
            # Notifications of what this process does itself are passed over.
            self._tell(None)
        tidied = MAILBOXES_TIDIED
        while tidied == MAILBOXES_TIDIED:
            ((tidied,),) = await self.pool.query(sql.TIDY_ARRIVALS, (MAILBOXES_TIDIED, IDLE_DAYS), repeatable=True)
        after: int | None = 0
        while after is not None:
            ((after,),) = await self.pool.query(sql.FORGET_EXPUNGED, (after, EXPUNGED_DAYS, EXPUNGED_KEPT))

    async def purge(self, before: datetime, batches: int) -> int:
        """Delete mail that is older, at most so many batches of it; return how many messages that were."""
        deleted = 0
        for statement in (sql.PURGE, sql.PURGE_UNDATED):
            after, gone = "-infinity", PURGE_BATCH
            while gone == PURGE_BATCH and deleted < batches * PURGE_BATCH:
                parameters = (after, before, before, None, None, PURGE_BATCH)
                ((gone, last),) = await self.pool.query(statement, parameters, repeatable=True)
                after, deleted = last or after, deleted + gone
        return deleted

    def observe(self, observer: Observer) -> None:
        """Have changes by others told; see the interface."""
        self._observers.append(observer)

    def _tell(self, mailboxes: Collection[int] | None) -> None:
        if self.replica is not None:
            self.replica.positions.forget(mailboxes)
        for observer in self._observers:
            observer(mailboxes)

    def reading(self) -> MailboxReads:
        """Return what a session that changes nothing asks for one command; see the interface."""
        return self if self.replica is None else ReplicaReading(self, self.replica)

    # -- accounts -----------------------------------------------------------------------------------------------------

    async def find_login(self, token: str) -> LoginRecord | None:
        """Look a token up as it is and by its hash; see the interface."""
        try:
            hashed = HASHED + hashlib.sha256(token.encode()).hexdigest()
        except UnicodeEncodeError:
            return None
        if "\0" in token:
            return None
        # Whoever has read a stored hash must not be able to log in with it.
        candidates = [hashed] if token.startswith(HASHED) else [hashed, token]
        rows = await self.pool.query(sql.FIND_LOGIN, (candidates,), repeatable=True)
        return login_record(rows[0]) if rows else None

    async def find_logins(self, token_ids: Sequence[UUID]) -> Sequence[LoginRecord]:
        """Look tokens up by their ids; see the interface."""
        rows = await self.pool.query(sql.FIND_LOGINS, (list(token_ids),), repeatable=True)
        return [login_record(row) for row in rows]

    async def find_limits(self, token_ids: Sequence[UUID]) -> dict[UUID, TokenLimits]:
        """Return the limits of tokens, by their id, wherever the tokens are; those that have none are left out."""
        rows = await self.pool.query(sql.FIND_LIMITS, (list(token_ids),), repeatable=True)
        return {token_id: limits(addresses, *rest) for token_id, addresses, *rest in rows}

    async def touch_token(self, token_id: UUID) -> None:
        """Set ``last_used_at``; see the interface."""
        await self.pool.query(sql.TOUCH_TOKEN, (token_id,), repeatable=True)

    # -- domains and bans ---------------------------------------------------------------------------------------------

    async def read_domains(self) -> Sequence[DomainRow]:
        """Read the domains; see the interface."""
        return [DomainRow(*row) for row in await self.pool.query(sql.READ_DOMAINS, repeatable=True)]

    async def replace_bans(self, bans: Sequence[BanRow]) -> None:
        """Have other bans in force; see the interface."""
        columns = [
            [None if value is None else storable(value) for value in column] for column in zip(*bans, strict=True)
        ]
        await self.pool.query(sql.REPLACE_BANS, columns or [[], [], [], []], repeatable=True)

    async def bans_are_elsewhere(self) -> bool:
        """Tell where the bans come from; see the interface."""
        ((elsewhere,),) = await self.pool.query(sql.BANS_ARE_ELSEWHERE, repeatable=True)
        return bool(elsewhere)

    async def follow_bans(self) -> None:
        """Have the table count again; see the interface."""
        await self.pool.query(sql.FOLLOW_BANS, repeatable=True)

    # -- mailboxes ----------------------------------------------------------------------------------------------------

    async def list_mailboxes(self, user_id: UUID) -> Sequence[MailboxEntry]:
        """List a user's mailboxes; see the interface."""
        rows = await self.pool.query(sql.LIST_MAILBOXES, (user_id,), repeatable=True)
        return entries(user_id, rows)

    async def set_subscribed(self, user_id: UUID, name: str, subscribed: bool) -> None:
        """Keep what was said by SUBSCRIBE or UNSUBSCRIBE; see the interface."""
        await self.pool.query(sql.SET_SUBSCRIBED, (user_id, name, subscribed), repeatable=True)

    async def find_mailbox(self, user_id: UUID, owner: str, folder: str) -> MailboxRef | None:
        """Find a mailbox of the user's; see the interface."""
        ((found,),) = await self.pool.query(sql.FIND_MAILBOX, (user_id, owner, folder), repeatable=True)
        return None if found is None else MailboxRef(user_id, found)

    async def limited_inbox(self, user_id: UUID, token_id: UUID) -> MailboxRef:
        """Find the INBOX of a limited token; see the interface."""
        ((found,),) = await self.pool.query(sql.LIMITED_INBOX, (user_id, token_id), repeatable=True)
        return MailboxRef(user_id, found)

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Take in what has happened; see the interface."""
        await self.need_bans()
        rows = await self.pool.query(sql.REFRESH, (mailbox.user_id, mailbox.id) * 2, repeatable=True)
        head = MailboxHead(*rows[0]) if rows else None
        if self.replica is not None:
            self.replica.positions.told(mailbox, head)
        return head

    async def claim_recent(self, mailbox: MailboxRef, *, claim: bool = True) -> int:
        """Return the first recent UID; see the interface."""
        ((uid,),) = await self.pool.query(sql.CLAIM_RECENT, (mailbox.user_id, mailbox.id, claim))
        return int(uid or 1)

    async def need_bans(self) -> None:
        """Raise :class:`StoreUnavailable` where nobody knows what is banned; here the database always knows."""

    async def _ask(self, statement: str, parameters: Sequence[object]) -> list[Row]:
        return await self.pool.query(statement, parameters, repeatable=True)

    async def _render(self, mailbox: MailboxRef, uids: Sequence[int]) -> None:
        await self._render_missing(mailbox, uids)

    async def delete_address(self, user_id: UUID, address: str) -> None:
        """Give an address back; see the interface. A replica has it for a moment longer."""
        try:
            await super().delete_address(user_id, address)
        finally:
            if self.replica is not None:
                self.replica.positions.forget()

    # -- changes by clients -------------------------------------------------------------------------------------------

    async def store_flags(
        self, mailbox: MailboxRef, uids: Sequence[int], mode: str, flags: Sequence[str], unchanged_since: int | None
    ) -> FlagChange | None:
        """Change flags in one transaction; see the interface."""
        key = (mailbox.user_id, mailbox.id)
        rows = await self.pool.query(sql.STORE_FLAGS, (*key, array(uids), mode, list(flags), unchanged_since))
        if not rows:
            return None
        # The last row is the mailbox, as the change has left it.
        _, _, highest_mod_seq, _, _, uid_validity, uid_next = rows.pop()
        head = MailboxHead(uid_validity, uid_next, highest_mod_seq)
        held_back = [row[0] for row in rows if row[3]]
        taken = rows[0][4] if rows else None
        return FlagChange(head, self._states([row[:3] for row in rows if not row[3]]), held_back, taken)

    async def expunge(self, mailbox: MailboxRef, uids: Sequence[int] | None) -> Expunged | None:
        """Delete for ever, in one transaction; see the interface."""
        wanted = None if uids is None else array(uids)
        rows = await self.pool.query(sql.EXPUNGE, (mailbox.user_id, mailbox.id, wanted))
        head = await self._head(mailbox)
        return None if head is None else Expunged(head, [uid for (uid,) in rows])

    async def _head(self, mailbox: MailboxRef) -> MailboxHead | None:
        rows = await self.pool.query(sql.HEAD, (mailbox.user_id, mailbox.id), repeatable=True)
        return MailboxHead(*rows[0]) if rows else None
