"""LIST (RFC 9051 section 6.3.9, RFC 5258, RFC 5819, RFC 6154) and LSUB (RFC 3501 section 6.3.9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.listing import Listing
from cybertemp_imap.naming import DELIMITER, parents_of
from cybertemp_imap.protocol.command import List, Lsub
from cybertemp_imap.protocol.commands.names import utf8_enabled
from cybertemp_imap.protocol.commands.status import status_line
from cybertemp_imap.protocol.names import MailboxNameFault, decode_mailbox
from cybertemp_imap.protocol.pattern import ListPattern
from cybertemp_imap.protocol.responses import mailbox_line
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

ROOT = b'LIST (\\Noselect) "/" ""'
"""The answer to an empty pattern: the delimiter and the root (RFC 9051 section 6.3.9)."""


async def run_list(session: ImapServer, command: List) -> Completion:
    """List mailboxes."""
    if not command.extended and command.patterns == (b"",):
        session.untagged(ROOT)
        return Completion("LIST completed")
    patterns = _patterns(session, command.reference, [p for p in command.patterns if p])
    listings = await session.user.listings()
    above = await _above_selected(session, listings, patterns, command.selection)
    for listing in listings:
        inside = listing.name in above
        if not await _matches(session, patterns, listing.name):
            continue
        if not _selected(listing, command.selection) and not inside:
            continue
        session.untagged(_list_line(session, listing, command, inside))
        if command.status is not None and listing.exists:
            await _add_status(session, listing.name, command.status)
        await session.outlet.ready()
    return Completion("LIST completed")


def _patterns(session: ImapServer, reference: bytes, patterns: Iterable[bytes]) -> list[ListPattern]:
    """Decode patterns; one that cannot be decoded can match no name."""
    utf8 = utf8_enabled(session)
    found = []
    for pattern in patterns:
        try:
            found.append(ListPattern(decode_mailbox(reference, utf8), decode_mailbox(pattern, utf8), DELIMITER))
        except MailboxNameFault:
            continue
    return found


def _selected(listing: Listing, selection: frozenset[str]) -> bool:
    """Apply the selection options; without any, a name that is only subscribed to is left out."""
    if "SUBSCRIBED" in selection and not listing.subscribed:
        return False
    if "SPECIAL-USE" in selection and listing.special_use is None:
        return False
    return listing.exists or listing.has_children or "SUBSCRIBED" in selection


async def _matches(session: ImapServer, patterns: Sequence[ListPattern], name: str) -> bool:
    """Tell whether one of the patterns matches; a command can have thousands of them."""
    for pattern in patterns:
        if pattern.matches(name):
            return True
        await session.outlet.ready()
    return False


async def _above_selected(
    session: ImapServer, listings: Sequence[Listing], patterns: Sequence[ListPattern], selection: frozenset[str]
) -> frozenset[str]:
    """With RECURSIVEMATCH: names above selected ones that the patterns do not match (RFC 9051 section 6.3.9.6)."""
    if not selection >= {"RECURSIVEMATCH", "SUBSCRIBED"}:
        return frozenset()
    below = [
        listing.name
        for listing in listings
        if _selected(listing, selection) and not await _matches(session, patterns, listing.name)
    ]
    return frozenset(parents_of(below))


def _list_line(session: ImapServer, listing: Listing, command: List, inside: bool) -> bytes:
    attributes = list(listing.attributes)
    if ("SUBSCRIBED" in command.selection or "SUBSCRIBED" in command.returns) and listing.subscribed:
        attributes.insert(0, "\\Subscribed")
    extended = [b'"CHILDINFO" ("SUBSCRIBED")'] if inside else []
    return mailbox_line(b"LIST", attributes, listing.name, utf8_enabled(session), extended)


async def _add_status(session: ImapServer, name: str, items: tuple[str, ...]) -> None:
    """Send STATUS after LIST; a mailbox that has just gone is passed over (RFC 5819 section 2)."""
    try:
        session.untagged(await status_line(session, name, items))
    except Refused as refused:
        if refused.refusal is not Refusal.NO_SUCH_MAILBOX:
            raise


async def run_lsub(session: ImapServer, command: Lsub) -> Completion:
    """List subscribed mailboxes."""
    utf8 = utf8_enabled(session)
    patterns = _patterns(session, command.reference, [command.pattern])
    listed: dict[str, tuple[str, ...]] = {}
    for listing in await session.user.listings():
        if not listing.subscribed or not (listing.exists or listing.name in session.user.subscribed_names):
            continue
        await session.outlet.ready()
        for pattern in patterns:
            if pattern.matches(listing.name):
                listed[listing.name] = ()
            elif command.pattern.endswith(b"%"):
                # RFC 3501 section 6.3.9: a level above a subscribed name that does not match itself.
                for parent in pattern.matching_parents(listing.name):
                    listed.setdefault(parent, ("\\Noselect",))
    for name, attributes in sorted(listed.items(), key=lambda item: (item[0] != "INBOX", item[0])):
        session.untagged(mailbox_line(b"LSUB", attributes, name, utf8))
    return Completion("LSUB completed")
