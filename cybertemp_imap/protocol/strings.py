"""Printing strings for responses (RFC 9051 section 9): quoted, literal, astring, nstring, mailbox names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cybertemp_imap.protocol.names import encode_mailbox

LONGEST_QUOTED = 1000
"""Longer strings go as literals: some clients read lines into small buffers (RFC 7162 section 4)."""

_PRINTABLE = re.compile(rb"[\x20-\x7e]*+")
_UNQUOTABLE = re.compile(rb"[\x00\r\n]")
_ATOM = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f-\xff]++')


def quoted(octets: bytes) -> bytes:
    """Print a ``quoted`` string; raises ValueError where CR, LF or NUL make that impossible."""
    if _UNQUOTABLE.search(octets) is not None:
        raise ValueError("not possible in a quoted string")
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def literal(octets: bytes) -> bytes:
    """Print a ``literal``; NUL, which it cannot hold, is left out."""
    if b"\0" in octets:
        octets = octets.replace(b"\0", b"")
    return b"{%d}\r\n%s" % (len(octets), octets)


def string(octets: bytes) -> bytes:
    """Print a ``string``: quoted where it is short and printable ASCII, else a literal."""
    if b"\0" in octets:
        octets = octets.replace(b"\0", b"")
    if len(octets) <= LONGEST_QUOTED and _PRINTABLE.fullmatch(octets) is not None:
        if b"\\" in octets or b'"' in octets:
            octets = octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        return b'"' + octets + b'"'
    return literal(octets)


def nstring(octets: bytes | None) -> bytes:
    """Print an ``nstring``: NIL for None."""
    return b"NIL" if octets is None else string(octets)


def astring(octets: bytes) -> bytes:
    """Print an ``astring``: an atom where that is possible and could not be taken for NIL, else a string."""
    if len(octets) <= LONGEST_QUOTED and _ATOM.fullmatch(octets) is not None and octets.upper() != b"NIL":
        return octets
    return string(octets)


def mailbox(name: str, utf8: bool) -> bytes:
    """Print a ``mailbox``, always quoted: modified UTF-7, or UTF-8 where the session has enabled it.

    Raises MailboxNameFault for a name that no mailbox can have.
    """
    return quoted(encode_mailbox(name, utf8))


def numbers(values: Iterable[int]) -> bytes:
    """Print numbers with a space between: ``2 84 882``."""
    return b" ".join([b"%d" % value for value in values])
