"""STORE and UID STORE (RFC 9051 sections 6.4.6 and 6.4.9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.messages import flag_set
from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import Store
from cybertemp_imap.protocol.commands import condstore
from cybertemp_imap.protocol.commands.sets import uids_of
from cybertemp_imap.protocol.rule import Completion
from cybertemp_imap.protocol.sequence import compact
from cybertemp_imap.rules.flags import canonical_flag
from cybertemp_imap.store.values import MessageState

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
        condstore.enable(session)
    uids = uids_of(session, command.messages, command.uid)
    if mailbox.read_only:
        raise Refused(Refusal.READ_ONLY)
    flags = usable_flags(command.flags)
    gone = False
    modified: list[int] = []
    for start in range(0, len(uids), PAGE):
        page = uids[start : start + PAGE]
        states, held_back = await mailbox.store_flags(page, command.mode.value, flags, command.unchanged_since)
        modified += held_back
        gone = gone or len(states) + len(held_back) < len(page)
        session.tell_keywords()
        session.outlet.write(_fetch_lines(session, states, command.silent))
        if not command.silent:
            mailbox.view.told_states(states)
        await session.outlet.ready()
    code = await _modified(session, modified, command.uid) if modified else None
    if gone and not command.uid:
        # RFC 2180 section 4.2, RFC 7162 section 3.1.3: what could be changed was changed.
        raise Refused(Refusal.EXPUNGE_ISSUED, code)
    return Completion("STORE completed" if code is None else "STORE completed but for some messages", code)


async def _modified(session: ImapServer, uids: Sequence[int], uid: bool) -> str:
    """Return the MODIFIED code for messages that were held back, and have told what they are like now.

    Others have changed them, so that they are news anyway, and the client need not ask (RFC 7162 section 3.1.3).
    """
    view = session.mailbox.view
    await session.mailbox.poll()
    view.flags_changed(uids)
    numbers = uids if uid else [seq for each in uids if (seq := view.seq_of(each)) is not None]
    return f"MODIFIED {compact(numbers).decode()}"


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


def _fetch_lines(session: ImapServer, states: Sequence[MessageState], silent: bool) -> bytes:
    """Print the new flags; with ``.SILENT``, only mod-sequences, which the client cannot know (RFC 7162 section 3.1.3).

    What is not as the client must think is told in full soon.
    """
    view, with_mod_seq = session.mailbox.view, condstore.tells_mod_seqs(session)
    lines = []
    for state in states:
        seq = view.seq_of(state.uid)
        if seq is None or (silent and (not with_mod_seq or view.is_untold(state.uid))):
            continue
        told = b"UID %d" % state.uid
        if not silent:
            told += b" FLAGS " + responses.flag_list(flag_set(state.flags), state.uid in view.recent)
        if with_mod_seq:
            told += b" MODSEQ (%d)" % state.mod_seq
        lines.append(b"* %d FETCH (%b)\r\n" % (seq, told))
    return b"".join(lines)
