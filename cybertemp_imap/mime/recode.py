"""Making of a message with binary parts one without, while its octets come (RFC 3516 section 4.4).

Parts whose Content-Transfer-Encoding is ``binary`` become base64, as RFC 3516 section 6 wants it for clients that know
nothing of binary content; everything else stays octet for octet, as that section wants it for the sake of signatures.
What is around such parts, and says that it is binary too, becomes ``8bit``.

Parts are told apart as :mod:`cybertemp_imap.mime.parse` does. What is held at any time is one header or less.
"""

from __future__ import annotations

import base64
import re
from enum import Enum

from cybertemp_imap.mime.header import fields
from cybertemp_imap.mime.parameters import parameter
from cybertemp_imap.mime.parse import MAX_BOUNDARY, MAX_LEVELS, MAX_PARTS, Part, describe

MAX_HEADER = 1 << 16
"""Octets of a header; what follows a longer one is not looked into."""

_HEADER_END = re.compile(rb"\A\r?\n|\n\r?\n")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_LINE = 57
"""Octets that make a line of base64."""

_MAX_DELIMITER = 2 * MAX_BOUNDARY


class _State(Enum):
    HEADER = 1
    BODY = 2


class Recoder:
    """Takes a message in pieces and gives another, which holds NUL only where the message was mislabelled."""

    def __init__(self) -> None:
        self._state = _State.HEADER
        self._buffer = b""
        self._boundaries: list[bytes] = []
        self._digests: list[bool] = []
        self._after_delimiter = False
        self._parts = 0
        self._looked = 0
        self._encoder: _Base64 | None = None
        self._at_line_start = True

    def feed(self, octets: bytes) -> bytes:
        """Take octets and return what has become of those that are settled."""
        self._buffer += octets
        return self._settle(final=False)

    def finish(self) -> bytes:
        """Return the rest."""
        rest = self._settle(final=True)
        return rest + self._end_part()

    def _settle(self, *, final: bool) -> bytes:
        made = []
        while self._buffer:
            step = self._header(final) if self._state is _State.HEADER else self._body(final)
            if step is None:
                break
            made.append(step)
        return b"".join(made)

    def _take(self, count: int) -> bytes:
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        if taken:
            self._at_line_start = taken.endswith(b"\n")
        return taken

    # -- headers ------------------------------------------------------------------------------------------------------

    def _header(self, final: bool) -> bytes | None:
        """Take a whole header; a delimiter ends it too."""
        looked, self._looked = self._looked, len(self._buffer)
        match = _HEADER_END.search(self._buffer, max(looked - 2, 0))
        end = match.end() if match else len(self._buffer)
        found = self._find_delimiter(max(self._buffer.rfind(b"\n", 0, looked), 0), end, final)
        if found is not None:
            end = found[0]
        if end <= MAX_HEADER and match is None and found is None and not final:
            return None
        self._state = _State.BODY
        self._looked = 0
        return b"" if end > MAX_HEADER else self._begin_part(self._take(end))

    def _begin_part(self, header: bytes) -> bytes:
        """Note what a header says of its part, and return what the header is to say."""
        part = Part(0, len(header), len(header), len(header))
        describe(part, header, self._after_delimiter and self._digests[-1])
        self._after_delimiter = False
        self._parts += 1
        if self._parts >= MAX_PARTS:
            self._boundaries.clear()
            return header
        encoded = part.encoding in (b"base64", b"quoted-printable")
        if part.type == b"message" and part.subtype in (b"rfc822", b"global") and not encoded:
            self._state = _State.HEADER
            return _relabelled(header, b"8bit") if part.encoding == b"binary" else header
        if part.type == b"multipart":
            boundary = (parameter(part.params, b"boundary") or b"").rstrip()
            if 0 < len(boundary) <= MAX_BOUNDARY and len(self._boundaries) < MAX_LEVELS:
                self._boundaries.append(boundary)
                self._digests.append(part.subtype == b"digest")
            return _relabelled(header, b"8bit") if part.encoding == b"binary" else header
        if part.encoding != b"binary":
            return header
        self._encoder = _Base64(is_text=part.type == b"text")
        return _relabelled(header, b"base64")

    # -- bodies -------------------------------------------------------------------------------------------------------

    def _body(self, final: bool) -> bytes | None:
        """Take content up to the next delimiter, and the delimiter."""
        if not self._boundaries:
            return self._content(self._take(len(self._buffer)))
        found = self._find_delimiter(0, len(self._buffer), final)
        if found is not None:
            start, end, level, closing = found
            ended = self._end_of_content(start) if self._encoder is not None else start
            made = self._content(self._take(ended)) + self._end_part()
            self._take(start - ended)
            self._end_above(level, closing)
            return made + self._take(end - start)
        kept = 0 if final else self._undecided()
        if kept == len(self._buffer):
            return None
        return self._content(self._take(len(self._buffer) - kept))

    def _content(self, octets: bytes) -> bytes:
        return octets if self._encoder is None else self._encoder.feed(octets)

    def _end_of_content(self, start: int) -> int:
        """The line end before a delimiter belongs to it (RFC 2046 section 5.1.1)."""
        for line_end in (b"\r\n", b"\n"):
            if self._buffer.endswith(line_end, 0, start):
                return start - len(line_end)
        return start

    def _end_part(self) -> bytes:
        encoder, self._encoder = self._encoder, None
        return b"" if encoder is None else encoder.finish()

    def _end_above(self, level: int, closing: bool) -> None:
        """End what is inside a multipart, and with the closing delimiter that itself."""
        kept = level if closing else level + 1
        del self._boundaries[kept:]
        del self._digests[kept:]
        self._after_delimiter = not closing
        self._state = _State.BODY if closing else _State.HEADER

    # -- delimiters ---------------------------------------------------------------------------------------------------

    def _find_delimiter(self, position: int, limit: int, final: bool) -> tuple[int, int, int, bool] | None:
        """The first whole delimiter line from ``position`` to below ``limit``: (start, end, level, closing)."""
        start = self._next_dashes(position, limit)
        while self._boundaries and start is not None:
            stop = self._buffer.find(b"\n", start)
            if stop < 0 and not final:
                return None
            end = len(self._buffer) if stop < 0 else stop + 1
            found = self._match(self._buffer[start + 2 : min(end, start + _MAX_DELIMITER)].rstrip(b" \t\r\n"))
            if found is not None:
                return start, end, *found
            start = self._next_dashes(start + 2, limit)
        return None

    def _next_dashes(self, position: int, limit: int) -> int | None:
        if position == 0 and self._at_line_start and self._buffer.startswith(b"--"):
            return 0
        found = self._buffer.find(b"\n--", position)
        return found + 1 if 0 <= found < limit - 1 else None

    def _match(self, line: bytes) -> tuple[int, bool] | None:
        for level in range(len(self._boundaries) - 1, -1, -1):
            boundary = self._boundaries[level]
            if line == boundary:
                return level, False
            if line.startswith(boundary + b"--"):
                return level, True
        return None

    def _undecided(self) -> int:
        """How many octets at the end may yet turn out to be, or to belong to, a delimiter."""
        last = self._buffer.rfind(b"\n")
        line = self._buffer[last + 1 :]
        if last < 0 and not self._at_line_start:
            return 1 if self._buffer.endswith(b"\r") else 0
        if not (b"--".startswith(line[:2]) and len(line) < _MAX_DELIMITER):
            return 1 if line.endswith(b"\r") else 0
        return len(self._buffer) - (self._end_of_content(last + 1) if last >= 0 else 0)


class _Base64:
    """Encodes pieces as one; text gets CRLF at the end of each line (RFC 2045 section 6.8, RFC 3516 section 6)."""

    def __init__(self, *, is_text: bool) -> None:
        self._is_text = is_text
        self._left = b""
        self._last = b""

    def feed(self, octets: bytes) -> bytes:
        if not octets:
            return b""
        if self._is_text:
            fixed = _BARE_LF.sub(b"\r\n", self._last + octets)[len(self._last) :]
            self._last = b"\r" if (self._last + octets).endswith(b"\r") else b""
            octets = fixed
        octets = self._left + octets
        whole = len(octets) // _LINE * _LINE
        self._left = octets[whole:]
        return _lines(octets[:whole])

    def finish(self) -> bytes:
        return _lines(self._left)


def _lines(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _relabelled(header: bytes, encoding: bytes) -> bytes:
    """A header with another Content-Transfer-Encoding."""
    made = b""
    done = 0
    for name, _, start, end in fields(header):
        if name.lower() == b"content-transfer-encoding":
            made += header[done:start]
            if encoding:
                made += b"Content-Transfer-Encoding: " + encoding + b"\r\n"
            encoding, done = b"", end
    return made + header[done:]
