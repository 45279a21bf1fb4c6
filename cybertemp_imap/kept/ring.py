"""A file of bounded size that octets are kept in until newer ones take their place.

The file has no name, so nobody else can open it, and it is gone with the process. It is written and read through the
system's page cache, which decides how much of it is in memory; the process's own memory does not grow with it.

Places ascend for ever: where something is in the file is its place modulo the size, and what is more than a size behind
the newest has been written over. So a place tells by itself whether what it held is still there.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import BinaryIO

from twisted.logger import Logger

SHARE = 8
"""What is kept together has at most this fraction of the file."""


class Ring:
    """Keeps octets at places. Whatever goes wrong with the file, nothing is kept and nothing is found any more."""

    _log = Logger()

    def __init__(self, size: int) -> None:
        """Take the size in octets; the file is made when it is first needed."""
        self.size = size
        self.end = 0
        """The place that is written next."""
        self._file: BinaryIO | None = None
        self._failed = False

    @property
    def begin(self) -> int:
        """The first place that may still hold what was written to it."""
        return max(0, self.end - self.size)

    def put(self, pieces: Sequence[bytes]) -> int | None:
        """Keep pieces, one behind the other; return the place of the first, or None where they are not kept."""
        total = sum(map(len, pieces))
        if total > self.size // SHARE or self._failed:
            return None
        place = self.end
        if place % self.size + total > self.size:
            # Nothing is in two parts: the rest of the file is passed over.
            place += self.size - place % self.size
        try:
            self._write(b"".join(pieces), place % self.size)
        except OSError as error:
            self._give_up(error)
            return None
        self.end = place + total
        return place

    def get(self, place: int, length: int) -> bytes | None:
        """Return what is at a place, or None where it has been written over."""
        if place < self.begin or self._file is None:
            return None
        try:
            octets = os.pread(self._file.fileno(), length, place % self.size)
        except OSError as error:
            self._give_up(error)
            return None
        return octets if len(octets) == length else None

    def close(self) -> None:
        """Forget everything; what is kept from now on goes into a new file."""
        file, self._file = self._file, None
        self.end += self.size
        if file is not None:
            file.close()

    def _write(self, octets: bytes, at: int) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it is open for as long as the process runs
        rest = memoryview(octets)
        while rest:
            written = os.pwrite(self._file.fileno(), rest, at)
            rest, at = rest[written:], at + written

    def _give_up(self, error: OSError) -> None:
        """Do without; a full disk, say, must not end a session."""
        self._failed = True
        self.close()
        self._log.warn("Messages are not kept any more: {reason}", reason=error.strerror)
