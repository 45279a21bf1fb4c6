"""``python -m bench``: measure, print the tables, and keep them with all figures in ``bench/results/``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

from bench import machine, report
from bench.beside import OTHERS, Plan
from bench.corpus import BIG_COUNT
from bench.curves import point
from bench.dovecot import Dovecot
from bench.profile import py_spy
from bench.pymap import Pymap
from bench.run import LONG, PARTS, run
from bench.scenarios import SCENARIOS

_RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    """Run the bench."""
    arguments = _arguments()
    # What was measured by then is printed, and what was started is stopped and removed.
    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, lambda *_: sys.exit("stopped"))
    machine.raise_descriptors()
    plan = Plan(
        programs=arguments.postgres_bin,
        only=frozenset(arguments.only or (("endured",) if arguments.minutes else ())),
        runs=arguments.runs,
        beside=frozenset(arguments.beside),
        messages=arguments.messages,
        database_core=arguments.database_core,
        profile=arguments.profile,
        minutes=arguments.minutes,
        points=tuple(arguments.points),
    )
    with tempfile.TemporaryDirectory(prefix="cybertemp-bench-") as name:
        # PostgreSQL and Dovecot run under accounts of their own, which have to pass through here.
        os.chmod(name, 0o755)
        results = run(plan, Path(name))
    text = report.as_text(results)
    _RESULTS.mkdir(exist_ok=True)
    base = _RESULTS / datetime.now().strftime("%Y%m%d-%H%M%S")
    base.with_suffix(".json").write_text(json.dumps(results, indent=1))
    base.with_suffix(".txt").write_text(text + "\n")
    print(text)


def _arguments() -> argparse.Namespace:
    rows = [scenario.key for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure this server beside others.")
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY", choices=[*rows, *PARTS, *LONG])
    parser.add_argument("--beside", nargs="*", default=list(OTHERS), choices=list(OTHERS), help="the other servers")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--messages", type=int, default=BIG_COUNT)
    parser.add_argument("--minutes", type=float, default=0.0, help="how long the parts last that go on for long")
    parser.add_argument(
        "--points", nargs="+", default=[], type=point, metavar="CURVE=NUMBER", help="of curves only these: size=1000000"
    )
    parser.add_argument(
        "--postgres-bin", type=Path, help="folder of PostgreSQL's programs [those of the embedded extra]"
    )
    parser.add_argument("--database-core", choices=["server", "client", "any"], default="server")
    parser.add_argument("--profile", action="store_true", help="also profile this server in each row, by py-spy")
    arguments = parser.parse_args()
    compared = not arguments.minutes and (not arguments.only or not PARTS.keys() >= set(arguments.only))
    if compared and "dovecot" in arguments.beside and not Dovecot.available():
        sys.exit("Dovecot is not installed, or this is not root: install dovecot-imapd, or leave it out of --beside.")
    if compared and "pymap" in arguments.beside and not Pymap.available():
        sys.exit("pymap is not installed: pip install pymap, or leave it out of --beside.")
    if "reactors" in arguments.only and find_spec("uvloop") is None:
        sys.exit("uvloop is not installed: pip install uvloop.")
    if arguments.profile and py_spy() is None:
        sys.exit("py-spy is not installed: pip install py-spy.")
    return arguments


if __name__ == "__main__":
    main()
