"""SUBSCRIBE and UNSUBSCRIBE (RFC 9051 sections 6.3.7 and 6.3.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol.command import Subscribe, Unsubscribe
from cybertemp_imap.protocol.commands.names import mailbox_name
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run_subscribe(session: ImapServer, command: Subscribe) -> Completion:
    """Subscribe to a mailbox, which must exist."""
    await session.user.set_subscribed(await mailbox_name(session, command.mailbox), True)
    return Completion("SUBSCRIBE completed")


async def run_unsubscribe(session: ImapServer, command: Unsubscribe) -> Completion:
    """Unsubscribe from a mailbox, or from a name that is there only as a subscription."""
    await session.user.set_subscribed(await mailbox_name(session, command.mailbox), False)
    return Completion("UNSUBSCRIBE completed")
