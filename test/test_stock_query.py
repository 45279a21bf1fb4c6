"""Search keys from the queries of Twisted's own server, and SEARCH through that server."""

from __future__ import annotations

import contextlib
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.testing import StringTransport
from twisted.mail.imap4 import IllegalQueryError, IMAP4Server, parseNestedParens
from twisted.trial import unittest

from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.naming import INBOX
from cybertemp_imap.protocol.search_key import (
    DateField,
    DateOrder,
    KeyAll,
    KeyAnd,
    KeyDate,
    KeyFlag,
    KeyHeader,
    KeyModSeq,
    KeyNot,
    KeyOr,
    KeySequence,
    KeyText,
    KeyUid,
    SearchKey,
)
from cybertemp_imap.protocol.sequence import STAR, SequenceSet
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.stock import key_of_query
from cybertemp_imap.store.memory import MemoryStore

SEEN = KeyFlag("\\Seen")
EVERY = SequenceSet(((1, STAR),))

QUERIES: list[tuple[bytes, SearchKey]] = [
    (b"ALL", KeyAll()),
    (b"unseen", KeyNot(SEEN)),
    (b"1:* SEEN", KeyAnd((KeySequence(EVERY), SEEN))),
    (b"UID 1:*", KeyUid(EVERY)),
    (b'SUBJECT "hello world" SEEN', KeyAnd((KeyHeader(b"SUBJECT", b"hello world"), SEEN))),
    (b'SUBJECT ""', KeyHeader(b"SUBJECT", b"")),
    (b'SUBJECT "a\\"b"', KeyHeader(b"SUBJECT", b'a"b')),
    (b"SUBJECT NIL", KeyHeader(b"SUBJECT", b"NIL")),
    (b'TEXT "*"', KeyText(b"*")),
    (b'TEXT "SEEN"', KeyText(b"SEEN")),
    (b'TEXT {9}\r\n(a" \\ {2} SEEN', KeyAnd((KeyText(b'(a" \\ {2}'), SEEN))),
    (b'TEXT "\xc3\xa9"', KeyText(b"\xc3\xa9")),
    (b'HEADER X-Spam "y e s"', KeyHeader(b"X-Spam", b"y e s")),
    (b"KEYWORD FROM SEEN", KeyAnd((KeyFlag("FROM"), SEEN))),
    (
        b"OR (FROM a SEEN) NOT 2",
        KeyOr(KeyAnd((KeyHeader(b"FROM", b"a"), SEEN)), KeyNot(KeySequence(SequenceSet(((2, 2),))))),
    ),
    (b'SENTSINCE "1-Feb-2024"', KeyDate(DateField.SENT, DateOrder.SINCE, date(2024, 2, 1))),
    (b'MODSEQ "/flags/\\\\draft" all 62', KeyModSeq(62)),
]

REFUSED: list[Any] = [
    [],
    [[]],
    [b"NONSENSE"],
    [None],
    [b"SUBJECT"],
    [b"SUBJECT", [b"a"]],
    [b"HEADER", b"a"],
    [b"SEEN FLAGGED"],
    [b"SEEN\r\nx LOGOUT"],
    [b"RETURN", [b"MIN"], b"ALL"],
    [b"CHARSET", b"UTF-8", b"ALL"],
    [b"TEXT", b"a\0b"],
    [42],
    [b"NOT"],
]

nested = st.recursive(
    st.one_of(
        st.none(), st.binary(max_size=8), st.text(max_size=8), st.sampled_from([b"OR", b"NOT", b"TEXT", b"SEEN"])
    ),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=20,
)


class KeyOfQueryTests(unittest.TestCase):
    """:func:`key_of_query`."""

    def test_as_parsed_by_the_stock_server(self) -> None:
        """What a client writes becomes the key it means."""
        for line, key in QUERIES:
            with self.subTest(line=line):
                self.assertEqual(key_of_query(parseNestedParens(line)), key)

    def test_text(self) -> None:
        """Words may be text as well as bytes."""
        self.assertEqual(key_of_query(["TEXT", "é"]), KeyText("é".encode()))

    def test_refused(self) -> None:
        """What is no search program is an illegal query, with a sentence for the client."""
        for query in REFUSED:
            with self.subTest(query=query):
                error = self.assertRaises(IllegalQueryError, key_of_query, query)
                self.assertTrue(str(error).isascii() and "\n" not in str(error))

    def test_depth(self) -> None:
        """Lists that nest too deeply are refused, however deep they are."""
        query: list[Any] = [b"SEEN"]
        for _ in range(5_000):
            query = [query]
        self.assertRaises(IllegalQueryError, key_of_query, query)

    @given(st.lists(nested, max_size=5))
    def test_anything(self, query: list[Any]) -> None:
        """Whatever is in a query, the answer is a key or an illegal query."""
        with contextlib.suppress(IllegalQueryError):
            key_of_query(query)

    @given(st.binary(max_size=20).filter(lambda octets: b"\0" not in octets))
    def test_strings_whole(self, octets: bytes) -> None:
        """A string reaches the key octet for octet."""
        self.assertEqual(key_of_query([b"TEXT", octets]), KeyText(octets))


class StockServerTests(unittest.TestCase):
    """SEARCH by a stock server over our mailbox."""

    async def _server(self) -> tuple[IMAP4Server, StringTransport]:
        store = MemoryStore()
        user = store.add_user("me@example.com")
        store.add_address(user, "box@example.com")
        rows = [
            EmailRow(uuid4(), "box@example.com", INBOX, subject, "text", None, "a@b.example", (), moment, moment)
            for number, subject in enumerate(("one", "two", "three", "two again"))
            for moment in (datetime(2024, 1, 1 + number, tzinfo=UTC),)
        ]
        for row in rows:
            store.deliver(row)
        ref = await store.find_mailbox(user, "box@example.com", INBOX)
        assert ref is not None
        await store.refresh(ref)
        store.delete_elsewhere(rows[0].id)
        server, transport = IMAP4Server(), StringTransport()
        server.makeConnection(transport)
        server.mbox = await Mailbox.open(SharedMailbox(store, ref), read_only=False)
        server.state = "select"
        transport.clear()
        self.addCleanup(server.setTimeout, None)
        return server, transport

    async def _answer(self, line: bytes) -> bytes:
        """Return what the server answers to a command with the tag ``a``."""
        server, transport = await self._server()
        server.dataReceived(b"a " + line + b"\r\n")
        while b"a " not in transport.value():
            await deferLater(reactor, 0.001)
        return bytes(transport.value())

    async def test_search(self) -> None:
        """SEARCH answers sequence numbers."""
        self.assertEqual(await self._answer(b"SEARCH SUBJECT two"), b"* SEARCH 1 3\r\na OK SEARCH completed\r\n")

    async def test_uid_search(self) -> None:
        """UID SEARCH answers UIDs."""
        self.assertEqual(await self._answer(b"UID SEARCH SUBJECT two"), b"* SEARCH 2 4\r\na OK SEARCH completed\r\n")

    async def test_illegal(self) -> None:
        """A query that is none is refused."""
        self.assertTrue((await self._answer(b"SEARCH NONSENSE")).startswith(b"a BAD "))
        self.assertEqual(len(self.flushLoggedErrors(IllegalQueryError)), 1)
