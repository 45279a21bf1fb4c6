"""What is kept of a message."""

from __future__ import annotations

from hypothesis import given, settings
from twisted.trial import unittest

from cybertemp_imap.mime.parse import parse
from cybertemp_imap.mime.render import RENDERER_VERSION, render
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.rendition import RENDITION_VERSION, Rendition, make_rendition
from test.test_mime_parse import MESSAGES
from test.test_mime_render import ROWS
from test.test_mime_structure import check_body
from test.test_mime_wire import check_envelope, read_wire


class RenditionTests(unittest.SynchronousTestCase):
    """Size, header, envelope and structure, computed once."""

    def test_table(self) -> None:
        """All of a small message."""
        self.assertEqual(
            make_rendition(b"Subject: x\r\n\r\nbody"),
            Rendition(
                size=18,
                header=b"Subject: x\r\n\r\n",
                envelope=b'(NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL)',
                body=b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0)',
                body_structure=b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL)',
            ),
        )

    def test_version(self) -> None:
        """A new renderer makes a new rendition."""
        self.assertEqual(RENDITION_VERSION // 1000, RENDERER_VERSION)

    def check(self, message: bytes) -> None:
        rendition = make_rendition(message)
        self.assertEqual(rendition, make_rendition(message))
        self.assertEqual(rendition.size, len(message))
        self.assertEqual(rendition.header, message[: parse(message).header_end])
        check_envelope(read_wire(rendition.envelope))
        leaves = check_body(read_wire(rendition.body), False)
        self.assertEqual(leaves, check_body(read_wire(rendition.body_structure), True))

    @settings(deadline=None)
    @given(MESSAGES)
    def test_any_octets(self, message: bytes) -> None:
        """Valid for any octets."""
        self.check(message)

    @settings(deadline=None)
    @given(ROWS)
    def test_any_row(self, row: EmailRow) -> None:
        """Valid for any row."""
        self.check(render(row))
