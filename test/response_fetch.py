"""What FETCH responses hold (RFC 9051 section 7.5.2): flags, dates, envelopes, body structures and sections."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from test.response_scanner import Scanner

_DATE = re.compile(
    rb'"(?: \d|\d\d)-(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"'
)
_NAME = re.compile(rb"[A-Z0-9.]+")
_PART = rb"[1-9]\d*(?:\.[1-9]\d*)*"
_TEXT = rb"HEADER|TEXT|HEADER\.FIELDS(?:\.NOT)? "
_SECTION = re.compile(rb"(?:" + _TEXT + rb"|" + _PART + rb"(?:\.(?:" + _TEXT + rb"|MIME))?)(?=[\](])")
_BINARY_SECTION = re.compile(_PART)
_ORIGIN = re.compile(rb"<\d+>")


@dataclass(frozen=True)
class Body:
    """One part of a body structure; ``children`` are of a multipart, ``message`` is (envelope, body) of a message."""

    type: bytes
    subtype: bytes
    params: dict[bytes, bytes]
    size: int = 0
    lines: int | None = None
    id: bytes | None = None
    description: bytes | None = None
    encoding: bytes | None = None
    children: tuple[Body, ...] = ()
    message: tuple[Any, Body] | None = None
    extension: tuple[Any, ...] | None = None


def fetch_items(scanner: Scanner) -> dict[bytes, Any]:
    """Read ``msg-att``; every item once."""
    found: dict[bytes, Any] = {}
    for name, value in scanner.listed(_item):
        if name in found:
            scanner.fail(f"{name!r} is there twice")
        found[name] = value
    return found


def _item(scanner: Scanner) -> tuple[bytes, Any]:
    name = scanner.match(_NAME, "a FETCH item")
    if name in (b"BODY", b"BINARY", b"BINARY.SIZE") and scanner.take(b"["):
        name += b"[" + _section(scanner, name) + b"]"
        scanner.expect(b"]")
        name += scanner.maybe(_ORIGIN) or b""
        scanner.space()
        if name.startswith(b"BINARY.SIZE"):
            return name, scanner.number()
        return name, scanner.nstring8() if name.startswith(b"BINARY") else scanner.nstring()
    read = _ITEMS.get(name)
    if read is None:
        scanner.fail("no such FETCH item")
    scanner.space()
    return name, read(scanner)


def _section(scanner: Scanner, name: bytes) -> bytes:
    if name != b"BODY":
        return scanner.maybe(_BINARY_SECTION) or b""
    section = scanner.maybe(_SECTION) or b""
    if section.endswith(b" "):
        return section + b"(" + b" ".join(scanner.listed(Scanner.astring)) + b")"
    return section


def _envelope(scanner: Scanner) -> tuple[Any, ...]:
    """Read date, subject, six address lists, in-reply-to and message-id."""
    scanner.expect(b"(")
    found: list[Any] = [scanner.nstring()]
    scanner.space()
    found.append(scanner.nstring())
    for _ in range(6):
        scanner.space()
        found.append(_addresses(scanner))
    for _ in range(2):
        scanner.space()
        found.append(scanner.nstring())
    scanner.expect(b")")
    return tuple(found)


def _addresses(scanner: Scanner) -> tuple[tuple[bytes | None, ...], ...]:
    """Read addresses, which follow each other without spaces; an empty list is NIL."""
    if scanner.take(b"NIL"):
        return ()
    scanner.expect(b"(")
    found = []
    while not scanner.take(b")"):
        scanner.expect(b"(")
        address = [scanner.nstring()]
        for _ in range(3):
            scanner.space()
            address.append(scanner.nstring())
        scanner.expect(b")")
        found.append(tuple(address))
    if not found:
        scanner.fail("an empty address list is NIL")
    return tuple(found)


# -- body structures --------------------------------------------------------------------------------------------------


def _plain_body(scanner: Scanner) -> Body:
    return _body(scanner, extended=False)


def _extended_body(scanner: Scanner) -> Body:
    return _body(scanner, extended=True)


def _body(scanner: Scanner, extended: bool) -> Body:
    scanner.expect(b"(")
    body = _multipart(scanner, extended) if scanner.data.startswith(b"(", scanner.pos) else _leaf(scanner, extended)
    scanner.expect(b")")
    return body


def _multipart(scanner: Scanner, extended: bool) -> Body:
    children = []
    while scanner.data.startswith(b"(", scanner.pos):
        children.append(_body(scanner, extended))
    scanner.space()
    subtype = scanner.string()
    params: dict[bytes, bytes] = {}
    extension = None
    if extended:
        scanner.space()
        params = _params(scanner)
        extension = _extension(scanner)
    return Body(b"multipart", subtype, params, children=tuple(children), extension=extension)


def _leaf(scanner: Scanner, extended: bool) -> Body:
    kind = scanner.string()
    scanner.space()
    subtype = scanner.string()
    scanner.space()
    params = _params(scanner)
    scanner.space()
    identifier = scanner.nstring()
    scanner.space()
    description = scanner.nstring()
    scanner.space()
    encoding = scanner.string()
    scanner.space()
    size = scanner.number()
    message = lines = extension = None
    if kind.lower() == b"message" and subtype.lower() in (b"rfc822", b"global"):
        scanner.space()
        envelope = _envelope(scanner)
        scanner.space()
        message = (envelope, _body(scanner, extended))
    if kind.lower() == b"text" or message is not None:
        scanner.space()
        lines = scanner.number()
    if extended:
        scanner.space()
        extension = (scanner.nstring(), *_extension(scanner))
    return Body(kind, subtype, params, size, lines, identifier, description, encoding, (), message, extension)


def _params(scanner: Scanner) -> dict[bytes, bytes]:
    if scanner.take(b"NIL"):
        return {}
    words = scanner.listed(Scanner.string)
    if len(words) % 2:
        scanner.fail("parameters come in pairs")
    return dict(zip(words[::2], words[1::2], strict=True))


def _extension(scanner: Scanner) -> tuple[Any, ...]:
    """Read disposition, language and location."""
    scanner.space()
    disposition = None
    if not scanner.take(b"NIL"):
        scanner.expect(b"(")
        kind = scanner.string()
        scanner.space()
        disposition = (kind, _params(scanner))
        scanner.expect(b")")
    scanner.space()
    several = scanner.data.startswith(b"(", scanner.pos)
    language: Any = scanner.listed(Scanner.string) if several else scanner.nstring()
    scanner.space()
    return disposition, language, scanner.nstring()


def _date_time(scanner: Scanner) -> bytes:
    return scanner.match(_DATE, "a date and time").strip(b'"')


def _mod_seq(scanner: Scanner) -> int:
    scanner.expect(b"(")
    found = scanner.mod_seq()
    scanner.expect(b")")
    return found


def _flags(scanner: Scanner) -> tuple[bytes, ...]:
    flags = scanner.listed(Scanner.fetch_flag, empty=True)
    if len({flag.lower() for flag in flags}) != len(flags):
        scanner.fail("a flag is there twice")
    return flags


_ITEMS: dict[bytes, Callable[[Scanner], Any]] = {
    b"FLAGS": _flags,
    b"UID": Scanner.nz_number,
    b"INTERNALDATE": _date_time,
    b"SAVEDATE": lambda scanner: None if scanner.take(b"NIL") else _date_time(scanner),
    b"EMAILID": Scanner.object_id,
    b"THREADID": lambda scanner: None if scanner.take(b"NIL") else scanner.object_id(),
    b"MODSEQ": _mod_seq,
    b"RFC822.SIZE": Scanner.number,
    b"ENVELOPE": _envelope,
    b"BODY": _plain_body,
    b"BODYSTRUCTURE": _extended_body,
    b"RFC822": Scanner.nstring,
    b"RFC822.HEADER": Scanner.nstring,
    b"RFC822.TEXT": Scanner.nstring,
}
