"""FETCH of envelopes, structures, sizes and dates: pages of what the store has cached, each message one expression.

This is what a client lists a mailbox with; the general way of :mod:`cybertemp_imap.protocol.commands.fetch` costs
several times as much a message.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.messages import FlagSet
from cybertemp_imap.protocol.command import Attribute
from cybertemp_imap.protocol.commands.ahead import ahead
from cybertemp_imap.protocol.commands.condstore import tells_mod_seqs
from cybertemp_imap.protocol.responses import flag_list
from cybertemp_imap.store.interface import Metadata

if TYPE_CHECKING:
    from cybertemp_imap.mailbox import Mailbox
    from cybertemp_imap.protocol.server import ImapServer

PAGE = 250
"""Messages read from the store at a time."""

PRINTED_AT_ONCE = 50
"""Messages printed before the reactor may have a turn."""

_Value = Callable[[FlagSet, Metadata], bytes | int]

_FORMS: dict[object, tuple[bytes, _Value]] = {
    Attribute.UID: (b"UID %d", lambda _, m: m.uid),
    Attribute.INTERNALDATE: (b'INTERNALDATE "%b"', lambda _, m: m.internal_date),
    Attribute.SIZE: (b"RFC822.SIZE %d", lambda _, m: m.size),
    Attribute.ENVELOPE: (b"ENVELOPE %b", lambda _, m: m.envelope),
    Attribute.BODY: (b"BODY %b", lambda _, m: m.body),
    Attribute.BODYSTRUCTURE: (b"BODYSTRUCTURE %b", lambda _, m: m.body_structure),
}
"""How each item is printed, and from what; FLAGS and MODSEQ, which the view knows, are not among them."""


def suffices(items: Iterable[object]) -> bool:
    """Tell whether these items can be answered here."""
    return _FORMS.keys() | {Attribute.FLAGS, Attribute.MODSEQ} >= set(items)


async def send(session: ImapServer, uids: Sequence[int], items: Sequence[object]) -> bool:
    """Send the items of messages; tell whether each of them is still there."""
    printer = _Printer(session.mailbox, items, tells_mod_seqs(session))
    sent = 0
    async for page in ahead(_pages(session.mailbox, uids)):
        sent += await printer.send(session, page)
    return sent == len(uids)


async def _pages(mailbox: Mailbox, uids: Sequence[int]) -> AsyncIterator[Sequence[Metadata]]:
    for start in range(0, len(uids), PAGE):
        yield await mailbox.shared.store.metadata(mailbox.shared.ref, uids[start : start + PAGE])


class _Printer:
    """Prints the items of one FETCH, all by one template."""

    def __init__(self, mailbox: Mailbox, items: Sequence[object], condstore: bool) -> None:
        self._view = mailbox.view
        self._settles_flags = Attribute.FLAGS in items and (not condstore or Attribute.MODSEQ in items)
        own = {Attribute.FLAGS: self._flags_form(), Attribute.MODSEQ: self._mod_seq_form()}
        forms = [own[item] if item in own else _FORMS[item] for item in items]
        self._template = b"* %d FETCH (" + b" ".join(form for form, _ in forms) + b")\r\n"
        self._values = tuple(value for _, value in forms)

    def _flags_form(self) -> tuple[bytes, _Value]:
        recent = self._view.recent
        return b"FLAGS %b", lambda flags, m: flag_list(flags, m.uid in recent)

    def _mod_seq_form(self) -> tuple[bytes, _Value]:
        view = self._view
        return b"MODSEQ (%d)", lambda _, m: view.mod_seq_of(m.uid)

    async def send(self, session: ImapServer, page: Sequence[Metadata]) -> int:
        """Send messages; return how many of them have a number and are still there."""
        sent = 0
        for start in range(0, len(page), PRINTED_AT_ONCE):
            lines = self._lines(page[start : start + PRINTED_AT_ONCE])
            session.outlet.write(b"".join(lines))
            sent += len(lines)
            await session.outlet.ready()
        return sent

    def _lines(self, page: Sequence[Metadata]) -> list[bytes]:
        view, template, values = self._view, self._template, self._values
        lines: list[bytes] = []
        for data in page:
            seq, flags = view.seq_of(data.uid), view.flags_of(data.uid)
            if seq is not None and flags is not None:
                lines.append(template % (seq, *[value(flags, data) for value in values]))
        if self._settles_flags:
            view.told_flags(data.uid for data in page)
        return lines
