"""Looking at a running server from outside, as a mail client does."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from cybertemp_imap.config import Settings
from cybertemp_imap.listening import endpoint_pieces

TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Port:
    """A TCP port that settings name; ``host`` is the one to bind, empty for all."""

    host: str
    port: int
    tls: bool = False
    proxied: bool = False

    @property
    def reachable(self) -> str:
        """The host to connect to."""
        return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)

    def __str__(self) -> str:
        return f"{self.reachable}:{self.port}" + (" (TLS)" if self.tls else "")


def ports(settings: Settings) -> Iterator[Port]:
    """Yield the TCP ports of all endpoints; other kinds of endpoints are left out."""
    if settings.tls_bind is not None:
        yield Port(settings.tls_bind.host, settings.tls_bind.port, True)
    for text in settings.endpoints:
        found = port_of(text)
        if found is not None:
            yield found


def port_of(text: str) -> Port | None:
    """Return the port of an endpoint string, None where it is none of TCP."""
    positional, named = endpoint_pieces(text.removeprefix("haproxy:"))
    kind = positional[0]
    if kind not in ("tcp", "tcp6", "ssl") or len(positional) < 2 or not positional[1].isdigit():
        return None
    return Port(named.get("interface", ""), int(positional[1]), kind == "ssl", text.startswith("haproxy:"))


def greeting(port: Port) -> str:
    """Connect, and return the first line that the server says; raises :class:`OSError`."""
    with socket.create_connection((port.reachable, port.port), TIMEOUT) as plain:
        if not port.tls:
            return _line(plain)
        # Who the server says it is, is for another check: this is about whether it answers.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(plain) as encrypted:
            return _line(encrypted)


def _line(connection: socket.socket) -> str:
    with connection.makefile("rb") as stream:
        return stream.readline(1000).decode("ascii", "replace").strip()


def is_imap(line: str) -> bool:
    """Tell whether a greeting is that of an IMAP server (RFC 9051 section 7.1)."""
    return re.match(r"\* (OK|PREAUTH|BYE)\b", line) is not None


def readiness(settings: Settings) -> str | None:
    """Return what /readyz says, one line, "ok" first where it is; None where the settings have no such endpoint."""
    found = port_of(settings.http) if settings.http else None
    if found is None:
        return None
    try:
        with urlopen(f"http://{found.reachable}:{found.port}/readyz", timeout=TIMEOUT) as answer:
            return f"ok: {answer.read(1000).decode('utf-8', 'replace').strip()}"
    except HTTPError as error:
        return f"not ready: {error.read(1000).decode('utf-8', 'replace').strip()}"
    except (URLError, OSError):
        return "not ready: nobody answers"
