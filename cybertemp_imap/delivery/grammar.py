"""Command lines of SMTP (RFC 5321 section 4.1) and LMTP (RFC 2033). Pure."""

from __future__ import annotations

import re
from typing import NamedTuple

from cybertemp_imap.delivery.replies import Reply, Turned

# A path: what is in angle brackets. A quoted local part may hold brackets. A source route is passed over, as RFC 5321
# section 4.1.2 has it. Senders' addresses are often not quite what the grammar allows: what matters here is that
# nothing of them can end a header field.
_PATH = re.compile(
    r'\A *<(?:@[^<>"\s:]{1,500}:)?(?P<address>(?:"(?:[^"\\\x00-\x1f\x7f]|\\[ -~])*")?[^<>"\s\x00-\x1f\x7f]*)>'
)
_WORD = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9-]*(?:=[!-<>-~]+)?\Z")
_SIZE = re.compile(r"\A[0-9]{1,20}\Z")
_HELO = re.compile(r"\A[A-Za-z0-9._:\[\]-]{1,255}\Z")

MAX_PATH = 1000
"""Characters of a path; an address has 254 at most (RFC 5321 section 4.5.3.1.3), and senders' may be longer."""


class Sender(NamedTuple):
    """What MAIL says: the reverse path, empty for notices; the size announced, 0 when there is none."""

    address: str
    size: int
    utf8: bool


def verb(line: bytes) -> tuple[str, bytes]:
    """Cut a line into its command, in upper case, and what follows."""
    word, _, rest = line.partition(b" ")
    return word.decode("latin-1").upper(), rest


def greeting_name(argument: bytes) -> str:
    """Return the name in HELO, EHLO or LHLO; ``unknown`` where it is none that could be in a header field."""
    text = argument.strip().decode("latin-1")
    if not text:
        raise Turned(Reply.BAD_ARGUMENT)
    return text if _HELO.match(text) else "unknown"


def sender(argument: bytes) -> Sender:
    """Parse what follows MAIL."""
    address, words = _path(argument, b"FROM:", Reply.BAD_SENDER)
    size, utf8 = 0, False
    for word in words:
        name, _, value = word.upper().partition("=")
        if name == "SIZE" and _SIZE.match(value):
            size = int(value)
        elif name == "BODY" and value in ("7BIT", "8BITMIME"):
            continue
        elif name == "SMTPUTF8" and not value:
            utf8 = True
        elif name in ("SIZE", "BODY", "SMTPUTF8"):
            raise Turned(Reply.BAD_ARGUMENT)
        else:
            raise Turned(Reply.UNKNOWN_PARAMETER)
    if not utf8 and not address.isascii():
        raise Turned(Reply.NOT_ASCII)
    return Sender(address, size, utf8)


def recipient(argument: bytes, utf8: bool) -> str:
    """Parse what follows RCPT."""
    address, words = _path(argument, b"TO:", Reply.BAD_RECIPIENT)
    if words:
        raise Turned(Reply.UNKNOWN_PARAMETER)
    if not utf8 and not address.isascii():
        raise Turned(Reply.NOT_ASCII)
    return address


def _path(argument: bytes, keyword: bytes, bad: Reply) -> tuple[str, list[str]]:
    """Return the address in a path, and the parameters behind it."""
    if argument[: len(keyword)].upper() != keyword:
        raise Turned(Reply.BAD_ARGUMENT)
    try:
        text = argument[len(keyword) :].decode()
    except UnicodeDecodeError:
        raise Turned(bad) from None
    found = _PATH.match(text)
    if found is None or len(found["address"]) > MAX_PATH or not found["address"].isprintable():
        raise Turned(bad)
    rest = text[found.end() :]
    words = rest.split()
    if (rest and not rest.startswith(" ")) or not all(_WORD.match(word) for word in words):
        raise Turned(Reply.BAD_ARGUMENT)
    return found["address"], words
