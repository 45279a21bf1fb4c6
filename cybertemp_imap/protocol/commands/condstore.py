"""What a session knows of mod-sequences (RFC 7162): CONDSTORE, which many commands enable, and QRESYNC."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol import responses

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

CONDSTORE = "CONDSTORE"
QRESYNC = "QRESYNC"


def tells_mod_seqs(session: ImapServer) -> bool:
    """Tell whether flags are told with their mod-sequence (RFC 7162 section 3.2.4)."""
    return CONDSTORE in session.enabled


def tells_vanished(session: ImapServer) -> bool:
    """Tell whether VANISHED takes the place of EXPUNGE (RFC 7162 section 3.2.10)."""
    return QRESYNC in session.enabled


def enable(session: ImapServer) -> None:
    """Take note that the client knows mod-sequences; with the first sign of it, tell that of the selected mailbox.

    RFC 7162 section 3.1: ENABLE is one of several commands that are such a sign.
    """
    if CONDSTORE not in session.enabled:
        session.enabled.add(CONDSTORE)
        if session.mbox is not None:
            session.untagged(responses.status("OK", "This is the highest mod-sequence.", highest(session)))


def highest(session: ImapServer) -> str:
    """Return HIGHESTMODSEQ of the selected mailbox: up to it the session was told of every change."""
    return f"HIGHESTMODSEQ {session.mailbox.view.told_mod_seq}"


def highest_after_expunge(session: ImapServer) -> str | None:
    """Tell the session what is gone and return HIGHESTMODSEQ for the tagged answer (RFC 7162 section 3.2.7)."""
    if not tells_mod_seqs(session):
        return None
    session.tell_news()
    return highest(session)
