"""The running server: database, store and listening ports, started and stopped in order.

A PostgreSQL that cannot be reached at the start is waited for; what the operator can mend ends the process.

Nothing is read from the ports until the store is ready: clients that connect meanwhile wait in the kernel's queue.
"""

from __future__ import annotations

import atexit
import dataclasses
import gc
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from twisted.cred.portal import Portal
from twisted.internet.defer import ensureDeferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from cybertemp_imap.account import watched_realm
from cybertemp_imap.addresses import Addresses
from cybertemp_imap.auth import TokenChecker
from cybertemp_imap.cached import Cached
from cybertemp_imap.columns.shelf import Shelf
from cybertemp_imap.config import Settings
from cybertemp_imap.delivery.ports import MailPorts, MailStore
from cybertemp_imap.descriptors import raise_limit
from cybertemp_imap.kept.content import Keep
from cybertemp_imap.lifecycle import StagedService
from cybertemp_imap.listening import Gate, HandedSocket, Places, Shares, not_bound, reading
from cybertemp_imap.mime.parse import MimeLimits
from cybertemp_imap.notify import READY, notify
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.preparing import Database
from cybertemp_imap.protocol.factory import ImapFactory
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.protocol.sessionlog import SessionLog
from cybertemp_imap.ready import mail_lines, ready_lines
from cybertemp_imap.renewal import Renewal
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.supabase.client import SupabaseClient
from cybertemp_imap.supabase.store import HostedStore
from cybertemp_imap.tally import Tally
from cybertemp_imap.throttle import Table, default_file
from cybertemp_imap.upkeep import RETENTION_INTERVAL, Retention, Upkeep
from cybertemp_imap.vitals import Vitals
from cybertemp_imap.watch import SessionWatch
from cybertemp_imap.web.ports import WebPorts


class Startable(Protocol):
    """What the service needs of a store."""

    async def start(self) -> None:
        """Connect; returns when the store can be used."""

    async def stop(self) -> None:
        """Disconnect."""


START_RETRY = 1.0
"""Seconds between attempts to start while PostgreSQL cannot be reached."""

DOMAIN_ROUND = 0.75
"""Of the time for which domains are kept: then they are read anew, so that nobody is given older ones."""

#: Makes the store and the factory of the IMAP protocol over the database of a connection string.
Build = Callable[[Settings, str], tuple[Startable, Any]]


def build_factory(settings: Settings, dsn: str, tidies: bool = True) -> tuple[Startable, Factory]:
    """Return the store on ``dsn`` and the factory that serves it; neither is started.

    :param tidies: whether this process clears away what nobody needs, and mail that is too old.
    """
    from twisted.internet import reactor

    store = build_store(settings, dsn, reactor)
    keep = Keep(settings.message_cache) if settings.message_cache else None
    mailboxes = SharedMailboxes(store, reactor.callLater, Shelf(settings.search_cache), keep)
    watch = SessionWatch(store)
    domains = Cached(store.read_domains, settings.domain_cache, reactor)
    portal = Portal(watched_realm(watch, mailboxes, Addresses(store, domains.get)), [TokenChecker(store)])
    limits = Limits(**{field.name: getattr(settings, field.name) for field in dataclasses.fields(Limits)})
    rounds = [
        (settings.rights_interval, watch.check),
        (settings.rights_interval, mailboxes.leave_gone),
        (settings.domain_cache * DOMAIN_ROUND, domains.renew),
    ]
    if tidies and settings.retention is not None:
        rounds.append((RETENTION_INTERVAL, Retention(store, settings.retention).purge))
    factory = ImapFactory(portal, limits)
    factory.vitals = Vitals(factory, store, mailboxes, domains, reactor)
    factory.mail_store = MailStore(store, domains.get)
    return Upkeep(store, mailboxes, settings.poll_interval, reactor, rounds, tidies=tidies), factory


def build_store(settings: Settings, dsn: str, reactor: Any) -> PostgresStore:
    """Return the store on ``dsn``, with what the settings say is in Supabase."""
    options = {
        "pool_size": settings.pool_size,
        "statement_timeout": settings.statement_timeout,
        "acquire_timeout": settings.database_wait,
        "folder_quota": settings.folder_quota,
        "address_quota": settings.address_quota,
        "listen_dsn": settings.listen_database_url,
        "replica_dsn": settings.replica_url,
        "mime_limits": MimeLimits(settings.mime_levels, settings.mime_parts),
        "reactor": reactor,
    }
    hosted = settings.use_supabase_auth or settings.use_supabase_bans or settings.use_supabase_domains
    if not hosted or settings.supabase_url is None or settings.supabase_key is None:
        return PostgresStore(dsn, **options)
    client = SupabaseClient(settings.supabase_url, settings.supabase_key, settings.supabase_timeout, reactor)
    return HostedStore(
        dsn,
        client,
        auth=settings.use_supabase_auth,
        domains=settings.use_supabase_domains,
        ban_cache=settings.supabase_ban_cache if settings.use_supabase_bans else None,
        **options,
    )


class ImapService(StagedService):
    """The IMAP server as a Twisted service."""

    log = Logger()

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        build: Build = build_factory,
        *,
        handed: Sequence[Sequence[HandedSocket]] | None = None,
        tally: Tally | None = None,
    ) -> None:
        """
        :param handed: the sockets of each endpoint where others have bound them; then :meth:`accept` says which to use.
        :param tally: counts connections, also those of others, where limits are for all together.
        :raises OperatorError: an endpoint string is not understood, or a certificate cannot be used.
        """
        super().__init__(reactor)
        self._settings = settings
        self._build = build
        self._tally = tally or Tally()
        self._places = Places(settings, reactor, handed)
        self._renewal = Renewal(self._places, reactor)
        self._web = WebPorts(settings, self._places, reactor)
        self._mail = MailPorts(settings, self._places, reactor)
        self._mail.tally = self._tally
        self._gate = Gate()
        self._ports: list[IListeningPort] = []
        self._shares: Shares = None if handed is None else ()
        self._store: Startable | None = None
        self._served: Any = None
        self._factory: ImapFactory | None = None

    def privilegedStartService(self) -> None:
        """Bind the ports."""
        raise_limit()
        super().privilegedStartService()

    async def _listen(self) -> None:
        for place in self._places.all:
            try:
                port = await place.listen(self._gate)
            except (CannotListenError, OSError) as error:
                raise not_bound(place.text, error) from error
            reading(port, False)
            self._ports.append(port)
        await self._web.listen()
        await self._mail.listen()

    def accept(self, shares: Shares) -> None:
        """Accept connections on the sockets of these shares, once the server is ready."""
        self._shares = shares
        self._mail.accept(shares)
        if self._gate.opened:
            for port, place in zip(self._ports, self._places.all, strict=True):
                reading(port, place.in_share(shares))

    async def _prepare(self) -> str | None:
        self._database = Database(self._settings, self._reactor, START_RETRY, complain)
        dsn, token = await self._database.ready()
        self._store, self._served = self._build(self._settings, dsn)
        self._equip(self._served)
        await self._database.in_time(self._store.start)
        return token

    def _serve(self, token: str | None) -> None:
        # What was made by importing and starting stays for good: a full collection that walks it over and over again
        # would hold the reactor for tens of milliseconds each time.
        gc.collect()
        gc.freeze()
        self._renewal.start()
        self._gate.open(self._served)
        self._web.open(getattr(self._served, "vitals", None))
        self._mail.open(getattr(self._served, "mail_store", None))
        self.accept(self._shares)
        self.announce(token)

    def announce(self, token: str | None) -> None:
        """Tell that connections are accepted, and on which ports; ``token`` is the demo's, if there is one."""
        hosts = [port.getHost() for port in self._ports]
        encrypted = [host for host, place in zip(hosts, self._places.all, strict=True) if place.certificate is not None]
        announce([*ready_lines(hosts, token, encrypted), *mail_lines(self._mail.hosts())], token)

    def _equip(self, factory: Any) -> None:
        """Give the factory what it shares with others: certificates, and the count of failed logins."""
        factory.certificate = self._places.starttls
        if isinstance(factory, ImapFactory):
            factory.session_log = SessionLog(self._settings.log_format, self._settings.log_level, self._reactor.seconds)
            factory.sessions.tally = self._tally
            factory.throttle.table = Table.shared(self._settings.throttle_file or default_file())
            self._factory = factory

    async def _release(self) -> None:
        self._renewal.stop()
        self._gate.close()
        self._web.not_ready()
        while self._ports:
            await maybeDeferred(self._ports.pop().stopListening)
        self._listening = None
        ending = [ensureDeferred(self._mail.stop(self._settings.stop_timeout))]
        factory, self._factory, self._served = self._factory, None, None
        if factory is not None:
            ending.append(ensureDeferred(factory.sessions.stop(self._reactor, self._settings.stop_timeout)))
        await gatherResults(ending)
        if factory is not None:
            factory.throttle.table.close()
        store, self._store = self._store, None
        if store is not None:
            await store.stop()
        await self._stop_database()
        await self._web.stop()


def announce(lines: Iterable[str], token: str | None) -> None:
    """Tell that connections are accepted: the service manager, the log without the demo's token, and who started it."""
    for line in lines:
        ImapService.log.info("{line}", line=line.replace(token, "…") if token else line)
        _say(sys.__stdout__, line)
    notify(READY)


def complain(line: str) -> None:
    """Print to standard error."""
    _say(sys.__stderr__, line)


def leave_when_failed(failure: Failure, reactor: Any) -> None:
    """Tell why the server cannot start, stop the reactor, and leave the process with status 1.

    What the operator can mend is one sentence on standard error; anything else is a fault, with its traceback in the
    log.
    """
    log = ImapService.log
    if failure.check(OperatorError):
        sentence = str(failure.value)
        log.critical("{sentence}", sentence=sentence)
    else:
        sentence = "The server cannot start because of a fault in it: see the log."
        log.failure("The server cannot start.", failure)
    complain(f"cybertemp-imap: {sentence}")
    # twistd always leaves with status 0 when the reactor was stopped; this is the last thing that runs.
    atexit.register(_leave_with_error)
    reactor.callWhenRunning(reactor.stop)


def _leave_with_error() -> None:
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(1)


def _say(stream: Any, line: str) -> None:
    """Print to what was standard output or error before twistd made it part of the log."""
    if stream is not None:
        print(line, file=stream, flush=True)
