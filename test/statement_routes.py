"""Where statements go that have a replica to go to, as the documentation says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent.parent / "docs" / "scale.md"

_LINE = re.compile(r"^\| (`[^|]+`) \| (replica|primary) \| (replica|primary) \| [^|]+ \|$", re.M)
_NAME = re.compile(r"`(\w+)`")


class Route(NamedTuple):
    """Where a statement goes for sessions that change nothing, and for all others."""

    reading: str
    others: str


def routes() -> dict[str, Route]:
    """Return the table of the page; a name that is there twice is an error."""
    found: dict[str, Route] = {}
    for names, reading, others in _LINE.findall(PAGE.read_text()):
        for name in _NAME.findall(names):
            assert name not in found, name
            found[name] = Route(reading, others)
    return found
