"""BODY and BODYSTRUCTURE in their wire forms (RFC 9051 section 7.5.2 and ``body`` in section 9)."""

from __future__ import annotations

from cybertemp_imap.mime.envelope import envelope
from cybertemp_imap.mime.parameters import MAX_VALUE, Parameters, split_value
from cybertemp_imap.mime.parse import Part
from cybertemp_imap.mime.wire import NIL, string


def body_structure(root: Part, message: bytes) -> tuple[bytes, bytes]:
    """(BODY, BODYSTRUCTURE) of a parsed message; valid for any octets, with all extension data in the second."""
    body: list[bytes] = []
    extended: list[bytes] = []
    _write(root, message, body, extended)
    return b"".join(body), b"".join(extended)


def _write(part: Part, message: bytes, body: list[bytes], extended: list[bytes]) -> None:
    """Append one part's forms; the depth of calls is bounded by the depth of parts."""
    if part.is_multipart:
        _both(b"(", body, extended)
        for child in part.children:
            _write(child, message, body, extended)
        subtype = b" " + string(part.subtype)
        body.append(subtype + b")")
        extended.append(b"%b %b %b)" % (subtype, _params(part.params), _location(part)))
        return
    _both(_leaf(part), body, extended)
    if part.is_message:
        child = part.children[0]
        _both(b" %b " % envelope(message[child.header_start : child.header_end]), body, extended)
        _write(child, message, body, extended)
    if part.type == b"text" or part.is_message:
        _both(b" %d" % part.lines, body, extended)
    body.append(b")")
    extended.append(b" %b %b)" % (_nstring(part.md5), _location(part)))


def _both(piece: bytes, body: list[bytes], extended: list[bytes]) -> None:
    body.append(piece)
    extended.append(piece)


def _leaf(part: Part) -> bytes:
    """The opening parenthesis, media type and body-fields."""
    return b"(%b %b %b %b %b %b %d" % (
        string(part.type),
        string(part.subtype),
        _params(part.params),
        _nstring(part.content_id),
        _nstring(part.description),
        string(part.encoding),
        part.size,
    )


def _nstring(value: bytes | None) -> bytes:
    return NIL if value is None else string(value[:MAX_VALUE])


def _params(params: Parameters) -> bytes:
    """Parameters as a list of names and values, NIL where there are none."""
    if not params:
        return NIL
    return b"(%b)" % b" ".join([string(text) for pair in params for text in pair])


def _location(part: Part) -> bytes:
    """Disposition, language and location, the extension data that all parts have."""
    return b"%b %b %b" % (_disposition(part.disposition), _language(part.language), _nstring(part.location))


def _disposition(value: bytes | None) -> bytes:
    """RFC 2183: a type and its parameters; without a type there is no disposition."""
    if value is None:
        return NIL
    kind, params = split_value(value)
    return b"(%b %b)" % (string(kind[:MAX_VALUE]), _params(params)) if kind else NIL


def _language(value: bytes | None) -> bytes:
    """RFC 3282: one tag as a string, several as a list."""
    tags = [tag.strip() for tag in (value or b"")[:MAX_VALUE].split(b",")]
    tags = [tag for tag in tags if tag]
    if len(tags) > 1:
        return b"(%b)" % b" ".join(map(string, tags))
    return string(tags[0]) if tags else NIL
