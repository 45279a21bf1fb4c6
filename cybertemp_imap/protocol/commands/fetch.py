"""FETCH and UID FETCH (RFC 9051 section 6.4.5): which messages, in which pages, and ``\\Seen``.

What is printed of a message is in :mod:`cybertemp_imap.protocol.commands.fetch_items`. A page is read from the store
while the one before is printed, and only with what the items ask for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol.command import Attribute, Fetch
from cybertemp_imap.protocol.commands import fetch_flags, fetch_metadata
from cybertemp_imap.protocol.commands.ahead import ahead
from cybertemp_imap.protocol.commands.fetch_items import Material, Plan
from cybertemp_imap.protocol.commands.sets import positions_of
from cybertemp_imap.protocol.rule import Bad, Completion

if TYPE_CHECKING:
    from cybertemp_imap.mailbox import Mailbox
    from cybertemp_imap.protocol.server import ImapServer

PAGE = 250
"""Messages whose metadata or headers are read at a time."""

PAGE_OCTETS = 1 << 20
"""How much message text is read at a time; a page has at least one message."""


async def run(session: ImapServer, command: Fetch) -> Completion:
    """Send what is asked for of each message, in the order of the mailbox."""
    if command.changed_since is not None or command.vanished or Attribute.MODSEQ in command.items:
        raise Bad("A modifier or an item is not known.")
    ranges = positions_of(session, command.messages, command.uid)
    items = command.items if not command.uid else _with_uid(command)
    if fetch_flags.suffices(items):
        whole = await fetch_flags.send(session, ranges, items)
    elif fetch_metadata.suffices(items):
        whole = await fetch_metadata.send(session, session.mailbox.uids_at(ranges), items)
    else:
        whole = await _send(session, Plan(items, session.mailbox), session.mailbox.uids_at(ranges))
    if not whole and not command.uid:
        # RFC 2180 section 4.1.3; a UID that is not there is no error (RFC 9051 section 6.4.9).
        raise Refused(Refusal.EXPUNGE_ISSUED)
    return Completion("FETCH completed")


def _with_uid(command: Fetch) -> tuple[object, ...]:
    """Return the items with UID, which every answer to UID FETCH has (RFC 9051 section 6.4.9)."""
    return command.items if Attribute.UID in command.items else (Attribute.UID, *command.items)


async def _send(session: ImapServer, plan: Plan, uids: Sequence[int]) -> bool:
    """Send all messages; tell whether each of them was there.

    One that cannot be printed as asked for does not keep the others from being sent.
    """
    mailbox = session.mailbox
    found = 0
    all_possible = True
    async for read in ahead(_pages(mailbox, plan, uids)):
        # What cannot be answered has not been read by anybody: it is sorted out before \Seen is set.
        page = [material for material in read if plan.is_possible(material)]
        all_possible = all_possible and len(page) == len(read)
        if plan.sets_seen:
            await _set_seen(mailbox, plan, page)
        for material in page:
            seq, flags = mailbox.view.seq_of(material.uid), mailbox.view.flags_of(material.uid)
            if seq is None or flags is None:
                continue
            found += 1
            session.outlet.write(plan.response(seq, flags, material))
            if plan.tells_flags:
                mailbox.view.told_flags((material.uid,))
            await session.outlet.ready()
        plan.newly_seen.clear()
    if not all_possible:
        raise Refused(Refusal.UNKNOWN_CONTENT_ENCODING)
    return found == len(uids)


async def _set_seen(mailbox: Mailbox, plan: Plan, page: Sequence[Material]) -> None:
    """Set ``\\Seen`` where it is not set; the answer then tells the flags (RFC 9051 section 6.4.5)."""
    unseen = [
        material.uid
        for material in page
        if (flags := mailbox.view.flags_of(material.uid)) is not None and not flags.seen
    ]
    if unseen:
        await mailbox.store_flags(unseen, "+", ["\\Seen"])
        plan.newly_seen.update(unseen)
        mailbox.view.told_flags(unseen)


async def _pages(mailbox: Mailbox, plan: Plan, uids: Sequence[int]) -> AsyncIterator[list[Material]]:
    """Read what is asked for."""
    async for span in _spans(mailbox, plan, uids):
        yield await plan.read(mailbox.shared.store, mailbox.shared.ref, span)


async def _spans(mailbox: Mailbox, plan: Plan, uids: Sequence[int]) -> AsyncIterator[Sequence[int]]:
    """Cut UIDs into pages that are bounded in number and, where whole messages are read, in octets."""
    for start in range(0, len(uids), PAGE):
        page = uids[start : start + PAGE]
        if not plan.needs_source or len(page) == 1:
            yield page
            continue
        span: list[int] = []
        octets = 0
        for uid, size in await mailbox.shared.store.weights(mailbox.shared.ref, page):
            if span and octets + size > PAGE_OCTETS:
                yield span
                span, octets = [], 0
            span.append(uid)
            octets += size
        if span:
            yield span
