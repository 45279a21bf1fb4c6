"""STARTTLS (RFC 9051 section 6.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol.command import StartTls
from cybertemp_imap.protocol.rule import Bad

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: StartTls) -> None:
    """Answer, and encrypt from the next octet on.

    A client must wait for the answer. What is there behind the command may be somebody else's, put into the connection
    on its way to be taken for the client's once TLS is on (CVE-2011-0411): it is thrown away, and the connection
    closed.
    """
    if session.encrypted:
        raise Bad("TLS is on already.")
    if not session.can_start_tls:
        raise Bad("TLS is not available here.")
    await session.outlet.ready()
    if session.reader.buffered:
        session.reader.clear()
        session.bye("Nothing may follow STARTTLS before TLS is on.")
        return
    session.sendPositiveResponse(session.tag, b"Begin TLS now")
    session.start_tls()
