"""FETCH and UID FETCH (RFC 9051 section 6.4.5; RFC 3516, RFC 7162, RFC 8474, RFC 8514)."""

from __future__ import annotations

import re
from collections.abc import Callable

from cybertemp_imap.protocol.command import Attribute, BodySection, Fetch, FetchItem, Section
from cybertemp_imap.protocol.tokens import MAX_NUMBER64, Tokens

_WORD = re.compile(rb"[A-Za-z0-9.-]++")
_PART = re.compile(rb"[1-9][0-9]{0,9}+(?:\.[1-9][0-9]{0,9}+)*+")

_FAST = (Attribute.FLAGS, Attribute.INTERNALDATE, Attribute.SIZE)
_ALL = (*_FAST, Attribute.ENVELOPE)

MACROS: dict[bytes, tuple[FetchItem, ...]] = {
    b"FAST": _FAST,
    b"ALL": _ALL,
    b"FULL": (*_ALL, Attribute.BODY),
}
"""The macros, which stand alone and outside parentheses."""

ATTRIBUTES: dict[bytes, FetchItem] = {item.value.encode("ascii"): item for item in Attribute}
"""The items without arguments, by their upper-case names."""

_TEXTS: dict[bytes, Section] = {item.value.encode("ascii"): item for item in Section if item is not Section.WHOLE}


def fetch(tokens: Tokens, *, uid: bool = False) -> Fetch:
    """``FETCH SP sequence-set SP (macro / fetch-att / "(" fetch-att *(SP fetch-att) ")") [fetch-modifiers]``."""
    tokens.space()
    messages = tokens.sequence_set()
    tokens.space()
    if tokens.peek() == b"(":
        items = tuple(tokens.listed(_item))
    else:
        start = tokens.pos
        macro = MACROS.get(tokens.match(_WORD, "A FETCH item is expected").upper())
        if macro is None:
            tokens.pos = start
        items = (_item(tokens),) if macro is None else macro
    if len(items) > 1:
        items = tuple(dict.fromkeys(items))
    if tokens.pos == len(tokens.data) or tokens.at_end():
        return Fetch(messages, items, uid)
    changed_since, vanished = _modifiers(tokens, uid=uid)
    return Fetch(messages, items, uid, changed_since, vanished)


def _item(tokens: Tokens) -> FetchItem:
    name = tokens.match(_WORD, "A FETCH item is expected").upper()
    sectioned = tokens.data.startswith(b"[", tokens.pos)
    item = ATTRIBUTES.get(name)
    if item is not None and not sectioned:
        return item
    section = SECTIONS.get(name)
    if section is None or not sectioned:
        tokens.fail("Unknown FETCH item")
    return section(tokens)


def _body(tokens: Tokens) -> BodySection:
    return _body_section(tokens, peek=False)


def _body_peek(tokens: Tokens) -> BodySection:
    return _body_section(tokens, peek=True)


def _body_section(tokens: Tokens, *, peek: bool) -> BodySection:
    """``section`` and ``partial`` after BODY or BODY.PEEK."""
    tokens.expect(b"[", "A section is expected")
    part = _part(tokens)
    section = Section.WHOLE
    fields: tuple[bytes, ...] = ()
    if tokens.peek() != b"]" and (not part or tokens.take(b".")):
        section, fields = _text(tokens)
        if section is Section.MIME and not part:
            tokens.fail("MIME needs a part number")
    tokens.expect(b"]", "Malformed section")
    return BodySection(part, section, fields, _partial(tokens), peek)


def _text(tokens: Tokens) -> tuple[Section, tuple[bytes, ...]]:
    section = _TEXTS.get(tokens.match(_WORD, "Malformed section").upper())
    if section is None:
        tokens.fail("Unknown section")
    if section is not Section.HEADER_FIELDS and section is not Section.HEADER_FIELDS_NOT:
        return section, ()
    tokens.space()
    return section, tuple(tokens.listed(Tokens.astring))


def _binary(tokens: Tokens) -> BodySection:
    part = _binary_part(tokens)
    return BodySection(part, partial=_partial(tokens), name="BINARY")


def _binary_peek(tokens: Tokens) -> BodySection:
    part = _binary_part(tokens)
    return BodySection(part, partial=_partial(tokens), peek=True, name="BINARY")


def _binary_size(tokens: Tokens) -> BodySection:
    return BodySection(_binary_part(tokens), name="BINARY.SIZE")


def _binary_part(tokens: Tokens) -> tuple[int, ...]:
    """``section-binary``: part numbers or nothing in brackets (RFC 9051 section 9)."""
    tokens.expect(b"[", "A section is expected")
    part = _part(tokens)
    tokens.expect(b"]", "Malformed section")
    return part


SECTIONS: dict[bytes, Callable[[Tokens], FetchItem]] = {
    b"BODY": _body,
    b"BODY.PEEK": _body_peek,
    b"BINARY": _binary,
    b"BINARY.PEEK": _binary_peek,
    b"BINARY.SIZE": _binary_size,
}
"""What reads the section of an item, by the item's upper-case name."""


def _part(tokens: Tokens) -> tuple[int, ...]:
    match = _PART.match(tokens.data, tokens.pos)
    if match is None:
        return ()
    tokens.pos = match.end()
    return tuple(map(int, match.group().split(b".")))


def _partial(tokens: Tokens) -> tuple[int, int] | None:
    """``"<" number64 "." nz-number64 ">"``."""
    if not tokens.take(b"<"):
        return None
    first = tokens.number64()
    tokens.expect(b".", "Malformed partial")
    count = tokens.nz_number(MAX_NUMBER64)
    tokens.expect(b">", "Malformed partial")
    return first, count


def _modifiers(tokens: Tokens, *, uid: bool) -> tuple[int, bool]:
    """``SP "(" fetch-modifier *(SP fetch-modifier) ")"`` (RFC 7162 sections 3.1.4.1 and 3.2.6)."""
    tokens.space()
    given = dict(tokens.listed(_modifier))
    vanished = b"VANISHED" in given
    changed_since = given.get(b"CHANGEDSINCE")
    if changed_since is None or (vanished and not uid):
        tokens.fail("VANISHED needs UID FETCH and CHANGEDSINCE")
    return changed_since, vanished


def _modifier(tokens: Tokens) -> tuple[bytes, int]:
    name = tokens.name()
    if name == b"VANISHED":
        return name, 0
    if name != b"CHANGEDSINCE":
        tokens.fail("Unknown FETCH modifier")
    tokens.space()
    return name, tokens.number64()
