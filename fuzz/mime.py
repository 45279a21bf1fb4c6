"""MIME: any octets are a message, and any row makes one, of which everything can be told."""

from __future__ import annotations

import contextlib
import uuid
from datetime import UTC, datetime

from cybertemp_imap.mime.envelope import envelope
from cybertemp_imap.mime.parse import Part, parse
from cybertemp_imap.mime.recode import Recoder
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.mime.section import UnknownEncoding, binary, section
from cybertemp_imap.mime.structure import body_structure
from cybertemp_imap.mime.text import full_text, preview, sent_date
from cybertemp_imap.mime.whole import is_whole_message
from cybertemp_imap.protocol.command import BodySection, Section
from cybertemp_imap.rendition import make_rendition
from fuzz.cost import bounded
from fuzz.octets import Octets
from test.response_parser import parse_responses
from test.test_mime_parse import FRAGMENTS
from test.test_mime_structure import check_body, described, numbered
from test.test_mime_wire import read_wire

WORDS = [
    *FRAGMENTS,
    *(
        b"Content-Transfer-Encoding: binary\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''",
        b"filename*1=",
    ),
    *(
        b"To: a <b@c>, d: e@f;\r\n",
        b"=?utf-8?q?=C3=BC?=",
        b"=?iso-2022-jp?b?",
        b"Date: Mon, 1 Jan 2024 10:00 +0000\r\n",
    ),
]
_ID = uuid.UUID(int=1)
_MOMENT = datetime(2024, 2, 29, tzinfo=UTC)
_PARTS = 40
"""Parts of which every section is asked for: that costs as much as the message for each."""


def check(data: bytes) -> None:
    """Raise when reading raises, or what is told of a message is malformed or contradicts itself."""
    octets = Octets(data)
    is_row = octets.number(3) == 0
    message = _rendered(octets) if is_row else octets.pumped()
    bounded(lambda: make_rendition(message), len(message))
    root = parse(message)
    _told(message, root)
    _sections(message, root)
    bounded(lambda: full_text(message, root).encode(), len(message))
    line = preview(message, root, 20)
    assert len(line) <= 20 and "\n" not in line
    sent_date(message[: root.header_end])
    whole = bounded(lambda: _recoded(message, len(message)), len(message))
    assert _recoded(message, max(len(message) // 7, 1)) == whole, "pieces make a difference"


def _rendered(octets: Octets) -> bytes:
    """Make a message from a row: its columns are divided by octets that no UTF-8 has."""
    text = octets.pumped()
    columns = [part.decode("utf-8", "surrogateescape") for part in text.split(b"\xff")] + [""] * 6
    subject, body, html, sender, owner = columns[:5]
    row = EmailRow(_ID, owner, "INBOX", subject, body, html, sender, tuple(columns[5:]), _MOMENT, None)
    message = bounded(lambda: render(row), len(text))
    assert message == render(row)
    if not is_whole_message(body, bool(html.strip())):
        assert message.isascii() and b"\0" not in message
        bare = message.replace(b"\r\n", b"")
        assert b"\r" not in bare and b"\n" not in bare and max(map(len, message.split(b"\r\n"))) <= 998
    return message


def _told(message: bytes, root: Part) -> None:
    """Envelope and structure are of IMAP's grammar, and the structure tells the parts."""
    plain, extended = body_structure(root, message)
    parts = (envelope(message[: root.header_end]), plain, extended)
    parse_responses(b"* 1 FETCH (ENVELOPE %b BODY %b BODYSTRUCTURE %b)\r\n" % parts)
    assert check_body(read_wire(plain), False) == described(root)
    assert check_body(read_wire(extended), True) == described(root)


def _sections(message: bytes, root: Part) -> None:
    """Sections are the octets that the structure tells."""
    header = section(message, root, BodySection((), Section.HEADER)) or b""
    assert header + (section(message, root, BodySection((), Section.TEXT)) or b"") == message
    for part, expected in numbered(root)[:_PARTS]:
        octets = section(message, root, BodySection(part))
        assert octets is not None and len(octets) == expected.size
        mime = section(message, root, BodySection(part, Section.MIME))
        assert mime is not None and mime + octets == message[expected.header_start : expected.body_end]
        with contextlib.suppress(UnknownEncoding):
            binary(message, root, part)


def _recoded(message: bytes, size: int) -> bytes:
    recoder = Recoder()
    pieces = [recoder.feed(message[start : start + size]) for start in range(0, len(message), max(size, 1))]
    return b"".join(pieces) + recoder.finish()
