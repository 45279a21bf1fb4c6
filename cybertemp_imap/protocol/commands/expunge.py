"""EXPUNGE (RFC 9051 section 6.4.3) and UID EXPUNGE (section 6.4.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol.command import Expunge
from cybertemp_imap.protocol.commands.sets import uids_of
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Expunge) -> Completion:
    """Remove for ever what has ``\\Deleted``; the view tells which before the answer."""
    mailbox = session.mailbox
    if mailbox.read_only:
        raise Refused(Refusal.READ_ONLY)
    if command.uids is None:
        await mailbox.expunge_uids()
        return Completion("EXPUNGE completed")
    uids = uids_of(session, command.uids, uid=True)
    if uids:
        await mailbox.expunge_uids(uids)
    return Completion("UID EXPUNGE completed")
