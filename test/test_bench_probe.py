"""The probe of the bench: what it tells of the longest pause of a reactor."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

_PROGRAM = """
import sys, time
from pathlib import Path
from twisted.internet import reactor
from bench.measured import Probe

def sleep_here(seconds):
    time.sleep(seconds)

probe = Probe(reactor, Path(sys.argv[1]))
reactor.callLater(0, probe._begin)
reactor.callLater(0.1, sleep_here, 0.3)
reactor.callLater(0.2, sleep_here, 0.1)
reactor.callLater(0.9, probe._end)
reactor.callLater(1.0, reactor.stop)
reactor.run()
"""


class ProbeTests(SynchronousTestCase):
    """A reactor that is held by a function that waits."""

    timeout = 60

    def test_longest(self) -> None:
        """The function is named that held it longest, and that the reactor did nothing but wait."""
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report"
            root = Path(__file__).resolve().parents[1]
            subprocess.run([sys.executable, "-c", _PROGRAM, str(report)], check=True, cwd=root, timeout=self.timeout)
            longest = json.loads(report.read_text())["held_longest"]
        self.assertGreater(longest["held"], 0.1)
        self.assertLess(longest["used"], longest["held"])
        seen = longest["seen"][0]
        self.assertTrue(any(line.endswith(" sleep_here") for line in seen["stack"]), seen)
        self.assertTrue(any(line.startswith("reactor S ") for line in seen["threads"]), seen)
