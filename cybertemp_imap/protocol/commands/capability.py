"""CAPABILITY (RFC 9051 section 6.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol.command import Capability
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Capability) -> Completion:
    """Say what is announced in this state."""
    session.untagged(b"CAPABILITY " + b" ".join(session.listCapabilities()))
    return Completion("CAPABILITY completed")
