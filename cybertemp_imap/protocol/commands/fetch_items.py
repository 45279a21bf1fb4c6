"""What FETCH prints of one message, item by item, and what must be read for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING
from uuid import UUID

from cybertemp_imap.messages import FlagSet
from cybertemp_imap.mime.header import subset
from cybertemp_imap.mime.parse import MimeLimits, Part, parse
from cybertemp_imap.mime.section import binary, is_decodable, section
from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.command import Attribute, BodySection, Section
from cybertemp_imap.protocol.date import format_date_time
from cybertemp_imap.protocol.object_id import email_id
from cybertemp_imap.protocol.responses import flag_list
from cybertemp_imap.protocol.rule import Bad
from cybertemp_imap.store.interface import Store
from cybertemp_imap.store.values import MailboxRef, Metadata

if TYPE_CHECKING:
    from cybertemp_imap.mailbox import Mailbox
    from cybertemp_imap.shared import SharedMailbox

_METADATA = frozenset(
    {
        Attribute.INTERNALDATE,
        Attribute.SIZE,
        Attribute.ENVELOPE,
        Attribute.BODY,
        Attribute.BODYSTRUCTURE,
    }
)
_RFC822 = {
    # RFC 3501 section 6.4.5: RFC822.HEADER is the only one of the three that does not set \Seen.
    Attribute.RFC822: BodySection(),
    Attribute.RFC822_HEADER: BodySection(section=Section.HEADER, peek=True),
    Attribute.RFC822_TEXT: BodySection(section=Section.TEXT),
}
_HEADER_SECTIONS = (Section.HEADER, Section.HEADER_FIELDS, Section.HEADER_FIELDS_NOT)


BIG = 1 << 17
"""Octets above which a message is taken apart in a thread: about what takes a slice of the reactor's time."""

_MANY = 100
"""Sections that together cost as much as one of a big message."""

HOLE = b"\0"
"""Stands in a line for what is not known of the message alone; nothing else in a line is NUL."""

_HOLES: dict[object, bytes] = {Attribute.FLAGS: b"FLAGS (" + HOLE + b")", Attribute.MODSEQ: b"MODSEQ (" + HOLE + b")"}
_NO_FLAGS = FlagSet(())


@dataclass
class Material:
    """What was read of one message; what the items do not ask for is None.

    ``printed`` are sections that were worked out beforehand.
    """

    uid: int
    mime_limits: MimeLimits
    metadata: Metadata | None = None
    saved: datetime | None = None
    identity: UUID | None = None
    head: bytes | None = None
    source: bytes | None = None
    printed: dict[object, bytes] = field(default_factory=dict)

    @cached_property
    def root(self) -> Part:
        """The parts of the message."""
        assert self.source is not None
        return parse(self.source, self.mime_limits)

    @property
    def header(self) -> bytes:
        """The header block with its empty line."""
        if self.head is not None:
            return self.head
        assert self.source is not None
        return self.source[self.root.header_start : self.root.header_end]


_Read = Callable[[Sequence[int]], Awaitable[Sequence[tuple[int, object]]]]
Printer = Callable[[FlagSet, Material], bytes]


class Plan:
    """How the items of one FETCH are read and printed."""

    def __init__(self, items: Sequence[object], mailbox: Mailbox, condstore: bool) -> None:
        """``condstore``: flags are told with their mod-sequence. Raises Bad for an item that is not announced."""
        self._view = mailbox.view
        self.items = tuple(items)
        self.holes = [item for item in items if item in _HOLES]
        self.newly_seen: set[int] = set()
        self.tells_flags = Attribute.FLAGS in items
        self.settles_flags = self.tells_flags and (not condstore or Attribute.MODSEQ in items)
        sections = [found for item in items if (found := _section_of(item)) is not None]
        self.needs_saved = Attribute.SAVEDATE in items
        self.needs_identity = Attribute.EMAILID in items
        self.needs_source = any(not _of_header(wanted) for wanted in sections)
        needed = _METADATA - {Attribute.SIZE} if self.needs_source else _METADATA
        self.needs_metadata = not needed.isdisjoint(items)
        self.needs_header = bool(sections) and not self.needs_source
        others = self.needs_metadata or self.needs_saved or self.needs_identity
        self._only_source = self.needs_source and not others
        self.sets_seen = not mailbox.read_only and any(not wanted.peek for wanted in sections)
        self._decoded = {item.part for item in items if isinstance(item, BodySection) and item.name != "BODY"}
        self._costly = [item for item in items if _is_costly(item)]
        self._printers = [self._printer(item) for item in items]
        self._printers_of_seen = [self._printer(item) for item in _told_when_seen(items, condstore)]

    # -- reading ------------------------------------------------------------------------------------------------------

    async def read(self, shared: SharedMailbox, uids: Sequence[int]) -> list[Material]:
        """Read what is needed of some messages, by ascending UID; expunged ones are left out."""
        store, ref = shared.store, shared.ref
        limits = store.mime_limits
        if self._only_source:
            return [Material(uid, limits, source=source) for uid, source in await shared.content.sources(uids)]
        found = {uid: Material(uid, limits) for uid in uids}
        there = set(uids)
        readings: tuple[tuple[bool, str, _Read], ...] = (
            (self.needs_metadata, "metadata", partial(_metadata_by_uid, store, ref)),
            (self.needs_saved, "saved", partial(_saved_by_uid, store, ref)),
            (self.needs_identity, "identity", partial(store.object_ids, ref)),
            (self.needs_header, "head", partial(store.headers, ref)),
            (self.needs_source, "source", shared.content.sources),
        )
        for needed, name, reading in readings:
            if needed:
                read = await reading(uids)
                for uid, value in read:
                    setattr(found[uid], name, value)
                there.intersection_update(uid for uid, _ in read)
        return [found[uid] for uid in uids if uid in there]

    def is_possible(self, material: Material) -> bool:
        """Tell whether everything asked for can be decoded (UNKNOWN-CTE, RFC 3516 section 4.3)."""
        return all(is_decodable(material.root, part) for part in self._decoded)

    # -- printing -----------------------------------------------------------------------------------------------------

    def is_heavy(self, material: Material) -> bool:
        """Tell whether what is asked for of a message is to be worked out in a thread, by :meth:`work_out`."""
        octets = len(material.source or material.head or b"")
        return bool(self._costly) and (octets > BIG or len(self._costly) > _MANY)

    def work_out(self, material: Material) -> None:
        """Print the sections, as far as they are possible: they depend on nothing but the message."""
        if self.is_possible(material):
            for item in self._costly:
                assert isinstance(item, BodySection)
                material.printed[item] = _PRINTED_BY_NAME[item.name](item, _label(item), material)

    def response(self, seq: int, flags: FlagSet, material: Material) -> bytes:
        """Print the FETCH response of a message."""
        printed = [printer(flags, material) for printer in self._printers]
        if material.uid in self.newly_seen:
            printed += [printer(flags, material) for printer in self._printers_of_seen]
        return b"* %d FETCH (%b)\r\n" % (seq, b" ".join(printed))

    @property
    def is_lines(self) -> bool:
        """Whether all that is asked for can be printed by :meth:`line`, and nothing is to be set."""
        return not self.needs_source and not self.sets_seen

    def line(self, material: Material) -> bytes:
        """Print what of a message's response depends on the message alone, with holes for the rest."""
        return b" ".join(
            _HOLES[item] if item in _HOLES else printer(_NO_FLAGS, material).replace(HOLE, b"\x80")
            for item, printer in zip(self.items, self._printers, strict=True)
        )

    def _printer(self, item: object) -> Printer:
        if item is Attribute.FLAGS:
            return self._flags
        if item is Attribute.MODSEQ:
            return self._mod_seq
        if isinstance(item, BodySection):
            return partial(_worked_out, item, _label(item))
        assert isinstance(item, Attribute)
        if item in _RFC822:
            return partial(_rfc822, item.value.encode() + b" ", _RFC822[item])
        printer = _ATTRIBUTES.get(item)
        if printer is None:
            raise Bad("An item is not known.")
        return printer

    def _flags(self, flags: FlagSet, material: Material) -> bytes:
        return b"FLAGS " + flag_list(flags, material.uid in self._view.recent)

    def _mod_seq(self, flags: FlagSet, material: Material) -> bytes:
        return b"MODSEQ (%d)" % self._view.mod_seq_of(material.uid)


def _told_when_seen(items: Sequence[object], condstore: bool) -> Sequence[Attribute]:
    """Return what is told besides where ``\\Seen`` was set just now (RFC 9051 section 6.4.5, RFC 7162 3.2.4)."""
    told = (Attribute.FLAGS, Attribute.UID, Attribute.MODSEQ) if condstore else (Attribute.FLAGS,)
    return [item for item in told if item not in items]


async def _metadata_by_uid(store: Store, ref: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, Metadata]]:
    return [(metadata.uid, metadata) for metadata in await store.metadata(ref, uids)]


async def _saved_by_uid(store: Store, ref: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, datetime]]:
    return [(uid, saved) for uid, _, saved in await store.saved_dates(ref, uids)]


def _section_of(item: object) -> BodySection | None:
    """Return the section an item reads, if it reads any."""
    if isinstance(item, BodySection):
        # BINARY.SIZE tells a size and is no reading of the message (RFC 3516 section 4.2).
        return BodySection(part=item.part, peek=True) if item.name == "BINARY.SIZE" else item
    return _RFC822.get(item) if isinstance(item, Attribute) else None


def _is_costly(item: object) -> bool:
    """Tell whether a message must be gone through for an item; the whole of it is there as it is."""
    return isinstance(item, BodySection) and bool(item.part or item.section is not Section.WHOLE)


def _of_header(wanted: BodySection) -> bool:
    """Tell whether a section is found in the message's own header block."""
    return not wanted.part and wanted.section in _HEADER_SECTIONS


# -- attributes -------------------------------------------------------------------------------------------------------


def _metadata(material: Material) -> Metadata:
    assert material.metadata is not None
    return material.metadata


def _size(flags: FlagSet, material: Material) -> bytes:
    source = material.source
    return b"RFC822.SIZE %d" % (_metadata(material).size if source is None else len(source))


def _saved_date(flags: FlagSet, material: Material) -> bytes:
    assert material.saved is not None
    return b"SAVEDATE " + format_date_time(material.saved.astimezone(UTC))


def _email_id(flags: FlagSet, material: Material) -> bytes:
    assert material.identity is not None
    return b"EMAILID (" + email_id(material.identity) + b")"


_ATTRIBUTES: dict[Attribute, Printer] = {
    Attribute.UID: lambda _, m: b"UID %d" % m.uid,
    Attribute.INTERNALDATE: lambda _, m: b'INTERNALDATE "%b"' % _metadata(m).internal_date,
    Attribute.SIZE: _size,
    Attribute.ENVELOPE: lambda _, m: b"ENVELOPE " + _metadata(m).envelope,
    Attribute.BODY: lambda _, m: b"BODY " + _metadata(m).body,
    Attribute.BODYSTRUCTURE: lambda _, m: b"BODYSTRUCTURE " + _metadata(m).body_structure,
    Attribute.SAVEDATE: _saved_date,
    Attribute.EMAILID: _email_id,
    # Conversations are not worked out (RFC 8474 section 5.2).
    Attribute.THREADID: lambda _, m: b"THREADID NIL",
}


# -- sections ---------------------------------------------------------------------------------------------------------


def _rfc822(label: bytes, wanted: BodySection, flags: FlagSet, material: Material) -> bytes:
    return _nstring(label, _octets(wanted, material))


def _worked_out(item: BodySection, label: bytes, flags: FlagSet, material: Material) -> bytes:
    printed = material.printed.get(item) if material.printed else None
    return printed or _PRINTED_BY_NAME[item.name](item, label, material)


def _body(wanted: BodySection, label: bytes, material: Material) -> bytes:
    return _nstring(label, _cut(_octets(wanted, material), wanted.partial))


def _binary(wanted: BodySection, label: bytes, material: Material) -> bytes:
    octets = _cut(_decoded(wanted, material), wanted.partial)
    if octets is not None and b"\0" in octets:
        # A literal8, for only it may hold NUL (RFC 3516 section 4.4).
        return label + b"~{%d}\r\n" % len(octets) + octets
    return _nstring(label, octets)


def _binary_size(wanted: BodySection, label: bytes, material: Material) -> bytes:
    octets = _decoded(wanted, material)
    return label + b"%d" % (0 if octets is None else len(octets))


_PRINTED_BY_NAME = {"BODY": _body, "BINARY": _binary, "BINARY.SIZE": _binary_size}


def _octets(wanted: BodySection, material: Material) -> bytes | None:
    """Return a section before it is cut, or None where there is no such part."""
    if not wanted.part and wanted.section in _HEADER_SECTIONS:
        if wanted.section is Section.HEADER:
            return material.header
        return subset(material.header, wanted.fields, wanted.section is Section.HEADER_FIELDS_NOT)
    assert material.source is not None
    if not wanted.part and wanted.section is Section.WHOLE:
        return material.source
    return section(material.source, material.root, wanted)


def _decoded(wanted: BodySection, material: Material) -> bytes | None:
    assert material.source is not None
    return binary(material.source, material.root, wanted.part)


def _cut(octets: bytes | None, partial_: tuple[int, int] | None) -> bytes | None:
    if octets is None or partial_ is None:
        return octets
    first, count = partial_
    return octets[first : first + count]


def _label(wanted: BodySection) -> bytes:
    """Print ``BODY[1.2.HEADER.FIELDS (From To)]<0>`` and the space behind it."""
    pieces = [b".".join(b"%d" % number for number in wanted.part)] if wanted.part else []
    if wanted.section is not Section.WHOLE:
        pieces.append(wanted.section.value.encode())
    label = b".".join(pieces)
    if wanted.fields:
        label += b" (" + b" ".join(strings.astring(name) for name in wanted.fields) + b")"
    origin = b"<%d>" % wanted.partial[0] if wanted.partial else b""
    return wanted.name.encode() + b"[" + label + b"]" + origin + b" "


def _nstring(label: bytes, octets: bytes | None) -> bytes:
    """Print message text behind a label: a literal, whose length is as RFC822.SIZE counts it.

    So NUL, which it cannot hold, is shown as an octet of the same length that no charset uses for text.
    """
    if octets is None:
        return label + b"NIL"
    if b"\0" in octets:
        octets = octets.replace(b"\0", b"\x80")
    return b"%b{%d}\r\n%b" % (label, len(octets), octets)
