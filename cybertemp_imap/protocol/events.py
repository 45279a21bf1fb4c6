"""What the reader tells: events, limits and decisions about literals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class ReaderLimits:
    """Limits in octets.

    ``line`` is for all of a command but its literals, ``literal`` for each literal that is held in memory, and
    ``literals`` for all of those of one command together.
    """

    line: int
    literal: int
    literals: int


BEFORE_LOGIN = ReaderLimits(line=8192, literal=4096, literals=4096)
AFTER_LOGIN = ReaderLimits(line=65536, literal=65536, literals=1 << 20)


class LiteralDecision(Enum):
    """What becomes of an announced literal."""

    ACCEPT = "held in the command, within the limits"
    STREAM = "given in chunks as it arrives"
    REFUSE = "refused"


class Excess(Enum):
    """Why a literal is refused."""

    LITERAL = "larger than one literal may be"
    LITERALS = "the literals of the command are too large together"
    POLICY = "refused by the server's policy"


@dataclass(frozen=True, slots=True)
class CommandReady:
    """One complete command, as on the wire without the final line end, its literals in place.

    A literal that was streamed leaves its announcement and line end in ``data`` but none of its octets; ``streamed``
    tells, for each in order, the offset in ``data`` where they would begin, and how many there were.
    """

    data: bytes
    streamed: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ContinuationWanted:
    """The client waits for ``+ `` before it sends a literal of ``size`` octets."""

    size: int


@dataclass(frozen=True, slots=True)
class LiteralStarted:
    """A literal of ``size`` octets is about to be streamed; where synchronizing, ContinuationWanted follows.

    ``prefix`` is the command so far, up to the announcement, but at most PREFIX_OCTETS of it; ``binary``: whether it is
    a literal8 (RFC 3516).
    """

    prefix: bytes
    size: int
    non_sync: bool
    binary: bool = False


@dataclass(frozen=True, slots=True)
class LiteralChunk:
    """The next octets of a streamed literal, never empty."""

    data: bytes


@dataclass(frozen=True, slots=True)
class LiteralRefused:
    """A literal is not taken, and with it the command is over.

    ``tag`` and the upper-case ``name`` of the command are None where they cannot be read. ``size`` is at most 10**20,
    whatever was announced. The octets of a non-synchronizing literal and the rest of its command are skipped.
    """

    tag: bytes | None
    size: int
    reason: Excess
    non_sync: bool = False
    name: bytes | None = None


@dataclass(frozen=True, slots=True)
class LineTooLong:
    """A command has more octets than a line may have; what is left of it is skipped."""

    tag: bytes | None


@dataclass(frozen=True, slots=True)
class Runaway:
    """A command that was refused goes on and on: the connection is to be closed; nothing more is read."""


Event = CommandReady | ContinuationWanted | LiteralStarted | LiteralChunk | LiteralRefused | LineTooLong | Runaway
