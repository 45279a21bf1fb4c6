"""Where the server listens: endpoint strings, ports bound before there is anything to serve, and why one cannot be.

Endpoint strings are Twisted's, and three kinds of them are made here: ``ssl:``, so that certificates can be renewed;
``tls:`` before any other, which encrypts with the certificate of the settings; and ``haproxy:``, so that nothing is
said to a client before it is known who it is, and TLS comes after the PROXY header.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet import unix
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, quoteStringArgument, serverFromString
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from cybertemp_imap.config import ConfigError, Settings
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.proxied import ProxiedFactory
from cybertemp_imap.tls import Certificate

_PROXY = "haproxy:"
_TLS = "ssl:"
_TLS_ABOVE = "tls:"
_TLS_PARTS = frozenset({"privateKey", "certKey", "extraCertChain", "interface", "backlog"})

Shares = Collection[int] | None
"""Of the sockets that the workers of a server have for each endpoint, the numbers of some; None for any."""


class HandedSocket(NamedTuple):
    """A socket that another process has bound, for an endpoint string that it has understood."""

    file: int
    family: int
    #: Which of the endpoint's sockets it is.
    share: int

    def endpoint(self, reactor: Any) -> IStreamServerEndpoint:
        """Return what listens on it."""
        if self.family == socket.AF_UNIX:
            return _UnixEndpoint(reactor, self.file, self.family)
        return AdoptedStreamServerEndpoint(reactor, self.file, self.family)


class _UnixEndpoint(AdoptedStreamServerEndpoint):
    """Listens on a UNIX socket that another process has bound, whose file is that one's to change and to remove."""

    def listen(self, factory: Factory) -> Deferred[IListeningPort]:
        """Listen; Twisted's own would change the file's mode, and remove it in the end."""
        port = unix.Port(b"\0", factory, reactor=self.reactor)
        port._preexistingSocket = socket.socket(fileno=self.fileno)
        port._preexistingSocket.setblocking(False)
        port.startListening()
        return succeed(port)


class Place:
    """One endpoint to listen on.

    :ivar certificate: what it encrypts with from the first octet on; None where it begins in the clear.
    """

    def __init__(
        self,
        reactor: Any,
        text: str,
        certificate: Certificate | None = None,
        offered: Certificate | None = None,
        handed: HandedSocket | None = None,
    ) -> None:
        """
        :param text: the endpoint string; with ``certificate``, what is below TLS.
        :param offered: what ``tls:`` encrypts with.
        :param handed: the socket to use instead of binding one.
        :raises ConfigError: it is not understood.
        """
        self.text = text
        self.certificate = certificate
        #: The endpoint string without TLS and proxy.
        self.below = text
        self._handed = handed
        self._reactor = reactor
        try:
            self.proxied = text.startswith(_PROXY)
            self._endpoint = self._understood(text.removeprefix(_PROXY), offered)
        except Exception as error:
            # Endpoints are parsed by plugins, which raise what they like.
            reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
            raise ConfigError(f'"{text}" is not an endpoint to listen on: {reason}.') from None

    def _understood(self, text: str, offered: Certificate | None) -> IStreamServerEndpoint:
        if text.startswith(_TLS):
            text, self.certificate = _below_tls(text)
        elif text.startswith(_TLS_ABOVE):
            if offered is None:
                raise ValueError("tls: needs IMAP_TLS_CERT and IMAP_TLS_KEY")
            text, self.certificate = text.removeprefix(_TLS_ABOVE), offered
        self.below = text
        if self._handed is not None:
            return self._handed.endpoint(self._reactor)
        endpoint: IStreamServerEndpoint = serverFromString(self._reactor, text)
        return endpoint

    def in_share(self, shares: Shares) -> bool:
        """Tell whether its socket is one of these."""
        return self._handed is None or shares is None or self._handed.share in shares

    async def listen(self, factory: Factory) -> IListeningPort:
        """Bind the port and return it; raises what Twisted raises."""
        served: Any = factory
        if self.certificate is not None:
            served = _TlsFactory(self.certificate, False, served, self._reactor)
        if self.proxied:
            served = ProxiedFactory(served, self._reactor)
        port: IListeningPort = await self._endpoint.listen(served)
        return port


class Places:
    """All endpoints that settings name, with their certificates."""

    def __init__(
        self, settings: Settings, reactor: Any, handed: Sequence[Sequence[HandedSocket]] | None = None
    ) -> None:
        """Read certificates and understand endpoint strings.

        :param handed: the sockets of each endpoint for mail clients and for mail, in order, where they are bound.
        :raises OperatorError: a certificate or an endpoint string cannot be used.
        """
        self.starttls: Certificate | None = None
        if settings.tls_cert is not None and settings.tls_key is not None:
            self.starttls = Certificate(settings.tls_cert, settings.tls_key)
        sockets: Iterator[Sequence[HandedSocket | None]] = iter(handed) if handed is not None else repeat((None,))

        def made(text: str, certificate: Certificate | None = None, offered: Certificate | None = None) -> list[Place]:
            return [Place(reactor, text, certificate, offered, each) for each in next(sockets)]

        self.all = [place for text in settings.endpoints for place in made(text, offered=self.starttls)]
        if settings.tls_bind is not None:
            self.all += made(settings.tls_bind.endpoint, self.starttls)
        self.http = None if settings.http is None else Place(reactor, settings.http)
        self.public_http = None if settings.public_http is None else Place(reactor, settings.public_http)
        self.lmtp = [place for text in settings.lmtp for place in made(text)]
        self.smtp = [place for text in settings.smtp for place in made(text)]

    @property
    def certificates(self) -> Iterable[Certificate]:
        """Every certificate once."""
        web = [place for place in (self.http, self.public_http) if place is not None]
        found = (self.starttls, *(place.certificate for place in (*self.all, *web, *self.lmtp, *self.smtp)))
        return {each for each in found if each is not None}

    def look(self) -> None:
        """Read again the certificates whose files have changed."""
        for certificate in self.certificates:
            certificate.look()

    def reload(self) -> None:
        """Read all certificates again."""
        for certificate in self.certificates:
            certificate.reload()


def _below_tls(text: str) -> tuple[str, Certificate]:
    """Return the TCP endpoint that an ``ssl:`` endpoint string is over, and its certificate."""
    positional, named = endpoint_pieces(text)
    unknown = sorted(named.keys() - _TLS_PARTS)
    if unknown:
        raise ValueError(f"{unknown[0]} is not known")
    if len(positional) != 2 or "privateKey" not in named:
        raise ValueError("it must be of the form ssl:PORT:privateKey=FILE:certKey=FILE")
    key = Path(named["privateKey"])
    chain = Path(named["extraCertChain"]) if "extraCertChain" in named else None
    certificate = Certificate(Path(named.get("certKey", key)), key, chain)
    rest = [f"{name}={quoteStringArgument(named[name])}" for name in ("interface", "backlog") if name in named]
    return ":".join(["tcp", positional[1], *rest]), certificate


def endpoint_pieces(text: str) -> tuple[list[str], dict[str, str]]:
    """Cut an endpoint string at its colons; a backslash takes the next character as it is."""
    pieces = [""]
    characters = iter(text)
    for character in characters:
        if character == ":":
            pieces.append("")
        else:
            pieces[-1] += next(characters, "") if character == "\\" else character
    positional = [piece for piece in pieces if "=" not in piece]
    named = dict(piece.split("=", 1) for piece in pieces if "=" in piece)
    return positional, named


class _TlsFactory(TLSMemoryBIOFactory):
    """Adds TLS to the connections of a factory."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the protocol of a new connection, None when the factory wants none."""
        wrapped = self.wrappedFactory.buildProtocol(addr)
        return None if wrapped is None else self.protocol(self, wrapped)


class Gate(Factory):
    """Stands before the IMAP factory, which exists only when the store is there, while ports are bound before."""

    noisy = False

    def __init__(self) -> None:
        self._factory: Factory | None = None

    @property
    def opened(self) -> bool:
        """Whether there is a factory."""
        return self._factory is not None

    def open(self, factory: Factory) -> None:
        """Give new connections to ``factory``."""
        self._factory = factory
        factory.doStart()

    def close(self) -> None:
        """Refuse new connections."""
        if self._factory is not None:
            self._factory.doStop()
            self._factory = None

    def logPrefix(self) -> str:
        """Return the name under which ports are logged."""
        return "cybertemp-imap"

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return what the IMAP factory makes of the connection."""
        return None if self._factory is None else self._factory.buildProtocol(addr)


def reading(port: IListeningPort, wanted: bool) -> None:
    """Let a port accept connections, or leave them in the kernel's queue; not every kind of port can wait."""
    change: Callable[[], None] | None = getattr(port, "startReading" if wanted else "stopReading", None)
    if change is not None:
        change()


def not_bound(text: str, error: BaseException, setting: str = "--bind or IMAP_BIND") -> OperatorError:
    """Return the sentence on an endpoint that cannot be listened on; ``setting`` is what says where."""
    cause = getattr(error, "socketError", error)
    number = getattr(cause, "errno", None)
    remedy = _BIND_REMEDIES.get(number or 0, "choose another with {setting}").format(setting=setting)
    reason = os.strerror(number) if number else str(cause).rstrip(".")
    return OperatorError(f"Cannot listen on {text}: {reason}; {remedy}.")


_BIND_REMEDIES = {
    errno.EADDRINUSE: "stop the program that uses it, or choose another port with {setting}",
    errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE; or choose another with {setting}",
    errno.EADDRNOTAVAIL: "this machine has no such address; choose another with {setting}",
}
