"""Cost curves: drawn from what the bench wrote, the same octets each time."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from unittest import skipUnless

from twisted.trial.unittest import SynchronousTestCase

from bench.curves import MEASURES


@skipUnless(find_spec("matplotlib"), "matplotlib is not installed")
class DrawTests(SynchronousTestCase):
    """:mod:`bench.draw`."""

    def test_drawn(self) -> None:
        """There is a picture that names every measure, though some figures are missing; no date changes it."""
        from bench.draw import draw

        point = dict.fromkeys(MEASURES, 0.002)
        curves = {
            "size": {"100": point, "1000000": {"select": 0.1}},
            "sessions": {"10": point, "10000": point},
            "bans": {"0": point, "100000": point},
        }
        pictures = []
        for name in ("one.svg", "two.svg"):
            path = Path(self.mktemp()).with_name(name)
            draw(curves, path)
            pictures.append(path.read_text())
        self.assertEqual(*pictures)
        for title in MEASURES.values():
            self.assertIn(title, pictures[0])

    def test_merged(self) -> None:
        """Points of several runs come in ascending order; what was measured again counts as the later run has it."""
        from bench.draw import Curves, merged

        earlier: Curves = {
            "size": {"1000000": {"select": 0.5, "push": 0.1}, "100": {"select": 0.2}},
            "bans": {"0": {"text": 1}},
        }
        later: Curves = {"size": {"1000000": {"select": 0.12345678}}}
        self.assertEqual(
            merged([earlier, later]),
            {
                "size": {"100": {"select": 0.2}, "1000000": {"select": 0.1234568, "push": 0.1}},
                "sessions": {},
                "bans": {"0": {"text": 1}},
            },
        )
        self.assertEqual(list(merged([earlier])["size"]), ["100", "1000000"])
