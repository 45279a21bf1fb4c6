"""The decoded text of a message from its row, without rendering and parsing the message where that can be left out."""

from __future__ import annotations

from functools import cached_property

from cybertemp_imap.mime.charset import without_surrogates
from cybertemp_imap.mime.markup import text_of
from cybertemp_imap.mime.parse import ALL_PARTS, MimeLimits, Part, parse
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.mime.text import body_text, header_text
from cybertemp_imap.mime.whole import is_whole_message

_BYTE_ORDER_MARK = "\ufeff"


class Letter:
    """A message that is not rendered yet. ``header``: its header block, where that is known."""

    def __init__(self, row: EmailRow, header: bytes | None = None, limits: MimeLimits = ALL_PARTS) -> None:
        self._row = row
        self._header = header
        self._limits = limits

    @property
    def weight(self) -> int:
        """About how many octets the message has."""
        columns = (self._row.body, self._row.html, self._row.source)
        return sum(len(column) for column in columns if column is not None)

    @cached_property
    def header_text(self) -> str:
        """What :func:`~cybertemp_imap.mime.text.header_text` makes of the header. Never raises, linear time."""
        if self._header is not None:
            return header_text(self._header)
        message, root = self._parsed
        return header_text(message[root.header_start : root.header_end])

    @cached_property
    def body_text(self) -> str:
        """What :func:`~cybertemp_imap.mime.text.body_text` makes of the message. Never raises, linear time."""
        row = self._row
        html = row.html or ""
        has_html = bool(html.strip())
        if row.source is not None or row.encrypted or (row.body and is_whole_message(row.body, has_html)):
            return body_text(*self._parsed)
        pieces = [] if has_html and not (row.body or "").strip() else [_as_sent(row.body or "")]
        if has_html:
            written = _as_sent(html)
            pieces += [written, text_of(written)]
        return "\n".join(pieces)

    @cached_property
    def _parsed(self) -> tuple[bytes, Part]:
        message = render(self._row)
        return message, parse(message, self._limits)


def _as_sent(text: str) -> str:
    """The text of a part that the renderer makes of a column, as who decodes the part has it."""
    text = without_surrogates(text).replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")
    if text and not text.endswith("\r\n"):
        text += "\r\n"
    return text.removeprefix(_BYTE_ORDER_MARK)
