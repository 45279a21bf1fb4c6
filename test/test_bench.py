"""The bench: every row can be measured, of this server alone and over little mail."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from bench import churn, cold, curves, report, run
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

    def test_cold_stopped(self) -> None:
        """What was not come to when it was stopped has no line."""
        self.assertEqual(len(cold.as_text({"rows": {"a mailbox": []}})), 2)

    def test_churn(self) -> None:
        """Everybody comes and goes without an error, all have left when it is counted, and the count is told."""
        folder = Path(tempfile.mkdtemp(prefix="cybertemp-bench-"))
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        self.patch(run, "_say", lambda text: None)
        for name, value in (("PARTS", 2), ("SETTLED", 1)):
            self.patch(churn, name, value)
        results = run.run(Plan(only=frozenset(["churn"]), beside=frozenset(), minutes=0.4), folder)
        self.assertEqual(results["notes"], [])
        found = results["parts"]["churn"]
        self.assertEqual(found["errors"], {})
        for part in found["parts"]:
            self.assertNotIn("cybertemp_imap.protocol.server.ImapServer", part["types"])
            self.assertGreater(part["blocks"], 0)
        for what in ("visits", "deliveries", "addresses", "strangers"):
            self.assertIn(what, found["parts"][-1]["done"])
            self.assertIn(what, report.as_text(results))

    def test_more_alive(self) -> None:
        """Of what is alive, it is told of what there is much more than before."""
        many = churn.MANY
        before = {"types": {"builtins.dict": 100, "builtins.list": 7, "builtins.set": many}}
        after = {"types": {"builtins.dict": 100 + many, "builtins.list": 6 + many, "builtins.tuple": many}}
        self.assertEqual(churn.more_alive(before, after), {"builtins.dict": many, "builtins.tuple": many})


class PartTests(SynchronousTestCase):
    """Parts, which are measured on a server that there is none of here."""

    def setUp(self) -> None:
        """No server is started."""
        self.said: list[str] = []
        self.patch(run, "_say", self.said.append)
        self.patch(run, "Ours", mock.MagicMock())
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def _results(self, part: run.Part) -> dict[str, Any]:
        self.patch(run, "PARTS", {"hostile": part})
        return run.run(Plan(only=frozenset({"hostile"})), self.folder)

    def test_stopped(self) -> None:
        """A part that is stopped has in the results and in the report what it had found by then."""
        closed = []

        def part(server: Ours, say: run.Say) -> Iterator[dict[str, Any]]:
            attacks: dict[str, Any] = {}
            try:
                for name in ("a flood", "a storm"):
                    attacks[name] = {"failure": f"{name} was too much"}
                    yield {"seconds": 1.0, "attacks": attacks}
                sys.exit("stopped")
            finally:
                closed.append(server)

        results = self._results(part)
        self.assertEqual(list(results["parts"]["hostile"]["attacks"]), ["a flood", "a storm"])
        self.assertEqual(results["notes"], ["stopped"])
        self.assertIn("a storm was too much", report.as_text(results))
        self.assertEqual(len(closed), 1)

    def test_failed(self) -> None:
        """A part that fails has what it had found by then, and a note of why it failed."""

        def part(server: Ours, say: run.Say) -> Iterator[dict[str, Any]]:
            yield {"seconds": 1.0, "attacks": {}}
            raise RuntimeError("the server is gone")

        self.patch(traceback, "print_exc", lambda: None)
        results = self._results(part)
        self.assertEqual(results["parts"], {"hostile": {"seconds": 1.0, "attacks": {}}})
        self.assertEqual(results["notes"], ["hostile failed: the server is gone"])

    def test_point(self) -> None:
        """A point is a curve and a number; anything else is refused."""
        self.assertEqual(curves.point("size=1000000"), ("size", 1_000_000))
        for wrong in ("size", "sizes=1", "bans=many", ""):
            with self.assertRaises(ValueError):
                curves.point(wrong)
