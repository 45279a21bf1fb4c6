"""Messages that clients bring: their way into the store, and the decoded text that other programs are told of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID, uuid4

from cybertemp_imap.mime.parse import Part, parse
from cybertemp_imap.mime.recode import Recoder
from cybertemp_imap.mime.text import header_texts, part_text
from cybertemp_imap.store.values import NewMessage

PIECE = 256 * 1024
"""Octets given to the store at a time."""

HEAD = 512 * 1024
"""Octets of a message that are kept for what other programs are told of it: header and, mostly, text."""

SMALL_HEAD = 16 * 1024
"""The same of each further message, where many come at once."""


@dataclass(frozen=True, slots=True)
class Letter:
    """The decoded fields of a message, as the columns of ``emails`` have them; whether its header is all ASCII."""

    subject: str
    body: str
    html: str | None
    from_addr: str
    to_addrs: tuple[str, ...]
    ascii_header: bool


_BARE_LF = re.compile(rb"(?<!\r)\n")


class Pieces(Protocol):
    """What is needed of a store."""

    async def upload(self, message_id: UUID, piece: int, octets: bytes) -> None:
        """Take a piece, numbered from 0, of a message."""


class Incoming:
    """One message on its way into a store, piece by piece, with every line end made CRLF.

    ``head`` is its beginning, at most ``head_limit`` octets; ``size`` counts what went to the store. Of a message that
    is ``binary``, parts that are marked so are encoded on the way (RFC 3516 section 4.4).
    """

    def __init__(self, store: Pieces, head_limit: int = HEAD, binary: bool = False) -> None:
        self.id: UUID = uuid4()
        self._head_limit = head_limit
        self.size = 0
        self.head = b""
        self.has_nul = False
        self._store = store
        self._recoder = Recoder() if binary else None
        self.pieces = 0
        """How many the store was given."""
        self._waiting = bytearray()
        self._return = b""

    async def take(self, octets: bytes) -> None:
        """Take octets as they came."""
        await self._keep(octets if self._recoder is None else self._recoder.feed(octets))

    async def _keep(self, octets: bytes) -> None:
        self.has_nul = self.has_nul or b"\0" in octets
        # A line end may be cut between two chunks.
        whole = self._return + octets
        # Counting takes a seventh of the time, and mostly finds that nothing is to be done.
        if whole.count(b"\n") == whole.count(b"\r\n"):
            fixed = octets
        else:
            fixed = _BARE_LF.sub(b"\r\n", whole)[len(self._return) :]
        self._return = b"\r" if octets.endswith(b"\r") else b""
        self.size += len(fixed)
        if len(self.head) < self._head_limit:
            self.head += fixed[: self._head_limit - len(self.head)]
        self._waiting += fixed
        while len(self._waiting) >= PIECE:
            piece = bytes(self._waiting[:PIECE])
            del self._waiting[:PIECE]
            await self._send(piece)

    async def end(self) -> None:
        """Take note that all has come."""
        if self._recoder is not None:
            await self._keep(self._recoder.finish())

    async def let_go(self) -> None:
        """Give the store also what was to be given to it with something else."""
        if self._waiting:
            piece = bytes(self._waiting)
            self._waiting.clear()
            await self._send(piece)

    @property
    def waiting(self) -> int:
        """How many octets the store does not have yet."""
        return len(self._waiting)

    @property
    def rest(self) -> bytes:
        """What the store does not have yet, for who gives it to the store with something else."""
        return bytes(self._waiting)

    async def _send(self, piece: bytes) -> None:
        # Counted also where the answer is lost, since it may be there.
        self.pieces += 1
        await self._store.upload(self.id, self.pieces - 1, piece)

    def as_new(self, letter: Letter, flags: Sequence[str], internal_date: datetime | None) -> NewMessage:
        """Return what the store is to add, once all has come; without a date it is that of today."""
        return NewMessage(
            id=self.id,
            size=self.size,
            flags=tuple(flags),
            internal_date=internal_date or datetime.now(UTC),
            subject=letter.subject,
            body=letter.body,
            html=letter.html,
            from_addr=letter.from_addr,
            to_addrs=letter.to_addrs,
            rest=self.rest,
        )


def crlf(message: bytes) -> bytes:
    """Return a message with every line end made CRLF."""
    return message.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def read_letter(message: bytes) -> Letter:
    """Read a message, or as much of its beginning as there is; never raises."""
    root = parse(message)
    header = message[root.header_start : root.header_end]
    plain, html = _first(root, b"plain"), _first(root, b"html")
    return Letter(
        subject=_joined(header, b"Subject"),
        body="" if plain is None else part_text(message, plain),
        html=None if html is None else part_text(message, html),
        from_addr=_joined(header, b"From"),
        to_addrs=tuple(address.strip() for text in header_texts(header, b"To") for address in text.split(",")),
        ascii_header=header.isascii(),
    )


def _joined(header: bytes, field: bytes) -> str:
    return " ".join(header_texts(header, field)[:1])


def _first(part: Part, subtype: bytes) -> Part | None:
    """Return the first text part of a subtype, outside of attached messages."""
    if part.type == b"text" and part.subtype == subtype:
        return part
    if part.type != b"multipart":
        return None
    for child in part.children:
        found = _first(child, subtype)
        if found is not None:
            return found
    return None
