"""Makes a server's side for each connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.protocol.server import ImapServer
from cybertemp_imap.protocol.sessionlog import SessionLog
from cybertemp_imap.protocol.sessions import Sessions
from cybertemp_imap.sasl import LoginCredentials, PlainCredentials
from cybertemp_imap.throttle import Throttle

CHALLENGERS: Mapping[bytes, Callable[[], Any]] = {b"PLAIN": PlainCredentials, b"LOGIN": LoginCredentials}
"""SASL mechanisms, by name."""


class ImapFactory(Factory):
    """Serves the accounts that a portal gives out."""

    noisy = False
    protocol = ImapServer

    def __init__(
        self,
        portal: Portal,
        limits: Limits | None = None,
        *,
        challengers: Mapping[bytes, Callable[[], Any]] = CHALLENGERS,
        reactor: Any = None,
    ) -> None:
        """The portal's realm must give :class:`cybertemp_imap.account.Account` for ``IAccount``."""
        if reactor is None:
            from twisted.internet import reactor
        self.portal = portal
        self.limits = limits or Limits()
        #: What STARTTLS uses; without one it is not offered.
        self.certificate: Any = None
        #: Where mail that comes in goes, for whoever takes it; the protocol has no use for it.
        self.mail_store: Any = None
        self.challengers = dict(challengers)
        self.reactor = reactor
        #: What there is to be seen of the server that this is part of, where somebody looks.
        self.vitals: Any = None
        self.sessions = Sessions(self.limits)
        self.session_log = SessionLog("logfmt", "info", reactor.seconds)
        self.throttle = Throttle(
            self.limits.ip_failures, self.limits.account_failures, self.limits.login_wait, reactor.seconds
        )

    def buildProtocol(self, addr: IAddress | None) -> ImapServer:
        """Return the protocol of a new connection."""
        server = self.protocol(self.portal, self.challengers, self.limits, self.reactor)
        server.factory = self
        return server
