"""Asking the probe in a server's process (:mod:`bench.measured`) for what it measures."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from bench import machine

_PATIENCE = 60.0


def begin(pid: int, report: Path) -> None:
    """Let the probe begin, and the peak of the memory."""
    report.unlink(missing_ok=True)
    machine.forget_peak(pid)
    os.kill(pid, signal.SIGUSR1)
    time.sleep(0.05)


def end(pid: int, report: Path) -> dict[str, Any]:
    """End the probe and return what it measured, and the peak of the memory since."""
    os.kill(pid, signal.SIGUSR2)
    deadline = time.monotonic() + _PATIENCE
    while not report.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("the probe does not answer")
        time.sleep(0.01)
    return {**json.loads(report.read_text()), "memory": machine.peak_memory(pid)}
