"""Programs that want a terminal, run in a pseudo-terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

_SCREEN = {"TERM": "xterm", "LINES": "24", "COLUMNS": "80"}


class Terminal(ProcessProtocol):
    """Collects what a program draws, until it ends.

    :ivar ended: calls back with the program's exit status, None where it was killed.
    """

    def __init__(self) -> None:
        self.drawn = b""
        self.ended: Deferred[int | None] = Deferred()

    def outReceived(self, data: bytes) -> None:
        """Collect it."""
        self.drawn += data

    def processEnded(self, reason: Failure) -> None:
        """Tell."""
        self.ended.callback(getattr(reason.value, "exitCode", None))


async def run_in_terminal(
    reactor: Any, arguments: list[str], folder: Path, environ: Mapping[str, str], time_limit: float
) -> tuple[int | None, bytes]:
    """Run a program, killed after a number of seconds; return its exit status and what it drew on the screen."""
    terminal = Terminal()
    process = reactor.spawnProcess(
        terminal, arguments[0], arguments, env={**environ, **_SCREEN}, path=str(folder), usePTY=True
    )
    killing = reactor.callLater(time_limit, process.signalProcess, "KILL")
    status = await terminal.ended
    if killing.active():
        killing.cancel()
    return status, terminal.drawn
