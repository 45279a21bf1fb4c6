"""CLOSE and UNSELECT (RFC 9051 sections 6.4.1 and 6.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol.command import Close, Unselect
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run_close(session: ImapServer, command: Close) -> Completion:
    """Expunge without telling, unless the mailbox is read-only, and leave it; one that is gone is left all the same."""
    if not session.mailbox.read_only:
        try:
            await session.mailbox.expunge_uids()
        except Refused as refused:
            if refused.refusal is not Refusal.NO_SUCH_MAILBOX:
                raise
    session.leave_mailbox()
    return Completion("CLOSE completed")


async def run_unselect(session: ImapServer, command: Unselect) -> Completion:
    """Leave the mailbox as it is."""
    session.leave_mailbox()
    return Completion("UNSELECT completed")
