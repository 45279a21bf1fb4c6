"""The kept inputs: one text file a target, with an input a line, as Python writes octets."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

_FOLDER = Path(__file__).resolve().parent / "corpus"


def kept(target: str) -> list[bytes]:
    """Return the inputs that are kept for a target."""
    lines = (_FOLDER / f"{target}.txt").read_text("ascii").splitlines()
    return [ast.literal_eval(line) for line in lines]


def keep(target: str, inputs: Iterable[bytes]) -> None:
    """Replace the inputs that are kept for a target."""
    lines = sorted({repr(each) for each in inputs}, key=lambda line: (len(line), line))
    (_FOLDER / f"{target}.txt").write_text("".join(line + "\n" for line in lines), "ascii")


def unpack(inputs: Iterable[bytes], folder: Path) -> None:
    """Write inputs as the fuzzer wants them: a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for each in inputs:
        (folder / hashlib.sha1(each).hexdigest()).write_bytes(each)


def pack(folder: Path) -> list[bytes]:
    """Read the files of a folder."""
    return [path.read_bytes() for path in folder.iterdir()]
