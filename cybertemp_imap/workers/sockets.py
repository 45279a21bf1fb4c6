"""Sockets for workers: bound by the process that starts them, which keeps them open, and adopted by the workers.

Of each TCP endpoint there is a socket for every worker, bound to one port by ``SO_REUSEPORT``: the kernel spreads
connections over them by a hash, evenly and without waking workers that get nothing. Endpoints of other kinds have one
socket that all workers accept from.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory

from cybertemp_imap.listening import HandedSocket, Place, not_bound, reading
from cybertemp_imap.operator_error import OperatorError

BALANCED = sys.platform == "linux"
"""Whether ``SO_REUSEPORT`` spreads connections; elsewhere it only lets sockets be bound together."""


@dataclass(frozen=True)
class Bound:
    """The sockets of one endpoint, which nobody reads from here."""

    sockets: Sequence[socket.socket]
    host: IAddress | None = None
    #: What removes the file of a socket that has one.
    port: IListeningPort | None = None

    def handed(self, worker: int, first: int) -> list[HandedSocket]:
        """Return them as a worker gets them; ``first`` is the number of the first as a file there."""
        alone = len(self.sockets) == 1
        return [
            HandedSocket(first + number, each.family, worker if alone else number)
            for number, each in enumerate(self.sockets)
        ]

    def close(self) -> None:
        """Close them here."""
        for each in self.sockets:
            each.close()
        if self.port is not None:
            self.port.stopListening()


class Binder:
    """Stands for the reactor where endpoints listen: it binds, and leaves accepting to workers."""

    def __init__(self, reactor: Any, workers: int) -> None:
        self._reactor = reactor
        self._workers = workers

    def listenTCP(self, port: int, factory: Factory, backlog: int = 50, interface: str = "") -> Any:
        """Bind TCP sockets to one port."""
        family = socket.AF_INET6 if ":" in interface else socket.AF_INET
        count = self._workers if BALANCED else 1
        sockets: list[socket.socket] = []
        try:
            address = socket.getaddrinfo(interface or "0.0.0.0", port, family, socket.SOCK_STREAM)[0][4]
            if port and count > 1:
                # Sockets that share a port do not mind another program's that do: this one does.
                _tcp_socket(family, address, False).close()
            while len(sockets) < count:
                sockets.append(_tcp_socket(family, address, count > 1))
                address = sockets[0].getsockname()
            for each in sockets:
                each.listen(backlog)
        except OSError as error:
            for each in sockets:
                each.close()
            raise CannotListenError(interface, port, error) from error
        made = IPv6Address if family == socket.AF_INET6 else IPv4Address
        return Bound(sockets, made("TCP", *address[:2]))

    def listenUNIX(self, address: str, factory: Factory, **named: Any) -> Any:
        """Bind a socket with a name in the file system."""
        port = self._reactor.listenUNIX(address, factory, **named)
        reading(port, False)
        return Bound([socket.socket(fileno=os.dup(port.fileno()))], port=port)

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Factory) -> Any:
        """Take a socket that the service manager has bound."""
        adopted = socket.socket(fileno=os.dup(fileDescriptor))
        made = {socket.AF_INET: IPv4Address, socket.AF_INET6: IPv6Address}.get(adopted.family)
        return Bound([adopted], None if made is None else made("TCP", *adopted.getsockname()[:2]))


def _tcp_socket(family: int, address: Any, together: bool) -> socket.socket:
    """Return a socket that is bound, ``together`` with others to the same port."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if together:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
    except BaseException:
        made.close()
        raise
    return made


async def bind(place: Place, setting: str, reactor: Any, workers: int) -> Bound:
    """Bind the sockets of an endpoint.

    :raises OperatorError: they cannot be bound, or not be shared; ``setting`` is what the operator can change.
    """
    try:
        endpoint = serverFromString(Binder(reactor, workers), place.below)
        bound: Any = await endpoint.listen(Factory())
    except (CannotListenError, OSError) as error:
        raise not_bound(place.text, error, setting) from error
    except AttributeError:
        raise OperatorError(
            f"Workers cannot share {place.text}: change {setting}, or have one process serve with --workers 1."
        ) from None
    assert isinstance(bound, Bound)
    return bound
