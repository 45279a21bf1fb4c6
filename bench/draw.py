"""``python -m bench.draw RESULTS.json FOLDER``: draw the cost curves of a run as ``curves.svg``."""

from __future__ import annotations

import json
import sys
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


def draw(curves: dict[str, dict[str, dict[str, float]]], path: Path) -> None:
    """Draw one picture of three panels, all with the same axis of time."""
    matplotlib.use("svg")
    # The same figures are to make the same octets.
    matplotlib.rcParams.update({"svg.hashsalt": "curves", "svg.fonttype": "none", "font.size": 9})
    from matplotlib import pyplot

    picture, panels = pyplot.subplots(1, 3, figsize=(11, 4.2), sharey=True, layout="constrained")
    for panel, (name, title) in zip(panels, _TITLES.items(), strict=True):
        _panel(panel, {int(number): point for number, point in curves[name].items()})
        panel.set_xlabel(title)
    panels[0].set_yticks([tick for tick, _ in _TICKS], [label for _, label in _TICKS])
    handles, labels = panels[0].get_legend_handles_labels()
    picture.legend(handles, labels, loc="outside upper center", ncols=len(MEASURES), frameon=False)
    picture.savefig(path, metadata={"Date": None})


def _panel(panel: Any, points: dict[int, dict[str, float]]) -> None:
    for (key, title), marker in zip(MEASURES.items(), "osD^v", strict=True):
        there = [number for number in points if key in points[number]]
        panel.plot(there, [points[number][key] for number in there], label=title, marker=marker, markersize=4)
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
    """Draw."""
    results, folder = map(Path, sys.argv[1:])
    draw(json.loads(results.read_text())["parts"]["curves"], folder / "curves.svg")


if __name__ == "__main__":
    main()
