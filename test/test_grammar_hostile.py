"""The grammar under hostile input: it answers with an object or a fault, soon, whatever the octets."""

from __future__ import annotations

import contextlib
import sys
import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.protocol import command as c
from cybertemp_imap.protocol.grammar.parse import COMMANDS, UnknownCommand, parse_command
from cybertemp_imap.protocol.tokens import SyntaxFault

WORDS = [
    *(name.title() for name in COMMANDS),
    *(
        b"UID",
        b" ",
        b" ",
        b" ",
        b"(",
        b")",
        b"1:*",
        b"$",
        b"0",
        b'"',
        b"\\",
        b"{2}\r\n",
        b"{0+}\n",
        b"~{1}\r\n",
        b"BODY",
    ),
    *(
        b"BODY[",
        b"]",
        b"<0.1>",
        b"HEADER.FIELDS",
        b"OR",
        b"NOT",
        b"SEEN",
        b"FROM",
        b"x",
        b"RETURN",
        b"FLAGS",
        b"*",
        b"%",
    ),
    *(b"USE", b"QRESYNC", b"STATUS", b"1-Jan-2000", b"\xff", b"\0", b"\r", b"UTF8", b"NIL", b"MODSEQ", b"99999999999"),
]
streamed_places = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9)), max_size=2).map(tuple)


def nested(kind: str, depth: int) -> bytes:
    """A search with keys nested so deep."""
    if kind == "parentheses":
        return b"a SEARCH " + b"(" * depth + b"SEEN" + b")" * depth
    if kind == "or":
        return b"a SEARCH " + b"OR SEEN " * depth + b"SEEN"
    return b"a SEARCH " + b"NOT " * depth + b"SEEN"


class HostileTests(unittest.SynchronousTestCase):
    """Nothing but objects and faults."""

    @settings(max_examples=1500, deadline=None)
    @given(
        st.sampled_from(sorted(COMMANDS)),
        st.lists(st.one_of(st.sampled_from(WORDS), st.binary(max_size=3)), max_size=12).map(b"".join),
        streamed_places,
    )
    def test_anything(self, name: bytes, rest: bytes, streamed: tuple[tuple[int, int], ...]) -> None:
        """No octets raise anything but the two faults of the grammar."""
        for data in (rest, b"a " + rest, b"a " + name + b" " + rest, b"a UID " + name + b" " + rest):
            with contextlib.suppress(SyntaxFault, UnknownCommand):
                parse_command(data, streamed)

    def test_depth(self) -> None:
        """A hundred levels are possible, more are a fault, and thousands do not exhaust the stack."""
        for kind in ("parentheses", "or", "not"):
            self.assertIsInstance(parse_command(nested(kind, 100))[1], c.Search)
            for depth in (101, 5000, 15000):
                fault = self.assertRaises(SyntaxFault, parse_command, nested(kind, depth))
                self.assertEqual(fault.text, "Search keys are nested too deeply")

    def test_number_of_keys(self) -> None:
        """Thousands of keys are possible; of more, no more are looked at than that."""
        self.assertIsInstance(parse_command(b"a SEARCH" + b" SEEN" * 4000)[1], c.Search)
        for keys in (b" SEEN" * 4001, b" 1" * 30_000, b" (SEEN" + b" NOT SEEN" * 2000 + b")"):
            fault = self.assertRaises(SyntaxFault, parse_command, b"a SEARCH" + keys)
            self.assertEqual(fault.text, "There are too many search keys")

    def test_deepest_key_is_usable(self) -> None:
        """The deepest key there can be is compared, hashed and printed within the usual stack."""
        self.assertLess(100 * 6, sys.getrecursionlimit())
        first, second = parse_command(nested("not", 100))[1], parse_command(nested("not", 100))[1]
        self.assertEqual((first, hash(first)), (second, hash(second)))
        self.assertIn("KeyNot", repr(first))

    def test_growth(self) -> None:
        """The longest lines of each kind are parsed in a small part of a second."""
        for data in (
            b"a SEARCH " + b"SEEN " * 13000,
            b"a SEARCH " + b"1 " * 32000,
            b"a SEARCH (" + b"FROM x " * 9000 + b"SEEN)",
            b"a SEARCH OR SEEN" + b" " * 65000 + b"x",
            b"a UID FETCH " + b",".join(b"%d" % number for number in range(1, 12000)) + b" FLAGS",
            b"a FETCH 1 (" + b"FLAGS " * 10000 + b"UID)",
            b"a FETCH 1 (" + b"BODY[1] " * 8000 + b"UID)",
            b"a FETCH 1 BODY[" + b"1." * 32000 + b"MIME]",
            b"a FETCH " + b"1:" * 32000 + b" FLAGS",
            b"a FETCH " + b"1" * 65000 + b" FLAGS",
            b"a LARGER " + b"1" * 65000,
            b'a LOGIN "' + b'\\"' * 32000 + b'" x',
            b'a LOGIN "' + b"\\\\" * 32000 + b" x",
            b"a STORE 1 FLAGS" + b" x" * 32000,
            b"a STATUS x (" + b"SIZE " * 13000 + b"SIZE)",
            b'a LIST "" (' + b"* " * 32000 + b"*)",
            b"a APPEND x" + b" {1}\r\nx" * 9000,
            b"a ID (" + b'"" NIL ' * 9000 + b")",
            b"a AUTHENTICATE PLAIN " + b"a" * 65001,
        ):
            started = time.process_time()
            with contextlib.suppress(SyntaxFault, UnknownCommand):
                parse_command(data)
            self.assertLess(time.process_time() - started, 2, data[:20])
