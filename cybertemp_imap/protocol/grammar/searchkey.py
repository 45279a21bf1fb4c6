"""The search keys that hold no others."""

from __future__ import annotations

import re
from collections.abc import Callable

from cybertemp_imap.protocol.date import parse_date
from cybertemp_imap.protocol.search_key import (
    DateField,
    DateOrder,
    KeyAge,
    KeyAll,
    KeyAnd,
    KeyBody,
    KeyDate,
    KeyEmailId,
    KeyFlag,
    KeyHeader,
    KeyLarger,
    KeyModSeq,
    KeyNot,
    KeyRecent,
    KeySaveDateSupported,
    KeySmaller,
    KeyText,
    KeyThreadId,
    KeyUid,
    SearchKey,
)
from cybertemp_imap.protocol.tokens import MAX_NUMBER64, SyntaxFault, Tokens

ReadKey = Callable[[Tokens], SearchKey]

_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}+")
_DATE = re.compile(rb"[0-9A-Za-z-]++")
_SYSTEM_FLAGS = ("Answered", "Deleted", "Draft", "Flagged", "Seen")
_ENTRY_TYPES = (b"PRIV", b"SHARED", b"ALL")


def _constant(key: SearchKey) -> ReadKey:
    return lambda _tokens: key


def _keyword(tokens: Tokens) -> KeyFlag:
    tokens.space()
    return KeyFlag(tokens.atom().decode("ascii"))


def _unkeyword(tokens: Tokens) -> KeyNot:
    return KeyNot(_keyword(tokens))


def _text(tokens: Tokens) -> bytes:
    tokens.space()
    return tokens.astring()


def _field(name: bytes) -> ReadKey:
    return lambda tokens: KeyHeader(name, _text(tokens))


def _header(tokens: Tokens) -> KeyHeader:
    field = _text(tokens)
    return KeyHeader(field, _text(tokens))


def _octets(tokens: Tokens) -> int:
    """``number``; RFC 9051 lets LARGER and SMALLER be ``number64``."""
    tokens.space()
    return tokens.number(MAX_NUMBER64)


def _date(field: DateField, order: DateOrder) -> ReadKey:
    def read(tokens: Tokens) -> KeyDate:
        tokens.space()
        text = tokens.quoted() if tokens.peek() == b'"' else tokens.match(_DATE, "A date is expected")
        try:
            return KeyDate(field, order, parse_date(text))
        except ValueError:
            raise SyntaxFault("Malformed date") from None

    return read


def _age(older: bool) -> ReadKey:
    def read(tokens: Tokens) -> KeyAge:
        tokens.space()
        return KeyAge(tokens.nz_number(), older)

    return read


def _uid(tokens: Tokens) -> KeyUid:
    tokens.space()
    return KeyUid(tokens.sequence_set())


def _mod_seq(tokens: Tokens) -> KeyModSeq:
    """``"MODSEQ" [SP entry-name SP entry-type-req] SP mod-sequence-valzer`` (RFC 7162 section 7)."""
    tokens.space()
    if tokens.peek() == b'"':
        tokens.quoted()
        tokens.space()
        if tokens.name() not in _ENTRY_TYPES:
            tokens.fail("Unknown entry type")
        tokens.space()
    return KeyModSeq(tokens.number64())


def _object_id(tokens: Tokens) -> bytes:
    """``objectid`` (RFC 8474 section 7), perhaps as a quoted string."""
    object_id = _text(tokens)
    if _OBJECT_ID.fullmatch(object_id) is None:
        tokens.fail("Malformed object identifier")
    return object_id


def _flag_keys() -> dict[bytes, ReadKey]:
    keys: dict[bytes, ReadKey] = {}
    for name in _SYSTEM_FLAGS:
        flag = KeyFlag("\\" + name)
        keys[name.upper().encode("ascii")] = _constant(flag)
        keys[b"UN" + name.upper().encode("ascii")] = _constant(KeyNot(flag))
    return keys


KEYS: dict[bytes, ReadKey] = {
    b"ALL": _constant(KeyAll()),
    **_flag_keys(),
    b"RECENT": _constant(KeyRecent()),
    b"OLD": _constant(KeyNot(KeyRecent())),
    b"NEW": _constant(KeyAnd((KeyRecent(), KeyNot(KeyFlag("\\Seen"))))),
    b"KEYWORD": _keyword,
    b"UNKEYWORD": _unkeyword,
    **{name: _field(name) for name in (b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO")},
    b"HEADER": _header,
    b"BODY": lambda tokens: KeyBody(_text(tokens)),
    b"TEXT": lambda tokens: KeyText(_text(tokens)),
    b"LARGER": lambda tokens: KeyLarger(_octets(tokens)),
    b"SMALLER": lambda tokens: KeySmaller(_octets(tokens)),
    **{(field.value + order.value).encode("ascii"): _date(field, order) for field in DateField for order in DateOrder},
    b"YOUNGER": _age(older=False),
    b"OLDER": _age(older=True),
    b"UID": _uid,
    b"MODSEQ": _mod_seq,
    b"EMAILID": lambda tokens: KeyEmailId(_object_id(tokens)),
    b"THREADID": lambda tokens: KeyThreadId(_object_id(tokens)),
    b"SAVEDATESUPPORTED": _constant(KeySaveDateSupported()),
}
"""What reads the arguments of a key, by the key's upper-case name."""
