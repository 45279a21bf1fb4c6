"""How many connections there are now of each kind and name: in this process, or in all workers of a server together.

Workers share a memory with a table for each of them. A worker writes its own table alone, and sums over all: it adds
first and looks then, so that of two that come at the same moment at least one sees both, and a limit is never exceeded.
So no lock is needed, and a worker that is killed leaves nothing locked; its table is emptied for the next.
"""

from __future__ import annotations

import mmap
import os
import secrets
import struct
import tempfile
from collections import Counter
from collections.abc import Hashable
from hashlib import blake2b
from pathlib import Path

_SALT = 64
_WAYS = 8
_ENTRY = struct.Struct("@QQ")
_BUCKET = struct.Struct("@" + "QQ" * _WAYS)
_BUCKETS = 16384

TABLE = _BUCKETS * _BUCKET.size
"""Octets of one table, for 131,072 keys: two million, of which only what is used takes memory."""


class Tally:
    """Counts in this process alone."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, Hashable]] = Counter()

    def add(self, kind: str, name: Hashable) -> int:
        """Count one more, and return how many there are."""
        self._counts[kind, name] += 1
        return self._counts[kind, name]

    def remove(self, kind: str, name: Hashable) -> None:
        """Count one less."""
        self._counts[kind, name] -= 1
        if not self._counts[kind, name]:
            del self._counts[kind, name]


class SharedMemory:
    """The memory that the workers of a server share, a file without a name; it is gone with the last of them."""

    def __init__(self, file: int, tables: int) -> None:
        """:param file: is open for reading and writing, and belongs to this object from now on."""
        self.file = file
        self.tables = tables
        self.octets = mmap.mmap(file, _SALT + tables * TABLE)

    @classmethod
    def made(cls, tables: int) -> SharedMemory:
        """Make a memory with so many tables."""
        memory = Path("/dev/shm")
        folder = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
        with tempfile.TemporaryFile(dir=folder) as file:
            file.truncate(_SALT + tables * TABLE)
            found = cls(os.dup(file.fileno()), tables)
        found.octets[:_SALT] = secrets.token_bytes(_SALT)
        return found

    @property
    def salt(self) -> bytes:
        """What keys are hashed with, so that nobody can choose two that meet."""
        return self.octets[:_SALT]

    def forget(self, table: int) -> None:
        """Empty the table of a worker that is gone."""
        place = _SALT + table * TABLE
        self.octets[place : place + TABLE] = bytes(TABLE)

    def close(self) -> None:
        """Let go of it."""
        self.octets.close()
        os.close(self.file)


class SharedTally(Tally):
    """Counts of all workers together, as one of them keeps them.

    Where more names share a place in the table than there is room for, the last are counted in this worker alone.
    """

    def __init__(self, memory: SharedMemory, own: int) -> None:
        super().__init__()
        self._memory = memory
        self._own = own

    def add(self, kind: str, name: Hashable) -> int:
        """Count one more, and return how many there are in all workers."""
        key = self._key(kind, name)
        if not self._change(key, 1):
            return super().add(kind, name)
        return sum(
            count for table in range(self._memory.tables) for each, count in self._bucket(table, key) if each == key
        )

    def remove(self, kind: str, name: Hashable) -> None:
        """Count one less."""
        if (kind, name) in self._counts:
            super().remove(kind, name)
        else:
            self._change(self._key(kind, name), -1)

    def _change(self, key: int, by: int) -> bool:
        """Change a count in the own table; false when there is no room for it.

        A key is written after its count and removed before it, so that nobody takes one name's count for another's.
        """
        entries = self._bucket(self._own, key)
        keys = [each for each, _ in entries]
        wanted = key if key in keys else 0
        if wanted not in keys:
            return False
        way = keys.index(wanted)
        count = by + (entries[way][1] if wanted else 0)
        place = self._place(self._own, key) + way * _ENTRY.size
        if not count:
            self._write(place, 0)
        self._write(place + 8, count)
        if count and not wanted:
            self._write(place, key)
        return True

    def _write(self, place: int, number: int) -> None:
        struct.pack_into("@Q", self._memory.octets, place, number)

    def _bucket(self, table: int, key: int) -> list[tuple[int, int]]:
        fields = _BUCKET.unpack_from(self._memory.octets, self._place(table, key))
        return list(zip(fields[::2], fields[1::2], strict=True))

    def _place(self, table: int, key: int) -> int:
        return _SALT + table * TABLE + key % _BUCKETS * _BUCKET.size

    def _key(self, kind: str, name: Hashable) -> int:
        found = blake2b(f"{kind}\0{name}".encode("utf-8", "replace"), digest_size=8, key=self._memory.salt).digest()
        return int.from_bytes(found, "little") or 1
