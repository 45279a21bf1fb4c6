"""Messages as older receivers stored them: a whole MIME message, headers and all, in the ``body`` column.

They are written out by hand rather than by a library, so that they are the same bytes with every version of it.
"""

from __future__ import annotations

import struct
import zlib
from base64 import encodebytes
from collections.abc import Callable

#: Subject, and a function from (From, To, Date, subject) to the message, lines ending in LF.
RawMessage = Callable[[str, str, str, str], str]


def _head(sender: str, to: str, date: str, subject: str, content: str) -> str:
    number = zlib.crc32(f"{date}{subject}{to}".encode())
    return (
        "Received: from mx.service.example (mx.service.example [192.0.2.25])\n"
        f"\tby mail.example.com with ESMTPS id {number:08x};\n\t{date}\n"
        f"From: {sender}\nTo: {to}\nSubject: {subject}\nDate: {date}\n"
        f"Message-ID: <{number:08x}@service.example>\nMIME-Version: 1.0\n{content}\n"
    )


def _base64(data: bytes) -> str:
    return encodebytes(data).decode("ascii")


def png(width: int, height: int) -> bytes:
    """Return a picture, uncompressed, so that every zlib makes the same of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + bytes((x * y) % 256 for x in range(width * 3)) for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b"")


def pdf_attached(sender: str, to: str, date: str, subject: str) -> str:
    """A text and a document with a name in RFC 2231's form."""
    document = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n" + bytes(range(256)) * 20
    return _head(sender, to, date, subject, 'Content-Type: multipart/mixed; boundary="=_mixed_1"\n') + (
        "This is a message with several parts.\n--=_mixed_1\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n"
        "Dear customer,\n\nplease find your invoice over 49,90 =E2=82=AC attached. It is due with=\nin 14 days.\n\n"
        "--=_mixed_1\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n"
        "Content-Disposition: attachment;\n filename*0*=utf-8''Rechnung%20M%C3%A4rz;\n filename*1=\"-2025.pdf\"\n\n"
        f"{_base64(document)}--=_mixed_1--\n"
    )


def picture_inline(sender: str, to: str, date: str, subject: str) -> str:
    """multipart/related in multipart/alternative in multipart/mixed: HTML with its picture, and a table attached."""
    return _head(sender, to, date, subject, "Content-Type: multipart/mixed;\n boundary=outer\n") + (
        "--outer\nContent-Type: multipart/alternative; boundary=middle\n\n"
        "--middle\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n"
        "The picture is in the other part, se=F1or.\n"
        '--middle\nContent-Type: multipart/related; boundary=inner; type="text/html"\n\n'
        "--inner\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 7bit\n\n"
        '<html><body><p>Look:</p><img src="cid:picture@service.example" alt="a pattern"></body></html>\n'
        "--inner\nContent-Type: image/png; name=pattern.png\nContent-ID: <picture@service.example>\n"
        "Content-Disposition: inline; filename=pattern.png\nContent-Transfer-Encoding: base64\n\n"
        f"{_base64(png(24, 16))}--inner--\n--middle--\n"
        '--outer\nContent-Type: text/csv; charset=us-ascii; name="table.csv"\n'
        'Content-Disposition: attachment; filename="table.csv"; size=33\n\n'
        "day,visits\nmonday,12\ntuesday,17\n--outer--\n"
    )


def forwarded(sender: str, to: str, date: str, subject: str) -> str:
    """A message in a message."""
    inner = _head("Origin <origin@work.example>", sender, date, "The first message", "Content-Type: text/plain\n")
    return _head(sender, to, date, subject, "Content-Type: multipart/mixed; boundary=fwd\n") + (
        "--fwd\n\nSee below.\n--fwd\nContent-Type: message/rfc822\nContent-Disposition: inline\n\n"
        f"{inner}This was said first.\n\n--fwd--\n"
    )


def calendar(sender: str, to: str, date: str, subject: str) -> str:
    """An invitation, as calendars send it."""
    return _head(sender, to, date, subject, "Content-Type: multipart/alternative; boundary=cal\n") + (
        "--cal\nContent-Type: text/plain; charset=utf-8; format=flowed\n\nYou are invited: Thursday at ten.\n"
        "--cal\nContent-Type: text/calendar; charset=utf-8; method=REQUEST\n\n"
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example//EN\nMETHOD:REQUEST\nBEGIN:VEVENT\nUID:1@work.example\n"
        "DTSTART:20250612T100000Z\nDTEND:20250612T110000Z\nSUMMARY:Meeting\nEND:VEVENT\nEND:VCALENDAR\n--cal--\n"
    )


def eight_bit(sender: str, to: str, date: str, subject: str) -> str:
    """One part, 8bit, with an encoded subject."""
    content = "Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n"
    encoded = "=?utf-8?B?UXVhcnRhbHNiZXJpY2h0IOKAkyDDnGJlcnNpY2h0?="
    return _head(sender, to, date, encoded, content) + f"{subject}: Übersicht über das Quartal – größer als je zuvor.\n"


def malformed(sender: str, to: str, date: str, subject: str) -> str:
    """What goes wrong: a boundary that never ends, bad base64, an unknown charset, a header that is none."""
    content = 'Content-Type: multipart/mixed; boundary="never ends\nthis line is no header\n'
    return _head(sender, to, date, subject, content) + (
        "--never ends\nContent-Type: text/plain; charset=x-unknown-8\nContent-Transfer-Encoding: base64\n\n"
        "VGhpcyBpcyBub3Q=gYmFzZTY0!!!\n--never ends\nContent-Type: multipart/; boundary=\n\n--\n--never en\n"
    )


ATTACHMENTS: tuple[tuple[str, RawMessage], ...] = (
    ("Your invoice", pdf_attached),
    ("A picture for you", picture_inline),
    ("Fwd: the first message", forwarded),
    ("Invitation: Meeting", calendar),
    ("Report", eight_bit),
)
