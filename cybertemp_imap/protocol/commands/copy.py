"""COPY and MOVE with their UID forms (RFC 9051 sections 6.4.7 and 6.4.8), and COPYUID (RFC 4315)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import Copy, Move
from cybertemp_imap.protocol.commands.names import mailbox_name
from cybertemp_imap.protocol.commands.sets import uids_of
from cybertemp_imap.protocol.rule import Completion
from cybertemp_imap.protocol.sequence import compact

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer
    from cybertemp_imap.shared import SharedMailbox


async def run_copy(session: ImapServer, command: Copy) -> Completion:
    """Copy messages to another mailbox, or to the same."""
    uids = uids_of(session, command.messages, command.uid)
    target = await _target(session, command.mailbox)
    if not uids:
        return Completion("COPY completed")
    pairs = await session.mailbox.shared.copy(uids, target)
    if len(pairs) < len(uids) and not command.uid:
        raise Refused(Refusal.EXPUNGE_ISSUED)
    if target is session.mailbox.shared:
        await session.mailbox.poll()
    return Completion("COPY completed", _copyuid(target, pairs))


async def run_move(session: ImapServer, command: Move) -> Completion:
    """Move messages to another mailbox; what is gone from here is told before the answer."""
    uids = uids_of(session, command.messages, command.uid)
    if session.mailbox.read_only:
        raise Refused(Refusal.READ_ONLY)
    target = await _target(session, command.mailbox)
    if not uids:
        return Completion("MOVE completed")
    pairs = await session.mailbox.shared.move(uids, target)
    code = _copyuid(target, pairs)
    if code is not None:
        # RFC 6851 section 4.3: COPYUID comes before the EXPUNGE responses, so it cannot be in the tagged answer.
        session.untagged(responses.status("OK", "Moved", code))
    return Completion("MOVE completed")


async def _target(session: ImapServer, raw: bytes) -> SharedMailbox:
    """Return the mailbox to put messages in; raises NO_SUCH_DESTINATION."""
    try:
        return await session.user.shared(mailbox_name(session, raw))
    except Refused as refused:
        if refused.refusal is Refusal.NO_SUCH_MAILBOX:
            raise Refused(Refusal.NO_SUCH_DESTINATION) from None
        raise


def _copyuid(target: SharedMailbox, pairs: Sequence[tuple[int, int]]) -> str | None:
    """Return the COPYUID code; both sets are in the order of the copied messages."""
    if not pairs:
        return None
    old, new = compact(uid for uid, _ in pairs), compact(uid for _, uid in pairs)
    return f"COPYUID {target.head.uid_validity} {old.decode()} {new.decode()}"
