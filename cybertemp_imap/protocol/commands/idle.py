"""IDLE (RFC 9051 section 6.3.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import Idle
from cybertemp_imap.protocol.commands.noop import take_in
from cybertemp_imap.protocol.rule import Bad, Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

STILL_HERE = 120.0
"""Seconds between signs of life, which keep the connection open in routers that forget quiet ones."""

MAX_LINE = 100


async def run(session: ImapServer, command: Idle) -> Completion | None:
    """Tell what happens to the mailbox as it happens, until the client says DONE. A live IDLE is never timed out."""
    if not await take_in(session):
        return None
    session.sendContinuationRequest(b"idling")
    session.setTimeout(None)
    signs = _SignsOfLife(session)
    view = None if session.mbox is None else session.mbox.view
    if view is not None:
        view.on_news = session.tell_news
        session.tell_news()
    try:
        line = await session.read_line(MAX_LINE)
    except Bad:
        line = b""
    finally:
        signs.stop()
        if view is not None:
            view.on_news = None
    session.setTimeout(session.limits.idle_timeout)
    if line.strip().upper() != b"DONE":
        raise Bad("DONE is expected after IDLE.")
    return Completion("IDLE completed")


class _SignsOfLife:
    """Sends ``* OK Still here`` now and then."""

    def __init__(self, session: ImapServer) -> None:
        self._session = session
        self._call = session.reactor.callLater(STILL_HERE, self._send)

    def _send(self) -> None:
        self._session.untagged(responses.status("OK", "Still here"))
        self._call = self._session.reactor.callLater(STILL_HERE, self._send)

    def stop(self) -> None:
        """Send no more."""
        self._call.cancel()
