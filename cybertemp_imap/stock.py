"""What Twisted's own IMAP4Server makes of a SEARCH, made into a search key.

The stock server splits a query into words and lists without knowing search keys: quotes and literals are gone, and
nothing tells ``"*"`` from ``*``. So the query is printed again as a client would have sent it, each word by its place,
and read by the grammar.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from twisted.mail.imap4 import IllegalQueryError

from cybertemp_imap.protocol.grammar.search import search
from cybertemp_imap.protocol.search_key import SearchKey
from cybertemp_imap.protocol.tokens import MAX_DEPTH, SyntaxFault, Tokens

STRINGS: dict[bytes, int] = {
    b"BCC": 1,
    b"BODY": 1,
    b"CC": 1,
    b"FROM": 1,
    b"HEADER": 2,
    b"SUBJECT": 1,
    b"TEXT": 1,
    b"TO": 1,
}
"""How many strings follow a search key."""

WORDS = frozenset((b"KEYWORD", b"UNKEYWORD", b"EMAILID", b"THREADID"))
"""Search keys that a word follows which may look like a key itself; after all others come numbers, dates and sets."""

# What is not a string and stands bare: atoms, dates, and sequence sets with their "*".
_BARE = re.compile(rb'[^\x00-\x20(){%"\\\x7f-\xff]++')
_ENTRY = re.compile(rb'/[^\x00\r\n"\x80-\xff]*+')


def key_of_query(query: Sequence[Any]) -> SearchKey:
    """Return the search key of a query as ``twisted.mail.imap4.parseNestedParens`` makes it.

    Words are bytes or text, or None where NIL stood. Raises :class:`IllegalQueryError`, with a text that is fit for a
    client, on anything that is no search program (RFC 9051 section 9, ``search-key``).
    """
    tokens = Tokens(b" " + _printed(query, 0))
    try:
        parsed = search(tokens)
        tokens.finish()
    except SyntaxFault as fault:
        raise IllegalQueryError(fault.text) from None
    if parsed.returns is not None or parsed.charset is not None:
        # The answers that RETURN asks for are not the stock server's, and it reads CHARSET itself.
        raise IllegalQueryError("Unknown search key")
    return parsed.key


def _printed(query: Sequence[Any], depth: int) -> bytes:
    """Print the keys of one list, without its parentheses."""
    if depth > MAX_DEPTH:
        raise IllegalQueryError("Search keys are nested too deeply")
    pieces: list[bytes] = []
    rest = iter(query)
    for item in rest:
        if isinstance(item, list | tuple):
            pieces.append(b"(" + _printed(item, depth + 1) + b")")
            continue
        word = _octets(item)
        pieces.append(_bare(word))
        if word.upper() in WORDS:
            pieces.append(_bare(_next(rest)))
        pieces.extend(_literal(_next(rest)) for _ in range(STRINGS.get(word.upper(), 0)))
    return b" ".join(pieces)


def _octets(item: Any) -> bytes:
    """Return a word; NIL means nothing in a search, so there it is what it looks like."""
    if item is None:
        return b"NIL"
    if isinstance(item, str):
        return item.encode("utf-8", "replace")
    if isinstance(item, bytes):
        return item
    raise IllegalQueryError("A string is expected")


def _next(rest: Iterator[Any]) -> bytes:
    try:
        return _octets(next(rest))
    except StopIteration:
        raise IllegalQueryError("A string is missing") from None


def _literal(octets: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(octets), octets)


def _bare(word: bytes) -> bytes:
    if _BARE.fullmatch(word):
        return word
    if _ENTRY.fullmatch(word):
        # The entry of MODSEQ (RFC 7162 section 3.1.5), the one quoted string among the other arguments.
        return b'"' + word.replace(b"\\\\", b"\\").replace(b"\\", b"\\\\") + b'"'
    raise IllegalQueryError("Malformed search key")
