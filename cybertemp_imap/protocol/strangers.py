"""What other protocols begin with, on a port where IMAP is expected."""

from __future__ import annotations

import re

_TLS = b"\x16\x03"
# A tag (RFC 9051 section 9) has no control character and nothing beyond ASCII.
_BINARY = re.compile(rb"[^ \r\n]{0,64}?[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]")
_LINES = (
    ("http", re.compile(rb"[A-Z]{3,16} [^ ]+ HTTP/[0-9.]+$")),
    ("smtp", re.compile(rb"(?:(?:EHLO|HELO|LHLO)(?: |$)|MAIL FROM:|RCPT TO:)", re.IGNORECASE)),
    ("ssh", re.compile(rb"SSH-[0-9]")),
)


def of_octets(data: bytes) -> str | None:
    """Name what the first octets of a connection are of, where they can be of no command."""
    if data.startswith(_TLS):
        return "tls"
    return "binary" if _BINARY.match(data) else None


def of_line(line: bytes) -> str | None:
    """Name what a line is of that is no command."""
    return next((name for name, pattern in _LINES if pattern.match(line)), None)
