"""The reader: octets in, whole commands out (RFC 9051 sections 2.2.1 and 4.3).

Pure and pulled: :meth:`CommandReader.feed` adds octets, :meth:`CommandReader.next_event` gives at most one event. How
the octets were cut into pieces changes no event (only where a streamed literal is cut into chunks). What is held is
bounded by the limits and by what was fed but not yet read. The cost is linear in the octets fed.

A line ends with CRLF or bare LF. A literal is announced by ``{n}`` or ``{n+}`` (RFC 7888), with ``~`` before it for a
literal8 (RFC 3516), at the end of a line and outside quotes; where the quotes do not balance, the line is no valid
command whatever follows, so it ends there.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Literal

from cybertemp_imap.protocol.announcement import TAIL_OCTETS, announced_unasked, announcement
from cybertemp_imap.protocol.buffer import Cut, ReadBuffer
from cybertemp_imap.protocol.events import (
    AFTER_LOGIN,
    BEFORE_LOGIN,
    CommandReady,
    ContinuationWanted,
    Event,
    Excess,
    LineTooLong,
    LiteralChunk,
    LiteralDecision,
    LiteralRefused,
    LiteralStarted,
    ReaderLimits,
    Runaway,
)
from cybertemp_imap.protocol.tokens import TAG_AND_NAME

__all__ = [
    "AFTER_LOGIN",
    "BEFORE_LOGIN",
    "CommandReader",
    "CommandReady",
    "ContinuationWanted",
    "Event",
    "Excess",
    "LineTooLong",
    "LiteralChunk",
    "LiteralDecision",
    "LiteralPolicy",
    "LiteralRefused",
    "LiteralStarted",
    "ReaderLimits",
    "Runaway",
]

LiteralPolicy = Callable[[bytes, int, bool], LiteralDecision]
"""``(prefix, size, non_sync)``: the prefix is the command so far, up to the announcement, at most PREFIX_OCTETS."""

PREFIX_OCTETS = 4096
"""How much of a command a policy is shown: enough for a tag, APPEND and a mailbox name, and a bound on the copying."""

LARGEST_LITERAL = 0xFFFF_FFFF
"""The largest literal that is considered at all (RFC 3501 section 9, ``number``)."""

LARGEST_SKIP = 64 << 20
"""How many octets of refused literals are skipped in one command before the client counts as a runaway."""

CHUNK = 65536


class _State(Enum):
    """What the octets that come next are."""

    LINE = "a line of a command, from its beginning or after a literal"
    LITERAL = "a literal to be held"
    STREAM_ASKED = "a streamed literal for which the client waits"
    STREAM = "a streamed literal"
    SKIP_LITERAL = "a literal to be thrown away"
    SKIP_LINE = "a line to be thrown away"
    DEAD = "of no interest any more"


class _Signal(Enum):
    """What a step may give besides events."""

    AGAIN = "another state was reached, without an event"


_Again = Literal[_Signal.AGAIN]


class CommandReader:
    """Cuts what a client sends into commands.

    ``limits`` may be assigned at any time, and so may ``literal_policy``, which is asked about every literal that is
    announced; without one all are held within the limits. When :meth:`next_event` gives None, only more octets can
    help, however much is held: never stop reading the connection then.
    """

    def __init__(self, limits: ReaderLimits = BEFORE_LOGIN, literal_policy: LiteralPolicy | None = None) -> None:
        self.limits = limits
        self.literal_policy = literal_policy
        self.clear()

    def clear(self) -> None:
        """Forget all that was fed, and any command begun (STARTTLS, RFC 9051 section 6.2.1)."""
        self._buffer = ReadBuffer()
        self._reset()

    def feed(self, data: bytes) -> None:
        """Add octets as they came."""
        if self._state is not _State.DEAD:
            self._buffer.add(data)

    @property
    def buffered(self) -> int:
        """How many octets were fed and not yet read."""
        return len(self._buffer)

    @property
    def between_commands(self) -> bool:
        """Whether no part of a command has been read."""
        return self._state is _State.LINE and not self._command

    def next_event(self) -> Event | None:
        """Give the next event, or None when more octets are needed."""
        while True:
            event = self._step()
            if event is not _Signal.AGAIN:
                return event

    def take_line(self, limit: int) -> bytes | LineTooLong | Runaway | None:
        """Read a line that is no command, without its end: an AUTHENTICATE response, or DONE after IDLE.

        To be used between commands only; raises RuntimeError within one.
        """
        while not self.between_commands:
            if self._state not in (_State.SKIP_LITERAL, _State.SKIP_LINE, _State.DEAD):
                raise RuntimeError("take_line within a command")
            event = self._step()
            if event is None or isinstance(event, Runaway):
                return event
        line = self._buffer.cut(limit)
        if line is not Cut.TOO_LONG:
            return line
        self._skip(0)
        self._skips_literals = False
        self._skim(limit + 1)
        return LineTooLong(None)

    def abandon(self) -> None:
        """Give up the command whose literal is being streamed, as if the literal had been refused.

        Nothing more of it is told. After LiteralStarted alone the client still waits for ``+ `` if the literal is
        synchronizing, so the command is over; else the rest of it is skipped.
        """
        if self._state in (_State.STREAM, _State.LITERAL):
            self._skip(self._left)
        elif self._state is _State.STREAM_ASKED:
            self._reset()
        elif self._command:
            self._skip(0)

    # -- states -------------------------------------------------------------------------------------------------------

    def _step(self) -> Event | _Again | None:
        """Go one step on from the present state."""
        return _STEPS[self._state](self)

    def _reset(self) -> None:
        """Stand at the beginning of a command."""
        self._state: _State = _State.LINE
        self._command = bytearray()
        self._streamed: list[tuple[int, int]] = []
        self._line_octets = 0
        self._literal_octets = 0
        self._left: int = 0
        self._tail = b""
        self._skipped = 0
        self._skipped_literals = 0
        self._skips_literals = False

    def _line(self) -> Event | _Again | None:
        """Read a line: the whole of a command, or a piece of it up to a literal."""
        room = max(self.limits.line - self._line_octets, 0)
        line = self._buffer.cut(room)
        if line is None:
            return None
        if line is Cut.TOO_LONG:
            return self._overlong(room)
        announced = announcement(line)
        if announced is not None:
            return self._announce(line, *announced)
        if not self._command:
            return CommandReady(line)
        self._command += line
        ready = CommandReady(bytes(self._command), tuple(self._streamed))
        self._reset()
        return ready

    # -- literals -----------------------------------------------------------------------------------------------------

    def _announce(self, line: bytes, start: int, size: int, non_sync: bool) -> Event | _Again:
        """Decide about a literal and go on to it."""
        prefix = bytes(self._command[:PREFIX_OCTETS])
        prefix += line[: min(start, PREFIX_OCTETS - len(prefix))]
        decision = LiteralDecision.ACCEPT
        if self.literal_policy is not None and size <= LARGEST_LITERAL:
            decision = self.literal_policy(prefix, size, non_sync)
        reason = self._excess(size, decision)
        if reason is not None:
            return self._refuse(prefix, size, reason, non_sync)
        self._command += line + b"\r\n"
        self._line_octets += len(line) + 2
        self._left = size
        if decision is LiteralDecision.STREAM:
            self._streamed.append((len(self._command), size))
            self._state = _State.STREAM if non_sync else _State.STREAM_ASKED
            return LiteralStarted(prefix, size, non_sync, line.startswith(b"~", start))
        self._literal_octets += size
        self._state = _State.LITERAL
        return _Signal.AGAIN if non_sync else ContinuationWanted(size)

    def _excess(self, size: int, decision: LiteralDecision) -> Excess | None:
        if decision is LiteralDecision.REFUSE:
            return Excess.POLICY
        if decision is LiteralDecision.STREAM:
            return None
        if size > self.limits.literal:
            return Excess.LITERAL
        return Excess.LITERALS if self._literal_octets + size > self.limits.literals else None

    def _refuse(self, prefix: bytes, size: int, reason: Excess, non_sync: bool) -> Event:
        """End the command; a non-synchronizing literal comes all the same, and the rest of the command after it."""
        if non_sync and size > LARGEST_SKIP:
            return self._die()
        if non_sync:
            self._skip(size)
        else:
            self._reset()
        tag, name = _identify(prefix)
        return LiteralRefused(tag, size, reason, non_sync, name)

    def _literal(self) -> _Again | None:
        """Move what has come of a literal into the command."""
        octets = self._buffer.take(self._left)
        self._command += octets
        self._left -= len(octets)
        if self._left:
            return None
        self._state = _State.LINE
        return _Signal.AGAIN

    def _ask(self) -> Event:
        """Have the client asked for the literal that is to be streamed."""
        self._state = _State.STREAM
        return ContinuationWanted(self._left)

    def _stream(self) -> Event | _Again | None:
        """Give the next chunk of a streamed literal."""
        if not self._left:
            self._state = _State.LINE
            return _Signal.AGAIN
        octets = self._buffer.take(min(self._left, CHUNK))
        self._left -= len(octets)
        return LiteralChunk(octets) if octets else None

    # -- skipping -----------------------------------------------------------------------------------------------------

    def _overlong(self, room: int) -> LineTooLong:
        """Refuse a line; of its octets those that went beyond the limit are still to be skipped."""
        begun = bytes(self._command[:PREFIX_OCTETS]) or self._buffer.head(min(room + 1, PREFIX_OCTETS))
        self._skip(0)
        self._skim(room + 1)
        return LineTooLong(_identify(begun)[0])

    def _skip(self, literal: int) -> None:
        """Throw away so many octets of a literal, then the rest of the command."""
        self._reset()
        self._skips_literals = True
        self._skipped_literals = self._left = literal
        self._state = _State.SKIP_LITERAL

    def _skim(self, count: int) -> None:
        """Move past octets of a line to be thrown away, keeping the last, which may announce a literal."""
        self._tail = (self._tail + self._buffer.skip(count, TAIL_OCTETS))[-TAIL_OCTETS:]

    def _skipping_literal(self) -> _Again | None:
        count = min(self._left, len(self._buffer))
        self._buffer.skip(count)
        self._left -= count
        if self._left:
            return None
        self._state = _State.SKIP_LINE
        return _Signal.AGAIN

    def _skipping_line(self) -> Event | _Again | None:
        """Throw away a line; a non-synchronizing literal it announces belongs to the same command."""
        length = self._buffer.line_length()
        count = length if length >= 0 else len(self._buffer)
        self._skipped += count
        if self._skipped > self.limits.line:
            return self._die()
        self._skim(count)
        if length < 0:
            return None
        self._buffer.skip(1)
        return self._skipped_line()

    def _skipped_line(self) -> Event | _Again:
        size = announced_unasked(self._tail) if self._skips_literals else None
        self._tail = b""
        if size is None:
            self._reset()
            return _Signal.AGAIN
        self._skipped_literals += size
        if self._skipped_literals > LARGEST_SKIP:
            return self._die()
        self._left = size
        self._state = _State.SKIP_LITERAL
        return _Signal.AGAIN

    def _die(self) -> Runaway:
        self.clear()
        self._state = _State.DEAD
        return Runaway()

    def _dead(self) -> None:
        return None


_STEPS: dict[_State, Callable[[CommandReader], Event | _Again | None]] = {
    _State.LINE: CommandReader._line,
    _State.LITERAL: CommandReader._literal,
    _State.STREAM_ASKED: CommandReader._ask,
    _State.STREAM: CommandReader._stream,
    _State.SKIP_LITERAL: CommandReader._skipping_literal,
    _State.SKIP_LINE: CommandReader._skipping_line,
    _State.DEAD: CommandReader._dead,
}


def _identify(prefix: bytes) -> tuple[bytes | None, bytes | None]:
    """The tag and the upper-case name that a command begins with, as far as they can be read."""
    match = TAG_AND_NAME.match(prefix)
    if match is None or not prefix.startswith(b" ", match.end(1)):
        return None, None
    return match.group(1), match.group(2).upper() if match.group(2) else None
