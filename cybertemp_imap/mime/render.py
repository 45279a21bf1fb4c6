"""The octets of a message from its row: a pure function, the same for ever, since clients trust what they fetched.

A change of any output needs a new :data:`RENDERER_VERSION`, and is best not made at all.
"""

from __future__ import annotations

import hashlib

from cybertemp_imap.mime.charset import without_surrogates
from cybertemp_imap.mime.compose import addr_spec, address_field, date_field, text_field
from cybertemp_imap.mime.row import EmailRow, internal_date
from cybertemp_imap.mime.transfer import encode_text
from cybertemp_imap.mime.whole import is_whole_message, whole_message

RENDERER_VERSION: int = 1

ENCRYPTED_SUBJECT = "Encrypted message"
ENCRYPTED_TEXT = (
    "This message is stored encrypted, and can be read on the website only.\r\n"
    "\r\n"
    "Its sender and date are shown above as far as they are known.\r\n"
)


def render(row: EmailRow) -> bytes:
    """The message of ``row``, with CRLF line ends; never raises, linear time.

    The stored source where there is one; a fixed notice for an encrypted row; a body that is a whole message; else a
    message made of the row's text and HTML.
    """
    if row.source is not None:
        return row.source
    if row.encrypted:
        return _header(row, ENCRYPTED_SUBJECT) + _text_part("plain", ENCRYPTED_TEXT)
    has_html = bool(row.html and row.html.strip())
    if row.body and is_whole_message(row.body, has_html):
        return whole_message(row.body)
    return _header(row, row.subject or "") + _content(row, has_html)


def _header(row: EmailRow, subject: str) -> bytes:
    """The header without its content fields."""
    sender = address_field(b"From", [row.from_addr or ""]) or b'From: "Unknown sender" <unknown@unknown.invalid>\r\n'
    recipients = address_field(b"To", filter(None, row.to_addrs)) or _to_owner(row.owner)
    return b"".join(
        (
            sender,
            recipients,
            date_field(b"Date", internal_date(row)),
            text_field(b"Subject", subject),
            b"Message-ID: <%b@%b>\r\n" % (str(row.id).encode(), _domain(row.owner)),
            b"MIME-Version: 1.0\r\n",
        )
    )


def _to_owner(owner: str) -> bytes:
    """The To field of a message whose recipients are unknown: the address it came to."""
    spec = addr_spec(owner)
    return b"To: %b\r\n" % spec if spec else b"To: undisclosed-recipients:;\r\n"


def _domain(owner: str) -> bytes:
    """The domain of the owner's address for a Message-ID; a reserved one where the owner is no address."""
    spec = addr_spec(f"x@{owner.rpartition('@')[2]}") if "@" in owner else None
    domain = (spec or b"x@mail.invalid")[2:]
    return domain if not domain.startswith(b"[") else b"mail.invalid"


def _content(row: EmailRow, has_html: bool) -> bytes:
    """The content fields, the empty line and the body of a synthesized message."""
    text = row.body or ""
    if not has_html:
        return _text_part("plain", text)
    html = _text_part("html", row.html or "")
    if not text.strip():
        return html
    plain = _text_part("plain", text)
    boundary = _boundary(row, plain, html)
    return (
        b'Content-Type: multipart/alternative; boundary="%(b)b"\r\n'
        b"\r\n--%(b)b\r\n%(plain)b\r\n--%(b)b\r\n%(html)b\r\n--%(b)b--\r\n"
    ) % {b"b": boundary, b"plain": plain, b"html": html}


def _text_part(subtype: str, text: str) -> bytes:
    """The content fields, the empty line and the encoded body of one text; its last line is ended."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        data = without_surrogates(text).encode()
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if data and not data.endswith(b"\n"):
        data += b"\n"
    encoding, body = encode_text(data.replace(b"\n", b"\r\n"))
    return b"Content-Type: text/%b; charset=utf-8\r\nContent-Transfer-Encoding: %b\r\n\r\n%b" % (
        subtype.encode(),
        encoding,
        body,
    )


def _boundary(row: EmailRow, *parts: bytes) -> bytes:
    """A boundary that occurs in none of ``parts``, made from them and the row so that nobody can foresee it."""
    digest = hashlib.sha256(row.id.bytes)
    for part in parts:
        digest.update(part)
    while True:
        boundary = b"=_" + digest.hexdigest()[:32].encode()
        if not any(boundary in part for part in parts):
            return boundary
        digest.update(b"again")
