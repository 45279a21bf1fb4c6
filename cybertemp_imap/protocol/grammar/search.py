"""SEARCH and UID SEARCH (RFC 9051 section 6.4.4; RFC 3501, 5032, 5182, 7162, 8474, 8514).

Keys nest, and the nesting is kept on a list of frames and not on the call stack; it is bounded for all who walk the
keys afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum

from cybertemp_imap.protocol.command import Search
from cybertemp_imap.protocol.grammar.searchkey import KEYS
from cybertemp_imap.protocol.search_key import KeyAnd, KeyNot, KeyOr, KeySequence, SearchKey
from cybertemp_imap.protocol.tokens import Tokens

MAX_KEYS = 4_000
"""How many keys a command may have: answering a key takes time even where no message is looked at."""

RETURN_OPTIONS: dict[bytes, str] = {name.encode("ascii"): name for name in ("MIN", "MAX", "ALL", "COUNT", "SAVE")}
"""The result options there are (RFC 9051 section 6.4.4, RFC 5182)."""

_SEQUENCE_START = re.compile(rb"[0-9*$]")


def search(tokens: Tokens, *, uid: bool = False) -> Search:
    """``SEARCH [search-return-opts] SP ["CHARSET" SP charset SP] search-key *(SP search-key)``."""
    tokens.space()
    returns: frozenset[str] | None = None
    charset: str | None = None
    if _word(tokens, b"RETURN"):
        tokens.space()
        returns = frozenset(tokens.listed(_return_option, empty=True) or ("ALL",))
        tokens.space()
    if _word(tokens, b"CHARSET"):
        tokens.space()
        charset = _charset(tokens)
        tokens.space()
    return Search(_program(tokens), uid, returns, charset)


def _word(tokens: Tokens, word: bytes) -> bool:
    """Move past ``word`` if it comes next and is whole."""
    end = tokens.pos + len(word)
    if tokens.data[tokens.pos : end].upper() != word or tokens.data[end : end + 1] != b" ":
        return False
    tokens.pos = end
    return True


def _return_option(tokens: Tokens) -> str:
    option = RETURN_OPTIONS.get(tokens.name())
    if option is None:
        tokens.fail("Unknown result option")
    return option


def _charset(tokens: Tokens) -> str:
    charset = tokens.astring()
    if not charset.isascii():
        tokens.fail("Malformed character set name")
    return charset.decode("ascii").upper()


class _Kind(Enum):
    """What holds the keys being read."""

    TOP = "the command"
    LIST = "parentheses"
    OR = "OR"
    NOT = "NOT"


class _Frame:
    """A key begun: what it is, and the keys read for it so far."""

    __slots__ = ("keys", "kind")

    def __init__(self, kind: _Kind) -> None:
        self.kind = kind
        self.keys: list[SearchKey] = []


_PREFIXES: dict[bytes, _Kind] = {b"OR": _Kind.OR, b"NOT": _Kind.NOT}


def _program(tokens: Tokens) -> SearchKey:
    """Read keys up to the end of the command."""
    frames = [_Frame(_Kind.TOP)]
    left = MAX_KEYS
    while True:
        if not left:
            tokens.fail("There are too many search keys")
        left -= 1
        key = _begin(tokens, frames)
        if key is None:
            continue
        _end(tokens, frames, key)
        if len(frames) == 1 and tokens.at_end():
            return _together(frames[0].keys)
        tokens.space()


def _begin(tokens: Tokens, frames: list[_Frame]) -> SearchKey | None:
    """Read a key that holds no others, or open a frame for one that does and give None."""
    kind = _Kind.LIST
    if not tokens.take(b"("):
        if _SEQUENCE_START.match(tokens.data, tokens.pos) is not None:
            return KeySequence(tokens.sequence_set())
        name = tokens.name()
        prefix = _PREFIXES.get(name)
        if prefix is None:
            return _leaf(tokens, name)
        kind = prefix
        tokens.space()
    if len(frames) > tokens.depth:
        tokens.fail("Search keys are nested too deeply")
    frames.append(_Frame(kind))
    return None


def _leaf(tokens: Tokens, name: bytes) -> SearchKey:
    read: Callable[[Tokens], SearchKey] | None = KEYS.get(name)
    if read is None:
        tokens.fail("Unknown search key")
    return read(tokens)


def _end(tokens: Tokens, frames: list[_Frame], key: SearchKey) -> None:
    """Give a whole key to the frame around it, and close every frame that becomes whole by it."""
    while True:
        frame = frames[-1]
        frame.keys.append(key)
        if frame.kind is _Kind.NOT:
            key = KeyNot(key)
        elif frame.kind is _Kind.OR and len(frame.keys) == 2:
            key = KeyOr(*frame.keys)
        elif frame.kind is _Kind.LIST and tokens.take(b")"):
            key = _together(frame.keys)
        else:
            return
        frames.pop()


def _together(keys: list[SearchKey]) -> SearchKey:
    return keys[0] if len(keys) == 1 else KeyAnd(tuple(keys))
