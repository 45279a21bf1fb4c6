"""BINARY (RFC 3516): APPEND of messages that hold NUL, and what becomes of them; FETCH is in the tests of sections."""

from __future__ import annotations

import base64
from typing import Any

from test.appending import AppendTestCase, literal

OCTETS = bytes(range(256)) * 40
TEXT = b"Content-Type: text/plain\r\n\r\nHello"
BINARY = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n"
HEADER = b"From: me@example.com\r\nSubject: octets\r\nContent-Type: multipart/mixed; boundary=BB\r\n\r\n"
MESSAGE = HEADER + b"--BB\r\n" + TEXT + b"\r\n--BB\r\n" + BINARY + OCTETS + b"\r\n--BB--\r\n"


def literal8(data: bytes) -> bytes:
    """Return a non-synchronizing literal8."""
    return b"~" + literal(data)


class BinaryAppendTests(AppendTestCase):
    """APPEND with a literal8."""

    def fetch(self, items: str, name: str = "Drafts") -> dict[bytes, Any]:
        """Fetch of the last message of a mailbox, as a session that knows nothing of what was appended."""
        found = self.wire.session(name).ok(f"FETCH * ({items})").fetched()
        return next(iter(found.values()))

    def test_for_every_client(self) -> None:
        """Binary content is base64 for ordinary FETCH, whose answers fit together; BINARY gives back the octets."""
        for chunk in (None, 100):
            answer = self.client.command(b"APPEND Drafts (\\Seen) " + literal8(MESSAGE), chunk)
            self.assertStatus(answer, "OK", "APPENDUID")
            found = self.fetch("RFC822.SIZE BODY.PEEK[] BODY.PEEK[2] BODY.PEEK[1] BODY.PEEK[2.MIME] BODYSTRUCTURE")
            encoded = base64.encodebytes(OCTETS).replace(b"\n", b"\r\n").removesuffix(b"\r\n")
            self.assertEqual(found[b"BODY[2]"], encoded)
            self.assertEqual(found[b"BODY[1]"], b"Hello")
            self.assertEqual(found[b"RFC822.SIZE"], len(found[b"BODY[]"]))
            self.assertEqual(found[b"BODY[]"], MESSAGE.replace(OCTETS, encoded).replace(b": binary\r", b": base64\r"))
            part = found[b"BODYSTRUCTURE"].children[1]
            self.assertEqual((part.encoding, part.size), (b"base64", len(encoded)))
            binary = self.fetch("BINARY.PEEK[2] BINARY.SIZE[2] BINARY.PEEK[2]<250.10> BINARY.PEEK[1]")
            self.assertEqual(binary[b"BINARY[2]"], OCTETS)
            self.assertEqual(binary[b"BINARY.SIZE[2]"], len(OCTETS))
            self.assertEqual(binary[b"BINARY[2]<250>"], OCTETS[250:260])
            self.assertEqual(binary[b"BINARY[1]"], b"Hello")

    def test_synchronizing(self) -> None:
        """The client is asked for a literal8 as for any other."""
        self.client.take()
        self.client.send(b"a APPEND Drafts ~{%d}\r\n" % len(MESSAGE))
        self.assertEqual(self.client.take()[:2], b"+ ")
        self.client.send(MESSAGE + b"\r\n")
        self.assertEqual(self.answers(), [(b"a", b"OK", b"APPENDUID")])

    def test_nothing_binary(self) -> None:
        """What would have fitted into a literal stays octet for octet (section 6), but for bare LF."""
        for message in (b"x", b"Subject: x\r\n\r\n\xff\r\n", HEADER + b"--BB\r\n" + TEXT + b"\r\n--BB--"):
            self.assertStatus(self.client.command(b"APPEND Drafts " + literal8(message)), "OK", "APPENDUID")
            self.assertEqual(self.fetch("BODY.PEEK[]"), {b"BODY[]": message})
        self.client.ok(b"APPEND Drafts " + literal8(b"Subject: x\n\na\nb\n"))
        self.assertEqual(self.fetch("BODY.PEEK[]"), {b"BODY[]": b"Subject: x\r\n\r\na\r\nb\r\n"})

    def test_several(self) -> None:
        """MULTIAPPEND of both kinds of literals."""
        plain = b"Subject: plain\r\nContent-Transfer-Encoding: binary\r\n\r\nas it is\r\n"
        self.client.ok(b"APPEND Drafts " + literal(plain) + b" (\\Flagged) " + literal8(MESSAGE) + b" " + literal(b"y"))
        first, second, third = self.sources()
        self.assertEqual((first, third), (plain, b"y"))
        self.assertIn(b"Content-Transfer-Encoding: base64\r\n", second)

    def test_mislabelled(self) -> None:
        """NUL in a header, or in a part that does not say it is binary: NO [UNKNOWN-CTE], and nothing is added."""
        for message in (b"Subject: a\0b\r\n\r\nx", TEXT + b"\0", MESSAGE + b"\0", b"\0"):
            answer = self.client.command(b"APPEND Drafts " + literal8(message))
            self.assertStatus(answer, "NO", "UNKNOWN-CTE")
            answer = self.client.command(b"APPEND Drafts " + literal(b"x") + b" " + literal8(message))
            self.assertStatus(answer, "NO", "UNKNOWN-CTE")
        self.assertEqual(self.sources(), [])

    def test_nul_in_a_literal(self) -> None:
        """A literal that is no literal8 cannot hold NUL, whatever it says (RFC 9051 section 4.3)."""
        self.assertStatus(self.client.command(b"APPEND Drafts " + literal(MESSAGE)), "BAD")
        self.assertEqual(self.sources(), [])

    def test_empty(self) -> None:
        """A message of no octets takes the APPEND back (RFC 3502 section 6.3.11)."""
        self.assertStatus(self.client.command(b"APPEND Drafts ~{0+}\r\n"), "NO", "CANNOT")


class BinaryLimitTests(AppendTestCase):
    """The limit is for what is sent."""

    limits = {"append_limit": 1000}  # noqa: RUF012

    def test_limit(self) -> None:
        """What is encoded may be longer than what may be sent."""
        self.client.take()
        self.client.send(b"a APPEND Drafts ~{1001}\r\n")
        self.assertEqual(self.answers(), [(b"a", b"NO", b"TOOBIG")])
        message = BINARY + b"\0" * (1000 - len(BINARY))
        self.assertStatus(self.client.command(b"APPEND Drafts " + literal8(message)), "OK", "APPENDUID")


class UnknownEncodingTests(AppendTestCase):
    r"""UNKNOWN-CTE and ``\Seen``."""

    def test_not_seen(self) -> None:
        r"""A message that cannot be given as asked for has not been seen; the others have (section 4.3)."""
        odd = b"Content-Transfer-Encoding: x-odd\r\n\r\nx"
        self.client.ok(b"APPEND Drafts " + literal(b"\r\none") + b" " + literal(odd) + b" " + literal(b"\r\nthree"))
        self.client.ok("SELECT Drafts")
        for items in ("BINARY[1]", "BODY[] BINARY.SIZE[1]"):
            answer = self.client.command(f"FETCH 1:3 ({items})")
            self.assertStatus(answer, "NO", "UNKNOWN-CTE")
            self.assertEqual(sorted(answer.fetched()), [1, 3])
            flags = self.client.ok("FETCH 1:3 FLAGS").flags()
            self.assertEqual([b"\\Seen" in flags[seq] for seq in (1, 2, 3)], [True, False, True])
            self.client.ok("STORE 1:3 -FLAGS.SILENT (\\Seen)")
        self.client.ok("FETCH 2 BODY[]")
        self.assertIn(b"\\Seen", self.client.ok("FETCH 2 FLAGS").flags()[2])
