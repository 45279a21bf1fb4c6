"""Mailbox names in commands."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import normalize

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.naming import DELIMITER, INBOX
from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.names import MailboxNameFault, decode_mailbox
from cybertemp_imap.protocol.responses import mailbox_line

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


def utf8_enabled(session: ImapServer) -> bool:
    """Tell whether names go as UTF-8 in this session (RFC 6855 section 3, RFC 9051 section 6.3.1)."""
    return not session.enabled.isdisjoint({"UTF8=ACCEPT", "IMAP4REV2"})


def rev2_enabled(session: ImapServer) -> bool:
    """Tell whether the session speaks IMAP4rev2, with its own defaults (RFC 9051 section 6.3.1, appendix E)."""
    return "IMAP4REV2" in session.enabled


def list_line(session: ImapServer, name: str, old_name: str | None = None) -> bytes:
    """Print the LIST response that tells how a mailbox is called, and what it was called (RFC 9051 section 6.3.9.7)."""
    utf8 = utf8_enabled(session)
    extended = [] if old_name is None else [b'"OLDNAME" (' + strings.mailbox(old_name, utf8) + b")"]
    return mailbox_line(b"LIST", (), _shown(session, name), utf8, extended)


def other_spelling(session: ImapServer, raw: bytes, name: str) -> str | None:
    """Return the name that a client has given for a mailbox, where the mailbox is not called so."""
    given, shown = _decoded(session, raw), _shown(session, name)
    if given.removesuffix(DELIMITER) == shown or given.upper() == shown == INBOX:
        return None
    return given


def _shown(session: ImapServer, name: str) -> str:
    return INBOX if name.upper() == INBOX else session.user.reach.canonical(name)


async def mailbox_name(session: ImapServer, raw: bytes) -> str:
    """Decode the name of a mailbox that is there, if it is any; raises BAD_MAILBOX_NAME.

    Names that clients give are kept in NFC, so that one that is spelled otherwise is looked for as it is and then in
    NFC (RFC 9051 section 5.1): other programs may have made folders of any spelling.
    """
    name = _decoded(session, raw)
    normal = _normal(session, name)
    return name if name == normal or await session.user.exists(name) else normal


def new_mailbox_name(session: ImapServer, raw: bytes) -> str:
    """Decode the name of a mailbox that is to be made; raises BAD_MAILBOX_NAME."""
    return _normal(session, _decoded(session, raw))


def _normal(session: ImapServer, name: str) -> str:
    """Return a name in NFC, but where names are in modified UTF-7, which is kept to the letter (RFC 9051 A.1)."""
    return normalize("NFC", name) if utf8_enabled(session) else name


def _decoded(session: ImapServer, raw: bytes) -> str:
    try:
        return decode_mailbox(raw, utf8_enabled(session))
    except MailboxNameFault:
        raise Refused(Refusal.BAD_MAILBOX_NAME) from None
