"""A message for Twisted's own IMAP4Server: the whole of it in memory, parsed when asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cached_property
from io import BytesIO
from typing import BinaryIO

from twisted.mail.imap4 import IMessage, IMessageFile, IMessagePart
from zope.interface import implementer

from cybertemp_imap.mime.header import fields
from cybertemp_imap.mime.parse import ALL_PARTS, MimeLimits, Part, parse


@implementer(IMessagePart)
class MessagePart:
    """A part of a message; the message itself is one too."""

    def __init__(self, source: bytes, part: Part | None = None, limits: MimeLimits = ALL_PARTS) -> None:
        self._source = source
        self._limits = limits
        self._given = part

    @cached_property
    def _part(self) -> Part:
        return parse(self._source, self._limits) if self._given is None else self._given

    def getHeaders(self, negate: bool, *names: str) -> dict[str, str]:
        """Return header fields by name in lower case; values of repeated ones are joined by line ends.

        With ``negate``, all fields but those named.
        """
        wanted = {name.lower() for name in names}
        found: dict[str, str] = {}
        for name, value, _, _ in fields(self._source[self._part.header_start : self._part.header_end]):
            key = name.decode("ascii", "replace").lower()
            if (key in wanted) != bool(negate):
                text = value.decode("latin-1").strip()
                found[key] = f"{found[key]}\r\n{text}" if key in found else text
        return found

    def getBodyFile(self) -> BinaryIO:
        """Return the body, without the header."""
        return BytesIO(self._source[self._part.body_start : self._part.body_end])

    def getSize(self) -> int:
        """Return the octets of the part: for the message with its header, for others of the body."""
        return self._part.body_end - self._part.body_start

    def isMultipart(self) -> bool:
        """Return whether there are parts below."""
        return self._part.type == b"multipart" and bool(self._part.children)

    def getSubPart(self, part: int) -> MessagePart:
        """Return a part below, counted from 0; raises IndexError for a missing one, TypeError for no parts."""
        if not self.isMultipart():
            raise TypeError("not a multipart message")
        if part < 0:
            raise IndexError(part)
        return MessagePart(self._source, self._part.children[part])


@implementer(IMessage, IMessageFile)
class Message(MessagePart):
    """A whole message with what its mailbox knows of it."""

    def __init__(
        self,
        uid: int,
        flags: Sequence[str],
        internal_date: datetime,
        source: bytes,
        limits: MimeLimits = ALL_PARTS,
    ) -> None:
        super().__init__(source, limits=limits)
        self._uid = uid
        self._flags = flags
        self._internal_date = internal_date

    def getUID(self) -> int:
        """Return the UID."""
        return self._uid

    def getFlags(self) -> Iterable[str]:
        """Return the flags."""
        return self._flags

    def getInternalDate(self) -> str:
        """Return the internal date in the form of RFC 5322, which the stock server makes its own of."""
        return self._internal_date.strftime("%a, %d %b %Y %H:%M:%S %z")

    def getSize(self) -> int:
        """Return RFC822.SIZE in octets."""
        return len(self._source)

    def open(self) -> BinaryIO:
        """Return the whole message."""
        return BytesIO(self._source)
