"""Counts what is alive in a server's process: at SIGRTMIN, after a full collection, into a file as JSON.

Octets tell little of what grows: memory that is free again is not given back to the system at once. Counts tell. Python
knows how many blocks of its own allocator are in use, and of what types the objects are that can hold others.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

SIGNAL = signal.SIGRTMIN
_PATIENCE = 60.0


class _Mallinfo(ctypes.Structure):
    """``struct mallinfo2`` of the GNU C library."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def answer(reactor: Any, report: Path) -> None:
    """Count whenever the signal comes; to be called in the process that is counted in."""
    signal.signal(SIGNAL, lambda *_: reactor.callFromThread(_write, report))


def ask(pid: int, report: Path) -> dict[str, Any]:
    """Have a process count, and return what is alive in it.

    ``blocks`` of Python's allocator; ``malloced`` octets in use of what the C library gave out, beyond those blocks;
    ``types``: how many objects of each type the collector knows, without what was there when the server had started.
    """
    report.unlink(missing_ok=True)
    os.kill(pid, SIGNAL)
    deadline = time.monotonic() + _PATIENCE
    while not report.exists():
        if time.monotonic() > deadline:
            raise RuntimeError("the process does not count")
        time.sleep(0.01)
    counted: dict[str, Any] = json.loads(report.read_text())
    return counted


def _write(report: Path) -> None:
    gc.collect()
    types = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    counted = {"blocks": sys.getallocatedblocks(), "malloced": _malloced(), "types": types}
    unfinished = report.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(counted))
    unfinished.rename(report)


def _malloced() -> int | None:
    """Return the octets in use of those that malloc() gave out; None where that cannot be asked."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return None
    library.mallinfo2.restype = _Mallinfo
    found = library.mallinfo2()
    return int(found.uordblks + found.hblkhd)
