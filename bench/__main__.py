"""``python -m bench``: measure, print the tables, and keep them with all figures in ``bench/results/``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from bench import report
from bench.profile import py_spy
from bench.run import PARTS, RUNS, Plan, run
from bench.scenarios import SCENARIOS
from bench.servers import Dovecot

_RESULTS = Path(__file__).resolve().parent / "results"


def main() -> None:
    """Run the bench."""
    keys = [scenario.key for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure this server beside Dovecot.")
    parser.add_argument("--only", nargs="+", default=[], metavar="KEY", choices=["cold", "stream", *keys, *PARTS])
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument(
        "--minutes", type=float, default=0.0, help="only have the receiver write so long, and look for deadlocks"
    )
    parser.add_argument("--no-dovecot", action="store_true")
    parser.add_argument(
        "--postgres-bin", type=Path, help="folder of PostgreSQL's programs [those of the embedded extra]"
    )
    parser.add_argument("--database-core", choices=["server", "client", "any"], default="server")
    parser.add_argument("--profile", action="store_true", help="also profile this server in each scenario, by py-spy")
    arguments = parser.parse_args()
    with_dovecot = not (arguments.no_dovecot or arguments.minutes)
    if with_dovecot and not Dovecot.available():
        sys.exit("Dovecot is not installed: install dovecot-imapd, or use --no-dovecot.")
    if with_dovecot and os.geteuid() != 0:
        sys.exit("Dovecot has to be started as root: use --no-dovecot otherwise.")
    if arguments.profile and py_spy() is None:
        sys.exit("py-spy is not installed: pip install py-spy.")
    # As Ctrl-C does: what was started is stopped and removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    plan = Plan(
        programs=arguments.postgres_bin,
        only=frozenset(arguments.only),
        runs=arguments.runs,
        with_dovecot=with_dovecot,
        database_core=arguments.database_core,
        profile=arguments.profile,
        minutes=arguments.minutes,
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


if __name__ == "__main__":
    main()
