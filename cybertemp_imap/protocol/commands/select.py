"""SELECT and EXAMINE (RFC 9051 sections 6.3.2 and 6.3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.protocol import responses
from cybertemp_imap.protocol.command import QresyncParameter, Select
from cybertemp_imap.protocol.commands import condstore, resync
from cybertemp_imap.protocol.commands.names import list_line, mailbox_name, other_spelling, rev2_enabled
from cybertemp_imap.protocol.object_id import mailbox_id
from cybertemp_imap.protocol.rule import Bad, Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Select) -> Completion:
    """Open a mailbox. The one open before is closed in every case, also when this fails."""
    _check_parameters(session, command)
    if session.mbox is not None:
        session.leave_mailbox()
        session.untagged(responses.status("OK", "The mailbox open before is closed.", "CLOSED"))
    if command.condstore:
        condstore.enable(session)
    name, rev2 = await mailbox_name(session, command.mailbox), rev2_enabled(session)
    mailbox = await session.user.open(name, read_only=command.read_only, tells_recent=not rev2)
    # RFC 9051 section 6.3.2: LIST tells the name that the mailbox has.
    more = [list_line(session, name, other_spelling(session, command.mailbox, name))] if rev2 else _older_lines(mailbox)
    lines = [*_state_lines(mailbox), *more]
    # What is gone by now is found here; what goes from now on the view is told of.
    gone = await _gone(mailbox, command.qresync)
    if session.outlet.closed:
        mailbox.close()
        return Completion("")
    session.untagged(*lines)
    session.enter_mailbox(mailbox)
    if command.qresync is not None and gone is not None:
        await resync.send(session, command.qresync, gone)
    text = "EXAMINE completed" if command.read_only else "SELECT completed"
    return Completion(text, "READ-ONLY" if mailbox.read_only else "READ-WRITE")


def _check_parameters(session: ImapServer, command: Select) -> None:
    parameter = command.qresync
    if parameter is not None and not condstore.tells_vanished(session):
        raise Bad("QRESYNC must be enabled first.")
    if parameter is not None and parameter.match is not None and not resync.is_pairwise(parameter.match):
        raise Bad("The sequence numbers do not fit the UIDs.")


async def _gone(mailbox: Mailbox, parameter: QresyncParameter | None) -> resync.Ranges | None:
    """Return which UIDs have vanished since; None where the client knew no, or another, mailbox of this name."""
    if parameter is None or parameter.uid_validity != mailbox.shared.head.uid_validity:
        return None
    return await resync.vanished_since(mailbox, parameter.mod_seq, resync.known_uids(parameter), parameter.match)


def _state_lines(mailbox: Mailbox) -> list[bytes]:
    head = mailbox.shared.head
    mailbox.shared.messages.forget_keywords()
    mailbox.view.take_keywords()
    return [
        *responses.flags_lines(mailbox.shared.messages.keywords.values(), mailbox.read_only),
        b"%d EXISTS" % len(mailbox.view),
        b"OK [UIDVALIDITY %d] UIDs are valid." % head.uid_validity,
        b"OK [UIDNEXT %d] This is the next UID." % head.uid_next,
        b"OK [HIGHESTMODSEQ %d] This is the highest mod-sequence." % mailbox.view.told_mod_seq,
        responses.status("OK", "This is the mailbox.", f"MAILBOXID ({mailbox_id(mailbox.shared.ref)})"),
    ]


def _older_lines(mailbox: Mailbox) -> list[bytes]:
    """Return what IMAP4rev2 has no more (RFC 9051 appendix E)."""
    lines = [b"%d RECENT" % mailbox.view.recent_count]
    unseen = mailbox.shared.messages.first_unseen
    if unseen is not None:
        # RFC 3501 section 7.1.
        lines.append(b"OK [UNSEEN %d] This is the first unseen message." % (unseen + 1))
    return lines
