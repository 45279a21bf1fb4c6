"""FETCH of flags and UIDs alone: what the process knows of every open mailbox, so the store is not asked.

Every client asks this of every message each time it opens a mailbox; hence the care about speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.messages import FlagSet
from cybertemp_imap.protocol.command import Attribute
from cybertemp_imap.protocol.responses import flag_list

if TYPE_CHECKING:
    from cybertemp_imap.mailbox import Mailbox
    from cybertemp_imap.protocol.server import ImapServer

PAGE = 1000
"""Messages printed at a time, in well under a slice of the reactor's time."""

Known = tuple[int, int, FlagSet]
"""Sequence number, UID and flags of a message."""

_ITEMS = frozenset({Attribute.UID, Attribute.FLAGS})


def suffices(items: Iterable[object]) -> bool:
    """Tell whether these items can be answered here."""
    return _ITEMS.issuperset(items)


async def send(session: ImapServer, ranges: Sequence[range], items: Sequence[object]) -> bool:
    """Send the items of messages at positions of the view; tell whether each of them is still there."""
    mailbox = session.mailbox
    print_page = _printer(mailbox, items)
    whole = True
    for span in ranges:
        for start in range(span.start, span.stop, PAGE):
            stop = min(start + PAGE, span.stop)
            known, complete = _known(mailbox, start, stop)
            session.outlet.write(b"".join(print_page(known)))
            whole = whole and complete
            if Attribute.FLAGS in items:
                mailbox.view.told_flags(mailbox.view.uids[start:stop])
            await session.outlet.ready()
    return whole


def _known(mailbox: Mailbox, start: int, stop: int) -> tuple[Iterable[Known], bool]:
    """Return what is known of messages at positions of the view, and whether all of them are still there."""
    messages, uids = mailbox.shared.messages, mailbox.view.uids
    if mailbox.view.in_step:
        return zip(range(start + 1, stop + 1), uids[start:stop], messages.flags[start:stop], strict=True), True
    found = [
        (position + 1, uids[position], flags)
        for position in range(start, stop)
        if (flags := messages.flags_of(uids[position])) is not None
    ]
    return found, len(found) == stop - start


def _printer(mailbox: Mailbox, items: Sequence[object]) -> Callable[[Iterable[Known]], list[bytes]]:
    """Return what prints a page: one expression a message for the usual forms."""
    recent = mailbox.view.recent
    if Attribute.FLAGS not in items:
        return lambda known: [b"* %d FETCH (UID %d)\r\n" % (seq, uid) for seq, uid, _ in known]
    if recent:
        return lambda known: [
            _line(seq, uid, flag_list(flags, uid in recent), Attribute.UID in items) for seq, uid, flags in known
        ]
    if Attribute.UID not in items:
        return lambda known: [b"* %d FETCH (FLAGS (%b))\r\n" % (seq, flags.wire) for seq, _, flags in known]
    return lambda known: [b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (seq, uid, flags.wire) for seq, uid, flags in known]


def _line(seq: int, uid: int, flags: bytes, with_uid: bool) -> bytes:
    if with_uid:
        return b"* %d FETCH (UID %d FLAGS %b)\r\n" % (seq, uid, flags)
    return b"* %d FETCH (FLAGS %b)\r\n" % (seq, flags)
