"""Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3) or UTF-8 (RFC 9051 section 5.1, RFC 6855)."""

from __future__ import annotations

import binascii
import re

from cybertemp_imap.naming import UNPRINTABLE

_FORBIDDEN = re.compile(f"[{UNPRINTABLE}]")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*+)-")
_UNSHIFTED_WITHIN = re.compile("[\x20-\x7e]")
_TO_SHIFT = re.compile("&|[^\x20-\x7e]+")


class MailboxNameFault(ValueError):
    """No mailbox can have this name, or the octets do not spell one."""


def decode_mailbox(raw: bytes, utf8: bool) -> str:
    """Read a mailbox name or LIST pattern as sent; ``utf8`` where the session has enabled it.

    Without it, raw UTF-8 from a careless client is taken as it is; ``&`` then stands for itself. Raises
    MailboxNameFault on malformed encodings, lone surrogates and control characters.
    """
    try:
        name = raw.decode("utf-8") if utf8 or not raw.isascii() else _decode_utf7(raw)
    except UnicodeDecodeError:
        raise MailboxNameFault("not valid UTF-8") from None
    _check(name)
    return name


def encode_mailbox(name: str, utf8: bool) -> bytes:
    """Print a mailbox name for the wire, unquoted; raises MailboxNameFault on what no name may hold."""
    _check(name)
    if utf8:
        return name.encode("utf-8")
    if name.isascii() and "&" not in name:
        return name.encode("ascii")
    return _TO_SHIFT.sub(_shift, name).encode("ascii")


def _check(name: str) -> None:
    """Refuse controls, line and paragraph separators (RFC 6855 section 3) and lone surrogates."""
    if _FORBIDDEN.search(name) is not None:
        raise MailboxNameFault("a character that no mailbox name may hold")


def _shift(match: re.Match[str]) -> str:
    text = match.group()
    if text == "&":
        return "&-"
    encoded = binascii.b2a_base64(text.encode("utf-16-be"), newline=False)
    return "&" + encoded.rstrip(b"=").replace(b"/", b",").decode("ascii") + "-"


def _decode_utf7(raw: bytes) -> str:
    """Decode ASCII octets; the only spelling of a name is the one :func:`encode_mailbox` gives."""
    if b"&" not in raw:
        return raw.decode("ascii")
    pieces: list[str] = []
    done = 0
    shifted = False
    while (start := raw.find(b"&", done)) >= 0:
        match = _SHIFTED.match(raw, start)
        if match is None:
            raise MailboxNameFault("malformed modified UTF-7")
        encoded = match.group(1)
        if encoded and shifted and start == done:
            raise MailboxNameFault("superfluous shift in modified UTF-7")
        pieces.append(raw[done:start].decode("ascii"))
        pieces.append(_unshift(encoded) if encoded else "&")
        shifted, done = bool(encoded), match.end()
    pieces.append(raw[done:].decode("ascii"))
    return "".join(pieces)


def _unshift(encoded: bytes) -> str:
    """Decode one run of modified BASE64; printable ASCII must not be in it."""
    text = encoded.replace(b",", b"/")
    try:
        octets = binascii.a2b_base64(text + b"=" * (-len(text) % 4), strict_mode=True)
        decoded = octets.decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        raise MailboxNameFault("malformed modified UTF-7") from None
    canonical = binascii.b2a_base64(octets, newline=False).rstrip(b"=") == text
    if not canonical or _UNSHIFTED_WITHIN.search(decoded) is not None:
        raise MailboxNameFault("malformed modified UTF-7")
    return decoded
