"""STORE and UID STORE (RFC 9051 sections 6.4.6 and 6.4.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.messages import flag_set
from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import Store
from cybertemp_imap.protocol.commands.sets import uids_of
from cybertemp_imap.protocol.rule import Bad, Completion
from cybertemp_imap.rules.flags import canonical_flag
from cybertemp_imap.store.interface import MessageState

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

PAGE = 500
"""Messages changed by one statement; STORE is atomic for each message, not for all of them."""

MAX_FLAGS = 100
"""Flags in one command."""


async def run(session: ImapServer, command: Store) -> Completion:
    """Change flags; without ``.SILENT``, tell the new ones."""
    mailbox = session.mailbox
    if command.unchanged_since is not None:
        raise Bad("A modifier is not known.")
    uids = uids_of(session, command.messages, command.uid)
    if mailbox.read_only:
        raise Refused(Refusal.READ_ONLY)
    flags = usable_flags(command.flags)
    gone = False
    for start in range(0, len(uids), PAGE):
        page = uids[start : start + PAGE]
        states, _ = await mailbox.store_flags(page, command.mode.value, flags)
        gone = gone or len(states) < len(page)
        if not command.silent:
            session.outlet.write(_fetch_lines(session, states))
            mailbox.view.told_flags(state.uid for state in states)
        await session.outlet.ready()
    if gone and not command.uid:
        # RFC 2180 section 4.2: what could be changed was changed.
        raise Refused(Refusal.EXPUNGE_ISSUED)
    return Completion("STORE completed")


def usable_flags(flags: Sequence[str]) -> list[str]:
    """Check flags as the client wrote them; raises CANNOT for ``\\Recent`` and system flags there are not."""
    found: dict[str, str] = {}
    for flag in flags:
        usable = canonical_flag(flag)
        if usable is None:
            raise Refused(Refusal.CANNOT)
        found.setdefault(usable.lower(), usable)
    if len(found) > MAX_FLAGS:
        raise Refused(Refusal.LIMIT)
    return list(found.values())


def _fetch_lines(session: ImapServer, states: Sequence[MessageState]) -> bytes:
    view = session.mailbox.view
    lines = []
    for state in states:
        seq = view.seq_of(state.uid)
        if seq is not None:
            flags = responses.flag_list(flag_set(state.flags), state.uid in view.recent)
            lines.append(b"* %d FETCH (UID %d FLAGS %b)\r\n" % (seq, state.uid, flags))
    return b"".join(lines)
