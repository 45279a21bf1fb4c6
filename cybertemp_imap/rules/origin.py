"""Where a client comes from, as far as rules care: this machine or not, and who counts as one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

_Host = IPv4Address | IPv6Address | None


def _parsed(host: str) -> _Host:
    """Return the address; an IPv4 one where it is written as IPv6 (RFC 4291 section 2.5.5.2)."""
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


class Origin(NamedTuple):
    """All that rules and the log want to know of a client's address, which is read once."""

    local: bool
    #: What counts as one client: an IPv4 address, or the /64 that one user of IPv6 has at least.
    network: str
    #: The address as it is logged: in its shortest form, whatever was given.
    shown: str


LOCAL = Origin(True, "local", "local")
"""A client that came through a socket without addresses."""


def origin_of(host: str | None) -> Origin:
    """Return where a client is; None is one that came through a socket without addresses."""
    if host is None:
        return LOCAL
    found = _parsed(host)
    if found is None:
        return Origin(False, "unknown", "unknown")
    text = str(found)
    network = str(IPv6Network((int(found) >> 64 << 64, 64))) if isinstance(found, IPv6Address) else text
    return Origin(found.is_loopback, network, text)


def is_local(host: str | None) -> bool:
    """Tell whether a client is on this machine."""
    return origin_of(host).local


def shown(host: str | None) -> str:
    """Return an address as it is logged."""
    return origin_of(host).shown


def network_of(host: str | None) -> str:
    """Return what counts as one client."""
    return origin_of(host).network
