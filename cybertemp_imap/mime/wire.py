"""Printing strings in IMAP's wire form (RFC 9051 section 4.3 and ``nstring`` of section 9)."""

from __future__ import annotations

import re
from functools import lru_cache

NIL = b"NIL"

SHORT = 40
"""Octets of strings whose printed form is remembered: types, charsets, encodings and the like are few."""

_QUOTABLE = re.compile(rb"[\t -~]{0,1000}+")


def string(value: bytes) -> bytes:
    """``value`` quoted when it is short printable ASCII, else as a literal.

    NUL octets are dropped: neither form can hold one (RFC 9051 section 4.3.1).
    """
    return _short(value) if len(value) <= SHORT else _string(value)


def _string(value: bytes) -> bytes:
    if _QUOTABLE.fullmatch(value):
        if b"\\" in value or b'"' in value:
            value = value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        return b'"' + value + b'"'
    return literal(value.replace(b"\0", b""))


_short = lru_cache(maxsize=1024)(_string)


def nstring(value: bytes | None) -> bytes:
    """``value`` as a string, or NIL for None."""
    return NIL if value is None else string(value)


def literal(value: bytes) -> bytes:
    """``value`` as a literal; it must not contain NUL."""
    return b"{%d}\r\n%b" % (len(value), value)
