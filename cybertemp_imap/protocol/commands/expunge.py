"""EXPUNGE (RFC 9051 section 6.4.3) and UID EXPUNGE (section 6.4.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol.command import Expunge
from cybertemp_imap.protocol.commands import condstore
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
        expunged = await mailbox.expunge_uids()
        return Completion("EXPUNGE completed", await _highest(session, expunged))
    uids = uids_of(session, command.uids, uid=True)
    expunged = await mailbox.expunge_uids(uids) if uids else []
    return Completion("UID EXPUNGE completed", await _highest(session, expunged))


async def _highest(session: ImapServer, expunged: Sequence[int]) -> str | None:
    """Return HIGHESTMODSEQ where something was expunged (RFC 7162 sections 3.2.7 and 3.2.9)."""
    if not expunged or not condstore.tells_mod_seqs(session):
        return None
    if session.mailbox.shared.ahead:
        await session.mailbox.shared.look()
    return condstore.highest_after_expunge(session)
