"""The reader: how octets become commands, and what the limits do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.protocol.grammar.append import awaits_message
from cybertemp_imap.protocol.grammar.parse import UnknownCommand, parse_command
from cybertemp_imap.protocol.reader import (
    AFTER_LOGIN,
    LARGEST_SKIP,
    CommandReader,
    CommandReady,
    ContinuationWanted,
    Event,
    Excess,
    LineTooLong,
    LiteralChunk,
    LiteralDecision,
    LiteralPolicy,
    LiteralRefused,
    LiteralStarted,
    ReaderLimits,
    Runaway,
)
from cybertemp_imap.protocol.tokens import SyntaxFault

SMALL = ReaderLimits(line=40, literal=10, literals=15)


def drain(reader: CommandReader) -> list[Event]:
    """All the events there are."""
    events = []
    while (event := reader.next_event()) is not None:
        events.append(event)
    return events


def read(
    data: bytes, cuts: Iterable[int] = (), limits: ReaderLimits = SMALL, policy: LiteralPolicy | None = None
) -> list[Event]:
    """The events of ``data``, fed in the pieces between ``cuts``."""
    reader = CommandReader(limits, policy)
    events: list[Event] = []
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    for start, stop in pairwise(places):
        reader.feed(data[start:stop])
        events += drain(reader)
    return events


def joined(events: list[Event]) -> list[Event]:
    """The events with neighbouring chunks put together."""
    result: list[Event] = []
    for event in events:
        if isinstance(event, LiteralChunk) and result and isinstance(result[-1], LiteralChunk):
            result[-1] = LiteralChunk(result[-1].data + event.data)
        else:
            result.append(event)
    return result


def streams(_prefix: bytes, size: int, _non_sync: bool) -> LiteralDecision:
    """A policy that streams what is even, refuses sevens and holds the rest."""
    if size == 7:
        return LiteralDecision.REFUSE
    return LiteralDecision.ACCEPT if size % 2 else LiteralDecision.STREAM


READY = CommandReady
AFTER = (CommandReady(b"z NOOP"),)

CASES: list[tuple[bytes, list[Event]]] = [
    (b"", []),
    (b"a NOOP", []),
    (b"a NOOP\r", []),
    (b"a NOOP\r\n", [READY(b"a NOOP")]),
    (b"a NOOP\n\r\n\nb\r\r\n", [READY(b"a NOOP"), READY(b""), READY(b""), READY(b"b\r")]),
    (b"a X {3}\r\na\r\n b\r\n", [ContinuationWanted(3), READY(b"a X {3}\r\na\r\n b")]),
    (b"a X {003+}\r\nabc {0+}\r\n\r\n", [READY(b"a X {003+}\r\nabc {0+}\r\n")]),
    (b"a X ~{2}\n\x00\xff\n", [ContinuationWanted(2), READY(b"a X ~{2}\r\n\x00\xff")]),
    # Inside quotes there are no literals; after them there are.
    (b'a X "{3}\r\nz NOOP\r\n', [READY(b'a X "{3}'), *AFTER]),
    (b'a X "\\"{3}\r\nz NOOP\r\n', [READY(b'a X "\\"{3}'), *AFTER]),
    (b'a X "\\\\" {1+}\r\n\n\nz NOOP\r\n', [READY(b'a X "\\\\" {1+}\r\n\n'), *AFTER]),
    # These are no announcements.
    (b"a {}\r\nb {3} \r\nc {-3}\r\nd 3}\r\n", [READY(b"a {}"), READY(b"b {3} "), READY(b"c {-3}"), READY(b"d 3}")]),
    # Limits of literals.
    (b"a X {11}\r\nz NOOP\r\n", [LiteralRefused(b"a", 11, Excess.LITERAL, False, b"X"), *AFTER]),
    (b"a X {11+}\r\nb NOOP\r\n123\r\nz NOOP\r\n", [LiteralRefused(b"a", 11, Excess.LITERAL, True, b"X"), *AFTER]),
    (
        b"a x {11+}\r\n12345678901 {8+}\r\nb NOOP\r\n {99}\r\nz NOOP\r\n",
        [LiteralRefused(b"a", 11, Excess.LITERAL, True, b"X"), *AFTER],
    ),
    (
        b"a X {9+}\r\n123456789 {9}\r\nz NOOP\r\n",
        [LiteralRefused(b"a", 9, Excess.LITERALS, False, b"X"), *AFTER],
    ),
    (b"a X {4294967296}\r\nz NOOP\r\n", [LiteralRefused(b"a", 2**32, Excess.LITERAL, False, b"X"), *AFTER]),
    (b"* {" + b"9" * 30 + b"}\r\nz NOOP\r\n", [LiteralRefused(None, 10**20, Excess.LITERAL), *AFTER]),
    (b"a {" + b"9" * 30 + b"+}\r\nz NOOP\r\n", [Runaway()]),
    (b"a X {%d+}\r\nz NOOP\r\n" % (LARGEST_SKIP + 1), [Runaway()]),
    # Limits of lines.
    (b"a X" + b"." * 37 + b"\r\nz NOOP\r\n", [READY(b"a X" + b"." * 37), *AFTER]),
    (b"a X" + b"." * 38 + b"\nz NOOP\r\n", [LineTooLong(b"a"), *AFTER]),
    (b"." * 79 + b"\r\nz NOOP\r\n", [LineTooLong(None), *AFTER]),
    (b"." * 82 + b"\r\nz NOOP\r\n", [LineTooLong(None), Runaway()]),
    (b"a X {1+}\r\n." + b"." * 40 + b"\r\nz NOOP\r\n", [LineTooLong(b"a"), *AFTER]),
    # What a line that was too long announces is no command.
    (b"a X" + b"." * 50 + b" {8+}\r\nb NOOP\r\n\r\nz NOOP\r\n", [LineTooLong(b"a"), *AFTER]),
    (b"a X" + b"." * 50 + b" {0+}\r\nb NOOP\r\nz NOOP\r\n", [LineTooLong(b"a"), *AFTER]),
    (
        b"a X {99+}\r\n" + b"." * 99 + b" {0+}\r\nb NOOP\r\nz NOOP\r\n",
        [LiteralRefused(b"a", 99, Excess.LITERAL, True, b"X"), *AFTER],
    ),
    (b"a X" + b"." * 50 + b" {8}\r\nz NOOP\r\n", [LineTooLong(b"a"), *AFTER]),
]

STREAMED: list[tuple[bytes, list[Event]]] = [
    (
        b"a X {4}\r\n1234 {2+}\r\n12 {3+}\r\nabc {0+}\r\n\r\nz NOOP\r\n",
        [
            LiteralStarted(b"a X ", 4, False),
            ContinuationWanted(4),
            LiteralChunk(b"1234"),
            LiteralStarted(b"a X {4}\r\n ", 2, True),
            LiteralChunk(b"12"),
            LiteralStarted(b"a X {4}\r\n {2+}\r\n {3+}\r\nabc ", 0, True),
            READY(b"a X {4}\r\n {2+}\r\n {3+}\r\nabc {0+}\r\n", ((9, 4), (16, 2), (33, 0))),
            *AFTER,
        ],
    ),
    (b"a X {7}\r\nz NOOP\r\n", [LiteralRefused(b"a", 7, Excess.POLICY, False, b"X"), *AFTER]),
    (b"a X ~{7+}\r\n1234567\r\nz NOOP\r\n", [LiteralRefused(b"a", 7, Excess.POLICY, True, b"X"), *AFTER]),
]


class ReaderTests(unittest.SynchronousTestCase):
    """Whole commands, literals and limits."""

    def test_table(self) -> None:
        """Each input gives its events, in one piece and octet by octet."""
        for data, events in CASES:
            self.assertEqual(read(data), events, data)
            self.assertEqual(read(data, range(len(data))), events, data)

    def test_streaming(self) -> None:
        """What the policy streams comes in chunks and leaves only its announcement."""
        for data, events in STREAMED:
            self.assertEqual(read(data, policy=streams), events, data)
            self.assertEqual(joined(read(data, range(len(data)), policy=streams)), events, data)

    def test_streamed_message_parses(self) -> None:
        """The grammar understands a command whose message was streamed."""

        def policy(prefix: bytes, _size: int, _non_sync: bool) -> LiteralDecision:
            return LiteralDecision.STREAM if awaits_message(prefix) else LiteralDecision.ACCEPT

        events = read(
            b"a APPEND {5}\r\nin{2} (\\Seen) {20}\r\n" + b"x" * 20 + b" UTF8 (~{3+}\r\nabc)\r\n",
            (),
            AFTER_LOGIN,
            policy,
        )
        ready = events[-1]
        assert isinstance(ready, CommandReady)
        tag, command = parse_command(ready.data, ready.streamed)
        messages = getattr(command, "messages", ())
        self.assertEqual((tag, getattr(command, "mailbox", None)), (b"a", b"in{2}"))
        self.assertEqual(
            [(m.size, m.data, m.utf8, m.flags) for m in messages], [(20, None, False, ("\\Seen",)), (3, None, True, ())]
        )
        self.assertRaises(SyntaxFault, parse_command, b"a LOGIN {3}\r\n {3+}\r\nabc", ((13, 3),))

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.sampled_from([case for case, _ in CASES + STREAMED]),
                st.sampled_from(
                    [b"{3}\r\n", b"{8+}\r\n", b'"', b"\\", b"\r", b"\n", b"\r\n", b"a X ", b"~", b"{20+}\n"]
                ),
                st.binary(max_size=8),
                st.integers(30, 100).map(lambda count: b"x" * count),
            ),
            max_size=8,
        ).map(b"".join),
        st.lists(st.integers(0, 500), max_size=12),
        st.booleans(),
    )
    def test_cutting_changes_nothing(self, data: bytes, cuts: list[int], streamed: bool) -> None:
        """However the octets are cut, the events are the same, and the grammar survives all of them."""
        policy = streams if streamed else None
        events = joined(read(data, policy=policy))
        self.assertEqual(joined(read(data, cuts, policy=policy)), events)
        self.assertEqual(joined(read(data, range(len(data)), policy=policy)), events)
        for event in events:
            if isinstance(event, CommandReady):
                with contextlib.suppress(SyntaxFault, UnknownCommand):
                    parse_command(event.data, event.streamed)

    def test_policy_sees_a_bounded_prefix(self) -> None:
        """A policy is shown the beginning of the command alone, however long that is, and never huge sizes."""
        seen: list[tuple[int, int]] = []

        def policy(prefix: bytes, size: int, _non_sync: bool) -> LiteralDecision:
            seen.append((len(prefix), size))
            return LiteralDecision.ACCEPT

        read(b"a X " + b"y" * 9000 + b" {3+}\r\nabc {1}\r\nd {9999999999}\r\n", limits=AFTER_LOGIN, policy=policy)
        self.assertEqual(seen, [(4096, 3), (4096, 1)])


class LineTests(unittest.SynchronousTestCase):
    """Lines that are no commands."""

    def test_take_line(self) -> None:
        """A line is given whole, without its end, and literals mean nothing in it."""
        reader = CommandReader(SMALL)
        reader.feed(b"abc{3}")
        self.assertIsNone(reader.take_line(10))
        reader.feed(b"\r\nDONE\nz NOOP\r\n")
        self.assertEqual([reader.take_line(10), reader.take_line(10)], [b"abc{3}", b"DONE"])
        self.assertEqual(reader.next_event(), CommandReady(b"z NOOP"))

    def test_too_long(self) -> None:
        """A line beyond the limit is told once and skipped, by whoever reads next."""
        for tail in (b"", b"{3+}"):
            for take in (lambda reader: reader.take_line(10), CommandReader.next_event):
                reader = CommandReader(SMALL)
                reader.feed(b"x" * 12)
                self.assertEqual(reader.take_line(10), LineTooLong(None))
                self.assertIsNone(reader.take_line(10))
                reader.feed(b"y" * 20 + tail + b"\r\nnext\r\n")
                self.assertIn(take(reader), (b"next", CommandReady(b"next")))

    def test_runaway(self) -> None:
        """A line that goes on for ever is a runaway, after which nothing is read or held."""
        reader = CommandReader(SMALL)
        reader.feed(b"x" * 100)
        self.assertEqual([reader.take_line(10), reader.take_line(10)], [LineTooLong(None), Runaway()])
        reader.feed(b"\r\nz NOOP\r\n")
        self.assertEqual([reader.take_line(10), reader.next_event(), reader.buffered], [None, None, 0])

    def test_within_a_command(self) -> None:
        """Taking a line within a command is a mistake of the caller."""
        reader = CommandReader(SMALL)
        reader.feed(b"a X {3}\r\n")
        reader.next_event()
        self.assertFalse(reader.between_commands)
        self.assertRaises(RuntimeError, reader.take_line, 10)


class StateTests(unittest.SynchronousTestCase):
    """What a caller can change on the way."""

    def test_clear(self) -> None:
        """STARTTLS drops what was pipelined, and a command begun."""
        reader = CommandReader(SMALL)
        reader.feed(b"a X {3}\r\nab")
        drain(reader)
        reader.clear()
        reader.feed(b"z NOOP\r\n")
        self.assertEqual(drain(reader), list(AFTER))

    def test_limits_grow(self) -> None:
        """Limits given at login hold for what was fed before."""
        reader = CommandReader(SMALL)
        reader.feed(b"a NOOP\r\nb X {1000}\r\n")
        reader.next_event()
        reader.limits = AFTER_LOGIN
        self.assertEqual(reader.next_event(), ContinuationWanted(1000))

    def test_limits_shrink(self) -> None:
        """Limits below what a command has already do no harm."""
        reader = CommandReader(AFTER_LOGIN)
        reader.feed(b"a X {1+}\r\nb" + b"c" * 100)
        drain(reader)
        reader.limits = ReaderLimits(1, 1, 1)
        self.assertEqual(drain(reader), [LineTooLong(b"a"), Runaway()])

    def test_abandon(self) -> None:
        """A command given up while its literal is streamed leaves the next command whole."""
        wire = b"a X {4}\r\n1234 {2+}\r\nxy end\r\nz NOOP\r\n"
        for count in range(2, 6):
            reader = CommandReader(SMALL, streams)
            reader.feed(wire)
            for _ in range(count):
                reader.next_event()
            reader.abandon()
            self.assertEqual(drain(reader), list(AFTER), count)
        reader = CommandReader(SMALL, streams)
        reader.feed(b"a X {4}\r\nz NOOP\r\n")
        self.assertEqual(reader.next_event(), LiteralStarted(b"a X ", 4, False))
        reader.abandon()
        self.assertEqual(drain(reader), list(AFTER))


class CostTests(unittest.SynchronousTestCase):
    """Time and memory; the bounds are far above what is needed and far below what a quadratic reader takes."""

    def within(self, seconds: float, work: Callable[[], object]) -> None:
        """``work`` takes less processor time than this."""
        started = time.process_time()
        work()
        self.assertLess(time.process_time() - started, seconds)

    def test_pipelined_commands(self) -> None:
        """Very many commands in one piece cost the same each."""
        self.within(20, lambda: self.assertEqual(len(read(b"a NOOP\r\n" * 400_000)), 400_000))

    def test_single_octets(self) -> None:
        """A long line and a long literal that come octet by octet are not scanned again and again."""
        line = b"a X " + b"x" * 60_000 + b"\r\n"
        literal = b"a X {60000+}\r\n" + b"x" * 60_000 + b"\r\n"
        for data in (line, literal):
            self.within(10, lambda data=data: read(data, range(len(data)), AFTER_LOGIN))  # type: ignore[misc]

    def test_hostile_lines(self) -> None:
        """Braces, quotes and backslashes without end, and very many literals in one command, stay cheap."""
        for piece in (b"{", b"{1", b'"', b'\\"', b'"\\', b"~{1}", b'"{1}'):
            line = (b"a " + piece * 65000)[:65500] + b"}\r\n"
            self.within(5, lambda line=line: read(line, (), AFTER_LOGIN))  # type: ignore[misc]
        self.within(
            5, lambda: read(b"a X" + b" {1+}\r\nx" * 7000 + b"\r\n", (), AFTER_LOGIN, lambda *_: LiteralDecision.ACCEPT)
        )

    def test_memory(self) -> None:
        """Of what is refused nothing is kept, and of what is streamed nothing is kept."""
        for data in (b"a X {60000000+}\r\n", b"a X {4000000+}\r\n"):
            reader = CommandReader(
                SMALL, lambda _prefix, size, _: LiteralDecision.STREAM if size < 5e6 else LiteralDecision.ACCEPT
            )
            reader.feed(data)
            drain(reader)
            for _ in range(100):
                reader.feed(b"x" * 30_000)
                drain(reader)
                self.assertEqual(reader.buffered, 0)
