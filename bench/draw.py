"""``python -m bench.draw RESULTS.json… FOLDER``: draw cost curves as ``curves.svg``, and keep them as ``curves.json``.

Points may come from several runs; of one that was measured again, the last that is named counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib

from bench.curves import COUNT, MEASURES

_TITLES = {
    "size": "messages in the mailbox",
    "sessions": f"sessions idling ({COUNT:,} messages)",
    "bans": f"bans in force ({COUNT:,} messages)",
}
_TICKS = ((1e-4, "0.1 ms"), (1e-3, "1 ms"), (1e-2, "10 ms"), (1e-1, "100 ms"), (1, "1 s"), (10, "10 s"))
_COLUMNS = 4
"""Of the legend, which else would be wider than the picture."""

_DIGITS = 7
"""Of a second: a tenth of a microsecond."""

Curves = dict[str, dict[str, dict[str, float]]]
"""By curve and number: seconds by measure."""


def merged(runs: Iterable[Curves]) -> Curves:
    """Return the points of several runs, in ascending order."""
    found: Curves = {name: {} for name in _TITLES}
    for run in runs:
        for name, points in run.items():
            for number, point in points.items():
                seconds = {key: round(value, _DIGITS) for key, value in point.items()}
                # A point that was stopped half-way is completed by another run.
                found[name].setdefault(number, {}).update(seconds)
    return {name: dict(sorted(points.items(), key=lambda each: int(each[0]))) for name, points in found.items()}


def draw(curves: Curves, path: Path) -> None:
    """Draw one picture of three panels, all with the same axis of time."""
    matplotlib.use("svg")
    # The same figures are to make the same octets.
    matplotlib.rcParams.update({"svg.hashsalt": "curves", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    picture, panels = pyplot.subplots(1, 3, figsize=(11, 4.4), sharey=True, layout="constrained")
    for panel, (name, title) in zip(panels, _TITLES.items(), strict=True):
        _panel(panel, {int(number): point for number, point in curves[name].items()})
        panel.set_xlabel(title)
    panels[0].set_yticks([tick for tick, _ in _TICKS], [label for _, label in _TICKS])
    handles, labels = panels[0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside upper center", ncols=_COLUMNS, frameon=False)
    picture.savefig(path, metadata={"Date": None})


def _panel(panel: Any, points: dict[int, dict[str, float]]) -> None:
    for (key, title), marker in zip(MEASURES.items(), "xosPD^v", strict=True):
        there = [number for number in points if key in points[number]]
        line = ":" if key == "cold" else "-"
        panel.plot(there, [points[number][key] for number in there], line, label=title, marker=marker, markersize=4)
    # No bans at all have to have a place too.
    panel.set_xscale("symlog" if 0 in points else "log", **({"linthresh": 100} if 0 in points else {}))
    panel.set_xticks(list(points), [_short(number) for number in points])
    panel.set_yscale("log")
    panel.minorticks_off()
    panel.grid(True, linewidth=0.4, alpha=0.6)


def _short(number: int) -> str:
    if number >= 1_000_000:
        return f"{number // 1_000_000}M"
    return f"{number // 1000}k" if number >= 1000 else str(number)


def main() -> None:
    """Draw, and keep what was drawn."""
    *results, folder = map(Path, sys.argv[1:])
    curves = merged(json.loads(path.read_text())["parts"]["curves"] for path in results)
    folder.joinpath("curves.json").write_text(json.dumps({"parts": {"curves": curves}}, indent=1) + "\n")
    draw(curves, folder / "curves.svg")


if __name__ == "__main__":
    main()
