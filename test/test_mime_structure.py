"""BODY and BODYSTRUCTURE: always valid, and in agreement with the parts they describe."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.mime.parse import Part, parse
from cybertemp_imap.mime.section import section
from cybertemp_imap.mime.structure import body_structure
from cybertemp_imap.protocol.command import BodySection
from test.test_mime_parse import MESSAGES
from test.test_mime_wire import Node, check_envelope, is_nstring, is_string, read_wire

VALUES = st.lists(
    st.sampled_from(
        [b"attachment", b";", b"filename", b"*", b"0", b"=", b'"', b"\\", b"\xe9", b"x.pdf", b" ", b",", b"\0", b"("]
    )
).map(b"".join)


def check_params(node: Node) -> None:
    """body-fld-param: NIL or pairs of strings."""
    assert node is None or (len(node) % 2 == 0 and all(map(is_string, node))), node


def check_extension(node: list[Node]) -> None:
    """Disposition, language and location, all there."""
    disposition, language, location = node
    if disposition is not None:
        assert len(disposition) == 2 and is_string(disposition[0]), disposition
        check_params(disposition[1])
    assert is_nstring(language) or all(map(is_string, language)), language
    assert is_nstring(location), location


def check_body(node: Node, extended: bool) -> list[tuple[bytes, bytes, int]]:
    """Fail unless ``node`` is what ``body`` of RFC 9051 section 9 is; (type, subtype, size) of the leaves in order."""
    assert isinstance(node, list), node
    if isinstance(node[0], list):
        parts = next(index for index, member in enumerate(node) if not isinstance(member, list))
        leaves = [leaf for part in node[:parts] for leaf in check_body(part, extended)]
        assert is_string(node[parts]), node
        assert len(node) == parts + (5 if extended else 1), node
        if extended:
            check_params(node[parts + 1])
            check_extension(node[parts + 2 :])
        return leaves
    kind, subtype, params, content_id, description, encoding, size = node[:7]
    assert all(map(is_string, (kind, subtype, encoding))) and is_nstring(content_id) and is_nstring(description)
    assert isinstance(size, int)
    check_params(params)
    rest, leaves = node[7:], [(kind, subtype, size)]
    if kind == b"message" and subtype in (b"rfc822", b"global"):
        check_envelope(rest[0])
        leaves += check_body(rest[1], extended)
        assert isinstance(rest[2], int)
        rest = rest[3:]
    elif kind == b"text":
        assert isinstance(rest[0], int)
        rest = rest[1:]
    assert kind != b"multipart"
    if extended:
        assert len(rest) == 4 and is_nstring(rest[0]), rest
        check_extension(rest[1:])
    else:
        assert not rest
    return leaves


def described(part: Part) -> list[tuple[bytes, bytes, int]]:
    """What :func:`check_body` should find."""
    own = [] if part.is_multipart else [(part.type, part.subtype, part.size)]
    return own + [leaf for child in part.children for leaf in described(child)]


def numbered(root: Part) -> list[tuple[tuple[int, ...], Part]]:
    """All part numbers of a message with the parts they mean, worked out from the structure downwards."""

    def of_message(part: Part, prefix: tuple[int, ...]) -> list[tuple[tuple[int, ...], Part]]:
        parts = part.children if part.is_multipart else [part]
        found = []
        for number, child in enumerate(parts, 1):
            found.append(((*prefix, number), child))
            if child is not part and child.is_multipart:
                found += of_message(child, (*prefix, number))
            elif child.is_message:
                found += of_message(child.children[0], (*prefix, number))
        return found

    return of_message(root, ())


class BodyStructureTests(unittest.SynchronousTestCase):
    """RFC 9051 section 7.5.2."""

    def test_text(self) -> None:
        """A single part text, with and without extension data."""
        message = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\none\r\ntwo\r\n"
        body, extended = body_structure(parse(message), message)
        self.assertEqual(body, b'("text" "plain" ("charset" "utf-8") NIL NIL "8bit" 10 2)')
        self.assertEqual(extended, body[:-1] + b" NIL NIL NIL NIL)")

    def test_multipart(self) -> None:
        """A multipart with an attachment: all extension data in its place."""
        message = (
            b"Content-Type: multipart/mixed; boundary=a\r\nContent-Language: de, en\r\n\r\n"
            b"--a\r\n\r\nhello\r\n--a\r\nContent-Type: application/pdf; name=x.pdf\r\nContent-ID: <1@x>\r\n"
            b"Content-Transfer-Encoding: base64\r\nContent-Description: a file\r\nContent-MD5: abc=\r\n"
            b"Content-Disposition: attachment; filename*=utf-8''%E2%82%AC.pdf\r\nContent-Language: fr\r\n"
            b"Content-Location: http://x/\r\n\r\nAAAA\r\n--a--\r\n"
        )
        body, extended = body_structure(parse(message), message)
        self.assertEqual(
            body,
            b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0)'
            b'("application" "pdf" ("name" "x.pdf") "<1@x>" "a file" "base64" 4) "mixed")',
        )
        self.assertEqual(
            extended,
            b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0 NIL NIL NIL NIL)'
            b'("application" "pdf" ("name" "x.pdf") "<1@x>" "a file" "base64" 4 "abc=" '
            b'("attachment" ("filename*" "utf-8\'\'%E2%82%AC.pdf")) "fr" "http://x/") '
            b'"mixed" ("boundary" "a") NIL ("de" "en") NIL)',
        )

    def test_message(self) -> None:
        """An encapsulated message brings its envelope, body and lines."""
        message = b"Content-Type: message/rfc822\r\n\r\nSubject: in\r\nFrom: a@b\r\n\r\nx\r\n"
        body, _ = body_structure(parse(message), message)
        who = b'((NIL NIL "a" "b"))'
        self.assertEqual(
            body,
            b'("message" "rfc822" NIL NIL NIL "7bit" 29 (NIL "in" %b %b %b NIL NIL NIL NIL NIL) '
            b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1) 4)' % (who, who, who),
        )

    def test_other_message_types(self) -> None:
        """message/delivery-status is an ordinary leaf."""
        message = b"Content-Type: message/delivery-status\r\n\r\nx: y\r\n"
        self.assertEqual(
            body_structure(parse(message), message)[0], b'("message" "delivery-status" NIL NIL NIL "7bit" 6)'
        )

    @settings(deadline=None)
    @given(MESSAGES)
    def test_agrees_with_parts(self, message: bytes) -> None:
        """For any octets both forms are valid and tell the parts; every size is what its section answers with."""
        root = parse(message)
        body, extended = body_structure(root, message)
        self.assertEqual(check_body(read_wire(body), False), described(root))
        self.assertEqual(check_body(read_wire(extended), True), described(root))
        for part, expected in numbered(root):
            octets = section(message, root, BodySection(part=part))
            assert octets is not None
            self.assertEqual(len(octets), expected.size)

    @settings(deadline=None)
    @given(VALUES, VALUES, VALUES, VALUES)
    def test_any_values(self, disposition: bytes, language: bytes, content_type: bytes, other: bytes) -> None:
        """Whatever content fields hold, both forms are valid."""
        message = (
            b"Content-Type: a/b;%b\r\nContent-Disposition: %b\r\nContent-Language: %b\r\nContent-ID: %b\r\n"
            b"Content-Location: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n"
        ) % (content_type, disposition, language, other, other, other)
        body, extended = body_structure(parse(message), message)
        check_body(read_wire(body), False)
        check_body(read_wire(extended), True)
