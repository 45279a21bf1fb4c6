"""The bench: every row can be measured, of this server alone and over little mail."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench import report, run
from bench.beside import Plan
from bench.scenarios import SCENARIOS
from bench.servers import Ours


class BenchTests(SynchronousTestCase):
    """A run that takes one sample of each row."""

    timeout = 300

    def test_names(self) -> None:
        """What can be asked for by name is one thing: a row or a part."""
        names = [scenario.key for scenario in SCENARIOS] + [*run.PARTS, *run.LONG]
        self.assertEqual(len(names), len(set(names)))

    def test_every_row(self) -> None:
        """Each row has a figure and a line in the table, and nothing has failed on the way."""
        folder = Path(tempfile.mkdtemp(prefix="cybertemp-bench-"))
        self.addCleanup(shutil.rmtree, folder)
        # PostgreSQL runs under an account of its own where the test is root.
        os.chmod(folder, 0o755)
        self.patch(run, "_say", lambda text: None)
        results = run.run(Plan(runs=1, beside=frozenset(), messages=60, hurried=True), folder)
        self.assertEqual(results["notes"], [])
        self.assertEqual(list(results["figures"]), [scenario.key for scenario in SCENARIOS])
        for row in results["figures"].values():
            self.assertGreater(row[Ours.name]["median"], 0.0)
        for scenario in SCENARIOS:
            self.assertIn(scenario.title, report.as_text(results))
