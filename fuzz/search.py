"""SEARCH: any program of keys, over messages that are as odd as they come."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cybertemp_imap.protocol.command import Search
from cybertemp_imap.protocol.grammar.parse import UnknownCommand, parse_command
from cybertemp_imap.protocol.search_key import KeyAnd, KeyNot, KeyOr, SearchKey
from cybertemp_imap.protocol.tokens import SyntaxFault
from cybertemp_imap.search import chunk, reading, search
from fuzz.cost import bounded
from fuzz.octets import Octets
from test.search_mailbox import Box, Mail, box_of, letter
from test.test_search_model import Eager

T = TypeVar("T")

WORDS = [
    *(b"ALL", b"ANSWERED", b"KEYWORD ", b"UNKEYWORD ", b"OR ", b"NOT ", b"(", b")", b"FROM ", b"HEADER ", b"SUBJECT "),
    *(b"BODY ", b"TEXT ", b"LARGER ", b"SMALLER ", b"SINCE ", b"SENTON ", b"1-Jan-2024", b"UID ", b"1:*", b"$", b'"'),
    *(
        b"MODSEQ ",
        b"YOUNGER ",
        b"OLDER ",
        b"CHARSET UTF-8 ",
        b"RETURN (MIN) ",
        b"{3+}\r\n",
        b"SAVEDBEFORE ",
        b"EMAILID ",
    ),
]
MAILS = [
    Mail(letter(b"Gr\xc3\xbc\xc3\x9fe", b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=", b"From: a@b"), ("\\Seen", "word")),
    Mail(letter(b"\0\xff\r\n.\r\n", b"Subject: \xff\0", b"Date: Mon, 32 Foo 99999 99:99:99 +9999", b'To: "a')),
    Mail(
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n\r\nalpha\r\n"
        b"--a\r\nContent-Type: message/rfc822\r\n\r\n"
    ),
    Mail(b"", ("\\Flagged", "\\Deleted")),
    Mail(b"no header at all"),
    Mail(letter(b"=?utf-8?q?=3d?=", b"Content-Type: text/html; charset=x-none", b"Content-Transfer-Encoding: base64")),
]


@cache
def _box() -> Box:
    # So small that a few messages fill several.
    chunk.CHUNK = 4
    reading.PAGES.update(dict.fromkeys(reading.PAGES, 2))
    return _done(Deferred.fromCoroutine(box_of(MAILS)))


def check(data: bytes) -> None:
    """Raise unless a program is a fault, or found alike in whatever words it is asked."""
    octets = Octets(data)
    saved = frozenset(number for number in range(1, 8) if octets.number(2))
    program = octets.pumped()
    try:
        _, command = bounded(lambda: parse_command(b"a SEARCH " + program), len(program))
    except (SyntaxFault, UnknownCommand):
        return
    assert isinstance(command, Search)
    key = command.key
    everyone = set(range(len(MAILS)))
    found = bounded(lambda: _search(key, saved), len(program))
    assert found <= everyone
    assert _search(KeyNot(key), saved) == everyone - found, "NOT finds something else than the others"
    assert _search(KeyOr(key, KeyNot(key)), saved) == everyone
    assert _search(KeyAnd((key, key, KeyOr(key, key))), saved) == found


def _search(key: SearchKey, saved: frozenset[int]) -> set[int]:
    found = _done(Deferred.fromCoroutine(search(_box().mailbox, key, saved=saved, reactor=Eager())))
    assert found == sorted(set(found))
    return set(found)


def _done(deferred: Deferred[T]) -> T:
    """Return the result of what needs no waiting."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    found: T = result
    return found
