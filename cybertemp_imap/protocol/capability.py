"""What the server announces (RFC 9051 section 7.2.2), by the state of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

ALWAYS = (b"IMAP4rev1", b"IMAP4rev2", b"LITERAL+", b"SASL-IR", b"ID", b"ENABLE")
AFTER_LOGIN = (
    b"NAMESPACE",
    b"CHILDREN",
    b"UNSELECT",
    b"SPECIAL-USE",
    b"LIST-EXTENDED",
    b"LIST-STATUS",
    b"ESEARCH",
    b"SEARCHRES",
    b"WITHIN",
    b"IDLE",
    b"UIDPLUS",
    b"MOVE",
    b"MULTIAPPEND",
    b"CREATE-SPECIAL-USE",
    b"BINARY",
    b"STATUS=SIZE",
    b"OBJECTID",
    b"SAVEDATE",
    b"UTF8=ACCEPT",
    b"CONDSTORE",
    b"QRESYNC",
)


def capabilities(session: ImapServer) -> dict[bytes, Any]:
    """Return names with their values, or None for those without, in the order announced."""
    found: dict[bytes, Any] = dict.fromkeys(ALWAYS)
    if session.state == "unauth":
        if session.can_start_tls:
            found[b"STARTTLS"] = None
        if session.login_allowed:
            found[b"AUTH"] = list(session.challengers)
        else:
            found[b"LOGINDISABLED"] = None
        return found
    found.update(dict.fromkeys(AFTER_LOGIN))
    found[b"APPENDLIMIT"] = [b"%d" % session.limits.append_limit]
    return found
