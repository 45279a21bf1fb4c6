"""Maildir folders with the mail that is measured with, and deliveries to them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from time import time

from bench.corpus import Mail

_LETTERS = {"\\Answered": "R", "\\Flagged": "F", "\\Seen": "S"}
_deliveries = count()


def write(folder: Path, mails: Iterable[Mail]) -> None:
    """Write messages with their flags and dates; names ascend in the order of arrival, as their numbers are to."""
    for name in ("cur", "new", "tmp"):
        (folder / name).mkdir(parents=True)
    for number, mail in enumerate(mails):
        octets = mail.octets
        assert mail.row.timestamp is not None
        arrived = int(mail.row.timestamp.timestamp())
        flags = "".join(sorted(_LETTERS[flag] for flag in mail.flags))
        path = folder / "cur" / f"{arrived}.M{number:06d}P1.bench,S={len(octets)},W={len(octets)}:2,{flags}"
        path.write_bytes(octets)
        os.utime(path, (arrived, arrived))


def read(folder: Path) -> list[tuple[bytes, frozenset[str], float]]:
    """Return the octets, flags and time of arrival of each message, in the order of arrival."""
    flags = {letter: flag for flag, letter in _LETTERS.items()}
    found = []
    for path in sorted((folder / "cur").iterdir()):
        letters = path.name.rpartition(":2,")[2]
        found.append((path.read_bytes(), frozenset(flags[letter] for letter in letters), path.stat().st_mtime))
    return found


def prepared(folder: Path, octets: bytes, owner: int) -> tuple[Path, Path]:
    """Write a message that is about to be delivered; return where it is and where it is to be moved to."""
    name = f"{int(time())}.M{next(_deliveries):06d}P2.bench,S={len(octets)},W={len(octets)}"
    path = folder / "tmp" / name
    path.write_bytes(octets)
    os.chown(path, owner, owner)
    return path, folder / "new" / name
