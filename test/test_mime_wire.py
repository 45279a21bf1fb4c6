"""Strings in wire form; and a strict reader of ENVELOPE and BODYSTRUCTURE that the other MIME tests use."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.mime.wire import literal, nstring, string

Node = Any
"""What a wire form is read as: bytes for a string, None for NIL, int for a number, list for a parenthesized list."""

_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0\x80-\xff]|\\["\\])*)"')
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")
_NUMBER = re.compile(rb"\d+")


def read_wire(data: bytes) -> Node:
    """The one value in ``data``, read as strictly as RFC 9051 section 9 writes it; ValueError for anything else."""
    node, at = _read(data, 0)
    if at != len(data):
        raise ValueError(f"octets left over: {data[at : at + 40]!r}")
    return node


def _read(data: bytes, at: int) -> tuple[Node, int]:
    if data[at : at + 1] == b"(":
        return _read_list(data, at + 1)
    if data[at : at + 3] == b"NIL":
        return None, at + 3
    if match := _QUOTED.match(data, at):
        return re.sub(rb'\\(["\\])', rb"\1", match[1]), match.end()
    if match := _LITERAL.match(data, at):
        end = match.end() + int(match[1])
        value = data[match.end() : end]
        if len(value) != int(match[1]) or b"\0" in value:
            raise ValueError("bad literal")
        return value, end
    if match := _NUMBER.match(data, at):
        return int(match[0]), match.end()
    raise ValueError(f"unexpected {data[at : at + 40]!r}")


def _read_list(data: bytes, at: int) -> tuple[list[Node], int]:
    """Members divided by one space, except that a list may directly follow a list (addresses and bodies do)."""
    members: list[Node] = []
    while data[at : at + 1] != b")":
        if members and not (isinstance(members[-1], list) and data[at : at + 1] == b"("):
            if data[at : at + 1] != b" ":
                raise ValueError(f"no space at {data[at : at + 40]!r}")
            at += 1
        node, at = _read(data, at)
        members.append(node)
    if not members:
        raise ValueError("empty list")
    return members, at + 1


def is_string(node: Node) -> bool:
    return isinstance(node, bytes)


def is_nstring(node: Node) -> bool:
    return node is None or is_string(node)


def check_envelope(node: Node) -> None:
    """Fail with AssertionError unless ``node`` is what ``envelope`` of RFC 9051 section 9 is."""
    assert isinstance(node, list) and len(node) == 10, node
    for index in (0, 1, 8, 9):
        assert is_nstring(node[index]), node[index]
    for addresses in node[2:8]:
        assert addresses is None or isinstance(addresses, list)
        depth = 0
        for address in addresses or ():
            assert isinstance(address, list) and len(address) == 4 and all(map(is_nstring, address)), address
            if address[3] is None:
                depth += -1 if address[2] is None else 1
                assert depth in (0, 1), addresses
        assert depth == 0


class StringTests(unittest.SynchronousTestCase):
    """RFC 9051 section 4.3."""

    def test_table(self) -> None:
        """Short printable ASCII is quoted with its specials escaped; all else is a literal without NUL."""
        for value, wire in (
            (b"", b'""'),
            (b"abc", b'"abc"'),
            (b'a"b\\c', b'"a\\"b\\\\c"'),
            (b"a\tb", b'"a\tb"'),
            (b"a\r\nb", b"{4}\r\na\r\nb"),
            (b"\xc3\xa9", b"{2}\r\n\xc3\xa9"),
            (b"a\0b", b"{2}\r\nab"),
            (b"x" * 1001, b"{1001}\r\n" + b"x" * 1001),
        ):
            self.assertEqual(string(value), wire)
        self.assertEqual(nstring(None), b"NIL")
        self.assertEqual(nstring(b"NIL"), b'"NIL"')
        self.assertEqual(literal(b"ab"), b"{2}\r\nab")

    @settings(deadline=None)
    @given(st.binary())
    def test_reads_back(self, value: bytes) -> None:
        """Whatever is printed reads back as itself, NUL apart."""
        self.assertEqual(read_wire(string(value)), value.replace(b"\0", b""))
