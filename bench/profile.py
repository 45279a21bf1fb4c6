"""Where the time of a scenario goes: a sampling profile of the server by py-spy, from outside its process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from time import monotonic

from bench.scenarios import Scenario
from bench.servers import Server

_SECONDS = 12
_RATE = 400
_SHOWN = 20


def py_spy() -> str | None:
    """Return the program, if it is installed: beside this Python, or on the path."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def profile(server: Server, scenario: Scenario, folder: Path) -> str:
    """Repeat a scenario for some seconds under the profiler; return a table of functions."""
    program = py_spy()
    assert program is not None
    scenario.measure(server)
    output = folder / f"{scenario.key}.folded"
    command = [program, "record", "--pid", str(server.pid), "--rate", str(_RATE), "--duration", str(_SECONDS)]
    recorder = subprocess.Popen(
        [*command, "--format", "raw", "--nolineno", "--output", str(output)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = monotonic() + _SECONDS
    while monotonic() < deadline:
        scenario.measure(server)
    recorder.wait(60)
    return f"{scenario.title}\n{_table(output.read_text())}"


def _table(folded: str) -> str:
    """Sum up stacks: for each function the share of samples it was the innermost of, and that it was in at all.

    Of those that only call others, the ones of this project are shown. Threads that wait for work are left out.
    """
    own: Counter[str] = Counter()
    within: Counter[str] = Counter()
    total = 0
    for line in folded.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        if frames[-1].startswith("Condition.wait"):
            continue
        total += int(count)
        own[frames[-1]] += int(count)
        for frame in set(frames):
            within[frame] += int(count)
    callers = [frame for frame, _ in within.most_common() if "cybertemp_imap/" in frame and "bench/" not in frame]
    chosen = {frame for frame, _ in own.most_common(_SHOWN)} | set(callers[:_SHOWN])
    rows = [
        f"{own[frame] / total:6.1%} {within[frame] / total:7.1%}  {frame}"
        for frame in sorted(chosen, key=lambda frame: (-own[frame], -within[frame]))
    ]
    return "\n".join(["  self  within  function", *rows])
