"""COPY and MOVE with their UID forms (RFC 9051 sections 6.4.7 and 6.4.8), and COPYUID (RFC 4315)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import Copy, Move
from cybertemp_imap.protocol.commands import condstore
from cybertemp_imap.protocol.commands.names import mailbox_name
from cybertemp_imap.protocol.commands.sets import uids_of
from cybertemp_imap.protocol.rule import Completion
from cybertemp_imap.protocol.sequence import compact

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer
    from cybertemp_imap.shared import SharedMailbox


Pairs = Sequence[tuple[int, int]]
"""UIDs of messages and of what has become of them in the other mailbox."""


async def run_copy(session: ImapServer, command: Copy) -> Completion:
    """Copy messages to another mailbox, or to the same."""
    uids = uids_of(session, command.messages, command.uid)
    target = await _target(session, command.mailbox)
    if not uids:
        return Completion("COPY completed")
    if not command.uid:
        await _check_present(session, uids)
    pairs = await _done(session, session.mailbox.shared.copy(uids, target))
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
    pairs = await _done(session, session.mailbox.shared.move(uids, target))
    code = _copyuid(target, pairs)
    if code is not None:
        # RFC 6851 section 4.3: COPYUID comes before the EXPUNGE responses, so it cannot be in the tagged answer.
        session.untagged(responses.status("OK", "Moved", code))
        if condstore.tells_mod_seqs(session):
            await session.mailbox.shared.look()
            return Completion("MOVE completed", condstore.highest_after_expunge(session))
    return Completion("MOVE completed")


async def _check_present(session: ImapServer, uids: Sequence[int]) -> None:
    """Refuse to copy messages of which some are gone: all are copied or none (RFC 2180 section 4.4.1).

    What goes between this and the copying is left out, as COPYUID then says.
    """
    await session.mailbox.poll()
    if any(session.mailbox.view.flags_of(uid) is None for uid in uids):
        raise Refused(Refusal.EXPUNGE_ISSUED)


async def _done(session: ImapServer, work: Awaitable[Pairs]) -> Pairs:
    """Copy or move. Where one of the mailboxes has gone meanwhile, find out which."""
    try:
        return await work
    except Refused as refused:
        if refused.refusal is not Refusal.NO_SUCH_MAILBOX:
            raise
        await session.mailbox.poll()
        raise Refused(Refusal.NO_SUCH_DESTINATION) from None


async def _target(session: ImapServer, raw: bytes) -> SharedMailbox:
    """Return the mailbox to put messages in; raises NO_SUCH_DESTINATION."""
    try:
        return await session.user.shared(await mailbox_name(session, raw))
    except Refused as refused:
        if refused.refusal is Refusal.NO_SUCH_MAILBOX:
            raise Refused(Refusal.NO_SUCH_DESTINATION) from None
        raise


def _copyuid(target: SharedMailbox, pairs: Pairs) -> str | None:
    """Return the COPYUID code; both sets are in the order of the copied messages."""
    if not pairs:
        return None
    old, new = compact(uid for uid, _ in pairs), compact(uid for _, uid in pairs)
    return f"COPYUID {target.head.uid_validity} {old.decode()} {new.decode()}"
