"""FETCH and UID FETCH (RFC 9051 section 6.4.5): which messages, in which pages, and ``\\Seen``.

What is printed of a message is in :mod:`cybertemp_imap.protocol.commands.fetch_items`. A page is read from the store
while the one before is printed, and only with what the items ask for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from twisted.internet.threads import deferToThreadPool

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol.command import Attribute, Fetch
from cybertemp_imap.protocol.commands import condstore, fetch_flags, fetch_lines, resync
from cybertemp_imap.protocol.commands.ahead import ahead
from cybertemp_imap.protocol.commands.fetch_items import Material, Plan
from cybertemp_imap.protocol.commands.sets import positions_of
from cybertemp_imap.protocol.responses import vanished
from cybertemp_imap.protocol.rule import Bad, Completion
from cybertemp_imap.protocol.sequence import SequenceSet

if TYPE_CHECKING:
    from cybertemp_imap.mailbox import Mailbox
    from cybertemp_imap.protocol.server import ImapServer

PAGE = 250
"""Messages whose metadata or headers are read at a time."""

PAGE_OCTETS = 1 << 20
"""How much message text is read at a time; a page has at least one message."""


async def run(session: ImapServer, command: Fetch) -> Completion:
    """Send what is asked for of each message, in the order of the mailbox."""
    if command.vanished and not condstore.tells_vanished(session):
        raise Bad("QRESYNC must be enabled first.")
    if command.changed_since is not None or Attribute.MODSEQ in command.items:
        condstore.enable(session)
    ranges = positions_of(session, command.messages, command.uid)
    items = _items(session, command)
    if command.changed_since is not None:
        if command.vanished:
            await _send_vanished(session, command.messages, command.changed_since)
        ranges = await resync.changed_since(session, ranges, command.changed_since)
    if fetch_flags.suffices(items):
        whole = await fetch_flags.send(session, ranges, items)
    else:
        plan = Plan(items, session.mailbox, condstore.tells_mod_seqs(session))
        if plan.is_lines:
            whole = await fetch_lines.send(session, plan, ranges)
        else:
            whole = await _send(session, plan, session.mailbox.uids_at(ranges))
    if not whole and not command.uid:
        # RFC 2180 section 4.1.3; a UID that is not there is no error (RFC 9051 section 6.4.9).
        raise Refused(Refusal.EXPUNGE_ISSUED)
    return Completion("FETCH completed")


def _items(session: ImapServer, command: Fetch) -> tuple[object, ...]:
    """Return what is told of each message.

    Every answer to UID FETCH has UID (RFC 9051 section 6.4.9); MODSEQ is in every one to CHANGEDSINCE and, once QRESYNC
    is enabled, to UID FETCH (RFC 7162 sections 3.1.4.1 and 3.2.4).
    """
    items: tuple[object, ...] = command.items
    if command.uid and Attribute.UID not in items:
        items = (Attribute.UID, *items)
    with_mod_seq = command.changed_since is not None or (command.uid and condstore.tells_vanished(session))
    return (*items, Attribute.MODSEQ) if with_mod_seq and Attribute.MODSEQ not in items else items


async def _send_vanished(session: ImapServer, uids: SequenceSet, since: int) -> None:
    """Tell which of some UIDs are gone (RFC 7162 section 3.2.6); ``*`` may be one of them itself."""
    largest = session.mailbox.shared.head.uid_next - 1
    asked = [(uid, uid) for uid in session.saved_uids] if uids.saved else uids.resolve(largest)
    gone = await resync.vanished_since(session.mailbox, since, asked)
    session.outlet.write(vanished(gone, earlier=True))


async def _send(session: ImapServer, plan: Plan, uids: Sequence[int]) -> bool:
    """Send all messages; tell whether each of them was there.

    One that cannot be printed as asked for does not keep the others from being sent.
    """
    mailbox = session.mailbox
    found = 0
    all_possible = True
    async for read in ahead(_pages(session, plan, uids)):
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
            if plan.settles_flags:
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


async def _pages(session: ImapServer, plan: Plan, uids: Sequence[int]) -> AsyncIterator[list[Material]]:
    """Read what is asked for."""
    mailbox, pool = session.mailbox, session.reactor.getThreadPool()
    async for span in _spans(mailbox, plan, uids):
        page = await plan.read(mailbox.shared, span)
        for material in page:
            if plan.is_heavy(material):
                await deferToThreadPool(session.reactor, pool, plan.work_out, material)
        yield page


async def _spans(mailbox: Mailbox, plan: Plan, uids: Sequence[int]) -> AsyncIterator[Sequence[int]]:
    """Cut UIDs into pages that are bounded in number and, where whole messages are read, in octets."""
    for start in range(0, len(uids), PAGE):
        page = uids[start : start + PAGE]
        if not plan.needs_source or len(page) == 1:
            yield page
            continue
        span: list[int] = []
        octets = 0
        for uid, size in await mailbox.shared.content.weights(page):
            if span and octets + size > PAGE_OCTETS:
                yield span
                span, octets = [], 0
            span.append(uid)
            octets += size
        if span:
            yield span
