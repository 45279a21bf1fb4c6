"""Whole sessions: whatever a client sends, every answer is one of IMAP, and nothing unforeseen is logged."""

from __future__ import annotations

from types import TracebackType
from typing import Any, cast

from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from fuzz.octets import Octets
from fuzz.reader import WORDS as COMMAND_WORDS
from fuzz.search import MAILS
from fuzz.search import WORDS as SEARCH_WORDS
from test.wire import MINE, Wire

WORDS = [
    *COMMAND_WORDS,
    *SEARCH_WORDS,
    b"\r\na UID FETCH 1:* (",
    b"\r\na APPEND Drafts {5+}\r\n",
    b"\r\nDONE\r\n",
    MINE.encode(),
]


class Faults:
    """While this lasts, an exception that the server logs as unforeseen is raised at the end."""

    def __enter__(self) -> Faults:
        self._found: list[str] = []
        self._observer = cast(Any, self._observe)
        globalLogPublisher.addObserver(self._observer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        globalLogPublisher.removeObserver(self._observer)
        assert kind is not None or not self._found, "\n".join(self._found)

    def _observe(self, event: LogEvent) -> None:
        if "trace" in event:
            self._found.append(formatEvent(event) or "")


def check(data: bytes) -> None:
    """Raise when an answer is malformed, something unforeseen happens, or calls are left behind."""
    octets = Octets(data)
    state, cut = octets.number(4), octets.number(256)
    sent = octets.pumped()
    with Faults():
        wire = _wire()
        client = wire.connect() if state == 0 else wire.session(MINE if state > 1 else None)
        if state == 3:
            client.ok("ENABLE IMAP4rev2 QRESYNC UTF8=ACCEPT")
        client.send(sent, max(cut * 16, len(sent) // 500, 1))
        for _ in range(4):
            wire.later(2)
        wire.close()
        wire.check()


def _wire() -> Wire:
    wire = Wire()
    for mail in MAILS:
        wire.deliver(source=mail.source, flags=mail.flags)
    return wire
