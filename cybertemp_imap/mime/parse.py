"""From the octets of a message to its tree of parts (RFC 2045, RFC 2046).

One pass: a delimiter line is looked for once, among the boundaries of all open multiparts together, so the time is
linear in the message whatever it holds. Nothing raises on any octets, and lines may end in CRLF or LF.

What is broken is read as clients read it:

- a multipart without a boundary, or in which no delimiter occurs, is one text/plain part;
- a multipart that is not closed ends where the one around it goes on, or with the message;
- after its closing delimiter a multipart holds nothing more, the rest is its epilogue;
- a delimiter must be the whole line (trailing white space apart), so that a boundary may begin like another one; only
  a closing delimiter may be followed by other text on its line, as footers appended to messages do;
- message/rfc822 in base64 or quoted-printable, which RFC 2046 section 5.2.1 forbids, is an opaque part;
- beyond what :class:`MimeLimits` allows the rest is one opaque part (application/octet-stream).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from cybertemp_imap.mime.header import field_pattern, pick, unfold
from cybertemp_imap.mime.parameters import Parameters, parameter, split_value

MAX_LEVELS = 100
MAX_PARTS = 10_000
MAX_BOUNDARY = 500
"""Octets of a boundary; RFC 2046 section 5.1.1 allows 70."""

_BLANK = re.compile(rb"\n\r?\n")
_MEDIA_TYPE = re.compile(rb"([!#-'*+.0-9a-z^_`{|}~-]{1,100}+)\s*/\s*([!#-'*+.0-9a-z^_`{|}~-]{1,100}+)")
_TOKEN = re.compile(rb"[!#-'*+.0-9a-z^_`{|}~-]{1,100}+")
_COMMENT = re.compile(rb"\([^()]*+\)")
_CONTENT = field_pattern(
    b"content-type",
    b"content-transfer-encoding",
    b"content-disposition",
    b"content-id",
    b"content-description",
    b"content-language",
    b"content-location",
    b"content-md5",
)
_ASCII_TEXT = ((b"charset", b"us-ascii"),)


@dataclass(frozen=True, slots=True)
class MimeLimits:
    """How much of a message's structure is looked at: no more than the defaults, which everything is tested with.

    Both count the message itself. A rendered row, whose parts are known without parsing it, needs 2 levels and 4 parts.
    """

    levels: int = MAX_LEVELS
    parts: int = MAX_PARTS


ALL_PARTS = MimeLimits()


@dataclass(slots=True)
class Part:
    """One part of a message, or the message itself: offsets into the whole message, and what its header says.

    ``header_end`` is the offset just after the empty line and equals ``body_start``. ``type``, ``subtype`` and
    ``encoding`` are lower case; the other values are unfolded but otherwise as sent, None where there is no such
    field. ``children`` of a multipart are its parts (at least one); of a message/rfc822, the one encapsulated message.
    ``lines`` is the number of line ends in the body.
    """

    header_start: int
    header_end: int
    body_start: int
    body_end: int
    type: bytes = b"text"
    subtype: bytes = b"plain"
    params: Parameters = ()
    disposition: bytes | None = None
    content_id: bytes | None = None
    description: bytes | None = None
    encoding: bytes = b"7bit"
    language: bytes | None = None
    location: bytes | None = None
    md5: bytes | None = None
    children: list[Part] = field(default_factory=list)
    lines: int = 0

    @property
    def is_multipart(self) -> bool:
        """Whether the children are the parts of a multipart."""
        return self.type == b"multipart"

    @property
    def is_message(self) -> bool:
        """Whether the only child is an encapsulated message."""
        return self.type == b"message" and bool(self.children)

    @property
    def size(self) -> int:
        """Octets of the body, as transfer-encoded."""
        return self.body_end - self.body_start


def parse(message: bytes | memoryview, limits: MimeLimits = ALL_PARTS) -> Part:
    """The tree of parts of ``message``. Pure, never raises, linear time: fit for a thread when the message is big."""
    return _Scanner(bytes(message), limits).run()


class _Delimiter(NamedTuple):
    """A delimiter line from ``start`` to ``end`` of the multipart at index ``level`` of the open parts."""

    start: int
    end: int
    level: int
    closing: bool


class _Boundary(NamedTuple):
    """A boundary that is looked for, the index of its multipart, and the index of another with the same boundary."""

    text: bytes
    level: int
    shadowed: int | None


class _Scanner:
    """The state of one pass.

    ``open`` holds the parts that have begun and not ended, outermost first. ``levels`` maps the boundaries of those
    still looked for to their multipart's index in it; ``active`` are the same, in the order of their beginning.
    ``mark`` is what all their delimiters begin with.
    """

    __slots__ = ("active", "blank", "closers", "count", "levels", "limits", "mark", "message", "open", "size")

    def __init__(self, message: bytes, limits: MimeLimits) -> None:
        self.message = message
        self.limits = limits
        self.size = len(message)
        self.open: list[Part] = []
        self.active: list[_Boundary] = []
        self.levels: dict[bytes, int] = {}
        self.closers: tuple[bytes, ...] = ()
        self.mark = b"\n--"
        self.count = 0
        self.blank = (-1, 0)

    def run(self) -> Part:
        """Parse everything and return the root."""
        root = self._begin(0)
        position = self.open[-1].body_start
        while delimiter := self._delimiter(position, self.size):
            self._end_above(delimiter)
            position = delimiter.end
            if not delimiter.closing:
                self._begin(position)
                position = self.open[-1].body_start
        for part in reversed(self.open):
            self._end(part, self.size)
        return root

    # -- parts --------------------------------------------------------------------------------------------------------

    def _begin(self, start: int) -> Part:
        """Begin the part whose header is at ``start``, and with it the messages it encapsulates; return the part."""
        first = part = self._begin_one(start)
        while part.type == b"message" and not self._make_opaque(part):
            part = self._begin_one(part.body_start)
        if part.type == b"multipart":
            boundary = (parameter(part.params, b"boundary") or b"").rstrip()
            if boundary and len(boundary) <= MAX_BOUNDARY and not self._make_opaque(part):
                self._activate(boundary)
        return first

    def _begin_one(self, start: int) -> Part:
        """Begin one part: find and read its header, and make it a child of the innermost open part."""
        end = self._header_end(start)
        part = Part(start, end, end, self.size)
        parent = self.open[-1] if self.open else None
        digest = parent is not None and parent.type == b"multipart" and parent.subtype == b"digest"
        describe(part, self.message[start:end], digest)
        if parent is not None:
            parent.children.append(part)
        self.open.append(part)
        self.count += 1
        if self.count >= self.limits.parts:
            # Nothing further is looked for, so this part takes all the rest.
            part.type, part.subtype, part.params, part.encoding = b"application", b"octet-stream", (), b"8bit"
            self.levels.clear()
            self.active.clear()
            self.closers = ()
        return part

    def _make_opaque(self, part: Part) -> bool:
        """Whether ``part`` may not have children; then it becomes a leaf. Other types than composite ones are leaves.

        message/global (RFC 6532) is what message/rfc822 is, with UTF-8 in its header.
        """
        encoded = part.encoding in (b"base64", b"quoted-printable")
        if part.type == b"message" and (part.subtype not in (b"rfc822", b"global")):
            return True
        room = len(self.open) < self.limits.levels and self.count < self.limits.parts
        if room and not (part.type == b"message" and encoded):
            return False
        part.type, part.subtype = b"application", b"octet-stream"
        return True

    def _end_above(self, delimiter: _Delimiter) -> None:
        """End the parts inside the multipart whose delimiter was met; the line end before it belongs to it."""
        end = delimiter.start - 1
        if end > 0 and self.message[end - 1] == 0x0D:
            end -= 1
        while len(self.open) - 1 > delimiter.level:
            self._end(self.open.pop(), end)
        while self.active and self.active[-1].level >= delimiter.level + (not delimiter.closing):
            self._deactivate()

    def _end(self, part: Part, end: int) -> None:
        """End a part, whose children have ended, at the offset ``end``."""
        part.body_end = max(part.body_start, end)
        if part.type == b"multipart" and not part.children:
            part.type, part.subtype, part.params = b"text", b"plain", _ASCII_TEXT
        position = part.body_start
        for child in part.children:
            part.lines += self.message.count(b"\n", position, child.body_start) + child.lines
            position = child.body_end
        part.lines += self.message.count(b"\n", position, part.body_end)

    # -- boundaries ---------------------------------------------------------------------------------------------------

    def _activate(self, boundary: bytes) -> None:
        """Look for the boundary of the innermost open part from now on."""
        level = len(self.open) - 1
        self.active.append(_Boundary(boundary, level, self.levels.get(boundary)))
        self.levels[boundary] = level
        self._note_boundaries()

    def _deactivate(self) -> None:
        """Look no more for the boundary that was activated last."""
        boundary = self.active.pop()
        if boundary.shadowed is None:
            del self.levels[boundary.text]
        else:
            self.levels[boundary.text] = boundary.shadowed
        self._note_boundaries()

    def _note_boundaries(self) -> None:
        self.closers = tuple([b"%b--" % boundary for boundary in self.levels])
        self.mark = b"\n--" + _common_prefix(self.levels)

    def _delimiter(self, position: int, end: int) -> _Delimiter | None:
        """The first delimiter line that begins between ``position``, which is at a line's begin, and ``end``."""
        message = self.message
        if not self.levels:
            return None
        at = message.find(self.mark, position - 1, end)
        while at >= 0:
            stop = message.find(b"\n", at + 3)
            if stop < 0:
                stop = self.size
            line = message[at + 3 : min(stop, at + 3 + 2 * MAX_BOUNDARY)].rstrip(b" \t\r")
            found = self._match(line)
            if found is not None:
                return _Delimiter(at + 1, min(stop + 1, self.size), found[0], found[1])
            at = message.find(self.mark, stop, end)
        return None

    def _match(self, line: bytes) -> tuple[int, bool] | None:
        """What the text after two hyphens delimits: (level, whether it closes), or None."""
        level = self.levels.get(line)
        if level is not None:
            return level, False
        if line.endswith(b"--"):
            level = self.levels.get(line[:-2])
            if level is not None:
                return level, True
        if line.startswith(self.closers):
            text = max((closer[:-2] for closer in self.closers if line.startswith(closer)), key=len)
            return self.levels[text], True
        return None

    def _header_end(self, start: int) -> int:
        """The offset after the header at ``start``: after its empty line, at a delimiter, or at the end."""
        if self.message.startswith(b"\n", start):
            end = start + 1
        elif self.message.startswith(b"\r\n", start):
            end = start + 2
        else:
            if self.blank[0] < start:
                # Kept for the parts after this one: a search to the end of the message happens once.
                match = _BLANK.search(self.message, start)
                self.blank = match.span() if match else (self.size, self.size)
            end = self.blank[1]
        delimiter = self._delimiter(start, end) if self.levels and start > 0 else None
        return delimiter.start if delimiter else end


def _common_prefix(texts: Collection[bytes]) -> bytes:
    """What all of ``texts`` begin with; nothing where there are none."""
    if len(texts) < 2:
        return next(iter(texts), b"")
    first, last = min(texts), max(texts)
    size = next((at for at in range(len(first)) if last[at : at + 1] != first[at : at + 1]), len(first))
    return first[:size]


def describe(part: Part, header: bytes, digest: bool) -> None:
    """Read the content fields of a part's header; the first of each name counts."""
    raw: dict[bytes, bytes] = {}
    for name, value in pick(header, _CONTENT):
        raw.setdefault(name, value)
    if digest and b"content-type" not in raw:
        # RFC 2046 section 5.1.5
        part.type, part.subtype = b"message", b"rfc822"
    else:
        _describe_type(part, unfold(raw.pop(b"content-type", b"")))
    if not raw:
        return
    values = {name: unfold(value) or None for name, value in raw.items()}
    part.disposition = values.get(b"content-disposition")
    part.content_id = values.get(b"content-id")
    part.description = values.get(b"content-description")
    part.language = values.get(b"content-language")
    part.location = values.get(b"content-location")
    part.md5 = values.get(b"content-md5")
    encoding = _TOKEN.search(_COMMENT.sub(b" ", values.get(b"content-transfer-encoding") or b"").lower())
    part.encoding = encoding[0] if encoding else b"7bit"


def _describe_type(part: Part, value: bytes) -> None:
    """Media type and parameters; a value that makes no sense means plain text (RFC 2045 section 5.2)."""
    main, params = split_value(value)
    match = _MEDIA_TYPE.match(main)
    if match:
        part.type, part.subtype, part.params = match[1], match[2], params
    elif main == b"multipart":
        part.type, part.subtype, part.params = b"multipart", b"mixed", params
    else:
        part.params = _ASCII_TEXT
