"""The octets of a message from its row: a pure function, the same for ever, since clients trust what they fetched.

A change of any output needs a new :data:`RENDERER_VERSION`, and is best not made at all.
"""

from __future__ import annotations

import hashlib
from itertools import accumulate
from typing import NamedTuple

from cybertemp_imap.mime.charset import without_surrogates
from cybertemp_imap.mime.compose import addr_spec, address_field, date_field, text_field
from cybertemp_imap.mime.parse import ALL_PARTS, MimeLimits, Part, parse
from cybertemp_imap.mime.row import EmailRow, internal_date
from cybertemp_imap.mime.transfer import encode_text
from cybertemp_imap.mime.whole import is_whole_message, whole_message

RENDERER_VERSION: int = 1

ENCRYPTED_SUBJECT = "Encrypted message"
ENCRYPTED_TEXT = (
    "This message is stored encrypted, and can be read on the website only.\r\n"
    "\r\n"
    "Its sender and date are shown above as far as they are known.\r\n"
)


def render(row: EmailRow) -> bytes:
    """The message of ``row``, with CRLF line ends; never raises, linear time.

    The stored source where there is one; a fixed notice for an encrypted row; a body that is a whole message; else a
    message made of the row's text and HTML.
    """
    ready = _ready(row)
    return b"".join(_synthesized(row).pieces) if ready is None else ready


def render_parsed(row: EmailRow, limits: MimeLimits = ALL_PARTS) -> tuple[bytes, Part]:
    """The message of ``row``, and what :func:`parse` makes of it; quicker than to parse it."""
    ready = _ready(row)
    if ready is not None:
        return ready, parse(ready, limits)
    made = _synthesized(row)
    return b"".join(made.pieces), made.root()


def _ready(row: EmailRow) -> bytes | None:
    """The message where it is one already, else None."""
    if row.source is not None:
        return row.source
    if row.body and not row.encrypted and is_whole_message(row.body, _has_html(row)):
        return whole_message(row.body)
    return None


def _has_html(row: EmailRow) -> bool:
    return bool(row.html and row.html.strip())


class _Text(NamedTuple):
    """A text as a part: its content fields with the empty line, and its body, whose last line is ended."""

    subtype: bytes
    encoding: bytes
    header: bytes
    body: bytes
    lines: int
    """Of the body."""

    def part(self, begin: int, start: int) -> Part:
        """What it is as a part whose header begins at one offset and its own fields at another."""
        body = start + len(self.header)
        end = body + len(self.body)
        return Part(
            begin,
            body,
            body,
            end,
            b"text",
            self.subtype,
            ((b"charset", b"utf-8"),),
            encoding=self.encoding,
            lines=self.lines,
        )


class _Made(NamedTuple):
    """A synthesized message: the fields before those of its content, one or two texts, and the boundary of two."""

    fields: bytes
    texts: tuple[_Text, ...]
    boundary: bytes

    @property
    def pieces(self) -> list[bytes]:
        """The octets of the message."""
        if not self.boundary:
            (text,) = self.texts
            return [self.fields, text.header, text.body]
        plain, html = self.texts
        mark = b"\r\n--" + self.boundary
        content = b'Content-Type: multipart/alternative; boundary="%b"\r\n' % self.boundary
        first, end = (mark, b"\r\n", plain.header, plain.body), (mark, b"\r\n", html.header, html.body, mark, b"--\r\n")
        return [self.fields, content, *first, *end]

    def root(self) -> Part:
        """The parts of the message."""
        if not self.boundary:
            return self.texts[0].part(0, len(self.fields))
        pieces = self.pieces
        *_, size = accumulate(map(len, pieces))
        header = len(self.fields) + len(pieces[1]) + 2
        root = Part(0, header, header, size, b"multipart", b"alternative", ((b"boundary", self.boundary),))
        start = header - 2
        for text in self.texts:
            start += len(self.boundary) + 6
            root.children.append(text.part(start, start))
            start = root.children[-1].body_end
        # Besides those of the texts: of three delimiters, and of two headers of three lines each.
        root.lines = 11 + sum(child.lines for child in root.children)
        return root


def _synthesized(row: EmailRow) -> _Made:
    if row.encrypted:
        return _Made(_header(row, ENCRYPTED_SUBJECT), (_text_part("plain", ENCRYPTED_TEXT),), b"")
    fields, text = _header(row, row.subject or ""), row.body or ""
    if not _has_html(row):
        return _Made(fields, (_text_part("plain", text),), b"")
    html = _text_part("html", row.html or "")
    if not text.strip():
        return _Made(fields, (html,), b"")
    plain = _text_part("plain", text)
    return _Made(fields, (plain, html), _boundary(row, *plain[2:4], *html[2:4]))


def _header(row: EmailRow, subject: str) -> bytes:
    """The header without its content fields."""
    sender = address_field(b"From", [row.from_addr or ""]) or b'From: "Unknown sender" <unknown@unknown.invalid>\r\n'
    recipients = address_field(b"To", filter(None, row.to_addrs)) or _to_owner(row.owner)
    return b"".join(
        (
            sender,
            recipients,
            date_field(b"Date", internal_date(row)),
            text_field(b"Subject", subject),
            b"Message-ID: <%b@%b>\r\n" % (str(row.id).encode(), _domain(row.owner)),
            b"MIME-Version: 1.0\r\n",
        )
    )


def _to_owner(owner: str) -> bytes:
    """The To field of a message whose recipients are unknown: the address it came to."""
    spec = addr_spec(owner)
    return b"To: %b\r\n" % spec if spec else b"To: undisclosed-recipients:;\r\n"


def _domain(owner: str) -> bytes:
    """The domain of the owner's address for a Message-ID; a reserved one where the owner is no address."""
    spec = addr_spec(f"x@{owner.rpartition('@')[2]}") if "@" in owner else None
    domain = (spec or b"x@mail.invalid")[2:]
    return domain if not domain.startswith(b"[") else b"mail.invalid"


def _text_part(subtype: str, text: str) -> _Text:
    """One text, encoded."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = without_surrogates(text).encode()
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data and not data.endswith(b"\n"):
        data += b"\n"
    text_lines = data.replace(b"\n", b"\r\n")
    encoding, body = encode_text(text_lines)
    # What is sent as it is has grown by an octet a line: that is quicker than to count them.
    lines = len(body) - len(data) if body is text_lines else body.count(b"\n")
    header = b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n"
    return _Text(subtype.encode(), encoding, header % (subtype.encode(), encoding), body, lines)


def _boundary(row: EmailRow, *parts: bytes) -> bytes:
    """A boundary that occurs in none of ``parts``, made from them and the row so that nobody can foresee it."""
    digest = hashlib.sha256(row.id.bytes)
    for part in parts:
        digest.update(part)
    while True:
        boundary = b"=_" + digest.hexdigest()[:32].encode()
        if not any(boundary in part for part in parts):
            return boundary
        digest.update(b"again")
