"""``python -m fuzz``: fuzz every target for a while, some at a time; ends with status 1 when an input broke one."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from fuzz.corpus import keep, kept, pack, unpack

TARGETS = ("reader", "mime", "names", "sasl", "search", "session")

_ROOT = Path(__file__).resolve().parents[1]
_UNIT_TIMEOUT = 300
"""Seconds after which an input is taken to hang. What is slow is told by :mod:`fuzz.cost`, by processor time: a machine
may rest for a minute."""

_LONGEST = 4096
"""Octets of an input; what is long is made by repeating a piece of it."""

_LARGEST_KEPT = 400
"""Octets of an input that is kept, so that the kept ones stay readable."""


def main() -> None:
    """Fuzz, and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz what reads other people's octets.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS) + " [all of them]")
    parser.add_argument("--seconds", type=int, default=300, help="for each target [300]")
    parser.add_argument("--jobs", type=int, default=2, help="targets at a time [2]")
    parser.add_argument("--keep", action="store_true", help="add what reaches more code to the kept inputs")
    arguments = parser.parse_args()
    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name, ThreadPoolExecutor(arguments.jobs) as pool:
        runs = [_Run(target, Path(name, target)) for target in arguments.targets or TARGETS]
        good = list(pool.map(lambda run: run.fuzz(arguments.seconds), runs))
        if arguments.keep:
            list(pool.map(_Run.keep, runs))
    sys.exit(not all(good))


class _Run:
    """Fuzzing of one target, in a folder of its own."""

    def __init__(self, target: str, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._inputs = folder / "inputs"
        self._broke = folder / "broke"
        self._broke.mkdir(parents=True)
        unpack(kept(target), self._inputs)

    def fuzz(self, seconds: int) -> bool:
        """Fuzz, print a line and what broke it, and return whether nothing did."""
        words = import_module(f"fuzz.{self._target}").WORDS
        dictionary = self._folder / "words"
        dictionary.write_text("".join(f'"{_escaped(word)}"\n' for word in words), "ascii")
        options = [
            *(
                f"-max_total_time={seconds}",
                f"-max_len={_LONGEST}",
                f"-timeout={_UNIT_TIMEOUT}",
                "-print_final_stats=1",
            ),
            *(f"-dict={dictionary}", f"-artifact_prefix={self._broke}/", "-rss_limit_mb=1024"),
        ]
        done = self._run(options, [self._inputs])
        executed = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
        # What took long by the clock is told besides; the time that counts is that of the processor.
        broke = [path.read_bytes() for path in self._broke.iterdir() if not path.name.startswith("slow-unit-")]
        good = done.returncode == 0 and not broke
        told = "nothing found" if good else "FAILED"
        print(f"{self._target}: {told} in {executed[0] if executed else 'no'} executions", flush=True)
        if not good:
            print("\n".join((done.stdout + done.stderr).splitlines()[-60:]))
            for each in broke:
                print(f"the input is {each!r}", flush=True)
        return good

    def keep(self) -> None:
        """Keep the fewest inputs that reach all that was reached."""
        merged, small = self._folder / "merged", self._folder / "small"
        merged.mkdir()
        unpack((each for each in pack(self._inputs) if len(each) <= _LARGEST_KEPT), small)
        done = self._run(["-merge=1"], [merged, small])
        inputs = pack(merged)
        if done.returncode != 0 or not inputs:
            raise RuntimeError(done.stderr[-2000:])
        keep(self._target, inputs)

    def _run(self, options: Sequence[str], folders: Sequence[Path]) -> subprocess.CompletedProcess[str]:
        program = self._folder / "program"
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m fuzz.run {self._target} "$@"\n')
        program.chmod(0o755)
        return subprocess.run(
            [program, *options, *folders],
            cwd=_ROOT,
            env={**os.environ, "FUZZ_PROGRAM": str(program)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )


def _escaped(word: bytes) -> str:
    """Write octets as the fuzzer's dictionaries have them."""
    return "".join(f"\\x{octet:02X}" for octet in word)


if __name__ == "__main__":
    main()
