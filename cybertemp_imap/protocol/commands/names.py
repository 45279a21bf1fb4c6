"""Mailbox names in commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol.names import MailboxNameFault, decode_mailbox

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


def utf8_enabled(session: ImapServer) -> bool:
    """Tell whether names go as UTF-8 in this session (RFC 6855 section 3, RFC 9051 section 6.3.1)."""
    return not session.enabled.isdisjoint({"UTF8=ACCEPT", "IMAP4REV2"})


def mailbox_name(session: ImapServer, raw: bytes) -> str:
    """Decode a mailbox name; raises BAD_MAILBOX_NAME."""
    try:
        return decode_mailbox(raw, utf8_enabled(session))
    except MailboxNameFault:
        raise Refused(Refusal.BAD_MAILBOX_NAME) from None
