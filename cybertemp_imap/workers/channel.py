"""What goes between a worker and the process that started it: lines, each a JSON array, over pipes.

A worker reads from standard input what it is to do, writes its log to standard output, which is a pipe or that of the
server itself, and answers to a pipe of its own.
What it begins with holds secrets, so it comes by the pipe too, and is neither in arguments nor in the environment.
"""

from __future__ import annotations

import base64
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cybertemp_imap.config import Settings
from cybertemp_imap.listening import HandedSocket

COMMANDS, LOG, WORDS, ANSWERS, MEMORY, SOCKETS = range(6)
"""Files of a worker: commands to it, its log, what is printed in it, its answers, the shared memory, and sockets on."""


@dataclass(frozen=True)
class Beginning:
    """What a worker is told first."""

    settings: Settings
    #: Which of the workers it is, from 0, and how many there are.
    number: int
    workers: int
    sockets: Sequence[Sequence[HandedSocket]]


class Lines:
    """Cuts octets into lines."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take octets; each line that is whole goes on, without its end."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line)


def line(*message: Any) -> bytes:
    """Return a message as a line."""
    return json.dumps(message).encode() + b"\n"


def beginning_line(beginning: Beginning) -> bytes:
    """Return what a worker is told first, as a line: a process of the same program reads it."""
    return line("begin", base64.b64encode(pickle.dumps(beginning)).decode())


def read_beginning(text: str) -> Beginning:
    """Return what :func:`beginning_line` made a line of."""
    beginning = pickle.loads(base64.b64decode(text))
    assert isinstance(beginning, Beginning)
    return beginning
