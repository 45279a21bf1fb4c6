"""Telling the older rows, whose ``body`` is a whole raw message, from those where it is plain text.

A body is a whole message when it begins with a header block: at least two well-formed fields, nothing else, ended by
an empty line; with a field that names the sender or is made in transport (From, Received, Return-Path, Delivered-To,
DKIM-Signature) and another that people do not type by themselves (MIME-Version, Message-ID, Received, a Content-Type
with a media type, or a Date written as RFC 5322 asks). A Received field counts when it says from or by where. The
lines that mail programs put above a forwarded or quoted text (From, Sent, To, Subject) have none of the latter, and
stay text.

Where the row has HTML as well, the body must prove itself further, because rows with HTML were taken apart by the
receiver: MIME-Version, and a Content-Type that is HTML or a multipart whose delimiter is there.
"""

from __future__ import annotations

import re

from cybertemp_imap.mime.header import fields, unfold
from cybertemp_imap.mime.parameters import parameter, split_value

MAX_HEADER = 1024 * 1024
"""Characters within which the header block must end."""

_BLOCK = re.compile(r"(?:[!-9;-~]{1,200}+[ \t]*+:[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+\r?\n){2,}+\r?\n")
_TRANSPORT = frozenset((b"from", b"received", b"return-path", b"delivered-to", b"dkim-signature"))
_TECHNICAL = frozenset((b"mime-version", b"message-id", b"received", b"content-type", b"date"))
_HOP = re.compile(rb"\b(?:from|by)\s", re.IGNORECASE)
_DATE = re.compile(rb"(?:[A-Z][a-z]{2}, ?)?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}(?::\d{2})? (?:[+-]\d{4}|GMT|UT)\b")
_MEDIA = re.compile(rb"[a-z]+/[a-z0-9.+-]+")


def is_whole_message(body: str, has_html: bool) -> bool:
    """Whether ``body`` is to be taken as a raw message; always the same answer for the same row."""
    match = _BLOCK.match(body, 0, MAX_HEADER)
    if match is None:
        return False
    values: dict[bytes, bytes] = {}
    for found in fields(match[0].encode("utf-8", "replace")):
        values.setdefault(found.name.lower(), unfold(found.value))
    media, params = split_value(values.get(b"content-type", b""))
    names = set(values)
    if not _HOP.search(values.get(b"received", b"")):
        names.discard(b"received")
    if not _MEDIA.fullmatch(media):
        names.discard(b"content-type")
    if not _DATE.match(values.get(b"date", b"")):
        names.discard(b"date")
    if not (names & _TRANSPORT and names & _TECHNICAL and len(names & (_TRANSPORT | _TECHNICAL)) > 1):
        return False
    if not has_html:
        return True
    boundary = (parameter(params, b"boundary") or b"").decode("utf-8", "replace")
    delimited = media.startswith(b"multipart/") and bool(boundary) and f"\n--{boundary}" in body
    return b"mime-version" in values and (delimited or media == b"text/html")


def whole_message(body: str) -> bytes:
    """The octets of such a body with CRLF line ends.

    Octets that the receiver could not decode, kept as surrogates, are themselves again; NUL cannot be in a message
    (RFC 5322 section 4) and is dropped.
    """
    try:
        octets = body.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        octets = body.encode("utf-8", "replace")
    octets = octets.replace(b"\0", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return octets.replace(b"\n", b"\r\n")
