"""The tokenizer: one position in the octets of one command (RFC 9051 section 9).

Every method reads one thing at the position and moves past it, or raises :class:`SyntaxFault`. Nothing backs up, no
pattern backtracks, and nothing recurses: the cost is linear in the command.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from cybertemp_imap.protocol.sequence import SequenceSet

T = TypeVar("T")

MAX_NUMBER = 0xFFFF_FFFF
MAX_NUMBER64 = 0x7FFF_FFFF_FFFF_FFFF

# ATOM-CHAR is any CHAR but atom-specials: "(" ")" "{" SP CTL "%" "*" DQUOTE "\" "]"
_ATOM = re.compile(rb'[^\x00-\x20(){%*"\\\]\x7f-\xff]++')
_ASTRING_ATOM = re.compile(rb'[^\x00-\x20(){%*"\\\x7f-\xff]++')
_LIST_ATOM = re.compile(rb'[^\x00-\x20(){"\\\x7f-\xff]++')
_FLAG = re.compile(rb'\\?[^\x00-\x20(){%*"\\\]\x7f-\xff]++')
# A quoted string may hold UTF-8 (RFC 9051 section 4.3), and no other octets above 127 (RFC 6855 section 3).
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]++|\\["\\])*+)"')
_ESCAPE = re.compile(rb"\\(.)")
_LITERAL = re.compile(rb"\{([0-9]++)\+?\}\r?\n")
_DIGITS = re.compile(rb"[0-9]++")
_SEQUENCE = re.compile(rb"[0-9*:,]++|\$")
_NAME = re.compile(rb"[A-Za-z0-9.+-]++")
_SPACES = re.compile(rb" *+")
TAG_AND_NAME = re.compile(rb'([^\x00-\x20(){%*"\\+\x7f-\xff]++)(?: ([^\x00-\x20(){%*"\\\]\x7f-\xff]++))?+')
"""A tag and, where there is one, the command's name; a tag is of ASTRING-CHAR without ``+``."""


MAX_DEPTH = 100
"""How deep search keys may lie in each other: all who walk them afterwards do so on the call stack."""


class SyntaxFault(ValueError):
    """The command breaks the grammar; ``text`` is fixed and fit for a BAD answer, ``tag`` is known once read."""

    def __init__(self, text: str, tag: bytes | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.tag = tag


def is_utf8(octets: bytes) -> bool:
    """Whether octets are well-formed UTF-8."""
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Tokens:
    """The octets of one command and the position reached.

    ``streamed`` names the literals whose octets are not in ``data``: where each would begin, and its size. ``depth`` is
    how deep search keys may lie in each other, at most :data:`MAX_DEPTH`.
    """

    __slots__ = ("data", "depth", "pos", "streamed")

    def __init__(
        self, data: bytes, pos: int = 0, streamed: tuple[tuple[int, int], ...] = (), depth: int = MAX_DEPTH
    ) -> None:
        self.data = data
        self.depth = depth
        self.pos = pos
        self.streamed = dict(streamed) if streamed else None

    # -- single characters --------------------------------------------------------------------------------------------

    def fail(self, text: str) -> NoReturn:
        """Raise :class:`SyntaxFault`."""
        raise SyntaxFault(text)

    def take(self, literally: bytes) -> bool:
        """Move past ``literally`` if it comes next."""
        if self.data.startswith(literally, self.pos):
            self.pos += len(literally)
            return True
        return False

    def expect(self, literally: bytes, text: str) -> None:
        """Move past ``literally``, which must come next."""
        if not self.data.startswith(literally, self.pos):
            raise SyntaxFault(text)
        self.pos += len(literally)

    def space(self) -> None:
        """Move past exactly one space."""
        if not self.data.startswith(b" ", self.pos):
            raise SyntaxFault("A space is missing")
        self.pos += 1

    def peek(self) -> bytes:
        """The next octet, or nothing at the end."""
        return self.data[self.pos : self.pos + 1]

    def at_end(self) -> bool:
        """Whether nothing but spaces is left, which common clients send after a command."""
        match = _SPACES.match(self.data, self.pos)
        return match is not None and match.end() == len(self.data)

    def finish(self) -> None:
        """Fail unless the command ends here."""
        if self.pos != len(self.data) and not self.at_end():
            raise SyntaxFault("Unexpected text after the arguments")

    # -- words --------------------------------------------------------------------------------------------------------

    def match(self, pattern: re.Pattern[bytes], text: str) -> bytes:
        """Read what ``pattern`` matches, which must not be able to backtrack far; ``text`` tells what is missing."""
        match = pattern.match(self.data, self.pos)
        if match is None:
            raise SyntaxFault(text)
        self.pos = match.end()
        return match.group()

    def atom(self) -> bytes:
        """Read an ``atom``."""
        return self.match(_ATOM, "An atom is expected")

    def name(self) -> bytes:
        """Read a keyword of the protocol, in upper case."""
        return self.match(_NAME, "A keyword is expected").upper()

    def try_name(self) -> bytes:
        """Read a keyword of the protocol, in upper case, or nothing if there is none."""
        match = _NAME.match(self.data, self.pos)
        if match is None:
            return b""
        self.pos = match.end()
        return match.group().upper()

    def flag(self) -> str:
        """Read a ``flag``: a keyword, or a backslash and a name."""
        return self.match(_FLAG, "A flag is expected").decode("ascii")

    def flags(self) -> tuple[str, ...]:
        """Read a ``flag-list``, which may be empty."""
        return tuple(self.listed(Tokens.flag, empty=True))

    # -- strings ------------------------------------------------------------------------------------------------------

    def quoted(self) -> bytes:
        """Read a ``quoted`` string and undo its escapes."""
        match = _QUOTED.match(self.data, self.pos)
        if match is None:
            raise SyntaxFault("Malformed quoted string")
        self.pos = match.end()
        text = match.group(1)
        if not text.isascii() and not is_utf8(text):
            raise SyntaxFault("A quoted string is not UTF-8")
        return _ESCAPE.sub(rb"\1", text) if b"\\" in text else text

    def announced(self) -> tuple[int, bytes | None]:
        """Read a ``literal`` as its size and octets, which are None where they were streamed elsewhere."""
        match = _LITERAL.match(self.data, self.pos)
        if match is None:
            raise SyntaxFault("Malformed literal")
        digits = match.group(1).lstrip(b"0")
        size = int(digits or b"0") if len(digits) <= 20 else MAX_NUMBER64
        start = match.end()
        self.pos = start
        if self.streamed is not None and self.streamed.get(start) == size:
            del self.streamed[start]
            return size, None
        if start + size > len(self.data):
            raise SyntaxFault("Literal is cut short")
        self.pos = start + size
        return size, self.data[start : start + size]

    def literal(self) -> bytes:
        """Read a ``literal`` held in the command; NUL is not a CHAR8."""
        octets = self.announced()[1]
        if octets is None or b"\0" in octets:
            raise SyntaxFault("Such a literal is not possible here")
        return octets

    def string(self) -> bytes:
        """Read a ``string``: quoted or literal."""
        if self.data.startswith(b"{", self.pos):
            return self.literal()
        return self.quoted()

    def nstring(self) -> bytes | None:
        """Read an ``nstring``: a string or NIL."""
        if self.data[self.pos : self.pos + 3].upper() == b"NIL":
            self.pos += 3
            return None
        return self.string()

    def astring(self) -> bytes:
        """Read an ``astring``: atom characters with ``]``, or a string; also ``mailbox``, as sent."""
        match = _ASTRING_ATOM.match(self.data, self.pos)
        if match is None:
            return self.string()
        self.pos = match.end()
        return match.group()

    def list_mailbox(self) -> bytes:
        """Read a ``list-mailbox``, in which ``%`` and ``*`` may stand bare."""
        match = _LIST_ATOM.match(self.data, self.pos)
        if match is None:
            return self.string()
        self.pos = match.end()
        return match.group()

    # -- numbers ------------------------------------------------------------------------------------------------------

    def number(self, largest: int = MAX_NUMBER) -> int:
        """Read a ``number`` (32-bit unsigned), or one up to ``largest``."""
        digits = self.match(_DIGITS, "A number is expected")
        if len(digits) > 20 or (value := int(digits)) > largest:
            raise SyntaxFault("Number out of range")
        return value

    def nz_number(self, largest: int = MAX_NUMBER) -> int:
        """Read an ``nz-number``: no zero and no leading zeros."""
        if self.data.startswith(b"0", self.pos):
            raise SyntaxFault("A number must not begin with zero here")
        return self.number(largest)

    def number64(self) -> int:
        """Read a ``number64`` or a ``mod-sequence-valzer`` (63-bit)."""
        return self.number(MAX_NUMBER64)

    def sequence_set(self) -> SequenceSet:
        """Read a ``sequence-set``, or ``$``."""
        raw = self.match(_SEQUENCE, "A sequence set is expected")
        try:
            return SequenceSet.parse(raw)
        except ValueError:
            raise SyntaxFault("Malformed sequence set") from None

    # -- lists --------------------------------------------------------------------------------------------------------

    def listed(self, item: Callable[[Tokens], T], *, empty: bool = False) -> list[T]:
        """Read a parenthesized list of ``item`` with single spaces between, ``()`` only where ``empty``."""
        self.expect(b"(", "A parenthesized list is expected")
        if empty and self.take(b")"):
            return []
        items = [item(self)]
        data = self.data
        while data.startswith(b" ", self.pos):
            self.pos += 1
            items.append(item(self))
        self.expect(b")", "A closing parenthesis is missing")
        return items
