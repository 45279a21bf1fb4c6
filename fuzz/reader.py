"""Reader and grammar: any octets, however they are cut, make commands or faults."""

from __future__ import annotations

import contextlib

from cybertemp_imap.protocol.grammar.parse import COMMANDS, UnknownCommand, parse_command
from cybertemp_imap.protocol.reader import AFTER_LOGIN, CommandReader, CommandReady, Event
from cybertemp_imap.protocol.tokens import SyntaxFault
from fuzz.cost import bounded
from fuzz.octets import Octets
from test.printing import Printer
from test.test_reader import SMALL, drain, joined, streams

WORDS = [
    *COMMANDS,
    *(
        b"{3+}\r\n",
        b"{1}\r\n",
        b"~{2+}\r\n",
        b"\r\n",
        b'"',
        b"\\",
        b"1:*",
        b"BODY.PEEK[",
        b"HEADER.FIELDS (",
        b"]<0.9>",
    ),
    *(b"RETURN (", b"(\\Seen)", b"UTF8 (~{1+}\r\n", b"QRESYNC (", b"CONDSTORE", b"UNCHANGEDSINCE ", b"CHANGEDSINCE "),
]


def check(data: bytes) -> None:
    """Raise when anything but the two faults of the grammar comes out, or time or memory is not bounded."""
    octets = Octets(data)
    limits = (SMALL, AFTER_LOGIN)[octets.number(2)]
    policy = (None, streams)[octets.number(2)]
    size = octets.number(256)
    choices = Octets(bytes(octets.number(256) for _ in range(8)))
    sent = octets.pumped()

    def read(piece: int) -> list[Event]:
        reader = CommandReader(limits, policy)
        events = []
        for start in range(0, len(sent), piece):
            reader.feed(sent[start : start + piece])
            events += drain(reader)
            assert reader.buffered <= limits.line + 1, "more is held than a line"
        return joined(events)

    events = bounded(lambda: read(max(len(sent), 1)), len(sent))
    # Pieces of one octet are slow in themselves.
    piece = max(size, len(sent) // 2000, 1)
    assert read(piece) == events, f"pieces of {piece} make a difference"
    for event in dict.fromkeys(event for event in events if isinstance(event, CommandReady)):
        with contextlib.suppress(SyntaxFault, UnknownCommand):
            tag, command = bounded(lambda event=event: parse_command(event.data, event.streamed), len(event.data))  # type: ignore[misc]
            if not event.streamed:
                printed = Printer(choices.choose).command(tag, command)
                assert parse_command(printed) == (tag, command), f"{printed!r} does not read back"
