"""ENABLE (RFC 9051 section 6.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol.command import Enable
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

KNOWN: frozenset[str] = frozenset()
"""What can be enabled: nothing that this version announces needs it."""


async def run(session: ImapServer, command: Enable) -> Completion:
    """Enable what is known and not yet enabled; the rest is passed over."""
    new = [name for name in dict.fromkeys(command.capabilities) if name in KNOWN - session.enabled]
    session.enabled.update(new)
    session.untagged(" ".join(["ENABLED", *new]).encode())
    return Completion("ENABLE completed")
