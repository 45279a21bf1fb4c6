"""The inputs that fuzzing has found worth keeping, tried again without the fuzzer."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fuzz.__main__ import TARGETS
from fuzz.corpus import kept

ROOT = Path(__file__).resolve().parents[1]


class CorpusTests(SynchronousTestCase):
    """``fuzz/corpus``."""

    def test_every_target_has_inputs(self) -> None:
        """There is something to begin with."""
        for target in TARGETS:
            self.assertGreater(len(kept(target)), 4, target)


def _test_of(name: str) -> None:
    def test(self: CorpusTests) -> None:
        # In a process of its own: a target may make what it tries smaller than it is in other tests.
        code = f"import fuzz.{name} as t; from fuzz.corpus import kept; [t.check(each) for each in kept({name!r})]"
        assert import_module(f"fuzz.{name}").WORDS
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])

    test.__doc__ = f"Every kept input of {name} is passed."
    test.__name__ = f"test_{name}"
    setattr(CorpusTests, test.__name__, test)


for _target in TARGETS:
    _test_of(_target)
