"""Header fields of synthesized messages (RFC 5322, RFC 2047): any text in, well-formed folded lines out.

What is written here is part of messages that must stay the same for ever: a change of any output needs a new
``RENDERER_VERSION``.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from cybertemp_imap.mime.address import parse_addresses
from cybertemp_imap.mime.charset import without_surrogates
from cybertemp_imap.mime.header import decode_words

PLACEHOLDER = b"invalid@internationalized-address.invalid"
"""Stands for an address that cannot be written in ASCII, in the manner of RFC 6858; the name then shows it."""

UNKNOWN = b"unknown@unknown.invalid"
"""Stands where an address should be and is none; the name then shows what there is."""

SHORT = 100
"""Characters of what addresses are remembered of: a mailbox's mail is to one address, and mostly from a few."""

_LINE = 76
_BREAKS = re.compile("[\x00-\x20\x7f-\x9f\u2028\u2029]+")
_WORDS = re.compile(rb"[A-Za-z0-9!#$%&'*+/^_`{|}~ -]+")
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?|\[[0-9A-Za-z.:-]+\]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*+)"')
_ONE_ANGLE = re.compile(r"([^<>]*)<([^<>]*)> ?")
_DAYS = (b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun")
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")


def one_line(text: str) -> str:
    """``text`` on one line, each run of white space and control characters made one space."""
    return _BREAKS.sub(" ", without_surrogates(text)).strip(" ")


def text_field(name: bytes, text: str) -> bytes:
    """An unstructured field; encoded words that the text holds already are understood, not encoded again."""
    return _folded(name, _text_tokens(_readable(text), len(name) + 2))


def address_field(name: bytes, texts: Iterable[str]) -> bytes | None:
    """A field of addresses, or None where there is not one.

    Each text may be a bare address, a header form with a name, a list of such, or anything at all.
    """
    found = [mailbox for text in texts for mailbox in mailboxes(text)]
    tokens: list[bytes] = []
    for index, (display, spec) in enumerate(found):
        comma = b"," if index < len(found) - 1 else b""
        tokens += _name_tokens(display)
        tokens.append((b"<%b>" % spec if display else spec) + comma)
    return _folded(name, tokens) if tokens else None


def date_field(name: bytes, moment: datetime) -> bytes:
    """A date field (RFC 5322 section 3.3), always in UTC."""
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC)
        except OverflowError:
            moment = moment.replace(tzinfo=UTC)
    written = b"%b, %02d %b %04d %02d:%02d:%02d +0000" % (
        _DAYS[moment.weekday()],
        moment.day,
        _MONTHS[moment.month - 1],
        moment.year,
        moment.hour,
        moment.minute,
        moment.second,
    )
    return b"%b: %b\r\n" % (name, written)


def mailboxes(text: str) -> Sequence[tuple[str, bytes]]:
    """The addresses in ``text``: (display name, addr-spec ready for a header)."""
    return _few_mailboxes(text) if len(text) <= SHORT else _mailboxes(text)


def _mailboxes(text: str) -> Sequence[tuple[str, bytes]]:
    text = one_line(text)
    if not text or text == "<>":
        return []
    match = _ONE_ANGLE.fullmatch(text)
    display, spec = (match[1], match[2].strip(" ")) if match else ("", text)
    several = "," in display and "@" in display
    wire = None if several else addr_spec(spec)
    if wire is not None:
        return [(_readable(_unquoted(display.strip(" "))), wire)]
    found = []
    for name, _, local, host in parse_addresses(text.encode()):
        wire = addr_spec(_text(local) + "@" + _text(host)) if host else None
        if wire is not None:
            found.append((_readable(_text(name)), wire))
    return found or [(_readable(text), UNKNOWN if text.isascii() else PLACEHOLDER)]


_few_mailboxes = lru_cache(maxsize=1024)(_mailboxes)


def _text(octets: bytes | None) -> str:
    return (octets or b"").decode("utf-8", "replace")


def addr_spec(text: str) -> bytes | None:
    """``text`` as an ASCII address, its domain in IDNA, its local part quoted as needed; None where it is none."""
    local, _, domain = text.rpartition("@")
    if not local or len(local) > 250 or len(domain) > 250:
        return None
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode()
        except UnicodeError:
            return None
    quoted = _QUOTED.fullmatch(local)
    if quoted:
        local = re.sub(r"\\(.)", r"\1", quoted[1])
    if not local.isascii() or not local.isprintable() or not _DOMAIN.fullmatch(domain):
        return None
    if not _DOT_ATOM.fullmatch(local):
        local = _in_quotes(local)
    return f"{local}@{domain}".encode()


def _readable(text: str) -> str:
    """One line of text, encoded words decoded; what they held is made one line as well."""
    text = one_line(text)
    return one_line(decode_words(text.encode())) if "=?" in text else text


def _unquoted(name: str) -> str:
    quoted = _QUOTED.fullmatch(name)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else name


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text_tokens(text: str, column: int) -> list[bytes]:
    """The words of an unstructured value that begins at ``column``; encoded unless it is short ASCII words."""
    words = text.split(" ")
    if text.isascii() and "=?" not in text and max(map(len, words)) <= 60:
        return [word.encode() for word in words]
    return list(_encoded_words(text, _LINE - column))


def _name_tokens(name: str) -> list[bytes]:
    """A display name as words, as a quoted string, or as encoded words (RFC 5322 section 3.2.5)."""
    if not name:
        return []
    words = name.encode().split(b" ")
    if _WORDS.fullmatch(name.encode()) and max(map(len, words)) <= 60:
        return words
    if name.isascii() and len(name) <= 60 and "=?" not in name:
        return [_in_quotes(name).encode()]
    return list(_encoded_words(name, 60))


def _encoded_words(text: str, room: int) -> Iterator[bytes]:
    """Encoded words of at most ``room`` octets for the first and 75 for the others; no character is divided."""
    data = text.encode()
    at = 0
    while at < len(data):
        end = at + (room - 12) // 4 * 3
        while end < len(data) and data[end] & 0xC0 == 0x80:
            end -= 1
        yield b"=?utf-8?b?%b?=" % binascii.b2a_base64(data[at:end], newline=False)
        at, room = end, 75


def _folded(name: bytes, tokens: list[bytes]) -> bytes:
    """A field of ``tokens`` with spaces between them, folded before a line would be longer than 76 octets."""
    pieces = [name, b":"]
    column = len(name) + 1
    for index, token in enumerate(tokens):
        fits = index == 0 or column + 1 + len(token) <= _LINE
        pieces.append(b" " if fits else b"\r\n ")
        pieces.append(token)
        column = (column if fits else 0) + 1 + len(token)
    pieces.append(b"\r\n")
    return b"".join(pieces)
