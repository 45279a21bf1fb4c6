"""All sessions of a process: how many there may be, and how they end together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.tally import Tally

if TYPE_CHECKING:
    from cybertemp_imap.protocol.connection import Connection

SHUTTING_DOWN = ("The server is shutting down.", "UNAVAILABLE")

LAST_WORD = 1.0
"""Seconds that a client has to take in that its command will not be finished."""


class Sessions:
    """The open connections, counted by address (an IPv6 /64 is one) and by user."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._networks: dict[Connection, str] = {}
        self._users: dict[Connection, Hashable] = {}
        #: Counts by address and by user; other processes may count with it.
        self.tally = Tally()
        self._waiting: Deferred[None] | None = None
        self._octets_gone = (0, 0)

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._networks)

    def by_state(self) -> Counter[str]:
        """How many connections are in each state; ``select`` is a mailbox that is open."""
        return Counter(session.state for session in self._networks)

    def octets(self) -> tuple[int, int]:
        """How many octets were read and given out since the start, without what TLS adds."""
        read, given = self._octets_gone
        return (
            read + sum(session.octets_in for session in self._networks),
            given + sum(session.outlet.octets for session in self._networks),
        )

    def enter(self, session: Connection) -> bool:
        """Take in a new connection; false when there are too many from where it comes."""
        network = session.origin.network
        self._networks[session] = network
        return self.tally.add("network", network) <= self._limits.ip_connections

    def log_in(self, session: Connection, user: Hashable) -> bool:
        """Count a connection as a user's; false, and not counted, when the user has too many."""
        if self.tally.add("user", user) > self._limits.user_connections:
            self.tally.remove("user", user)
            return False
        self._users[session] = user
        return True

    async def stop(self, reactor: Any, grace: float) -> None:
        """End all sessions: at once, or after the command in hand, for which there are ``grace`` seconds.

        Returns when all connections are gone.
        """
        for session in list(self._networks):
            session.stop()
        await self._gone(reactor, grace)
        for session in list(self._networks):
            session.bye(*SHUTTING_DOWN, why="shutdown")
        await self._gone(reactor, LAST_WORD)
        for session in list(self._networks):
            session.transport.abortConnection()
        await self._gone(reactor, LAST_WORD)

    async def _gone(self, reactor: Any, longest: float) -> None:
        """Return when no connection is left, or after so many seconds."""
        if self._networks:
            self._waiting = Deferred()
            late = reactor.callLater(longest, self._waiting.callback, None)
            await self._waiting
            if late.active():
                late.cancel()

    def leave(self, session: Connection) -> None:
        """Forget a connection that is gone."""
        if session in self._networks:
            self.tally.remove("network", self._networks.pop(session))
            read, given = self._octets_gone
            self._octets_gone = read + session.octets_in, given + session.outlet.octets
        if session in self._users:
            self.tally.remove("user", self._users.pop(session))
        if self._waiting is not None and not self._networks and not self._waiting.called:
            self._waiting.callback(None)
