"""Where mail is taken: ports for LMTP and SMTP beside those of IMAP, with the same certificate, store and log."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

from cybertemp_imap.config import Settings
from cybertemp_imap.delivery.factory import MailFactory
from cybertemp_imap.delivery.limits import MailLimits
from cybertemp_imap.delivery.recipients import Domains
from cybertemp_imap.listening import Gate, Place, Places, Shares, not_bound, reading
from cybertemp_imap.protocol.sessionlog import SessionLog
from cybertemp_imap.store.receiving import ReceivingStore
from cybertemp_imap.tally import Tally

_SETTINGS = {True: "--lmtp or IMAP_LMTP", False: "--smtp or IMAP_SMTP"}


class MailStore(NamedTuple):
    """Where mail goes, and for which domains it is taken."""

    store: ReceivingStore
    domains: Domains


class _Door(NamedTuple):
    lmtp: bool
    place: Place
    gate: Gate


class MailPorts:
    """The ports for mail that settings name, perhaps none."""

    def __init__(self, settings: Settings, places: Places, reactor: Any) -> None:
        """Take what ``places`` has for mail, and its certificate for STARTTLS."""
        self._settings = settings
        self._reactor = reactor
        #: Counts the connections to all ports together, and perhaps those to other processes.
        self.tally = Tally()
        self._starttls = places.starttls
        self._doors: list[_Door] = []
        for lmtp, each in ((True, places.lmtp), (False, places.smtp)):
            self._doors += [_Door(lmtp, place, Gate()) for place in each]
        self._ports: list[IListeningPort] = []
        self._shares: Shares = None
        self._factories: list[MailFactory] = []

    async def listen(self) -> None:
        """Bind the ports; nothing is read from them yet."""
        for door in self._doors:
            try:
                port = await door.place.listen(door.gate)
            except (CannotListenError, OSError) as error:
                raise not_bound(door.place.text, error, _SETTINGS[door.lmtp]) from error
            reading(port, False)
            self._ports.append(port)

    def open(self, target: MailStore | None) -> None:
        """Begin to take mail."""
        if target is None:
            return
        for door in self._doors:
            factory = self._factory(target, door.lmtp)
            self._factories.append(factory)
            door.gate.open(factory)
        self.accept(self._shares)

    def accept(self, shares: Shares) -> None:
        """Accept connections on the sockets of these shares, once mail can be taken."""
        self._shares = shares
        if self._factories:
            for door, port in zip(self._doors, self._ports, strict=True):
                reading(port, door.place.in_share(shares))

    def _factory(self, target: MailStore, lmtp: bool) -> MailFactory:
        settings = self._settings
        limits = {field.name: getattr(settings, field.name) for field in dataclasses.fields(MailLimits)}
        factory = MailFactory(
            *target, lmtp=lmtp, limits=MailLimits(**limits), host=settings.mail_host or "", reactor=self._reactor
        )
        factory.certificate = self._starttls
        factory.tally = self.tally
        factory.session_log = SessionLog(settings.log_format, settings.log_level, self._reactor.seconds)
        return factory

    def hosts(self) -> Sequence[tuple[str, Any]]:
        """Return the protocol and address of each port."""
        return [
            ("lmtp" if door.lmtp else "smtp", port.getHost())
            for door, port in zip(self._doors, self._ports, strict=True)
        ]

    async def stop(self, grace: float) -> None:
        """Close the ports, and end the sessions: those with a message in hand when it is done."""
        for door in self._doors:
            door.gate.close()
        while self._ports:
            await maybeDeferred(self._ports.pop().stopListening)
        while self._factories:
            await self._factories.pop().stop(grace)
