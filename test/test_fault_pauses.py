"""How long faults of the database hold the reactor of a server process."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any

from bench import watching
from test.clients.case import in_thread
from test.fault_case import LONGEST_PAUSE, FaultTestCase
from test.locked import everything_locked
from test.replaying import Session
from test.server_process import ServerProcess

ATTEMPTS = 3
"""How often a fault is tried: what holds the reactor every time is its own doing, the rest the machine's."""

ABSENCE = 0.3
"""Seconds for which the database is away."""


class MeasuredProcess(ServerProcess):
    """The server as the benchmark runs it."""

    program = "from bench.measured import main; main()"


class PauseTests(FaultTestCase):
    """Each fault, with sessions at work."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server."""
        await super().setUp()
        self.report = self.folder / "probe"
        self.server = MeasuredProcess(self.folder, self.dsn, BENCH_PROBE=str(self.report), IMAP_DATABASE_WAIT="1")
        self.server.start()
        self.addCleanup(self.server.end, signal.SIGKILL)
        self.port = self.server.port

    @in_thread
    def test_pauses(self) -> None:
        """None holds it for 100 ms: neither by work nor by waiting for anything."""
        faults: dict[str, Callable[[], None]] = {
            "cut": self.proxy.cut,
            "shut": lambda: self.during(self.proxy.shut, self.proxy.unshut),
            "stalled": lambda: self.during(self.proxy.stall, self.proxy.resume),
            "terminated": self.postgres.terminate,
            "locked": self.lock,
            "frozen": lambda: self.during(self.postgres.freeze, self.postgres.thaw),
            "crashed": self.postgres.crash,
            "killed": lambda: self.during(self.postgres.kill, self.postgres.start_again),
            "restarted": lambda: self.during(self.postgres.stop, self.postgres.start_again),
        }
        working, idle = self.session(), self.session()
        self.append(working, "one")
        idle.idle()
        for name, fault in faults.items():
            held: list[float] = []
            while not held or (held[-1] >= LONGEST_PAUSE and len(held) < ATTEMPTS):
                held.append(self.measured(fault, working, idle))
            self.assertLess(held[-1], LONGEST_PAUSE, (name, held))

    def measured(self, fault: Callable[[], None], working: Session, idle: Session) -> float:
        """Return how long the reactor is held, from the fault until everything works again."""
        watching.begin(self.server.pid, self.report)
        tags = [working.begin(text) for text in ("STATUS Archive (MESSAGES)", "STORE 1 +FLAGS (a)", "FETCH 1 BODY[]")]
        fault()
        for tag in tags:
            working.answer(tag)
        self.eventually(working, "NOOP")
        before = len(idle.messages)
        self.assertEqual(self.append(working, "more").status, "OK")
        while len(idle.messages) == before:
            idle.hear()
        measured: dict[str, Any] = watching.end(self.server.pid, self.report)
        return float(measured["held"])

    def during(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        """Let the database be away for a moment."""
        begin()
        time.sleep(ABSENCE)
        end()

    def lock(self) -> None:
        """Hold everything locked for a moment."""
        with everything_locked(self.direct):
            time.sleep(ABSENCE)
