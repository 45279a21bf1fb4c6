"""APPEND with MULTIAPPEND (RFC 3502), BINARY (RFC 3516) and UTF8 (RFC 6855)."""

from __future__ import annotations

from datetime import datetime

from cybertemp_imap.protocol.command import Append, AppendMessage
from cybertemp_imap.protocol.date import parse_date_time
from cybertemp_imap.protocol.tokens import TAG_AND_NAME, SyntaxFault, Tokens


def append(tokens: Tokens) -> Append:
    """``APPEND SP mailbox 1*append-message``."""
    tokens.space()
    mailbox = tokens.astring()
    messages = [_message(tokens)]
    while not tokens.at_end():
        messages.append(_message(tokens))
    return Append(mailbox, tuple(messages))


def awaits_message(prefix: bytes) -> bool:
    """Whether a literal announced after ``prefix`` is a message of APPEND, and not the name of its mailbox.

    For the reader's literal policy; a message need be no valid one yet, that is found when the command is whole.
    """
    return destination(prefix) is not None


def destination(prefix: bytes) -> bytes | None:
    """The name of the mailbox, in the octets sent, that an APPEND begun with ``prefix`` adds to; None for another."""
    match = TAG_AND_NAME.match(prefix)
    if match is None or (match.group(2) or b"").upper() != b"APPEND":
        return None
    tokens = Tokens(prefix, match.end())
    try:
        tokens.space()
        mailbox = tokens.astring()
    except SyntaxFault:
        return None
    return mailbox if tokens.peek() == b" " else None


def _message(tokens: Tokens) -> AppendMessage:
    """``[SP flag-list] [SP date-time] SP append-data``."""
    tokens.space()
    flags: tuple[str, ...] = ()
    moment: datetime | None = None
    if tokens.peek() == b"(":
        flags = tokens.flags()
        tokens.space()
    if tokens.peek() == b'"':
        try:
            moment = parse_date_time(tokens.quoted())
        except ValueError:
            raise SyntaxFault("Malformed date and time") from None
        tokens.space()
    utf8 = tokens.peek() in (b"U", b"u")
    if utf8:
        if tokens.name() != b"UTF8":
            tokens.fail("A literal is expected")
        tokens.space()
        tokens.expect(b"(", "A parenthesized literal is expected")
    binary = tokens.take(b"~")
    if utf8 and not binary:
        tokens.fail("A literal8 is expected")
    size, data = tokens.announced()
    if utf8:
        tokens.expect(b")", "A closing parenthesis is missing")
    return AppendMessage(flags, moment, size, data, binary, utf8)
