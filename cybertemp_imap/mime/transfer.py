"""Content transfer encodings (RFC 2045 section 6): decoding anything, and encoding text.

Encoding is written out here rather than left to the standard library, because its output is part of messages that must
stay the same for ever.
"""

from __future__ import annotations

import base64
import binascii
import re

IDENTITIES = frozenset((b"", b"7bit", b"8bit", b"binary"))

KNOWN_ENCODINGS = IDENTITIES | {b"base64", b"quoted-printable"}

_NOT_BASE64 = bytes(
    octet for octet in range(256) if octet not in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
)
_TRAILING_SPACE = re.compile(rb"(?<![ \t])[ \t]++(?=\r?\n|\Z)")

_LITERAL = bytes(octet for octet in range(0x20, 0x7F) if octet != 0x3D) + b"\t\r\n"
_LINE = 76
_LONGEST = 998
"""Octets of a line without its end (RFC 5322 section 2.1.1)."""


def decode_transfer(data: bytes, encoding: bytes) -> bytes | None:
    """``data`` decoded from a lower-case Content-Transfer-Encoding, or None where that is unknown; never raises."""
    if encoding in IDENTITIES:
        return data
    if encoding == b"base64":
        return decode_base64(data)
    if encoding == b"quoted-printable":
        return decode_quoted_printable(data)
    return None


def decode_base64(data: bytes) -> bytes:
    """The octets of base64 ``data``, whatever is in it.

    Other characters are ignored (RFC 2045 section 6.8), and so is padding: of several pieces in a row all are read.
    """
    clean = data.translate(None, _NOT_BASE64)
    pieces = []
    for piece in clean.split(b"="):
        whole = len(piece) - (len(piece) % 4 == 1)
        if whole:
            pieces.append(binascii.a2b_base64(piece[:whole] + b"=" * (-whole % 4)))
    return b"".join(pieces)


def decode_quoted_printable(data: bytes) -> bytes:
    """The octets of quoted-printable ``data``; white space before a line end is padding (RFC 2045 section 6.7)."""
    if b" \r\n" in data or b" \n" in data or b"\t\r\n" in data or b"\t\n" in data or data[-1:] in (b" ", b"\t"):
        data = _TRAILING_SPACE.sub(b"", data)
    return binascii.a2b_qp(data)


def encode_text(data: bytes) -> tuple[bytes, bytes]:
    """``data``, text with CRLF line ends, ready for a message: (Content-Transfer-Encoding, encoded octets).

    7bit where it fits, else the shorter of quoted-printable and base64.
    """
    if data.isascii() and b"\0" not in data and _fits(data):
        return b"7bit", data
    unsafe = len(data.translate(None, _LITERAL))
    if 3 * unsafe + (len(data) - unsafe) <= len(data) * 4 // 3:
        return b"quoted-printable", _quoted_printable(data)
    return b"base64", base64.encodebytes(data).replace(b"\n", b"\r\n")


def _fits(data: bytes) -> bool:
    """Whether no line is too long; of as many lines as fit into one, only the last end is looked for."""
    at = 0
    while len(data) - at > _LONGEST:
        end = data.rfind(b"\r\n", at, at + _LONGEST + 2)
        if end < 0:
            return False
        at = end + 2
    return True


def _quoted_printable(data: bytes) -> bytes:
    """``data``, whose only line ends are CRLF, in quoted-printable with lines of at most 76 octets."""
    escaped = data.replace(b"=", b"=3D")
    for octet in sorted(set(data.translate(None, _LITERAL)) - {0x3D}):
        escaped = escaped.replace(bytes((octet,)), b"=%02X" % octet)
    escaped = escaped.replace(b" \r\n", b"=20\r\n")
    if b"\t" in escaped:
        escaped = escaped.replace(b"\t\r\n", b"=09\r\n")
    if escaped.endswith((b" ", b"\t")):
        escaped = escaped[:-1] + b"=%02X" % escaped[-1]
    # One octet is looked for far quicker than two: lines keep their CR.
    *lines, last = escaped.split(b"\n")
    pieces = []
    for line in lines:
        if len(line) <= _LINE + 1:
            pieces.append(line)
        elif len(line) <= 2 * _LINE and 0x3D not in line[_LINE - 3 : _LINE - 1]:
            # As most long lines are: broken once, and at the last place there is.
            pieces.append(line[: _LINE - 1] + b"=\r\n" + line[_LINE - 1 :])
        else:
            pieces.append(_broken(line[:-1]) + b"\r")
    pieces.append(_broken(last))
    return b"\n".join(pieces)


def _broken(line: bytes) -> bytes:
    """A quoted-printable line with soft line breaks where it is too long, so that no ``=XX`` is divided."""
    pieces = []
    at, size = 0, len(line)
    while size - at > _LINE:
        end = at + _LINE - 1
        if 0x3D in line[end - 2 : end]:
            end -= 1 if line[end - 1] == 0x3D else 2
        pieces.append(line[at:end])
        at = end
    pieces.append(line[at:])
    return b"=\r\n".join(pieces)
