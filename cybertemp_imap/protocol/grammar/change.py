"""Commands that change messages: STORE, COPY, MOVE, EXPUNGE, and their UID forms."""

from __future__ import annotations

from cybertemp_imap.protocol.command import Copy, Expunge, Move, Store, StoreMode
from cybertemp_imap.protocol.sequence import SequenceSet
from cybertemp_imap.protocol.tokens import Tokens

_MODES: dict[bytes, tuple[StoreMode, bool]] = {
    mode.value.encode("ascii") + name: (mode, silent)
    for mode in StoreMode
    for name, silent in ((b"FLAGS", False), (b"FLAGS.SILENT", True))
}


def store(tokens: Tokens, *, uid: bool = False) -> Store:
    """``STORE SP sequence-set [store-modifiers] SP ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / flags)``."""
    messages = _messages(tokens)
    unchanged_since: int | None = None
    if tokens.take(b" ("):  # RFC 7162 section 3.1.3
        if tokens.name() != b"UNCHANGEDSINCE":
            tokens.fail("Unknown STORE modifier")
        tokens.space()
        unchanged_since = tokens.number64()
        tokens.expect(b")", "A closing parenthesis is missing")
    tokens.space()
    mode = _MODES.get(tokens.name())
    if mode is None:
        tokens.fail("Unknown STORE item")
    tokens.space()
    flags = tokens.flags() if tokens.peek() == b"(" else _bare_flags(tokens)
    return Store(messages, mode[0], flags, mode[1], uid, unchanged_since)


def _bare_flags(tokens: Tokens) -> tuple[str, ...]:
    """``flag *(SP flag)``."""
    flags = [tokens.flag()]
    while not tokens.at_end():
        tokens.space()
        flags.append(tokens.flag())
    return tuple(flags)


def copy(tokens: Tokens, *, uid: bool = False) -> Copy:
    """``COPY SP sequence-set SP mailbox``."""
    messages = _messages(tokens)
    tokens.space()
    return Copy(messages, tokens.astring(), uid)


def move(tokens: Tokens, *, uid: bool = False) -> Move:
    """``MOVE SP sequence-set SP mailbox`` (RFC 6851)."""
    messages = _messages(tokens)
    tokens.space()
    return Move(messages, tokens.astring(), uid)


def expunge(_tokens: Tokens) -> Expunge:
    """``EXPUNGE``."""
    return Expunge()


def uid_expunge(tokens: Tokens) -> Expunge:
    """``UID EXPUNGE SP sequence-set`` (RFC 4315 section 2.1)."""
    return Expunge(_messages(tokens))


def _messages(tokens: Tokens) -> SequenceSet:
    tokens.space()
    return tokens.sequence_set()
