"""Address lists of header fields, read as leniently as mail is written (RFC 5322 section 3.4 and its obsolete forms).

One pass over the octets with a tokenizer that never looks at an octet twice, so the time is linear for any input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

MAX_ADDRESSES = 4000
"""Addresses that are read of one field; the rest is passed over."""

MAX_OCTETS = 128 * 1024
"""Octets that are read of one field; the rest is passed over, from the last comma within."""


class Address(NamedTuple):
    """An address in the four parts of ENVELOPE (RFC 9051 section 7.5.2).

    A group begins with its name in ``mailbox`` and ``host`` None, and ends with both None. An address without a domain
    has an empty ``host``, since None would make it a group.
    """

    name: bytes | None
    route: bytes | None
    mailbox: bytes | None
    host: bytes | None


_AT = b"@"
GROUP_END = Address(None, None, None, None)

_QUOTED = rb'"(?P<quoted>(?:[^"\\]|\\.)*+)"'
# An encoded word counts as one word even if it holds what would otherwise be punctuation.
_SYNTAX = (
    rb"(?P<space>[ \t\r\n]++)"
    rb"|(?P<word>=\?[^?\s]{1,80}\?[BbQq]\?[^?\s\"<>]*+\?=|[^\s\"(),:;<>@\[\]]++)"
    rb"|%b"
    rb"|(?P<domain>\[[^\[\]\s<>]*+\])"
    rb"|(?P<special>[(),:;<>@])"
    rb"|(?P<other>.)"
)
_TOKEN = re.compile(_SYNTAX % _QUOTED, re.DOTALL)
_TOKEN_UNQUOTED = re.compile(_SYNTAX % rb"(?!)", re.DOTALL)
_COMMENT_MARK = re.compile(rb"\\.|[()]", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


def parse_addresses(value: bytes) -> list[Address]:
    """The addresses of a field's unfolded value, groups with their begin and end marks; at most a bounded number."""
    if len(value) > MAX_OCTETS:
        value = value[:MAX_OCTETS]
        value = value[: max(value.rfind(b","), 0)] or value
    reader = _Reader()
    for kind, text in _tokens(value):
        reader.take(kind, text)
        if len(reader.found) >= MAX_ADDRESSES:
            break
    reader.end_group()
    return reader.found


def _tokens(value: bytes) -> Iterator[tuple[str, bytes]]:
    """The tokens of an address list: kind and text, comments as kind ``comment``.

    After a quote or a parenthesis that nothing closes, no further one is looked for: the time stays linear.
    """
    pattern, at, comments = _TOKEN, 0, True
    while match := pattern.match(value, at):
        kind, text = match.lastgroup or "", match[0]
        at = match.end()
        if text == b'"':
            pattern = _TOKEN_UNQUOTED
        elif text == b"(" and comments:
            end = _comment_end(value, at)
            comments = end > 0
            if comments:
                yield "comment", value[at : end - 1]
                at = end
        elif kind == "quoted":
            yield kind, _ESCAPED.sub(rb"\1", match[kind]) if b"\\" in text else match[kind]
        else:
            yield kind, text


def _comment_end(value: bytes, at: int) -> int:
    """The offset after the comment whose parenthesis opened before ``at``; 0 where it is not closed."""
    depth = 1
    for mark in _COMMENT_MARK.finditer(value, at):
        depth += {b"(": 1, b")": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    return 0


class _Reader:
    """Puts tokens together to addresses.

    ``words`` is what stands outside of angle brackets, ``angle`` what stands inside (None before any), each a list of
    token texts in which white space is one space.
    """

    __slots__ = ("angle", "comment", "found", "grouped", "inside", "route", "words")

    def __init__(self) -> None:
        self.found: list[Address] = []
        self.grouped = False
        self._clear()

    def _clear(self) -> None:
        self.words: list[bytes] = []
        self.angle: list[bytes] | None = None
        self.inside = False
        self.route: bytes | None = None
        self.comment: bytes | None = None

    def take(self, kind: str, text: bytes) -> None:
        """Take the next token."""
        if kind == "special":
            self._special(text)
        elif kind == "comment":
            self.comment = text
        elif kind == "space":
            self._current().append(b" ")
        elif kind != "other":
            self._current().append(text)

    def _current(self) -> list[bytes]:
        return self.angle if self.inside and self.angle is not None else self.words

    def _special(self, text: bytes) -> None:
        """Act on one punctuation octet."""
        if text == b"@":
            self._current().append(_AT)
        elif text == b"<" and self.angle is None:
            self.angle, self.inside = [], True
        elif text == b">":
            self.inside = False
        elif text == b",":
            if self.inside and self.angle and self.angle[0] == _AT:
                self.angle.append(text)
            else:
                self.flush()
        elif text == b":":
            self._colon()
        elif text == b";":
            self.end_group()

    def _colon(self) -> None:
        """A colon ends a source route inside of angle brackets (RFC 5322 section 4.4), or a group's name."""
        if self.inside and self.angle is not None:
            self.route = _joined(self.angle)
            self.angle.clear()
        elif not self.grouped and self.angle is None and _AT not in self.words:
            name = _phrase(self.words)
            self._clear()
            self.grouped = True
            self.found.append(Address(None, None, name, None))

    def end_group(self) -> None:
        """End the address, and the group it may stand in."""
        self.flush()
        if self.grouped:
            self.found.append(GROUP_END)
            self.grouped = False

    def flush(self) -> None:
        """End the address that is being read."""
        words, angle, route, comment = self.words, self.angle, self.route, self.comment
        self._clear()
        if angle is not None:
            local, host, _ = _address(angle)
            name = _phrase(words) or comment
        elif _AT in words:
            local, host, rest = _address(words)
            name = _phrase(rest) or comment
        else:
            local, host, name = _phrase(words), b"", comment
            if b" " in local and comment is None:
                local, name = b"", local
        if local or host or name:
            self.found.append(Address(name or None, route, local, host))


def _joined(tokens: list[bytes]) -> bytes:
    """Tokens without the white space between them."""
    return b"".join(token for token in tokens if token != b" ")


def _phrase(tokens: list[bytes]) -> bytes:
    """Tokens as a display name: white space between words is one space."""
    return b"".join(tokens).strip()


def _address(tokens: list[bytes]) -> tuple[bytes, bytes, list[bytes]]:
    """Local part and domain around the last at sign, and the words before them (``Ann ann@example.com``)."""
    if _AT not in tokens:
        return _joined(tokens), b"", []
    at = len(tokens) - 1 - tokens[::-1].index(_AT)
    end = at
    while end > 0 and tokens[end - 1] == b" ":
        end -= 1
    start = end
    while start > 0 and tokens[start - 1] != b" ":
        start -= 1
    host = at + 1
    while host < len(tokens) and tokens[host] == b" ":
        host += 1
    stop = host
    while stop < len(tokens) and tokens[stop] != b" ":
        stop += 1
    return b"".join(tokens[start:end]), b"".join(tokens[host:stop]), tokens[:start]
