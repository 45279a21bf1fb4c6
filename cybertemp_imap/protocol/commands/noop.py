"""NOOP and CHECK (RFC 9051 section 6.1.2, RFC 3501 section 6.4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol.command import Check, Noop
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Noop | Check) -> Completion | None:
    """Take in what others have done to the selected mailbox; it is told before the answer."""
    if not await take_in(session):
        return None
    return Completion(f"{'CHECK' if isinstance(command, Check) else 'NOOP'} completed")


async def take_in(session: ImapServer) -> bool:
    """Take in what others have done to the selected mailbox; False when it is gone, and the connection closed."""
    if session.mbox is not None:
        try:
            await session.mbox.poll()
        except Refused as refused:
            if refused.refusal is not Refusal.NO_SUCH_MAILBOX:
                raise
            session.mailbox_is_gone()
            return False
    return True
