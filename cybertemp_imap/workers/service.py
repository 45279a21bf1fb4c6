"""The process that starts workers: it binds ports, has the database ready, and looks after the workers that serve.

It serves no mail itself. What belongs to the server as a whole is here: an embedded PostgreSQL, HTTP, the service
manager, ready lines and the log.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from cybertemp_imap import service
from cybertemp_imap.config import Settings
from cybertemp_imap.lifecycle import StagedService
from cybertemp_imap.listening import HandedSocket, Place, Places
from cybertemp_imap.preparing import Database
from cybertemp_imap.ready import mail_lines, ready_lines
from cybertemp_imap.renewal import Renewal
from cybertemp_imap.tally import SharedMemory
from cybertemp_imap.tls import Certificate
from cybertemp_imap.web.ports import WebPorts
from cybertemp_imap.workers import sockets
from cybertemp_imap.workers.channel import SOCKETS, Beginning, beginning_line
from cybertemp_imap.workers.crew import Crew
from cybertemp_imap.workers.sockets import Bound
from cybertemp_imap.workers.worker import WorkerProcess

USUAL_CONNECTIONS = 100
"""Connections that an embedded PostgreSQL takes by itself."""

OTHER_CONNECTIONS = 20
"""Those that it needs besides the workers': for itself, and for the operator's program."""


class WorkersService(StagedService):
    """The IMAP server as a Twisted service that has processes serve."""

    def __init__(self, settings: Settings, reactor: Any, count: int, log: int | None = None) -> None:
        """
        :param count: how many processes serve.
        :param log: the file that they write their log to; without one they send it here.
        :raises OperatorError: an endpoint string is not understood, or a certificate cannot be used.
        """
        super().__init__(reactor)
        self.crew = Crew(reactor, count, self._spawn, self._forget)
        self._settings = settings
        self._log = log
        self._places = Places(settings, reactor)
        self._web = WebPorts(settings, self._places, reactor)
        self._renewal = Renewal(self, reactor)
        self._bound: list[Bound] = []
        self._memory: SharedMemory | None = None
        self._dsn = ""

    # -- certificates -------------------------------------------------------------------------------------------------

    @property
    def certificates(self) -> Iterable[Certificate]:
        """Those of the ports that are read here; workers look after theirs."""
        here = [place for place in (self._places.http, self._places.public_http) if place is not None]
        return {place.certificate for place in here if place.certificate is not None}

    def look(self) -> None:
        """Read again the certificates whose files have changed."""
        for certificate in self.certificates:
            certificate.look()

    def reload(self) -> None:
        """Read all certificates again, in the workers too."""
        for certificate in self.certificates:
            certificate.reload()
        self.crew.reload()

    # -- start and stop -----------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        settings = {"--bind or IMAP_BIND": self._places.all}
        settings |= {"--lmtp or IMAP_LMTP": self._places.lmtp, "--smtp or IMAP_SMTP": self._places.smtp}
        for setting, places in settings.items():
            for place in places:
                self._bound.append(await sockets.bind(place, setting, self._reactor, self.crew.count))
        await self._web.listen()

    async def _prepare(self) -> str | None:
        self._database = Database(
            self._settings, self._reactor, service.START_RETRY, service.complain, self._embedded_settings()
        )
        self._dsn, token = await self._database.ready()
        self._memory = SharedMemory.made(self.crew.count)
        await self.crew.start()
        return token

    def _serve(self, token: str | None) -> None:
        self._renewal.start()
        if self._settings.http is not None:
            from cybertemp_imap.workers.observed import Workers

            self._web.open_all(Workers(self.crew))
        service.announce(self._ready_lines(token), token)

    async def _end(self) -> None:
        self._close_sockets()
        await self.crew.stop(self._settings.stop_timeout)

    async def _release(self) -> None:
        self._renewal.stop()
        self._web.not_ready()
        await self._end()
        await self._stop_database()
        memory, self._memory = self._memory, None
        if memory is not None:
            memory.close()
        await self._web.stop()

    def _close_sockets(self) -> None:
        """Close the sockets here, before the workers do: else they would go on to take connections."""
        while self._bound:
            self._bound.pop().close()
        self._listening = None

    # -- workers ------------------------------------------------------------------------------------------------------

    def _spawn(self, worker: WorkerProcess) -> None:
        assert self._memory is not None
        handed: list[list[HandedSocket]] = []
        files: list[int] = []
        for bound in self._bound:
            handed.append(bound.handed(worker.number, SOCKETS + len(files)))
            files += [each.fileno() for each in bound.sockets]
        beginning = Beginning(self._settings_of(worker.number), worker.number, self.crew.count, handed)
        worker.spawn(self._reactor, beginning_line(beginning), self._memory.file, files, self._log)

    def _settings_of(self, number: int) -> Settings:
        """Return the settings of a worker: without what is done here, or by another worker."""
        return dataclasses.replace(
            self._settings, database_url=self._dsn, embedded=False, demo=False, http=None, public_http=None
        )

    def _forget(self, number: int) -> None:
        if self._memory is not None:
            self._memory.forget(number)

    def _embedded_settings(self) -> dict[str, str]:
        needed = self.crew.count * (self._settings.pool_size + 1) + OTHER_CONNECTIONS
        return {"max_connections": str(needed)} if needed > USUAL_CONNECTIONS else {}

    def _ready_lines(self, token: str | None) -> list[str]:
        places: list[tuple[str, Place]] = [("imap", place) for place in self._places.all]
        places += [("lmtp", place) for place in self._places.lmtp] + [("smtp", place) for place in self._places.smtp]
        found = [
            (protocol, bound.host, place.certificate)
            for (protocol, place), bound in zip(places, self._bound, strict=True)
            if bound.host is not None
        ]
        imap = [host for protocol, host, _ in found if protocol == "imap"]
        encrypted = [host for protocol, host, certificate in found if protocol == "imap" and certificate is not None]
        mail = [(protocol, host) for protocol, host, _ in found if protocol != "imap"]
        return [*ready_lines(imap, token, encrypted), *mail_lines(mail)]
