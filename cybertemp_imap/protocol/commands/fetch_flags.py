"""FETCH of flags and UIDs alone: what the process knows of every open mailbox, so the store is not asked.

Every client asks this of every message each time it opens a mailbox; hence the care about speed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.messages import FlagSet
from cybertemp_imap.protocol.command import Attribute
from cybertemp_imap.protocol.commands.condstore import tells_mod_seqs
from cybertemp_imap.protocol.responses import flag_list

if TYPE_CHECKING:
    from cybertemp_imap.mailbox import Mailbox
    from cybertemp_imap.protocol.server import ImapServer

PAGE = 1000
"""Messages printed at a time, in well under a slice of the reactor's time."""

Known = tuple[int, int, FlagSet, int]
"""Sequence number, UID, flags and mod-sequence of a message."""

_ITEMS = frozenset({Attribute.UID, Attribute.FLAGS, Attribute.MODSEQ})


def suffices(items: Iterable[object]) -> bool:
    """Tell whether these items can be answered here."""
    return _ITEMS.issuperset(items)


async def send(session: ImapServer, ranges: Sequence[range], items: Sequence[object]) -> bool:
    """Send the items of messages at positions of the view; tell whether each of them is still there."""
    mailbox = session.mailbox
    page = _Page(mailbox, items).lines
    # Where the session is to be told mod-sequences, flags without them are not all of what it is to be told.
    settles = Attribute.FLAGS in items and (Attribute.MODSEQ in items or not tells_mod_seqs(session))
    whole = True
    for span in ranges:
        for start in range(span.start, span.stop, PAGE):
            stop = min(start + PAGE, span.stop)
            lines = page(start, stop)
            session.outlet.write(b"".join(lines))
            whole = whole and len(lines) == stop - start
            if settles:
                mailbox.view.told_flags(mailbox.view.uids[start:stop])
            await session.outlet.ready()
    return whole


class _Page:
    """Prints the messages at some positions of the view, as far as they are still there."""

    def __init__(self, mailbox: Mailbox, items: Sequence[object]) -> None:
        self._mailbox = mailbox
        self._print = _printer(mailbox, items)

    def lines(self, start: int, stop: int) -> list[bytes]:
        """Return the FETCH responses."""
        return self._print(self._known(start, stop))

    def _known(self, start: int, stop: int) -> Iterable[Known]:
        messages, view = self._mailbox.shared.messages, self._mailbox.view
        if view.in_step:
            known = (view.uids, messages.flags, messages.mod_seqs)
            return zip(range(start + 1, stop + 1), *(each[start:stop] for each in known), strict=True)
        return [
            (position + 1, view.uids[position], messages.flags[at], messages.mod_seqs[at])
            for position in range(start, stop)
            if (at := messages.find(view.uids[position])) is not None
        ]


def _printer(mailbox: Mailbox, items: Sequence[object]) -> Callable[[Iterable[Known]], list[bytes]]:
    """Return what prints a page: one expression a message for the usual forms."""
    recent = mailbox.view.recent
    with_uid, with_flags = Attribute.UID in items, Attribute.FLAGS in items
    if Attribute.MODSEQ in items:
        if with_uid and with_flags and not recent:
            return lambda known: [
                b"* %d FETCH (UID %d FLAGS (%b) MODSEQ (%d))\r\n" % (seq, uid, flags.wire, mod_seq)
                for seq, uid, flags, mod_seq in known
            ]
        return lambda known: [
            _line(seq, uid if with_uid else None, flag_list(flags, uid in recent) if with_flags else b"", mod_seq)
            for seq, uid, flags, mod_seq in known
        ]
    if not with_flags:
        return lambda known: [b"* %d FETCH (UID %d)\r\n" % (seq, uid) for seq, uid, _, _ in known]
    if recent:
        return lambda known: [
            _line(seq, uid if with_uid else None, flag_list(flags, uid in recent)) for seq, uid, flags, _ in known
        ]
    if not with_uid:
        return lambda known: [b"* %d FETCH (FLAGS (%b))\r\n" % (seq, flags.wire) for seq, _, flags, _ in known]
    return lambda known: [
        b"* %d FETCH (UID %d FLAGS (%b))\r\n" % (seq, uid, flags.wire) for seq, uid, flags, _ in known
    ]


def _line(seq: int, uid: int | None, flags: bytes, mod_seq: int | None = None) -> bytes:
    """Print what is given; empty ``flags`` are none to be told."""
    items = [b"UID %d" % uid] if uid is not None else []
    if flags:
        items.append(b"FLAGS " + flags)
    if mod_seq is not None:
        items.append(b"MODSEQ (%d)" % mod_seq)
    return b"* %d FETCH (%b)\r\n" % (seq, b" ".join(items))
