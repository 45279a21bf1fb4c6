"""ENVELOPE in its wire form (RFC 9051 section 7.5.2)."""

from __future__ import annotations

from functools import lru_cache

from cybertemp_imap.mime.address import Address, parse_addresses
from cybertemp_imap.mime.header import field_pattern, pick, unfold
from cybertemp_imap.mime.wire import NIL, nstring

SHORT = 100
"""Octets of fields with addresses whose printed form is remembered: a mailbox's mail is to one, and from a few."""

MAX_VALUE = 64 * 1024
"""Octets of a subject, date or identifier that are shown; no real one comes near."""

_FIELDS = field_pattern(
    b"date", b"subject", b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc", b"in-reply-to", b"message-id"
)
_ADDRESSES = frozenset((b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"))


def envelope(header: bytes) -> bytes:
    """The parenthesized list for a message's header block.

    Encoded words stay as they are. Of a repeated field the first counts, but addresses are collected from all: a reader
    of the header may show any of them.
    """
    values: dict[bytes, list[bytes]] = {}
    for name, raw in pick(header, _FIELDS):
        if name not in values:
            values[name] = [unfold(raw)]
        elif name in _ADDRESSES:
            values[name].append(unfold(raw))
    found = {name: b", ".join(several) for name, several in values.items()}
    senders = _addresses(found.get(b"from"))
    sender = _addresses(found.get(b"sender"))
    reply_to = _addresses(found.get(b"reply-to"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        _text(found.get(b"date")),
        _text(found.get(b"subject")),
        senders,
        senders if sender == NIL else sender,
        senders if reply_to == NIL else reply_to,
        _addresses(found.get(b"to")),
        _addresses(found.get(b"cc")),
        _addresses(found.get(b"bcc")),
        _text(found.get(b"in-reply-to")),
        _text(found.get(b"message-id")),
    )


def _text(value: bytes | None) -> bytes:
    """A field's value as nstring."""
    return NIL if value is None else nstring(value[:MAX_VALUE])


def _addresses(value: bytes | None) -> bytes:
    """A list of addresses, NIL where there is none: an empty list is not in the grammar."""
    if not value:
        return NIL
    return _few_addresses(value) if len(value) <= SHORT else _printed(value)


def _printed(value: bytes) -> bytes:
    found = parse_addresses(value)
    return b"(%b)" % b"".join(map(_address, found)) if found else NIL


_few_addresses = lru_cache(maxsize=1024)(_printed)


def _address(address: Address) -> bytes:
    name, route, mailbox, host = address
    return b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(mailbox), nstring(host))
