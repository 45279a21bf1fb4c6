"""The documentation as the tests read it: its pages, the commands in them, and the parts that are made of the code."""

from __future__ import annotations

import importlib.util
import re
import textwrap
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[1]


def pages() -> list[Path]:
    """Return every page: those of ``docs/``, and those beside the README."""
    return sorted([*(TOP / "docs").rglob("*.rst"), *TOP.glob("*.rst")])


def console_blocks(page: Path) -> list[list[str]]:
    """Return the commands of each ``console`` block of a page, in order.

    A command begins with a prompt, goes on behind a backslash or until a here-document ends; other lines are output.
    """
    blocks = []
    text = page.read_text(encoding="utf-8")
    for match in re.finditer(r"^( *)\.\. code-block:: console\n\n((?:\1 +.*\n|\n)+)", text, re.M):
        lines = [line[len(match[1]) + 4 :] for line in match[2].splitlines()]
        blocks.append(_commands(lines))
    return blocks


def _commands(lines: list[str]) -> list[str]:
    commands: list[str] = []
    end = None
    for line in lines:
        if end is not None or (commands and commands[-1].endswith("\\")):
            commands[-1] += f"\n{line}"
            end = None if line == end else end
        elif line.startswith(("$ ", "# ")):
            commands.append(line[2:])
            here = re.search(r"<<'?(\w+)'?", line)
            end = here[1] if here else None
    return commands


def literal_block(page: Path, start: str) -> str:
    """Return the one literal block of a page that begins so, a configuration for instance, without its indentation."""
    blocks = re.findall(r"::\n\n((?: +.*\n|\n)+)", page.read_text(encoding="utf-8"))
    (found,) = [text for text in map(textwrap.dedent, blocks) if text.startswith(start)]
    return found.strip() + "\n"


def generated() -> Any:
    """Return the module that makes the reference."""
    spec = importlib.util.spec_from_file_location("documentation_generated", TOP / "docs" / "generated.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
