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

Known = tuple[int, int, FlagSet]
"""Sequence number, UID and flags of a message."""

_ITEMS = frozenset({Attribute.UID, Attribute.FLAGS, Attribute.MODSEQ})


def suffices(items: Iterable[object]) -> bool:
    """Tell whether these items can be answered here."""
    return _ITEMS.issuperset(items)


async def send(session: ImapServer, ranges: Sequence[range], items: Sequence[object]) -> bool:
    """Send the items of messages at positions of the view; tell whether each of them is still there."""
    mailbox = session.mailbox
    page = _PageWithModSeqs(mailbox, items).lines if Attribute.MODSEQ in items else _Page(mailbox, items).lines
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
        messages, uids = self._mailbox.shared.messages, self._mailbox.view.uids
        if self._mailbox.view.in_step:
            return zip(range(start + 1, stop + 1), uids[start:stop], messages.flags[start:stop], strict=True)
        return [
            (position + 1, uids[position], flags)
            for position in range(start, stop)
            if (flags := messages.flags_of(uids[position])) is not None
        ]


class _PageWithModSeqs:
    """Prints the messages at some positions of the view with their mod-sequences."""

    def __init__(self, mailbox: Mailbox, items: Sequence[object]) -> None:
        self._mailbox = mailbox
        self._items = items

    def lines(self, start: int, stop: int) -> list[bytes]:
        """Return the FETCH responses."""
        messages, view = self._mailbox.shared.messages, self._mailbox.view
        with_uid, with_flags = Attribute.UID in self._items, Attribute.FLAGS in self._items
        lines = []
        for position in range(start, stop):
            uid = view.uids[position]
            at = position if view.in_step else messages.find(uid)
            if at is not None:
                told = b"UID %d " % uid if with_uid else b""
                if with_flags:
                    told += b"FLAGS " + flag_list(messages.flags[at], uid in view.recent) + b" "
                lines.append(b"* %d FETCH (%bMODSEQ (%d))\r\n" % (position + 1, told, messages.mod_seqs[at]))
        return lines


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
