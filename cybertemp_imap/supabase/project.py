"""Where a Supabase project is, and what its key looks like."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_NOT_IN_URL = re.compile(r"[^!-~]|[?#@\\]")


def project_url(value: str) -> str:
    """Return the URL without a slash at its end; raises :class:`ValueError` for what is no project's.

    Without TLS, the service key may only go to this machine.
    """
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError("is not an https:// URL") from None
    if parts.scheme not in ("https", "http") or not host or _NOT_IN_URL.search(value):
        raise ValueError("is not an https:// URL")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("is not an https:// URL, and http:// is for this machine only")
    return value.rstrip("/")


def service_key(value: str) -> str:
    """Return the key; raises :class:`ValueError` for one that cannot be sent in a header."""
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("is not a service key")
    return value


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
