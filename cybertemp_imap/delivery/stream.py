"""The text of DATA (RFC 5321 section 4.5.2), undone octet by octet as it arrives. Pure.

Only CR LF ``.`` CR LF ends it. A bare LF or CR ends no line, neither before a dot nor behind it: where servers differ
in that, one message can smuggle another one in.
"""

from __future__ import annotations

_END = b"\r\n.\r\n"


class DotStream:
    """Takes octets behind DATA; :attr:`over` is true when the end has come."""

    def __init__(self) -> None:
        self.over = False
        # The line end that came before DATA's text: a message may be empty.
        self._held = b"\r\n"
        self._first = True

    def feed(self, octets: bytes) -> tuple[bytes, bytes]:
        """Return octets of the message, and those that came behind its end."""
        data = self._held + octets
        end = data.find(_END)
        if end >= 0:
            self.over = True
            return self._plain(data[: end + 2]), data[end + len(_END) :]
        # What may be the beginning of the end, or a dot to take away, is kept until more is known.
        kept = next((n for n in range(len(_END) - 1, 0, -1) if data.endswith(_END[:n])), 0)
        self._held = data[len(data) - kept :] if kept else b""
        return self._plain(data[: len(data) - kept]), b""

    def _plain(self, data: bytes) -> bytes:
        if self._first:
            if not data:
                return b""
            # The line end that stands for the one before the text is not part of it.
            self._first = False
            return data.replace(b"\r\n.", b"\r\n")[2:]
        return data.replace(b"\r\n.", b"\r\n")
