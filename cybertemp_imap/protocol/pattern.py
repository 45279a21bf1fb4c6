"""Mailbox patterns of LIST and LSUB (RFC 9051 section 6.3.9): ``*`` is anything, ``%`` anything but the delimiter.

A pattern is a row of tokens, and the bits of one integer tell how many of them can be behind us, for all ways of
matching at once: no backtracking, a few integer operations for each character of a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_WILDCARDS = re.compile(r"[*%]+")
_INBOX = "INBOX"


class ListPattern:
    """A reference and a pattern, put together by appending, ready to be compared with many names.

    INBOX, and what lies under it, matches without regard to case in its first five characters (RFC 9051 section 5.1).
    """

    def __init__(self, reference: str, pattern: str, delimiter: str = "/") -> None:
        self.delimiter = delimiter
        text = _WILDCARDS.sub(_widest, reference + pattern)
        self._text = text
        self._wild = "*" in text or "%" in text
        self._all = text == "*"
        self._level = text == "%"
        self._least = sum(char not in "*%" for char in text)
        self._star, self._percent, self._chars = _masks(text)

    def matches(self, name: str) -> bool:
        """Whether the pattern matches the whole name."""
        if self._all:
            return True
        if self._level:
            return self.delimiter not in name
        if not self._wild and not _is_inbox(name, self.delimiter):
            return name == self._text
        if self._least > len(name):
            return False
        states = 0
        for states in self._states(name):
            if not states:
                return False
        return self._accepts(states)

    def matching_parents(self, name: str) -> list[str]:
        """The names above ``name``, from the top, that the pattern matches (CHILDINFO, RFC 9051 section 6.3.9.6)."""
        parents: list[str] = []
        for length, states in enumerate(self._states(name)):
            if not states:
                break
            if length < len(name) and name[length] == self.delimiter and length and self._accepts(states):
                parents.append(name[:length])
        return parents

    def _accepts(self, states: int) -> bool:
        return bool(states >> len(self._text) & 1)

    def _states(self, name: str) -> Iterator[int]:
        """Yield the states before the first character of ``name`` and after each one.

        Bit n stands for n tokens behind us. A wildcard may match nothing, so its bit always brings the next one along;
        no two wildcards are neighbours, hence one shift does it.
        """
        star, percent, chars = self._star, self._percent, self._chars
        folded = len(_INBOX) if _is_inbox(name, self.delimiter) else 0
        wild = star | percent
        states = 1 | (wild & 1) << 1
        yield states
        for index, char in enumerate(name):
            literal = chars.get(char, 0)
            if index < folded:
                literal |= chars.get(char.upper(), 0) | chars.get(char.lower(), 0)
            staying = star if char == self.delimiter else wild
            states = (states & literal) << 1 | states & staying
            states |= (states & wild) << 1
            yield states


def _widest(match: re.Match[str]) -> str:
    return "*" if "*" in match.group() else "%"


def _is_inbox(name: str, delimiter: str) -> bool:
    return name[:5].isascii() and name[:5].upper() == _INBOX and name[5:6] in ("", delimiter)


def _masks(text: str) -> tuple[int, int, dict[str, int]]:
    """The bits of ``*``, of ``%`` and of each other character of a pattern.

    The bits of a character are gathered as places first, so that a long pattern is not copied for each of them.
    """
    places: dict[str, list[int]] = {}
    for index, char in enumerate(text):
        places.setdefault(char, []).append(index)
    masks: dict[str, int] = {}
    for char, indices in places.items():
        octets = bytearray(indices[-1] // 8 + 1)
        for index in indices:
            octets[index >> 3] |= 1 << (index & 7)
        masks[char] = int.from_bytes(octets, "little")
    return masks.pop("*", 0), masks.pop("%", 0), masks
