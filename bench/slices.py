"""Lets processes run in turn, each for a share of the time: ``python -m bench.slices PERIOD SHARE PID...``

So each has a part of a core, as if there were more of them, and what works for all of them has the rest. It goes on
until it is terminated; then all run as before.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from time import perf_counter, sleep


def main() -> None:
    """Stop and continue them."""
    period, share, *pids = sys.argv[1:]
    length, part = float(period), float(share)
    numbers = [int(pid) for pid in pids]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    try:
        for pid in numbers:
            os.kill(pid, signal.SIGSTOP)
        begun = perf_counter()
        while True:
            for place, pid in enumerate(numbers):
                _until(begun + length * place / len(numbers))
                os.kill(pid, signal.SIGCONT)
                _until(begun + length * place / len(numbers) + length * part)
                os.kill(pid, signal.SIGSTOP)
            begun += length
    finally:
        for pid in numbers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _until(moment: float) -> None:
    sleep(max(0.0, moment - perf_counter()))


if __name__ == "__main__":
    main()
