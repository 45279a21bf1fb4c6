"""Cores, time and memory of processes, as Linux tells them."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cores() -> tuple[set[int], set[int]]:
    """Return the core of the client and the core of the server; the same where there is only one."""
    available = sorted(os.sched_getaffinity(0))
    return {available[0]}, {available[-1]}


def pin(pids: Iterable[int], to: set[int]) -> None:
    """Bind processes to cores; those they start later inherit it."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.sched_setaffinity(pid, to)


@contextmanager
def on(these: set[int]) -> Iterator[None]:
    """Run on these cores for a while, so that what is started meanwhile is bound to them from its first moment."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, these)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(root: int) -> list[int]:
    """Return a process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                children.setdefault(int(_stat(entry)[1]), []).append(int(entry.name))
    found = [root]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found


def processor_seconds(pids: Iterable[int]) -> float:
    """Return the processor time of processes and of those of their children that have ended."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += sum(map(int, _stat(Path("/proc") / str(pid))[11:15]))
    return total / _TICKS


def busy_seconds() -> float:
    """Return the processor time of the whole machine, what was stolen from it included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def forget_peak(pid: int) -> None:
    """Let :func:`peak_memory` begin anew."""
    (Path("/proc") / str(pid) / "clear_refs").write_text("5")


def peak_memory(pid: int) -> int:
    """Return the most octets that the process had in memory since :func:`forget_peak`."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    for line in (Path("/proc") / str(pid) / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"no {name}")


def memory(pid: int) -> int:
    """Return the octets that the process has in memory."""
    pages = int((Path("/proc") / str(pid) / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Return how many files and sockets the process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def raise_descriptors() -> None:
    """Let this process and those it starts have as many files and sockets as the system allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def describe() -> str:
    """Return the machine in one line."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {model}, {memory:.0f} GiB, {os.uname().sysname} {os.uname().release}"


def revision() -> str:
    """Return which revision this is, with a plus sign where something was changed since; nothing outside of a clone."""
    described = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+", "--exclude=*"]
    with suppress(OSError, subprocess.CalledProcessError):
        return subprocess.run(described, capture_output=True, text=True, check=True).stdout.strip()
    return ""


def _stat(process: Path) -> list[str]:
    """Return the fields of ``stat`` that follow the name, which may hold anything."""
    return (process / "stat").read_text().rpartition(") ")[2].split()
