"""The small pieces of responses: atoms, strings, numbers, flags and lists (RFC 9051 section 9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NoReturn, TypeVar

T = TypeVar("T")

_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_ASTRING = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00\x80-\xff]|\\["\\])*)"')
_QUOTED_UTF8 = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{(0|[1-9]\d*)\}\r\n")
_LITERAL8 = re.compile(rb"~\{(0|[1-9]\d*)\}\r\n")
_OBJECT_ID = re.compile(rb"[A-Za-z0-9_-]{1,255}")
_NUMBER = re.compile(rb"0|[1-9]\d*")
_NUMBER64 = re.compile(rb"\d{1,19}")
_SYSTEM = (b"\\Answered", b"\\Flagged", b"\\Deleted", b"\\Seen", b"\\Draft")


class Malformed(ValueError):
    """The octets are no response of RFC 9051 or RFC 3501."""


class Scanner:
    """A position in octets. Every method reads one thing and moves past it, or raises :class:`Malformed`.

    ``enabled`` is what the client has enabled (RFC 5161), upper case.
    """

    def __init__(self, data: bytes, enabled: Iterable[bytes] = ()) -> None:
        self.data = data
        self.pos = 0
        self.enabled = set(enabled)

    @property
    def utf8(self) -> bool:
        """Whether quoted strings may hold UTF-8 (RFC 6855 section 3, RFC 9051 appendix A)."""
        return not self.enabled.isdisjoint((b"UTF8=ACCEPT", b"IMAP4REV2"))

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.pos == len(self.data)

    def fail(self, text: str) -> NoReturn:
        """Raise :class:`Malformed`, with the place."""
        near = self.data[max(0, self.pos - 60) : self.pos], self.data[self.pos : self.pos + 60]
        raise Malformed(f"{text}, after {near[0]!r}, before {near[1]!r}")

    def not_in_rev2(self) -> None:
        """Fail where IMAP4rev2 was enabled: what was just read is of IMAP4rev1 only (RFC 9051 appendix E)."""
        if b"IMAP4REV2" in self.enabled:
            self.fail("this is not in IMAP4rev2")

    def take(self, literally: bytes) -> bool:
        """Move past ``literally`` if it comes next."""
        if self.data.startswith(literally, self.pos):
            self.pos += len(literally)
            return True
        return False

    def expect(self, literally: bytes) -> None:
        """Move past ``literally``, which must come next."""
        if not self.take(literally):
            self.fail(f"{literally!r} is missing")

    def space(self) -> None:
        """Move past exactly one space."""
        self.expect(b" ")

    def maybe(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """Read what ``pattern`` matches, if it does."""
        match = pattern.match(self.data, self.pos)
        if match is None:
            return None
        self.pos = match.end()
        return match.group()

    def match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        """Read what ``pattern`` matches."""
        found = self.maybe(pattern)
        if found is None:
            self.fail(f"{what} is missing")
        return found

    def atom(self) -> bytes:
        """Read an atom."""
        return self.match(_ATOM, "an atom")

    # -- numbers ------------------------------------------------------------------------------------------------------

    def maybe_number(self) -> int | None:
        """Read a number of 32 bits, if one comes next."""
        digits = self.maybe(_NUMBER)
        if digits is None:
            return None
        if int(digits) > 0xFFFF_FFFF:
            self.fail("a number is too large")
        return int(digits)

    def number(self) -> int:
        """Read a number of 32 bits."""
        found = self.maybe_number()
        if found is None:
            self.fail("a number is missing")
        return found

    def nz_number(self) -> int:
        """Read a number that is not zero."""
        found = self.number()
        if found == 0:
            self.fail("zero is not possible")
        return found

    def first_unseen(self) -> int:
        """Read the number of UNSEEN."""
        self.not_in_rev2()
        return self.nz_number()

    def mod_seq(self) -> int:
        """Read a mod-sequence: 63 bits and not zero (RFC 7162 section 7)."""
        digits = self.match(_NUMBER64, "a mod-sequence")
        if not 0 < int(digits) < 1 << 63:
            self.fail("there is no such mod-sequence")
        return int(digits)

    # -- strings ------------------------------------------------------------------------------------------------------

    def string(self) -> bytes:
        """Read a quoted string or a literal."""
        match = (_QUOTED_UTF8 if self.utf8 else _QUOTED).match(self.data, self.pos)
        if match is not None:
            self._check_utf8(match[1])
            self.pos = match.end()
            return re.sub(rb"\\(.)", rb"\1", match[1])
        octets = self._literal(_LITERAL)
        if octets is None:
            self.fail("a string is missing")
        if b"\0" in octets:
            self.fail("a literal holds NUL")
        return octets

    def _check_utf8(self, octets: bytes) -> None:
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError:
            self.fail("a quoted string is not UTF-8")

    def _literal(self, pattern: re.Pattern[bytes]) -> bytes | None:
        match = pattern.match(self.data, self.pos)
        if match is None:
            return None
        start, size = match.end(), int(match[1])
        if start + size > len(self.data):
            self.fail("a literal is cut short")
        self.pos = start + size
        return self.data[start : self.pos]

    def nstring(self) -> bytes | None:
        """Read a string or NIL."""
        return None if self.take(b"NIL") else self.string()

    def nquoted(self) -> bytes | None:
        """Read one quoted character or NIL."""
        if self.take(b"NIL"):
            return None
        found = self.string()
        if len(found) != 1:
            self.fail("one character is expected")
        return found

    def nstring8(self) -> bytes | None:
        """Read a string, a literal8 or NIL (RFC 3516)."""
        octets = self._literal(_LITERAL8)
        return self.nstring() if octets is None else octets

    def astring(self) -> bytes:
        """Read an astring."""
        return self.maybe(_ASTRING) or self.string()

    def object_id(self) -> bytes:
        """Read an ``objectid`` in its parentheses (RFC 8474 section 7)."""
        self.expect(b"(")
        found = self.match(_OBJECT_ID, "an object identifier")
        self.expect(b")")
        return found

    # -- flags and lists ----------------------------------------------------------------------------------------------

    def flag(self) -> bytes:
        """Read a flag or keyword, without ``\\Recent``."""
        for flag in _SYSTEM:
            if self.take(flag):
                return flag
        return self.atom()

    def fetch_flag(self) -> bytes:
        """Read a flag as FETCH has it: ``\\Recent`` too."""
        if self.take(b"\\Recent"):
            self.not_in_rev2()
            return b"\\Recent"
        return self.flag()

    def permanent_flag(self) -> bytes:
        """Read a flag as PERMANENTFLAGS has it: ``\\*`` too."""
        return b"\\*" if self.take(b"\\*") else self.flag()

    def listed(self, item: Callable[[Scanner], T], *, empty: bool = False) -> tuple[T, ...]:
        """Read a parenthesized list with single spaces between."""
        self.expect(b"(")
        if empty and self.take(b")"):
            return ()
        found = [item(self)]
        while self.take(b" "):
            found.append(item(self))
        self.expect(b")")
        return tuple(found)
