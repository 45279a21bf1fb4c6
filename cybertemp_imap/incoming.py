"""What other programs are told of a message that a client brings: the decoded text of its row."""

from __future__ import annotations

from dataclasses import dataclass

from cybertemp_imap.mime.parse import Part, parse
from cybertemp_imap.mime.text import header_texts, part_text


@dataclass(frozen=True, slots=True)
class Letter:
    """The decoded fields of a message, as the columns of ``emails`` have them."""

    subject: str
    body: str
    html: str | None
    from_addr: str
    to_addrs: tuple[str, ...]


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
