"""Which messages a command names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol.rule import Bad
from cybertemp_imap.protocol.sequence import SequenceSet, positions

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


def positions_of(session: ImapServer, messages: SequenceSet, uid: bool) -> list[range]:
    """Return positions in the view (sequence number minus one), ascending; ``$`` is the saved result (RFC 5182).

    Raises Bad for a sequence number that is not there; a UID that is not there is passed over (RFC 9051 section 6.4.9).
    """
    mailbox = session.mailbox
    if messages.saved:
        return positions(mailbox.view.uids, [(saved, saved) for saved in session.saved_uids])
    try:
        return mailbox.seqs(messages, uid)
    except IndexError:
        raise Bad("There is no message of that number.") from None


def uids_of(session: ImapServer, messages: SequenceSet, uid: bool) -> list[int]:
    """Return the UIDs of the messages named, ascending."""
    return session.mailbox.uids_at(positions_of(session, messages, uid))
