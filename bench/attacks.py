"""What hostile clients and senders do at their worst: each attack goes on until its time is over."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain, cycle, repeat
from time import monotonic

from bench import nasty

PIECE = 1 << 16
MAILBOX = "plain@attacker.example"
ROWS = "rows@attacker.example"
BIG = "big@attacker.example"
"""Addresses of the attacker: with very many messages, with rows that are made to cost much, and with large messages."""

ADDRESSES = (MAILBOX, ROWS, BIG)
MESSAGES, BIG_MESSAGES = 8_000, 50

_EVERYTHING = b"(FLAGS ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (To)] BODY.PEEK[1.1.1.1] BODY.PEEK[]<0.10>)"


@dataclass(frozen=True, slots=True)
class Target:
    """Where to attack, the attacker's own account, and for how many seconds."""

    address: tuple[str, int]
    user: str
    token: str
    seconds: float


class Over(Exception):
    """The time of the attack is over."""


class Hostile:
    """A connection that sends whatever it likes, and reads to throw away."""

    def __init__(self, target: Target, until: float, reads: bool = True) -> None:
        self._target = target
        self._until = until
        self._reads = reads
        self._socket = socket.socket()
        if not reads:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(60)
        self._socket.connect(target.address)
        self._socket.recv(4096)
        self._socket.setblocking(False)

    def close(self) -> None:
        """Break off."""
        self._socket.close()

    def login(self, mailbox: str | None = None) -> None:
        """Log in, and open a mailbox."""
        self.send(f'z LOGIN "{self._target.user}" "{self._target.token}"\r\n'.encode(), answered=True)
        if mailbox is not None:
            self.send(f'z SELECT "{mailbox}"\r\n'.encode(), answered=True)

    def send(self, data: bytes, answered: bool = False) -> None:
        """Send, meanwhile read; ``answered``: up to a completion with tag ``z``, at which the server has to rest.

        Raises :class:`Over`, and ConnectionError when the server closes the connection.
        """
        view, tail, done = memoryview(data), b"\r\n", not answered
        while view or not done:
            if monotonic() > self._until:
                raise Over
            readable, writable, _ = select.select(
                [self._socket] if self._reads else [], [self._socket] if view else [], [], 0.1
            )
            if writable:
                view = view[self._socket.send(view[:PIECE]) :]
            if readable:
                octets = self._socket.recv(PIECE)
                if not octets:
                    raise ConnectionResetError
                tail = (tail + octets)[-1000:]
                done = done or (tail.endswith(b"\r\n") and tail[:-2].rpartition(b"\r\n")[2].startswith(b"z "))


Attack = Callable[[Target], None]


def _again_and_again(session: Callable[[Hostile], None], target: Target, reads: bool = True) -> None:
    """Do it on one connection after the other, as each is closed by the server or is done with."""
    until = monotonic() + target.seconds
    while monotonic() < until:
        hostile = Hostile(target, until, reads)
        with contextlib.suppress(ConnectionError, Over):
            session(hostile)
        hostile.close()


def _flood(data: Callable[[], Iterable[bytes]], login: bool = False, reads: bool = True) -> Attack:
    """Send pieces for as long as the server takes them."""

    def session(hostile: Hostile) -> None:
        if login:
            hostile.login(BIG)
        for piece in data():
            hostile.send(piece)

    return partial(_again_and_again, session, reads=reads)


def _commands(*commands: bytes, mailbox: str | None = MAILBOX, prepared: Iterable[bytes] = ()) -> Attack:
    """Send these commands in turn, the next one when one is answered."""

    def session(hostile: Hostile) -> None:
        hostile.login(mailbox)
        for command in chain(prepared, cycle(commands)):
            hostile.send(b"z " + command + b"\r\n", answered=True)

    return partial(_again_and_again, session)


def _message(make: Callable[[], bytes]) -> Attack:
    """Append a message, which nobody has seen, ask for all that can be told of it, search it, and begin anew."""
    message = make()
    commands = (
        b"APPEND Drafts {%d+}\r\n%b" % (len(message), message),
        b"FETCH * " + _EVERYTHING,
        b'SEARCH OR TEXT "nothing" HEADER To "nobody"',
        b"STORE 1:* +FLAGS.SILENT (\\Deleted)",
        b"EXPUNGE",
    )
    return _commands(*commands, mailbox="Drafts")


def _lines(octets: bytes, total: int) -> Callable[[], Iterable[bytes]]:
    """Make so many octets of a piece again and again."""
    piece = octets * (PIECE // len(octets))
    return lambda: repeat(piece, total // len(piece) + 1)


def _numbered(pattern: bytes, count: int, between: bytes) -> bytes:
    return between.join(pattern % number for number in range(1, 2 * count, 2))


_DEEP = b"SEARCH " + b"(" * 5_000 + b"SEEN" + b")" * 5_000
_KEYS = b"SEARCH " + b'NOT FROM "x" OR SUBJECT "y" TEXT "z" ' * 333 + b"ALL"
_SET = _numbered(b"%d", 4_000, b",")

ATTACKS: dict[str, Attack] = {
    "{4294967295} before login": _flood(lambda: repeat(b"a LOGIN {4294967295}\r\n", 10)),
    "{4294967295+} before login": _flood(lambda: chain([b"a LOGIN {4294967295+}\r\n"], _lines(b"x", 1 << 30)())),
    "1 MB of ( before login": _flood(_lines(b"(", 1 << 20)),
    "1 MB of ( after login": _flood(lambda: chain([b"a SEARCH "], _lines(b"(", 1 << 20)()), login=True),
    "1 GB without a line end": _flood(_lines(b"x", 1 << 30)),
    "1 GB without a line end, after login": _flood(_lines(b"x", 1 << 30), login=True),
    "400,000 NOOPs at once": _flood(_lines(b"a NOOP\r\n", 400_000 * 8), login=True),
    "sets of 4,000 ids": _commands(
        *(b"UID FETCH %b FLAGS" % _SET, b"FETCH %b UID" % _SET, b"SEARCH UID %b" % _SET),
        *(b"UID STORE %b -FLAGS.SILENT (x)" % _SET, b"SEARCH OR %b NOT %b" % (_SET, _SET)),
    ),
    "*a 40 times in LIST": _commands(
        *(
            b'LIST "" "%b"' % (b"*a" * 40),
            b'LSUB "" "%b"' % (b"%a*" * 40),
            b'LIST "" (%b)' % _numbered(b"*a*%d*a", 40, b" "),
        ),
        prepared=[b"CREATE Sent/%b%d" % (b"a" * 100, number) for number in range(40)],
    ),
    "SEARCH of 1,000 keys": _commands(_KEYS),
    "SEARCH 5,000 deep": _commands(_DEEP),
    "a line of 64 KiB, parsed": _commands(
        *(
            b"SEARCH " + b"SEEN " * 13_000 + b"ALL",
            b"SEARCH " + b"1 " * 30_000 + b"1",
            b"FETCH 1 (" + b"BODY[1] " * 8_000 + b"UID)",
        )
    ),
    "1 GB asked for, never read": _flood(
        lambda: chain(repeat(b"a FETCH 1:* BODY.PEEK[]\r\n", 20), repeat(b"", 1 << 60)), login=True, reads=False
    ),
    "odd octets in every argument": _flood(lambda: (b"z %b\r\n" % each for each in nasty.arguments() * 10), login=True),
    "rows with too much in each column": _commands(
        b"FETCH 1:* " + _EVERYTHING, b'SEARCH TEXT "nothing"', b"FETCH 1:* BODY.PEEK[TEXT]<0.10>", mailbox=ROWS
    ),
    **{name: _message(make) for name, make in nasty.MESSAGES.items()},
}
