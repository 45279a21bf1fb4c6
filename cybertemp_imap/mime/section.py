"""The octets of BODY[…] and BINARY[…] (RFC 9051 section 6.4.5, RFC 3516)."""

from __future__ import annotations

from cybertemp_imap.mime.header import subset
from cybertemp_imap.mime.parse import Part
from cybertemp_imap.mime.transfer import KNOWN_ENCODINGS, decode_transfer
from cybertemp_imap.protocol.command import BodySection, Section


class UnknownEncoding(Exception):
    """A part's Content-Transfer-Encoding is not one that can be decoded (UNKNOWN-CTE, RFC 3516 section 4.3)."""


def section(message: bytes, root: Part, item: BodySection) -> bytes | None:
    """The octets ``item`` asks for, before its partial is applied; None where the part does not exist."""
    if not item.part:
        return _of_message(message, root, item)
    found = find_part(root, item.part)
    if found is None:
        return None
    if item.section is Section.WHOLE:
        return message[found.body_start : found.body_end]
    if item.section is Section.MIME:
        return message[found.header_start : found.header_end]
    return _of_message(message, found.children[0], item) if found.is_message else None


def binary(message: bytes, root: Part, part: tuple[int, ...]) -> bytes | None:
    """The octets of a part with its transfer encoding decoded; None where the part does not exist.

    A multipart or message has no encoding of its own to decode (RFC 2045 section 6.4) and is given as it is, the whole
    message for an empty ``part``. Raises :class:`UnknownEncoding`.
    """
    if not part:
        return message
    found = find_part(root, part)
    if found is None:
        return None
    octets = message[found.body_start : found.body_end]
    if found.children:
        return octets
    decoded = decode_transfer(octets, found.encoding)
    if decoded is None:
        raise UnknownEncoding
    return decoded


def is_decodable(root: Part, part: tuple[int, ...]) -> bool:
    """Whether :func:`binary` would not raise."""
    found = find_part(root, part) if part else None
    return found is None or bool(found.children) or found.encoding in KNOWN_ENCODINGS


def find_part(root: Part, numbers: tuple[int, ...]) -> Part | None:
    """The part with these numbers, or None.

    The numbers of a multipart count its parts. A message that is no multipart has one part, number 1, which is its
    body; so has an encapsulated message, whose numbers follow those of the message/rfc822 part it is in. The header of
    that one part, which ``1.MIME`` gives, is the message's: its MIME fields are there and nowhere else, and the other
    fields of a MIME header are to be ignored (RFC 2045 section 3, RFC 9051 section 6.4.5.1).
    """
    current, is_message = root, True
    for number in numbers:
        if not is_message and current.is_message:
            current, is_message = current.children[0], True
        if current.is_multipart:
            if not 1 <= number <= len(current.children):
                return None
            current, is_message = current.children[number - 1], False
        elif is_message and number == 1:
            is_message = False
        else:
            return None
    return current


def _of_message(message: bytes, part: Part, item: BodySection) -> bytes | None:
    """A section of a message or an encapsulated message; MIME is of parts only."""
    header = message[part.header_start : part.header_end]
    match item.section:
        case Section.WHOLE:
            return message[part.header_start : part.body_end]
        case Section.HEADER:
            return header
        case Section.TEXT:
            return message[part.body_start : part.body_end]
        case Section.HEADER_FIELDS | Section.HEADER_FIELDS_NOT:
            return subset(header, item.fields, item.section is Section.HEADER_FIELDS_NOT)
    return None
