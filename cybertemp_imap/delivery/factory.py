"""Makes sessions for connections of senders, counts them, and ends them together."""

from __future__ import annotations

import re
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory

from cybertemp_imap.delivery.limits import MailLimits
from cybertemp_imap.delivery.recipients import Domains, Recipients
from cybertemp_imap.delivery.session import MailSession
from cybertemp_imap.protocol.sessionlog import SessionLog, Value
from cybertemp_imap.rules.origin import network_of
from cybertemp_imap.store.receiving import ReceivingStore
from cybertemp_imap.tally import Tally

LAST_WORD = 1.0
"""Seconds for what was said last to be sent."""


class MailFactory(Factory):
    """Takes mail into a store, by LMTP or by SMTP."""

    noisy = False

    def __init__(
        self,
        store: ReceivingStore,
        domains: Domains,
        *,
        lmtp: bool,
        limits: MailLimits | None = None,
        host: str = "",
        reactor: Any = None,
    ) -> None:
        """``host`` is this server's name as senders are told it; by default what the machine calls itself."""
        if reactor is None:
            from twisted.internet import reactor
        self.store = store
        self.recipients = Recipients(store, domains)
        self.lmtp = lmtp
        self.limits = limits or MailLimits()
        self.host = host or host_name()
        self.reactor = reactor
        #: What STARTTLS uses; without one it is not offered.
        self.certificate: Any = None
        self.session_log = SessionLog("logfmt", "info", reactor.seconds)
        #: Counts connections, together with other ports and other processes.
        self.tally = Tally()
        self._sessions: dict[MailSession, str] = {}
        self._empty: Deferred[None] | None = None

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the session of a new connection."""
        return MailSession(self)

    def note(self, **fields: Value) -> None:
        """Log something that happened."""
        if "info" in self.session_log.wanted:
            self.session_log.write("info", fields, None)

    def enter(self, session: MailSession) -> bool:
        """Take in a connection; false when there are too many."""
        network = network_of(session.peer_host)
        self._sessions[session] = network
        everybody = self.tally.add("mail", "")
        same = self.tally.add("mail network", network)
        return everybody <= self.limits.mail_connections and same <= self.limits.mail_ip_connections

    def leave(self, session: MailSession) -> None:
        """Forget a connection that is gone."""
        network = self._sessions.pop(session, None)
        if network is not None:
            self.tally.remove("mail", "")
            self.tally.remove("mail network", network)
        if self._empty is not None and not self._sessions and not self._empty.called:
            self._empty.callback(None)

    async def stop(self, grace: float) -> None:
        """End all sessions: those that have a message in hand when it is done, within ``grace`` seconds."""
        for session in list(self._sessions):
            session.stop()
        await self._gone(grace)
        for session in list(self._sessions):
            session.transport.abortConnection()  # type: ignore[union-attr]
        await self._gone(LAST_WORD)

    async def _gone(self, longest: float) -> None:
        if self._sessions:
            self._empty = Deferred()
            late = self.reactor.callLater(longest, self._empty.callback, None)
            await self._empty
            self._empty = None
            if late.active():
                late.cancel()


def host_name() -> str:
    """Return what the machine calls itself, without asking anybody else."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9.-]{1,253}", name) else "localhost"
