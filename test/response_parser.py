"""A strict reader of what a server sends (RFC 9051 section 9, RFC 3501 section 9), written apart from the server.

:func:`parse_responses` reads whole responses and raises :class:`Malformed` on anything that the grammar does not have,
also where a lenient client would get by. Values: strings are octets, NIL is None, numbers are whole numbers, lists are
tuples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from test.response_fetch import fetch_items
from test.response_scanner import Malformed, Scanner

__all__ = ["Malformed", "Response", "parse_responses"]

_BARE_CODES = frozenset(
    b"ALERT PARSE READ-ONLY READ-WRITE TRYCREATE CLOSED UNAVAILABLE AUTHENTICATIONFAILED AUTHORIZATIONFAILED EXPIRED "
    b"PRIVACYREQUIRED CONTACTADMIN NOPERM INUSE EXPUNGEISSUED CORRUPTION SERVERBUG CLIENTBUG CANNOT LIMIT OVERQUOTA "
    b"ALREADYEXISTS NONEXISTENT TOOBIG UNKNOWN-CTE NOTSAVED USEATTR HASCHILDREN NOMODSEQ".split()
)
_TEXT = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]+")
_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+(?= )")
_ATTRIBUTE = re.compile(rb"\\[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_SET = re.compile(rb"[1-9]\d*(?::[1-9]\d*)?(?:,[1-9]\d*(?::[1-9]\d*)?)*")


@dataclass(frozen=True)
class Response:
    """One response: ``tag`` is ``*`` for an untagged one, ``+`` for a continuation request.

    ``name`` is ``OK``, ``FETCH``, ``LIST`` …; ``number`` what stands before it; ``code`` a response code as
    ``(name, value)``; ``text`` the human-readable part; ``data`` whatever else the response holds.
    """

    tag: bytes
    name: bytes
    number: int | None = None
    code: tuple[bytes, Any] | None = None
    text: bytes = b""
    data: Any = None
    raw: bytes = field(default=b"", compare=False)


def parse_responses(data: bytes, enabled: Iterable[bytes] = ()) -> list[Response]:
    """Read all responses; what is not whole at the end is malformed too.

    ``enabled`` is what was enabled before (upper case); what ENABLED names counts from there on.
    """
    scanner = Scanner(data, enabled)
    found = []
    while not scanner.at_end:
        start = scanner.pos
        read = _response(scanner)
        scanner.expect(b"\r\n")
        found.append(Response(**{**read, "raw": data[start : scanner.pos]}))
    return found


def _response(scanner: Scanner) -> dict[str, Any]:
    if scanner.take(b"+ "):
        # RFC 3501 allows base64 or resp-text; both may be empty after the space, which must be there.
        return {"tag": b"+", "name": b"+", "text": scanner.maybe(_TEXT) or b""}
    if scanner.take(b"* "):
        return {"tag": b"*", **_untagged(scanner)}
    tag = scanner.match(_TAG, "a tag")
    scanner.space()
    word = scanner.atom()
    if word not in (b"OK", b"NO", b"BAD"):
        scanner.fail("a tagged response is OK, NO or BAD")
    return {"tag": tag, **_status(scanner, word)}


def _untagged(scanner: Scanner) -> dict[str, Any]:
    number = scanner.maybe_number()
    if number is not None:
        scanner.space()
        name = scanner.atom()
        if name == b"FETCH":
            scanner.space()
            return {"name": name, "number": number, "data": fetch_items(scanner)}
        if name not in (b"EXISTS", b"RECENT", b"EXPUNGE") or (name == b"EXPUNGE" and number == 0):
            scanner.fail("no such message response")
        if name == b"RECENT":
            scanner.not_in_rev2()
        return {"name": name, "number": number}
    name = scanner.atom()
    if name == b"SEARCH":
        scanner.not_in_rev2()
    if name in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
        return _status(scanner, name)
    read = _DATA.get(name)
    if read is None:
        scanner.fail("no such response")
    return {"name": name, "data": read(scanner)}


# -- status responses -------------------------------------------------------------------------------------------------


def _status(scanner: Scanner, name: bytes) -> dict[str, Any]:
    """Read ``resp-text``; text is never empty and, where there is no code, does not look like one."""
    scanner.space()
    code = None
    if scanner.take(b"["):
        code = _code(scanner)
        scanner.expect(b"]")
        scanner.space()
    return {"name": name, "code": code, "text": scanner.match(_TEXT, "text")}


_ONE_VALUE: dict[bytes, Callable[[Scanner], Any]] = {
    b"UIDNEXT": Scanner.nz_number,
    b"UIDVALIDITY": Scanner.nz_number,
    b"UNSEEN": Scanner.first_unseen,
    b"MAILBOXID": Scanner.object_id,
    b"HIGHESTMODSEQ": Scanner.mod_seq,
    b"MODIFIED": lambda scanner: scanner.match(_SET, "a sequence set"),
    b"PERMANENTFLAGS": lambda scanner: scanner.listed(Scanner.permanent_flag, empty=True),
    b"BADCHARSET": lambda scanner: scanner.listed(Scanner.astring),
}
"""What reads the value of a response code."""


def _code(scanner: Scanner) -> tuple[bytes, Any]:
    name = scanner.atom()
    if name in _BARE_CODES:
        return name, None
    if name == b"CAPABILITY":
        return name, _capabilities(scanner)
    if name in (b"APPENDUID", b"COPYUID"):
        # RFC 4315 section 4
        scanner.space()
        numbers: list[Any] = [scanner.nz_number()]
        for _ in range(1 if name == b"APPENDUID" else 2):
            scanner.space()
            numbers.append(scanner.match(_SET, "a UID set"))
        return name, tuple(numbers)
    if name not in _ONE_VALUE:
        scanner.fail("no such response code")
    scanner.space()
    return name, _ONE_VALUE[name](scanner)


def _capabilities(scanner: Scanner) -> tuple[bytes, ...]:
    found = []
    while scanner.take(b" "):
        found.append(scanner.atom())
    if not {b"IMAP4rev1", b"IMAP4rev2"} & set(found) or len(set(found)) != len(found):
        scanner.fail("capabilities need IMAP4rev1 or IMAP4rev2, and none twice")
    return tuple(found)


# -- data -------------------------------------------------------------------------------------------------------------


def _enabled(scanner: Scanner) -> tuple[bytes, ...]:
    found = []
    while scanner.take(b" "):
        found.append(scanner.atom())
    scanner.enabled.update(name.upper() for name in found)
    return tuple(found)


def _flags(scanner: Scanner) -> tuple[bytes, ...]:
    scanner.space()
    return scanner.listed(Scanner.flag, empty=True)


def _mailbox_list(scanner: Scanner) -> dict[str, Any]:
    scanner.space()
    attributes = scanner.listed(lambda s: s.match(_ATTRIBUTE, "an attribute"), empty=True)
    if len(set(attributes)) != len(attributes):
        scanner.fail("an attribute is there twice")
    scanner.space()
    delimiter = scanner.nquoted()
    scanner.space()
    name = _mailbox(scanner)
    extended = scanner.listed(_extended_item) if scanner.take(b" ") else ()
    return {"attributes": attributes, "delimiter": delimiter, "name": name, "extended": dict(extended)}


def _extended_item(scanner: Scanner) -> tuple[bytes, Any]:
    tag = scanner.astring()
    scanner.space()
    return tag, scanner.listed(Scanner.string)


def _mailbox(scanner: Scanner) -> bytes:
    name = scanner.astring()
    if name.upper() == b"INBOX" and name != b"INBOX":
        scanner.fail("INBOX is printed so")
    return name


def _search(scanner: Scanner) -> tuple[int, ...] | dict[str, Any]:
    """Read numbers; with ``(MODSEQ n)`` after them (RFC 7162 section 3.1.5), a dictionary of both."""
    found: list[int] = []
    while scanner.take(b" "):
        if found and scanner.take(b"(MODSEQ "):
            mod_seq = scanner.mod_seq()
            scanner.expect(b")")
            return {"numbers": tuple(found), "MODSEQ": mod_seq}
        found.append(scanner.nz_number())
    return tuple(found)


def _vanished(scanner: Scanner) -> dict[str, Any]:
    """Read ``VANISHED [SP "(EARLIER)"] SP known-uids`` (RFC 7162 section 7); the UIDs as ranges that ascend."""
    scanner.space()
    earlier = scanner.take(b"(EARLIER) ")
    ranges = [tuple(map(int, part.split(b":"))) for part in scanner.match(_SET, "a UID set").split(b",")]
    ends = [end for bounds in ranges for end in bounds]
    if ends != sorted(set(ends)):
        scanner.fail("UIDs ascend")
    return {"earlier": earlier, "ranges": [(bounds[0], bounds[-1]) for bounds in ranges]}


def _extended_search(scanner: Scanner) -> dict[str, Any]:
    """Read ``search-correlator``, ``UID`` and the results (RFC 9051 section 7.3.4)."""
    found: dict[str, Any] = {"tag": None, "uid": False}
    if scanner.take(b" (TAG "):
        found["tag"] = scanner.string()
        scanner.expect(b")")
    while scanner.take(b" "):
        name = scanner.atom()
        if name == b"UID" and len(found) == 2 and not found["uid"]:
            found["uid"] = True
            continue
        scanner.space()
        readers: dict[bytes, Callable[[], Any]] = {
            b"MIN": scanner.nz_number,
            b"MAX": scanner.nz_number,
            b"COUNT": scanner.number,
            b"ALL": lambda: scanner.match(_SET, "a sequence set"),
            b"MODSEQ": scanner.mod_seq,
        }
        if name not in readers or name.decode() in found:
            scanner.fail("no such search result")
        found[name.decode()] = readers[name]()
    return found


_STATUS_ITEMS = frozenset(
    b"MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE DELETED APPENDLIMIT MAILBOXID HIGHESTMODSEQ".split()
)


def _mailbox_status(scanner: Scanner) -> tuple[bytes, dict[str, Any]]:
    scanner.space()
    name = _mailbox(scanner)
    scanner.space()
    items = scanner.listed(_status_item)
    if len({item for item, _ in items}) != len(items):
        scanner.fail("a status item is there twice")
    return name, {item.decode(): value for item, value in items}


def _status_item(scanner: Scanner) -> tuple[bytes, Any]:
    item = scanner.atom()
    if item not in _STATUS_ITEMS:
        scanner.fail("no such status item")
    scanner.space()
    if item == b"MAILBOXID":
        return item, scanner.object_id()
    if item == b"HIGHESTMODSEQ":
        return item, scanner.mod_seq()
    return item, scanner.nz_number() if item in (b"UIDNEXT", b"UIDVALIDITY") else scanner.number()


def _namespaces(scanner: Scanner) -> tuple[Any, ...]:
    found = []
    for _ in range(3):
        scanner.space()
        found.append(None if scanner.take(b"NIL") else _namespace(scanner))
    return tuple(found)


def _namespace(scanner: Scanner) -> tuple[tuple[bytes, bytes | None], ...]:
    """Read ``"(" 1*Namespace-Descr ")"``, whose descriptions follow each other without spaces."""
    scanner.expect(b"(")
    found = []
    while not scanner.take(b")"):
        scanner.expect(b"(")
        prefix = scanner.string()
        scanner.space()
        found.append((prefix, scanner.nquoted()))
        scanner.expect(b")")
    if not found:
        scanner.fail("an empty namespace is NIL")
    return tuple(found)


def _identity(scanner: Scanner) -> dict[bytes, bytes | None] | None:
    scanner.space()
    if scanner.take(b"NIL"):
        return None
    return dict(scanner.listed(_identity_field, empty=True))


def _identity_field(scanner: Scanner) -> tuple[bytes, bytes | None]:
    name = scanner.string()
    scanner.space()
    return name, scanner.nstring()


_DATA: dict[bytes, Callable[[Scanner], Any]] = {
    b"CAPABILITY": _capabilities,
    b"ENABLED": _enabled,
    b"FLAGS": _flags,
    b"LIST": _mailbox_list,
    b"LSUB": _mailbox_list,
    b"SEARCH": _search,
    b"ESEARCH": _extended_search,
    b"STATUS": _mailbox_status,
    b"VANISHED": _vanished,
    b"NAMESPACE": _namespaces,
    b"ID": _identity,
}
