"""Commands that the server understands and does not carry out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from cybertemp_imap.protocol.command import Command
from cybertemp_imap.protocol.rule import Bad

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def starttls(session: ImapServer, command: Command) -> NoReturn:
    """Refuse STARTTLS, which is not announced (RFC 9051 section 6.2.1)."""
    raise Bad("TLS is not available here.")
