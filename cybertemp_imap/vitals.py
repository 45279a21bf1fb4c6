"""What there is to be seen of a running server from outside: its counts, its database, and whether it is ready."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from cybertemp_imap.cached import Cached
from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.protocol.factory import ImapFactory
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store import migrations
from cybertemp_imap.store.postgres import PostgresStore

PATIENCE = 3.0
"""Seconds after which a database that has not answered is not ready: monitors wait for little longer."""


class Vitals:
    """The parts of a server that are looked at; nothing here changes them."""

    def __init__(
        self, factory: ImapFactory, store: PostgresStore, mailboxes: SharedMailboxes, domains: Cached[Any], reactor: Any
    ) -> None:
        self.factory = factory
        self.store = store
        self.mailboxes = mailboxes
        self.domains = domains
        self._reactor = reactor
        self._asking = False
        self._waiting: list[Deferred[str | None]] = []

    async def faults(self) -> list[str]:
        """Return what keeps the server from serving, one sentence each; none when it is ready."""
        found = [await self._database()]
        if not self.store.listener_up:
            found.append("listener: notifications of changes are not heard.")
        return [fault for fault in found if fault is not None]

    async def _database(self) -> str | None:
        """Ask the database, never more than once at a time, whoever wants to know."""
        answer: Deferred[str | None] = Deferred()
        self._waiting.append(answer)
        late = self._reactor.callLater(PATIENCE, self._give_up, answer)
        if not self._asking:
            self._asking = True
            Deferred.fromCoroutine(self._ask()).addBoth(self._answered)
        try:
            return await answer
        finally:
            if late.active():
                late.cancel()

    async def _ask(self) -> str | None:
        try:
            applied = await self.store.schema_versions()
        except StoreUnavailable:
            return "database: it cannot be reached."
        if migrations.compare(applied) is not migrations.SchemaState.CURRENT:
            return "schema: it is not the one that this version needs."
        return None

    def _answered(self, outcome: Any) -> None:
        self._asking = False
        fault = outcome if outcome is None or isinstance(outcome, str) else "database: asking it failed."
        waiting, self._waiting = self._waiting, []
        for answer in waiting:
            answer.callback(fault)

    def _give_up(self, answer: Deferred[str | None]) -> None:
        self._waiting.remove(answer)
        answer.callback("database: it does not answer.")
