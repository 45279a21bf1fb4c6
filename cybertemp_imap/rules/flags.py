"""Flags of a message: which of those stored a client is told, and what STORE makes of them.

``emails.flags`` belongs to other programs as well, and holds whatever they write. Entries that cannot be sent as an
IMAP flag are never shown to a client, and no STORE removes them: a client can only replace what it can see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

SYSTEM_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")
"""RFC 9051 section 2.3.2. ``\\Recent`` is a session's, never stored (RFC 3501 section 2.3.2)."""

MAX_KEYWORD = 255
"""Octets of a keyword that clients are shown; beyond it, one entry could fill a client's line."""

# RFC 9051 section 9, flag-keyword: an atom, which is ASCII without atom-specials. A server must not send other flags
# with a backslash than those of a standard (same place, flag-extension), so the backslash is left to SYSTEM_FLAGS.
_KEYWORD = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_SYSTEM = {flag.lower(): flag for flag in SYSTEM_FLAGS}


def canonical_flag(flag: str | None) -> str | None:
    """Return a flag as clients are told it, system flags in their usual spelling; None for what is no flag."""
    if not flag:
        return None
    if flag[0] == "\\":
        return _SYSTEM.get(flag.lower())
    if len(flag) > MAX_KEYWORD or not _KEYWORD.fullmatch(flag):
        return None
    return flag


def valid_flags(flags: Iterable[str | None] | None) -> tuple[str, ...]:
    """Return the flags that clients are told, in the order stored, the first spelling of each."""
    told: dict[str, str] = {}
    for stored in flags or ():
        flag = canonical_flag(stored)
        if flag is not None:
            told.setdefault(flag.lower(), flag)
    return tuple(told.values())


def combine(current: Iterable[str | None] | None, mode: str, new: Iterable[str]) -> tuple[str, ...]:
    """Return what is to be stored after a STORE; ``mode`` is one of :class:`cybertemp_imap.store.values.FlagMode`.

    Flags compare without case; one that is there already keeps its spelling and its place. Where nothing is added or
    removed, what is returned equals ``current`` (NULL entries apart). Raises :class:`ValueError` for another mode.
    """
    if mode not in ("", "+", "-"):
        raise ValueError(f"not a flag mode: {mode!r}")
    wanted = {flag.lower(): flag for flag in valid_flags(new)}
    kept: list[str] = []
    for stored in current or ():
        if stored is None:
            continue
        flag = canonical_flag(stored)
        if flag is None or _stays(flag.lower() in wanted, mode):
            kept.append(stored)
    if mode == "-":
        return tuple(kept)
    present = {stored.lower() for stored in kept}
    return (*kept, *(flag for key, flag in wanted.items() if key not in present))


def _stays(named: bool, mode: str) -> bool:
    """Tell whether a flag that a message has is kept, by whether STORE names it."""
    return mode == "+" or named == (mode == "")
