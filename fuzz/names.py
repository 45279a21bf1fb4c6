"""Mailbox names in modified UTF-7 and UTF-8, and patterns of LIST."""

from __future__ import annotations

import contextlib

from cybertemp_imap.protocol.names import MailboxNameFault, decode_mailbox, encode_mailbox
from cybertemp_imap.protocol.pattern import ListPattern
from fuzz.cost import bounded
from fuzz.octets import Octets

WORDS = [b"&-", b"&APw-", b"&2D3eAA-", b"&U,BTFw-", b"INBOX", b"/", b"*", b"%", b"\xc3\xbc", b"\xed\xa0\x80"]


def check(data: bytes) -> None:
    """Raise unless octets are the one spelling of a name or a fault, and every name is spelled and read back."""
    octets = Octets(data)
    utf8 = bool(octets.number(2))
    sent = octets.pumped()
    with contextlib.suppress(MailboxNameFault):
        name = bounded(lambda: decode_mailbox(sent, utf8), len(sent))
        assert sent in (encode_mailbox(name, utf8), name.encode()), f"{sent!r} is another spelling of {name!r}"
    text = sent.decode("utf-8", "surrogateescape")
    with contextlib.suppress(MailboxNameFault):
        spelled = bounded(lambda: encode_mailbox(text, utf8), len(sent))
        assert decode_mailbox(spelled, utf8) == text, f"{spelled!r} does not read back"
    pattern, _, name = text.partition("\n")
    _match(pattern, name[:255])


def _match(pattern: str, name: str) -> None:
    """Match as LIST does; a name of more than 255 octets does not exist."""

    def match() -> tuple[bool, list[str]]:
        compiled = ListPattern("", pattern)
        return compiled.matches(name), compiled.matching_parents(name)

    bounded(match, len(pattern) + len(name))
