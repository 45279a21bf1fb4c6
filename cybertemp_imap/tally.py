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
_WORD = struct.Struct("@Q")
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


class _Entry:
    """What this worker counts of a name, and where that is written."""

    __slots__ = ("count", "key", "place")

    def __init__(self, key: int, place: int) -> None:
        self.key = key
        self.place = place
        self.count = 0


class SharedTally(Tally):
    """Counts of all workers together, as one of them keeps them.

    What is in its own table it knows, so that it only reads those of the others. Where more names share a place in the
    table than there is room for, the last are counted in this worker alone.
    """

    def __init__(self, memory: SharedMemory, own: int) -> None:
        """:param own: is the number of its table, which must be empty."""
        super().__init__()
        self._memory = memory
        self._own = _SALT + own * TABLE
        self._others = [_SALT + table * TABLE for table in range(memory.tables) if table != own]
        self._entries: dict[tuple[str, Hashable], _Entry] = {}

    def add(self, kind: str, name: Hashable) -> int:
        """Count one more, and return how many there are in all workers."""
        entry = self._entries.get((kind, name)) or self._new(kind, name)
        if entry is None:
            return super().add(kind, name)
        entry.count += 1
        self._write(entry.place + 8, entry.count)
        if entry.count == 1:
            # After its count, as it is removed before it: nobody takes one name's count for another's.
            self._write(entry.place, entry.key)
        return entry.count + sum(self._count(table, entry.key) for table in self._others)

    def remove(self, kind: str, name: Hashable) -> None:
        """Count one less."""
        entry = self._entries.get((kind, name))
        if entry is None:
            super().remove(kind, name)
            return
        entry.count -= 1
        if not entry.count:
            self._write(entry.place, 0)
            del self._entries[kind, name]
        self._write(entry.place + 8, entry.count)

    def _new(self, kind: str, name: Hashable) -> _Entry | None:
        """Return a place in the own table for a name; None when there is no room for it."""
        if (kind, name) in self._counts:
            return None
        key = self._key(kind, name)
        keys = self._bucket(self._own, key)[::2]
        if 0 not in keys:
            return None
        entry = _Entry(key, self._own + _offset(key) + keys.index(0) * _ENTRY.size)
        self._entries[kind, name] = entry
        return entry

    def _count(self, table: int, key: int) -> int:
        fields = self._bucket(table, key)
        keys = fields[::2]
        return fields[2 * keys.index(key) + 1] if key in keys else 0

    def _bucket(self, table: int, key: int) -> tuple[int, ...]:
        return _BUCKET.unpack_from(self._memory.octets, table + _offset(key))

    def _write(self, place: int, number: int) -> None:
        _WORD.pack_into(self._memory.octets, place, number)

    def _key(self, kind: str, name: Hashable) -> int:
        found = blake2b(f"{kind}\0{name}".encode("utf-8", "replace"), digest_size=8, key=self._memory.salt).digest()
        return int.from_bytes(found, "little") or 1


def _offset(key: int) -> int:
    return key % _BUCKETS * _BUCKET.size
