"""AUTHENTICATE (RFC 9051 section 6.2.2) with SASL-IR (RFC 4959)."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol.command import Authenticate
from cybertemp_imap.protocol.commands.login import log_in
from cybertemp_imap.protocol.rule import Bad, Completion
from cybertemp_imap.sasl import MAX_RESPONSE

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

MAX_LINE = (MAX_RESPONSE + 2) // 3 * 4


async def run(session: ImapServer, command: Authenticate) -> Completion | None:
    """Let the mechanism ask until it has what it needs, then log in."""
    factory = session.challengers.get(command.mechanism.encode())
    if factory is None:
        raise Refused(Refusal.UNSUPPORTED_MECHANISM)
    if not session.login_allowed:
        raise Refused(Refusal.PRIVACY_REQUIRED)
    credentials = factory()
    response = command.initial
    while True:
        challenge = credentials.getChallenge()
        if response is None:
            response = await _ask(session, challenge)
        credentials.setResponse(response)
        response = None
        if not credentials.moreChallenges():
            break
    return await log_in(session, credentials, "AUTHENTICATE")


async def _ask(session: ImapServer, challenge: bytes) -> bytes:
    """Send a challenge and read the answer; an empty challenge is ``+ ``, whose space some clients insist on."""
    session.sendLine(b"+ " + base64.b64encode(challenge))
    line = await session.read_line(MAX_LINE)
    if line == b"*":
        raise Bad(Refusal.AUTHENTICATION_CANCELLED.text)
    try:
        return binascii.a2b_base64(line, strict_mode=True)
    except binascii.Error:
        raise Bad(Refusal.BAD_CREDENTIALS_ENCODING.text) from None
