"""The server's HTTP ports: for its operator and, apart from them, for everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory
from twisted.web.resource import Resource

from cybertemp_imap.config import Settings
from cybertemp_imap.listening import Place, Places, not_bound
from cybertemp_imap.vitals import Vitals
from cybertemp_imap.web.http import Bounded, site_of
from cybertemp_imap.web.settings import client_settings

if TYPE_CHECKING:
    from cybertemp_imap.web.operator import Observed, OperatorRoot


class WebPorts:
    """Listens where settings say, if they do; without them nothing is made."""

    def __init__(self, settings: Settings, places: Places, reactor: Any) -> None:
        self._settings = settings
        self._places = places
        self._reactor = reactor
        self._operator: OperatorRoot | None = None
        self._sites: list[Bounded] = []
        self.ports: list[IListeningPort] = []

    async def listen(self) -> None:
        """Bind the ports and serve at once; raises :class:`OperatorError`."""
        if self._places.http is not None:
            from cybertemp_imap.web.operator import OperatorRoot

            self._operator = OperatorRoot()
            await self._serve(self._places.http, self._operator, "--http or IMAP_HTTP")
        if self._places.public_http is not None:
            from cybertemp_imap.web.public import PublicRoot

            root = PublicRoot(client_settings(self._settings))
            await self._serve(self._places.public_http, root, "--public-http or IMAP_PUBLIC_HTTP")

    async def _serve(self, place: Place, root: Resource, setting: str) -> None:
        site = site_of(root, self._reactor)
        try:
            self.ports.append(await place.listen(cast(Factory, site)))
        except (CannotListenError, OSError) as error:
            raise not_bound(place.text, error, setting) from error
        self._sites.append(site)

    def open(self, vitals: Vitals | None) -> None:
        """Tell from now on how a server is that is ready."""
        if vitals is not None and self._operator is not None:
            from cybertemp_imap.web.operator import OneServer

            self._operator.open(OneServer(vitals))

    def open_all(self, observed: Observed) -> None:
        """Tell from now on how the processes of a server are that are ready."""
        if self._operator is not None:
            self._operator.open(observed)

    def not_ready(self) -> None:
        """Tell that the server is not ready."""
        if self._operator is not None:
            self._operator.close()

    async def stop(self) -> None:
        """Close the ports and all connections."""
        while self.ports:
            await maybeDeferred(self.ports.pop().stopListening)
        while self._sites:
            self._sites.pop().disconnect()
