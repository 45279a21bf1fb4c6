"""The tree of parts: RFC examples, broken mail, limits, hostile input, and agreement with the standard library."""

from __future__ import annotations

import email
import email.message
import email.policy
import time
from collections.abc import Iterator
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.mime.parse import MAX_LEVELS, MAX_PARTS, Part, parse
from cybertemp_imap.rendition import make_rendition

FRAGMENTS = (
    b"Content-Type: multipart/mixed; boundary=a\r\n",
    b'Content-Type: multipart/alternative; boundary="ab"\r\n',
    b"Content-Type: multipart/digest; boundary=a--\r\n",
    b"Content-Type: multipart/mixed\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html; charset=utf-8\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Subject: x\r\n",
    b"From: a@b\r\n",
    b"--a\r\n",
    b"--a--\r\n",
    b"--ab\r\n",
    b"--ab-- \r\n",
    b"--a----\r\n",
    b"--a--footer\r\n",
    b"\n--a\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"text\r\n",
    b"--",
    b"\0",
    b"\xff",
)

MESSAGES = st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=4), max_size=40).map(b"".join)
"""Octets that are close to messages, so that parts nest, end too early, or not at all."""


def walk(part: Part) -> Iterator[Part]:
    yield part
    for child in part.children:
        yield from walk(child)


def shape(part: Part) -> object:
    """Media types, nested as the parts are."""
    kind = f"{part.type.decode()}/{part.subtype.decode()}"
    return (kind, [shape(child) for child in part.children]) if part.children else kind


def bodies(message: bytes) -> list[bytes]:
    """The bodies of all leaves in order."""
    return [message[part.body_start : part.body_end] for part in walk(parse(message)) if not part.children]


def multipart(content: bytes, kind: bytes = b"mixed", boundary: bytes = b"a") -> bytes:
    return b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (kind, boundary) + content


class StructureTests(unittest.SynchronousTestCase):
    """RFC 2045 and RFC 2046."""

    def test_rfc_example(self) -> None:
        """RFC 2046 section 5.1.1: a preamble, a part without header, one with, and an epilogue."""
        message = (
            b"From: Nathaniel Borenstein <nsb@bellcore.com>\r\nMIME-Version: 1.0\r\n"
            b'Content-type: multipart/mixed; boundary="simple boundary"\r\n\r\n'
            b"This is the preamble.\r\n--simple boundary\r\n\r\nDoes NOT end with a linebreak.\r\n--simple boundary\r\n"
            b"Content-type: text/plain; charset=us-ascii\r\n\r\nDOES end with a linebreak.\r\n"
            b"\r\n--simple boundary--\r\n\r\nThis is the epilogue.\r\n"
        )
        root = parse(message)
        self.assertEqual(shape(root), ("multipart/mixed", ["text/plain", "text/plain"]))
        self.assertEqual(bodies(message), [b"Does NOT end with a linebreak.", b"DOES end with a linebreak.\r\n"])
        self.assertEqual(root.body_end, len(message))
        self.assertEqual(bodies(message.replace(b"\r\n", b"\n"))[1], b"DOES end with a linebreak.\n")

    def test_content_fields(self) -> None:
        """Every content field is read once, unfolded; encodings lose case and comments."""
        root = parse(
            b"Content-Type: TEXT/Html;\r\n charset=UTF-8\r\nContent-Transfer-Encoding: (x) Quoted-Printable;\r\n"
            b"Content-ID: <a@b>\r\nContent-Description: one\r\n two\r\nContent-Disposition: inline\r\n"
            b"Content-Language: de, en\r\nContent-Location: http://x\r\nContent-MD5: Q2hlY2s=\r\n"
            b"Content-Type: text/plain\r\n\r\nx\r\ny"
        )
        self.assertEqual((root.type, root.subtype, root.params), (b"text", b"html", ((b"charset", b"UTF-8"),)))
        self.assertEqual(
            (root.encoding, root.content_id, root.description), (b"quoted-printable", b"<a@b>", b"one two")
        )
        self.assertEqual((root.disposition, root.language, root.location), (b"inline", b"de, en", b"http://x"))
        self.assertEqual((root.md5, root.lines, root.size), (b"Q2hlY2s=", 1, 4))

    def test_default_types(self) -> None:
        """No type, a type that makes no sense, and parts of a digest (RFC 2045 section 5.2, RFC 2046 section 5.1.5)."""
        for value in (b"", b"Content-Type:\r\n", b"Content-Type: text\r\n", b"Content-Type: @/x\r\n"):
            root = parse(value + b"\r\nx")
            self.assertEqual((shape(root), root.params), ("text/plain", ((b"charset", b"us-ascii"),)), value)
        message = multipart(
            b"--a\r\n\r\nSubject: in\r\n\r\nx\r\n--a\r\nContent-Type: image/png\r\n\r\n--a--", b"digest"
        )
        self.assertEqual(shape(parse(message)), ("multipart/digest", [("message/rfc822", ["text/plain"]), "image/png"]))

    def test_messages(self) -> None:
        """An encapsulated message has its own header offsets; the parts in it end where the outer multipart goes on."""
        message = multipart(
            b"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n"
            + multipart(b"--b\r\n\r\none\r\n", boundary=b"b")
            + b"--a\r\n\r\ntwo\r\n--a--\r\n"
        )
        root = parse(message)
        self.assertEqual(
            shape(root), ("multipart/mixed", [("message/rfc822", [("multipart/mixed", ["text/plain"])]), "text/plain"])
        )
        outer, inner = root.children[0], root.children[0].children[0]
        self.assertEqual((inner.header_start, inner.body_end), (outer.body_start, outer.body_end))
        self.assertTrue(message[inner.header_start :].startswith(b"Subject: in"))
        self.assertEqual(outer.lines, message[outer.body_start : outer.body_end].count(b"\n"))
        self.assertEqual(bodies(message), [b"one", b"two"])

    def test_header_only(self) -> None:
        """A message without an empty line is all header; one that begins with it has none."""
        root = parse(b"Subject: x")
        self.assertEqual((root.header_end, root.body_start, root.body_end), (10, 10, 10))
        root = parse(b"\r\nbody")
        self.assertEqual((root.header_end, root.body_end), (2, 6))
        self.assertEqual(parse(b"").size, 0)
        self.assertEqual(parse(memoryview(b"A: b\r\n\r\nx")).size, 1)


class BoundaryTests(unittest.SynchronousTestCase):
    """RFC 2046 section 5.1, and mail that does not keep to it."""

    def test_nothing_to_divide(self) -> None:
        """A multipart without a boundary or without a delimiter is one plain text part with all there is."""
        for message in (
            b"Content-Type: multipart/mixed\r\n\r\nall\r\n",
            b'Content-Type: multipart/mixed; boundary=""\r\n\r\nall\r\n',
            multipart(b"all\r\n"),
            multipart(b"all\r\n", boundary=b"x" * 501),
        ):
            self.assertEqual(shape(parse(message)), "text/plain")
            self.assertEqual(bodies(message), [b"all\r\n"])

    def test_unclosed(self) -> None:
        """Without a closing delimiter the last part ends with the message."""
        self.assertEqual(bodies(multipart(b"--a\r\n\r\none\r\n--a\r\n\r\ntwo\r\n")), [b"one", b"two\r\n"])

    def test_after_closing(self) -> None:
        """After the closing delimiter a delimiter is text of the epilogue."""
        self.assertEqual(bodies(multipart(b"--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\ntwo\r\n")), [b"one"])

    def test_prefixes(self) -> None:
        """Boundaries that begin like one another are told apart, and white space after them does not count."""
        inner = multipart(b"--ab\r\n\r\none\r\n--ab  \r\n\r\ntwo\r\n--ab--\t\r\n", boundary=b"ab")
        message = multipart(b"--a\r\n" + inner + b"--a\r\n\r\nthree\r\n--abc\r\n--a--\r\n")
        self.assertEqual(bodies(message), [b"one", b"two", b"three\r\n--abc"])
        inner = multipart(b"--a--\r\n\r\none\r\n--a----\r\n", boundary=b"a--")
        self.assertEqual(bodies(multipart(b"--a\r\n" + inner + b"--a--\r\n")), [b"one"])

    def test_same_twice(self) -> None:
        """A multipart in one of the same boundary takes the delimiters until it is closed."""
        inner = multipart(b"--a\r\n\r\none\r\n--a--\r\n")
        message = multipart(b"--a\r\n" + inner + b"--a\r\n\r\ntwo\r\n--a--\r\n")
        self.assertEqual(
            shape(parse(message)), ("multipart/mixed", [("multipart/mixed", ["text/plain"]), "text/plain"])
        )

    def test_footer_on_closing_line(self) -> None:
        """Text that was appended to the closing delimiter does not hide it."""
        self.assertEqual(bodies(multipart(b"--a\r\n\r\none\r\n--a--____\r\nList info\r\n")), [b"one"])

    def test_outer_delimiter_in_header(self) -> None:
        """A part whose header is cut off by a delimiter ends there."""
        message = multipart(b"--a\r\nContent-Type: image/png\r\n--a\r\n\r\n--a\r\n--a--")
        self.assertEqual(shape(parse(message)), ("multipart/mixed", ["image/png", "text/plain", "text/plain"]))
        self.assertEqual(bodies(message), [b"", b"", b""])

    def test_encoded_message(self) -> None:
        """A message in base64 cannot be looked into; it stays one part that can be saved."""
        root = parse(
            b"Content-Type: message/rfc822; name=x.eml\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA=="
        )
        self.assertEqual((shape(root), root.params), ("application/octet-stream", ((b"name", b"x.eml"),)))


class LimitTests(unittest.SynchronousTestCase):
    """At most 100 levels and 10,000 parts."""

    def depth(self, part: Part) -> int:
        return 1 + max((self.depth(child) for child in part.children), default=0)

    def test_depth(self) -> None:
        """What is nested more deeply is one opaque leaf, with nothing lost; parts after it are found again."""
        for message in (
            b"".join(multipart(b"--b%d\r\n" % n, boundary=b"b%d" % n) for n in range(300)),
            b"Content-Type: message/rfc822\r\n\r\n" * 300,
            b"Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\n" * 300,
        ):
            root = parse(message)
            self.assertEqual(self.depth(root), MAX_LEVELS)
            leaf = [part for part in walk(root) if not part.children][-1]
            self.assertEqual((shape(leaf), leaf.body_end), ("application/octet-stream", len(message)))
            make_rendition(message)
        deep = b"".join(multipart(b"--b%d\r\n" % n, boundary=b"b%d" % n) for n in range(300))
        message = multipart(b"--a\r\n" + deep + b"\r\n--a\r\nContent-Type: image/png\r\n\r\n--a--")
        self.assertEqual(shape(parse(message).children[1]), "image/png")

    def test_parts(self) -> None:
        """Of 100,000 parts the last that is allowed holds all the rest."""
        message = multipart(b"--a\r\n\r\nx\r\n" * 100_000)
        parts = list(walk(parse(message)))
        self.assertEqual(len(parts), MAX_PARTS)
        self.assertEqual((shape(parts[-1]), parts[-1].body_end), ("application/octet-stream", len(message)))

    def test_growth(self) -> None:
        """Four times the input takes nothing like sixteen times the time."""
        for name, head, unit in (
            ("delimiters", multipart(b""), b"--a\n"),
            ("candidates", multipart(b"--a\r\n" + multipart(b"", boundary=b"xx")), b"--\n"),
            ("no empty line", multipart(b""), b"--a\nSubject: x\n"),
            ("nested messages", b"", b"Content-Type: message/rfc822\r\n\r\n"),
            ("digest", multipart(b"", b"digest"), b"--a\r\n\r\n\r\n"),
            ("parameters", b"Content-Type: a/b", b"; x*0*=y"),
            ("semicolons", b"Content-Type: a/b", b"; ;"),
            ("quotes", b"Content-Type: a/b", b';a="'),
            ("comments", b"Content-Type: ", b"("),
            ("addresses", b"To: ", b"a <b@c>,"),
            ("unclosed quotes", b"To: ", b'"\\'),
            ("unclosed comments", b"To: ", b"(a "),
            ("brackets", b"To: ", b"[<"),
            ("repeated fields", b"", b"To: a@b\r\n"),
            ("folds", b"Subject: ", b"\r\n x"),
            ("blanks", b"Subject: ", b" "),
            ("no colon", b"", b"aaaa"),
        ):
            base = self.best_time(head + unit * (16_000 // len(unit)))
            more = self.best_time(head + unit * (64_000 // len(unit)))
            self.assertLess(more, 12 * base + 0.05, name)

    def best_time(self, message: bytes) -> float:
        times = []
        for _ in range(2):
            start = time.process_time()
            make_rendition(message)
            times.append(time.process_time() - start)
        return min(times)


class PropertyTests(unittest.SynchronousTestCase):
    """What holds for any octets."""

    @settings(deadline=None)
    @given(MESSAGES)
    def test_offsets(self, message: bytes) -> None:
        """Parts lie within their parent in order and do not overlap; composite types have children, others none."""
        root = parse(message)
        self.assertEqual((root.header_start, root.body_end), (0, len(message)))
        for part in walk(root):
            self.assertTrue(0 <= part.header_start <= part.header_end == part.body_start <= part.body_end)
            self.assertEqual(part.lines, message.count(b"\n", part.body_start, part.body_end))
            self.assertEqual(bool(part.children), part.is_multipart or part.is_message)
            at = part.body_start
            for child in part.children:
                self.assertTrue(at <= child.header_start and child.body_end <= part.body_end)
                at = child.body_end
            if part.is_message:
                child = part.children[0]
                self.assertEqual((child.header_start, child.body_end), (part.body_start, part.body_end))

    @settings(deadline=None)
    @given(st.binary(max_size=300))
    def test_arbitrary(self, message: bytes) -> None:
        """Never raises."""
        make_rendition(message)

    @settings(deadline=None)
    @given(
        st.recursive(
            st.sampled_from(["plain", "html"]),
            lambda inner: st.tuples(st.sampled_from(["mixed", "message"]), st.lists(inner, min_size=1, max_size=3)),
            max_leaves=8,
        )
    )
    def test_agrees_with_standard_library(self, tree: object) -> None:
        """Well-formed messages have the parts and bodies that the standard library finds."""
        message = bytes(_build(tree))
        expected = email.message_from_bytes(message, policy=email.policy.default)
        self.assertEqual(shape(parse(message)), _shape_of(expected))
        leaves = [part for part in expected.walk() if not part.is_multipart()]
        payloads = [str(part.get_payload()).encode() for part in leaves]
        self.assertEqual(bodies(message), payloads)


def _build(tree: object) -> EmailMessage:
    """A message of the standard library with the shape of ``tree``."""
    message = EmailMessage()
    message["Subject"] = "s"
    if isinstance(tree, str):
        message.set_content("some text\nof two lines\n", subtype=tree)
        return message
    assert isinstance(tree, tuple)
    kind, children = tree
    if kind == "message":
        message.set_content(_build(children[0]))
        return message
    message.make_mixed()
    for child in children:
        message.attach(_build(child))
    return message


def _shape_of(message: email.message.Message) -> object:
    if not message.is_multipart():
        return message.get_content_type()
    children = [child for child in message.get_payload() if isinstance(child, email.message.Message)]
    return (message.get_content_type(), [_shape_of(child) for child in children])
