"""What is printed when the server accepts connections."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import IAddress

from cybertemp_imap.demo.account import USER


def ready_lines(hosts: Iterable[IAddress], token: str | None, encrypted: Iterable[IAddress] = frozenset()) -> list[str]:
    """Return the lines to print: with a demo, who can log in and how; without, one for each port.

    :param token: the demo account's token, None where there is no demo.
    :param encrypted: those of ``hosts`` where TLS begins with the first octet.
    """
    places = [(place, host in encrypted) for host in hosts if (place := _place(host))]
    in_the_clear = [place for place, tls in places if not tls]
    if token is None or not in_the_clear:
        return [f"ready: imap{'s' if tls else ''}://{place}" for place, tls in places] or ["ready"]
    first = in_the_clear[0]
    server, _, port = first.rpartition(":")
    return [
        f"ready: imap://{first} user={USER} token={token}",
        f"curl --user '{USER}:{token}' 'imap://{first}/INBOX;MAILINDEX=1'",
        f"mail client: server {server}, port {port}, no TLS or STARTTLS, user name {USER}, password {token}",
    ]


def mail_lines(hosts: Iterable[tuple[str, IAddress]]) -> list[str]:
    """Return the lines to print for ports that take mail, each with its protocol."""
    return [f"ready: {protocol}://{place}" for protocol, host in hosts if (place := _place(host))]


def _place(host: Any) -> str | None:
    """Return ``address:port`` as a client on this machine would use it, None for what is no TCP port."""
    address, port = getattr(host, "host", None), getattr(host, "port", None)
    if address is None or port is None:
        return None
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
