"""Making of messages with binary parts ones without, piece by piece (RFC 3516 section 4.4)."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.mime.parse import MAX_PARTS, Part, parse
from cybertemp_imap.mime.recode import MAX_HEADER, Recoder
from cybertemp_imap.mime.section import binary

OCTETS = bytes(range(256)) * 3
BINARY = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
PLAIN = b"Content-Type: text/plain\r\n\r\n"


def recoded(message: bytes, size: int = 1 << 16) -> bytes:
    """Return what becomes of a message that comes in pieces."""
    recoder = Recoder()
    pieces = [recoder.feed(message[start : start + size]) for start in range(0, len(message), size)]
    return b"".join(pieces) + recoder.finish()


def multipart(*parts: bytes, boundary: bytes = b"BB", more: bytes = b"") -> bytes:
    """Return a multipart entity with its header."""
    header = b"Content-Type: multipart/mixed; boundary=" + boundary + b"\r\n" + more + b"\r\n"
    return header + b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary


def leaves(part: Part) -> list[Part]:
    """Return the parts of a message that have none."""
    return [leaf for child in part.children for leaf in leaves(child)] or [part]


def contents(message: bytes) -> list[bytes]:
    """Return what the parts of a message hold when they are decoded."""
    found = []
    for leaf in leaves(parse(message)):
        body = Part(0, 0, leaf.body_start, leaf.body_end, encoding=leaf.encoding)
        octets = binary(message, Part(0, 0, 0, 0, b"multipart", children=[body]), (1,))
        assert octets is not None
        found.append(octets)
    return found


class RecoderTests(SynchronousTestCase):
    """What becomes of messages."""

    def check(self, message: bytes) -> bytes:
        """Check that no content is lost and no NUL left, however the message comes; return what it becomes."""
        whole = recoded(message)
        for size in (1, 2, 3, 7, 64, 1000):
            self.assertEqual(recoded(message, size), whole, size)
        self.assertEqual(contents(whole), contents(message))
        self.assertNotIn(b"\0", whole)
        self.assertEqual(recoded(whole), whole)
        return whole

    def test_one_part(self) -> None:
        """A message that is binary as a whole becomes base64, and its other fields stay."""
        made = self.check(b"From: a@b\r\n" + BINARY + OCTETS)
        header, body = made.split(b"\r\n\r\n", 1)
        self.assertEqual(
            header, b"From: a@b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64"
        )
        self.assertEqual(body, base64.encodebytes(OCTETS).replace(b"\n", b"\r\n"))

    def test_in_multipart(self) -> None:
        """Only the parts that are binary change; the line end before a delimiter is not theirs."""
        message = multipart(PLAIN + b"Hello", BINARY + OCTETS, BINARY, BINARY + b"--\r\n--B\r\n\r\n", PLAIN)
        made = self.check(message)
        self.assertIn(PLAIN + b"Hello\r\n--BB\r\n", made)
        self.assertEqual(contents(made)[1:4], [OCTETS, b"", b"--\r\n--B\r\n\r\n"])

    def test_around(self) -> None:
        """Multiparts and messages that hold binary parts are relabelled 8bit, for they cannot be encoded."""
        label = b"Content-Transfer-Encoding: binary\r\n"
        inner = multipart(BINARY + OCTETS, boundary=b"inner", more=label)
        message = multipart(
            b"Content-Type: message/rfc822\r\n" + label + b"\r\nSubject: inner\r\n" + inner,
            multipart(PLAIN + b"x", BINARY + b"\0", boundary=b"BBB"),
            more=label,
        )
        made = self.check(message)
        self.assertEqual(made.count(b"Content-Transfer-Encoding: 8bit\r\n"), 3)
        self.assertEqual(made.count(b"Content-Transfer-Encoding: base64\r\n"), 2)

    def test_text(self) -> None:
        """Text in base64 has CRLF at the end of its lines (RFC 2045 section 6.8)."""
        header = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        for size in (1, 2, 5, 100):
            made = recoded(header + b"\na\nb\r\n\r\rc\0\n", size)
            self.assertEqual(contents(made), [b"\r\na\r\nb\r\n\r\rc\0\r\n"])

    def test_nothing_to_do(self) -> None:
        """What has no binary part stays octet for octet, also where it is malformed (RFC 3516 section 6)."""
        for message in (
            b"",
            b"x",
            b"\r\n\r\n--BB",
            b"Subject: x\r\n\r\nHello\n--BB\r\n",
            multipart(PLAIN + b"Hello", PLAIN),
            multipart(PLAIN + b"Hello")[:-5],
            b"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\n--",
            b"Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n--d\r\n\r\n--d\r\n\r\n\r\n--d--\r\n",
            b"Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\xff",
            b"X-Long: " + b"x" * MAX_HEADER + b"\r\n" + BINARY,
        ):
            for size in (1, 3, 1 << 16):
                self.assertEqual(recoded(message, size), message)

    def test_odd_labels(self) -> None:
        """A label in any case, with a comment or folded; of two labels the first counts, and none is left over."""
        for label in (b"BINARY", b"(yes) binary", b"\r\n\tbinary", b"binary\r\nContent-Transfer-Encoding: 7bit"):
            made = self.check(b"content-transfer-encoding: " + label + b"\r\n\r\na\0b")
            self.assertEqual(made.lower().count(b"content-transfer-encoding"), 1)

    def test_mislabelled(self) -> None:
        """NUL that no label covers stays; it is up to the caller to refuse it."""
        for message in (b"Subject: a\0b\r\n\r\n", PLAIN + b"a\0b", multipart(BINARY + b"\0") + b"\0"):
            self.assertIn(b"\0", recoded(message))

    def test_many_parts(self) -> None:
        """Beyond as many parts as are told apart when a message is read, nothing is encoded."""
        message = multipart(*[BINARY + b"x"] * (MAX_PARTS + 10))
        self.assertEqual(recoded(message).count(b"base64"), MAX_PARTS - 2)

    pieces = st.lists(
        st.sampled_from([b"\r\n", b"\n", b"--BB", b"--BB--", b"--", b"-", b"\r", b"\0", b"x", b"--B", BINARY, PLAIN]),
        max_size=30,
    ).map(b"".join)

    @given(st.sampled_from([multipart(), BINARY, b"Content-Type: multipart/digest; boundary=BB\r\n\r\n"]), pieces)
    def test_any(self, header: bytes, body: bytes) -> None:
        """However a message is cut, the outcome is the same, and reads the same part by part."""
        message = header.removesuffix(b"--BB--\r\n") + body
        whole = recoded(message)
        for size in (1, 2, 5):
            self.assertEqual(recoded(message, size), whole)
        self.assertEqual(contents(whole), contents(message))
