"""ID (RFC 2971)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap import __version__
from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.command import Id
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Id) -> Completion:
    """Say who we are. What the client says of itself is of no use here, and is not kept."""
    ours = ("name", "cybertemp-imap", "version", __version__)
    session.untagged(b"ID (" + b" ".join(strings.quoted(word.encode()) for word in ours) + b")")
    return Completion("ID completed")
