"""FETCH of what is printed in a line or a few: envelopes, structures, sizes, dates and header fields.

This is what clients list a mailbox with. What of an answer depends on the message alone is printed once and kept; then
a page of answers is read back in one piece, and what the session knows, such as flags, is put into it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from twisted.internet.threads import deferToThreadPool

from cybertemp_imap.messages import FlagSet
from cybertemp_imap.pace import Pace
from cybertemp_imap.protocol.command import Attribute
from cybertemp_imap.protocol.commands.ahead import ahead
from cybertemp_imap.protocol.commands.fetch_items import HOLE, Plan
from cybertemp_imap.protocol.responses import flag_list

if TYPE_CHECKING:
    from cybertemp_imap.mailbox import Mailbox
    from cybertemp_imap.protocol.server import ImapServer

PAGE = 250
"""Messages read at a time, and printed before the reactor may have a turn."""

Known = tuple[int, int, FlagSet | None, int]
"""Sequence number, UID, flags and mod-sequence of a message; no flags where it is gone."""

_Page = tuple[Sequence[int], list[bytes | None]]
"""Positions in the view, and the lines of the messages there as far as they are still there."""


async def send(session: ImapServer, plan: Plan, ranges: Sequence[range]) -> bool:
    """Send what is asked for of messages at positions of the view; tell whether each of them is still there."""
    printer = _Printer(session.mailbox, plan)
    whole = True
    async for page, lines in ahead(_pages(session, plan, ranges)):
        responses = printer.responses(page, lines)
        whole = whole and len(responses) == len(page)
        session.outlet.write(b"".join(responses))
        await session.outlet.ready()
    return whole


async def _pages(session: ImapServer, plan: Plan, ranges: Sequence[range]) -> AsyncIterator[_Page]:
    content, uids = session.mailbox.shared.content, session.mailbox.view.uids
    for page in _cut(ranges):
        wanted = uids[page.start : page.stop] if isinstance(page, range) else [uids[at] for at in page]
        lines = content.lines(plan.items, wanted)
        if None in lines:
            missing = [uid for uid, line in zip(wanted, lines, strict=True) if line is None]
            made = await _made(session, plan, missing)
            content.keep_lines(plan.items, list(made), list(made.values()))
            lines = [made.get(uid) if line is None else line for uid, line in zip(wanted, lines, strict=True)]
        yield page, lines


def _cut(ranges: Iterable[range]) -> Iterator[Sequence[int]]:
    """Cut positions into pages."""
    page: list[int] = []
    for span in ranges:
        for start in range(span.start, span.stop, PAGE):
            part = range(start, min(start + PAGE, span.stop))
            if not page and len(part) == PAGE:
                yield part
                continue
            page.extend(part)
            if len(page) >= PAGE:
                yield page
                page = []
    if page:
        yield page


async def _made(session: ImapServer, plan: Plan, uids: Sequence[int]) -> dict[int, bytes]:
    """Read messages and print their lines, those of big ones in a thread; expunged ones are left out."""
    pace = Pace(session.reactor)
    made: dict[int, bytes] = {}
    for material in await plan.read(session.mailbox.shared, uids):
        if plan.is_heavy(material):
            await deferToThreadPool(session.reactor, session.reactor.getThreadPool(), plan.work_out, material)
        made[material.uid] = plan.line(material)
        await pace.breathe()
    return made


class _Printer:
    """Makes responses of lines."""

    def __init__(self, mailbox: Mailbox, plan: Plan) -> None:
        self._mailbox = mailbox
        self._holes = plan.holes
        self._settles_flags = plan.settles_flags

    def responses(self, page: Sequence[int], lines: Sequence[bytes | None]) -> list[bytes]:
        """Return the responses of the messages that have a line and are still there."""
        known = self._known(page)
        view = self._mailbox.view
        if not self._holes:
            printed = [
                b"* %d FETCH (%b)\r\n" % (seq, line)
                for (seq, _, flags, _), line in zip(known, lines, strict=True)
                if line is not None and flags is not None
            ]
        elif self._holes == [Attribute.FLAGS] and not view.recent:
            printed = [
                b"* %d FETCH (%b)\r\n" % (seq, line.replace(HOLE, flags.wire, 1))
                for (seq, _, flags, _), line in zip(known, lines, strict=True)
                if line is not None and flags is not None
            ]
        else:
            printed = [
                b"* %d FETCH (%b)\r\n" % (seq, self._filled(line, uid, flags, mod_seq))
                for (seq, uid, flags, mod_seq), line in zip(known, lines, strict=True)
                if line is not None and flags is not None
            ]
        if self._settles_flags:
            view.told_flags([view.uids[position] for position in page])
        return printed

    def _known(self, page: Sequence[int]) -> Sequence[Known]:
        """Return what is known of messages when they are printed: it may have changed while they were read."""
        view, messages = self._mailbox.view, self._mailbox.shared.messages
        if view.in_step and isinstance(page, range):
            known = (each[page.start : page.stop] for each in (view.uids, messages.flags, messages.mod_seqs))
            return list(zip(range(page.start + 1, page.stop + 1), *known, strict=True))
        uids = view.uids
        return [(at + 1, uids[at], view.flags_of(uids[at]), view.mod_seq_of(uids[at])) for at in page]

    def _filled(self, line: bytes, uid: int, flags: FlagSet, mod_seq: int) -> bytes:
        for hole in self._holes:
            if hole is Attribute.MODSEQ:
                line = line.replace(HOLE, b"%d" % mod_seq, 1)
            else:
                line = line.replace(HOLE, flag_list(flags, uid in self._mailbox.view.recent)[1:-1], 1)
        return line
