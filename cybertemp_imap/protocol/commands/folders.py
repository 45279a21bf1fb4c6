"""CREATE, DELETE and RENAME (RFC 9051 sections 6.3.4 to 6.3.6, RFC 6154 section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.naming import DELIMITER, SPECIAL_USES
from cybertemp_imap.protocol.command import Create, Delete, Rename
from cybertemp_imap.protocol.commands.names import (
    list_line,
    mailbox_name,
    new_mailbox_name,
    other_spelling,
    rev2_enabled,
)
from cybertemp_imap.protocol.object_id import mailbox_id
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

KNOWN_USES = {use.lower(): use for use in SPECIAL_USES.values()}


async def run_create(session: ImapServer, command: Create) -> Completion:
    """Create an address, or a folder and those above it that are not there yet."""
    # A client that ends the name with the delimiter says that it will create others below (RFC 9051 section 6.3.4).
    name = new_mailbox_name(session, command.mailbox).removesuffix(DELIMITER)
    use = _special_use(command)
    try:
        made = await session.user.create_mailbox(name, use)
    except Refused as refused:
        if use is not None and refused.refusal is Refusal.CANNOT:
            raise Refused(Refusal.USE_ATTRIBUTE) from None
        raise
    given = other_spelling(session, command.mailbox, name)
    if given is not None and rev2_enabled(session):
        # RFC 9051 section 6.3.4
        session.untagged(list_line(session, name, given))
    return Completion("CREATE completed", f"MAILBOXID ({mailbox_id(made)})")


def _special_use(command: Create) -> str | None:
    """Return the special use asked for; a mailbox has one at most here (RFC 6154 section 3, USEATTR)."""
    if not command.special_use:
        return None
    use = KNOWN_USES.get(command.special_use[0].lower())
    if use is None or len(command.special_use) > 1:
        raise Refused(Refusal.USE_ATTRIBUTE)
    return use


async def run_delete(session: ImapServer, command: Delete) -> Completion:
    """Give back an address, or delete a folder with its messages."""
    name = await mailbox_name(session, command.mailbox)
    ref = await session.user.find(name)
    await session.user.delete_mailbox(name)
    if session.mbox is not None and session.mbox.shared.ref == ref:
        session.leave_mailbox()
    return Completion("DELETE completed")


async def run_rename(session: ImapServer, command: Rename) -> Completion:
    """Rename a folder and all below it."""
    destination = new_mailbox_name(session, command.destination).removesuffix(DELIMITER)
    source = await mailbox_name(session, command.source)
    await session.user.rename_folder(source, destination)
    normalized = other_spelling(session, command.source, source) or other_spelling(
        session, command.destination, destination
    )
    if normalized is not None and rev2_enabled(session):
        # RFC 9051 section 6.3.6
        session.untagged(list_line(session, destination, other_spelling(session, command.source, source) or source))
    return Completion("RENAME completed")
