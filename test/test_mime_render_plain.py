"""What the renderer writes of a text is what plain code would write: octet for octet it must stay so for ever."""

from __future__ import annotations

import base64
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.mime.parse import parse
from cybertemp_imap.mime.render import render, render_parsed
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.mime.wire import string
from test.test_mime_render import ROWS
from test.wire import letter

SAFE = frozenset(range(0x20, 0x7F)) - {0x3D} | {0x09}

TEXTS = st.lists(
    st.one_of(
        st.text(max_size=200),
        st.sampled_from(["\r", "\n", "\r\n", "é", "=", " \r\n", "\t", "\0", "\ud83d", "\ude00"]),
        st.builds(lambda piece, times: piece * times, st.sampled_from(["ab ", "é", "=", "x"]), st.integers(70, 1010)),
    ),
    max_size=8,
).map("".join)


def plain_text(text: str) -> tuple[bytes, bytes]:
    """Return the encoding and the encoded octets of a text."""
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = "\n".join("\n".join(text.split("\r\n")).split("\r"))
    lines = text.split("\n")
    if lines[-1]:
        lines.append("")
    data = "\r\n".join(lines).encode()
    longest = max(len(line.encode()) for line in lines)
    if all(0 < octet < 0x80 for octet in data) and longest <= 998:
        return b"7bit", data
    unsafe = sum(1 for octet in data if octet not in SAFE | {0x0D, 0x0A})
    if 3 * unsafe + (len(data) - unsafe) <= len(data) * 4 // 3:
        return b"quoted-printable", b"\r\n".join(b"=\r\n".join(soft(line.encode())) for line in lines)
    return b"base64", base64.encodebytes(data).replace(b"\n", b"\r\n")


def soft(line: bytes) -> list[bytes]:
    """Return a line in quoted-printable, in pieces of 76 octets at most."""
    tokens = [bytes((octet,)) if octet in SAFE else b"=%02X" % octet for octet in line]
    if tokens and tokens[-1] in (b" ", b"\t"):
        tokens[-1] = b"=20" if tokens[-1] == b" " else b"=09"
    pieces, piece, left = [], b"", sum(map(len, tokens))
    for token in tokens:
        rest, left = left, left - len(token)
        if len(piece) + len(token) > 75 and len(piece) + rest > 76:
            pieces.append(piece)
            piece = b""
        piece += token
    return [*pieces, piece]


class PlainTests(SynchronousTestCase):
    """The renderer, which is quick, beside code that is not."""

    @settings(deadline=None)
    @given(TEXTS)
    @example("x" * 998 + "\n" + "y" * 999)
    @example("a" * 74 + "é" + "b" * 80 + "\n" + "é \n" * 3)
    def test_text(self, text: str) -> None:
        """Any text: encoding, line ends, soft line breaks."""
        header, _, body = render(letter(body=text, html=None)).partition(b"\r\n\r\n")
        encoding = header.rpartition(b"Content-Transfer-Encoding: ")[2]
        self.assertEqual((encoding, body), plain_text(text))

    @settings(deadline=None)
    @given(ROWS)
    def test_parts(self, row: EmailRow) -> None:
        """The parts that are known from rendering are those that are found by parsing."""
        message, root = render_parsed(row)
        self.assertEqual((message, root), (render(row), parse(message)))
        for other in (replace(row, source=message), replace(row, body=message.decode("latin-1"), html=None)):
            message, root = render_parsed(other)
            self.assertEqual((message, root), (render(other), parse(message)))

    @settings(deadline=None)
    @given(st.binary(max_size=60))
    def test_strings(self, value: bytes) -> None:
        """A string is printed alike the first time and again."""
        first = string(value)
        self.assertEqual(string(value), first)
        quoted = b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        without = value.replace(b"\0", b"")
        literal = b"{%d}\r\n%b" % (len(without), without)
        printable = all(0x20 <= octet < 0x7F or octet == 0x09 for octet in value)
        self.assertEqual(first, quoted if printable else literal)
