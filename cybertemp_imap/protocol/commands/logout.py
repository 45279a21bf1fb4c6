"""LOGOUT (RFC 9051 section 6.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import Logout

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Logout) -> None:
    """Say good-bye, answer, and close."""
    session.untagged(responses.status("BYE", "Good-bye."))
    session.sendPositiveResponse(session.tag, b"LOGOUT completed")
    session.notes.ending("logout")
    session.hang_up()
