"""STATUS (RFC 9051 section 6.3.11), also for LIST with STATUS (RFC 5819)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.command import Status
from cybertemp_imap.protocol.commands import condstore
from cybertemp_imap.protocol.commands.names import mailbox_name, utf8_enabled
from cybertemp_imap.protocol.object_id import mailbox_id
from cybertemp_imap.protocol.rule import Completion
from cybertemp_imap.store.values import StatusCounts

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Status) -> Completion:
    """Count what is in a mailbox without opening it."""
    name = await mailbox_name(session, command.mailbox)
    session.untagged(await status_line(session, name, command.items))
    return Completion("STATUS completed")


async def status_line(session: ImapServer, name: str, items: tuple[str, ...]) -> bytes:
    """Return the STATUS response for a mailbox; raises NO_SUCH_MAILBOX."""
    if "HIGHESTMODSEQ" in items:
        condstore.enable(session)
    ref, counts = await session.user.status(name, with_size="SIZE" in items)
    values = _values(counts) | {"APPENDLIMIT": session.limits.append_limit, "MAILBOXID": f"({mailbox_id(ref)})"}
    if session.mbox is not None and session.mbox.shared.ref == ref:
        # Here it must not tell more of the selected mailbox than the session was told of it.
        values["HIGHESTMODSEQ"] = min(counts.head.highest_mod_seq, session.mbox.view.told_mod_seq)
    printed = " ".join(f"{item} {values[item]}" for item in dict.fromkeys(items)).encode()
    return b"STATUS " + strings.mailbox(_shown(name), utf8_enabled(session)) + b" (" + printed + b")"


def _shown(name: str) -> str:
    return "INBOX" if name.upper() == "INBOX" else name


def _values(counts: StatusCounts) -> dict[str, int | str]:
    return {
        "MESSAGES": counts.messages,
        "RECENT": counts.recent,
        "UIDNEXT": counts.head.uid_next,
        "UIDVALIDITY": counts.head.uid_validity,
        "UNSEEN": counts.unseen,
        "SIZE": counts.size or 0,
        "DELETED": counts.deleted,
        "HIGHESTMODSEQ": counts.head.highest_mod_seq,
    }
