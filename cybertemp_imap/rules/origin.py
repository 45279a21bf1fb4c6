"""Where a client comes from, as far as rules care: this machine or not, and who counts as one."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

_Host = IPv4Address | IPv6Address | None


def _parsed(host: str) -> _Host:
    """Return the address; an IPv4 one where it is written as IPv6 (RFC 4291 section 2.5.5.2)."""
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def is_local(host: str | None) -> bool:
    """Tell whether a client is on this machine; None is one that came through a socket without addresses."""
    if host is None:
        return True
    found = _parsed(host)
    return found is not None and found.is_loopback


def shown(host: str | None) -> str:
    """Return an address as it is logged: in its shortest form, whatever was given."""
    if host is None:
        return "local"
    found = _parsed(host)
    return "unknown" if found is None else str(found)


def network_of(host: str | None) -> str:
    """Return what counts as one client: an IPv4 address, or the /64 that one user of IPv6 has at least."""
    found = None if host is None else _parsed(host)
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found) >> 64 << 64, 64)))
    return shown(host)
