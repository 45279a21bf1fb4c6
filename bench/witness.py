"""What the reactor's thread was doing while it did not come round."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

_LOOK = 0.02
"""Seconds between two looks."""

NOTABLE = 0.05
"""Seconds after which the thread is looked at."""

_DEPTH = 30
_SEEN = 5


class Witness:
    """Looks now and then, from a thread of its own, how long ago the reactor has come round.

    It needs the interpreter for a look: what holds that too is seen where it lets go of it.
    """

    def __init__(self, late: Callable[[], float]) -> None:
        """To be made in the reactor's thread; ``late`` returns for how many seconds it has not come round."""
        self._late = late
        self._reactor = (threading.get_ident(), threading.get_native_id())
        self._end = threading.Event()
        self._seen: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._end.set()

    def take(self) -> list[dict[str, Any]]:
        """Return what was seen since this was last asked: each time the stack, and what each thread waited for."""
        seen, self._seen = self._seen, []
        return seen

    def _watch(self) -> None:
        while not self._end.wait(_LOOK):
            late = self._late()
            if late > NOTABLE and len(self._seen) < _SEEN:
                frame = sys._current_frames().get(self._reactor[0])
                self._seen.append({"after": round(late, 3), "stack": stack(frame), "threads": self._threads()})

    def _threads(self) -> list[str]:
        """Return of each thread whether it runs (or waits for a core), and else where in the system it waits."""
        own = threading.get_native_id()
        told: list[str] = []
        for entry in sorted(Path("/proc/self/task").iterdir()):
            if int(entry.name) == own:
                continue
            try:
                state = (entry / "stat").read_text().rpartition(") ")[2].split()[0]
                where = (entry / "wchan").read_text()
            except OSError:
                continue
            name = "reactor" if int(entry.name) == self._reactor[1] else "other"
            told.append(f"{name} {state} {where}")
        return told


def stack(frame: FrameType | None) -> list[str]:
    """Return where a thread is, the innermost function first."""
    lines: list[str] = []
    while frame is not None and len(lines) < _DEPTH:
        code = frame.f_code
        lines.append(f"{'/'.join(Path(code.co_filename).parts[-2:])}:{frame.f_lineno} {code.co_name}")
        frame = frame.f_back
    return lines
