"""The database of the settings, brought to where a store can use it: waited for, or an embedded one that is started."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from cybertemp_imap.config import Settings
from cybertemp_imap.embedded import EmbeddedPostgres
from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.store import migrations
from cybertemp_imap.store.connection import DatabaseAway

_Result = TypeVar("_Result")


class Database:
    """What a server's start needs of PostgreSQL."""

    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        retry: float,
        say: Callable[[str], None],
        embedded_settings: dict[str, str] | None = None,
    ) -> None:
        """
        :param retry: seconds between attempts while PostgreSQL cannot be reached.
        :param say: is told once what is being waited for.
        :param embedded_settings: settings of an embedded PostgreSQL besides its own.
        """
        self._settings = settings
        self._reactor = reactor
        self._retry = retry
        self._say = say
        self._embedded_settings = embedded_settings
        self._embedded: EmbeddedPostgres | None = None
        self._nap: Deferred[None] | None = None
        self._stopping = False
        self._told_away = False

    async def ready(self) -> tuple[str, str | None]:
        """Return the connection string of a database whose schema is right, and the demo's token."""
        return await self.in_time(lambda: self._in_thread(self._prepare))

    async def in_time(self, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Do what needs PostgreSQL, again and again while it cannot be reached: it may be started after this server."""
        while True:
            try:
                return await work()
            except (DatabaseAway, StoreUnavailable) as away:
                if self._stopping or self._settings.database_url is None:
                    raise
                self._tell_away(away)
            self._nap = deferLater(self._reactor, self._retry)
            await self._nap

    def cancel(self) -> None:
        """Make what is under way give up soon."""
        self._stopping = True
        if self._embedded is not None:
            self._embedded.cancel()
        if self._nap is not None:
            self._nap.cancel()

    async def stop(self) -> None:
        """Stop the embedded PostgreSQL, if it runs."""
        embedded, self._embedded = self._embedded, None
        if embedded is not None:
            await self._in_thread(embedded.stop)

    def _tell_away(self, away: Exception) -> None:
        """Say once what is being waited for."""
        if not self._told_away:
            self._told_away = True
            reason = str(away) if isinstance(away, DatabaseAway) else "PostgreSQL cannot be reached."
            self._log.warn("{reason} Trying again until it can be.", reason=reason)
            self._say(f"cybertemp-imap: {reason} Trying again until it can be.")

    def _prepare(self) -> tuple[str, str | None]:
        """Look at the schema, or start a PostgreSQL; blocks."""
        settings = self._settings
        if settings.database_url is not None:
            migrations.require_current(settings.database_url)
            return settings.database_url, None
        self._embedded = EmbeddedPostgres(settings.data_dir, settings.postgres_bin, settings=self._embedded_settings)
        self._embedded.start()
        migrations.migrate(self._embedded.dsn)
        token = None
        if settings.demo:
            from cybertemp_imap.demo.loader import prepare

            token = prepare(self._embedded.dsn, settings.data_dir)
        return self._embedded.dsn, token

    def _in_thread(self, function: Callable[[], _Result]) -> Awaitable[_Result]:
        deferred: Deferred[_Result] = deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function)
        return deferred
