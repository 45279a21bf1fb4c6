"""Failed logins, counted by where they come from and by which account they are for, in a memory of fixed size.

Each key has a budget of failures a minute. Who has used it up is not refused but waits, for as long as the budget takes
to come back and never longer than a limit; then the login is checked whatever was before. So a right token gets in,
however many wrong ones somebody else tries from the same address or for the same account.

What is kept of a key is one number (the "theoretical arrival time" of the generic cell rate algorithm): the moment at
which its budget is whole again.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import secrets
import stat
import struct
import tempfile
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred

from cybertemp_imap.operator_error import OperatorError

MINUTE = 60.0

_MAGIC = b"ctimap1\n"
_SALT = 24
_HEADER = len(_MAGIC) + _SALT
_ENTRY = struct.Struct("<Qd")
_WAYS = 8
_BUCKET = struct.Struct("<" + "Qd" * _WAYS)
_BUCKETS = 8192

FILE_SIZE = _HEADER + _BUCKETS * _BUCKET.size
"""Octets: about a million, for 65,536 keys."""


class Table:
    """Numbers by key, as many as fit: a new key takes the place of the least of those it shares a place with.

    Keys are hashed with a secret, so that nobody can choose whom to push out.
    """

    def __init__(self, file: int | None = None) -> None:
        """Use a file that is open for reading and writing, which other processes may use too; by default none."""
        self._file = file
        if file is not None and os.fstat(file).st_size != FILE_SIZE:
            os.ftruncate(file, 0)
            os.ftruncate(file, FILE_SIZE)
        self._memory = mmap.mmap(-1 if file is None else file, FILE_SIZE)
        with self.locked():
            if self._memory[: len(_MAGIC)] != _MAGIC:
                self._memory[:_HEADER] = _MAGIC + secrets.token_bytes(_SALT)
                self._memory[_HEADER:] = bytes(FILE_SIZE - _HEADER)
            self._salt = self._memory[len(_MAGIC) : _HEADER]

    @classmethod
    def shared(cls, path: Path) -> Table:
        """Open the file that the processes of a machine share, and make it if need be.

        :raises OperatorError: it cannot be used, or belongs to somebody else.
        """
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(
                f"The file {path}, in which failed logins are counted, cannot be used: {error.strerror}; "
                "choose another with IMAP_THROTTLE_FILE."
            ) from None
        try:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
                raise OperatorError(f"The file {path} is another user's: choose another with IMAP_THROTTLE_FILE.")
            fcntl.flock(file, fcntl.LOCK_EX)
            table = cls(file)
        except BaseException:
            os.close(file)
            raise
        return table

    def close(self) -> None:
        """Let go of the file."""
        self._memory.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out, for the microseconds that a look or a change takes."""
        if self._file is None:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def key(self, kind: bytes, name: bytes) -> int:
        """Return a key; 0 is none."""
        found = blake2b(kind + b"\0" + name, digest_size=8, key=self._salt).digest()
        return int.from_bytes(found, "little") or 1

    def get(self, key: int) -> float:
        """Return the number of a key, 0 where there is none; the table must be locked."""
        fields = _BUCKET.unpack_from(self._memory, self._place(key))
        keys = fields[::2]
        return float(fields[2 * keys.index(key) + 1]) if key in keys else 0.0

    def put(self, key: int, number: float) -> None:
        """Set the number of a key; the table must be locked."""
        place = self._place(key)
        fields = _BUCKET.unpack_from(self._memory, place)
        keys, numbers = fields[::2], fields[1::2]
        way = keys.index(key) if key in keys else numbers.index(min(numbers))
        _ENTRY.pack_into(self._memory, place + way * _ENTRY.size, key, number)

    def _place(self, key: int) -> int:
        return _HEADER + key % _BUCKETS * _BUCKET.size


def default_file() -> Path:
    """Return the file that all processes of this user on this machine share; memory, where the system offers that."""
    memory = Path("/dev/shm")
    folder = memory if memory.is_dir() and os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    return folder / f"cybertemp-imap-{os.geteuid()}.logins"


class Throttle:
    """Budgets of failed logins; ``now`` returns the time in seconds, the same in all processes."""

    def __init__(
        self,
        network_failures: int,
        account_failures: int,
        longest_wait: float,
        now: Callable[[], float],
        table: Table | None = None,
    ) -> None:
        """Failures are those a minute, for one address (or IPv6 /64) and for one account."""
        self.table = table or Table()
        self.longest_wait = longest_wait
        self._intervals = (MINUTE / network_failures, MINUTE / account_failures)
        self._now = now
        # Timers of those who wait in this process, by each key that they wait for, in the order in which they began to.
        self._waiting: dict[int, dict[Any, None]] = {}

    def attempt(self, network: str, account: bytes) -> Attempt:
        """Return an attempt to log in, of which nothing is counted yet; ``network`` is what counts as one client."""
        folded = account.decode("utf-8", "replace").strip().casefold().encode("utf-8", "replace")
        names = ((b"network", network.encode()), (b"account", folded))
        keys = [self.table.key(kind, name) for kind, name in names]
        return Attempt(self, list(zip(keys, self._intervals, strict=True)))

    def ask(self, keys: Sequence[tuple[int, float]]) -> float:
        """Count a failure and return 0 where each key has budget for one more; else return in how many seconds it has.

        Under one lock: of many that ask at the same moment, in whatever process, no more are let in than may be.
        """
        now = self._now()
        with self.table.locked():
            whole = [self._whole(key, interval, now) for key, interval in keys]
            waits = [moment + interval - MINUTE - now for moment, (_, interval) in zip(whole, keys, strict=True)]
            if max(waits) > 0:
                return max(waits)
            for moment, (key, interval) in zip(whole, keys, strict=True):
                self.table.put(key, max(moment, now) + interval)
        return 0.0

    def charge(self, keys: Sequence[tuple[int, float]], count: int) -> None:
        """Count a failure, or take one back."""
        now = self._now()
        with self.table.locked():
            for key, interval in keys:
                self.table.put(key, max(self._whole(key, interval, now), now) + count * interval)

    @property
    def waiting(self) -> int:
        """How many budgets are waited for in this process."""
        return len(self._waiting)

    async def rest(self, keys: Sequence[tuple[int, float]], reactor: Any, seconds: float) -> None:
        """Return after so many seconds, or when this process has taken back a failure that one of these keys had."""
        over: Deferred[None] = Deferred()
        timer = reactor.callLater(seconds, over.callback, None)
        for key, _ in keys:
            self._waiting.setdefault(key, {})[timer] = None
        try:
            await over
        finally:
            if timer.active():
                timer.cancel()
            for key, _ in keys:
                line = self._waiting.get(key, {})
                line.pop(timer, None)
                if not line:
                    self._waiting.pop(key, None)

    def wake(self, keys: Sequence[tuple[int, float]]) -> None:
        """Have the first look again who waits for each of these keys: a turn of the reactor later, not from within."""
        for key, _ in keys:
            line = self._waiting.get(key)
            timer = next(iter(line), None) if line else None
            if line and timer is not None:
                # Another failure that is taken back in the same turn is for the next.
                del line[timer]
                if timer.active():
                    timer.reset(0)

    def _whole(self, key: int, interval: float, now: float) -> float:
        """Return when a budget is whole again, which is never so far that anybody had to wait longer than allowed.

        What is further off was written before a clock was set back, and means nothing.
        """
        found = self.table.get(key)
        if found > now + MINUTE + interval + self.longest_wait:
            return 0.0
        return min(found, now + MINUTE - interval + self.longest_wait)


class Attempt:
    """One attempt to log in. It counts as a failure from its beginning to :meth:`forgive`: many at once are many."""

    def __init__(self, throttle: Throttle, keys: Sequence[tuple[int, float]]) -> None:
        self._throttle = throttle
        self._keys = keys
        self.longest_wait = throttle.longest_wait

    def ask(self) -> float:
        """Begin, and return 0; or return how many seconds it should wait from now on."""
        return self._throttle.ask(self._keys)

    def begin(self) -> None:
        """Count it, whatever else there is."""
        self._throttle.charge(self._keys, 1)

    async def rest(self, reactor: Any, seconds: float) -> None:
        """Return after so many seconds, or when it may be worth asking again."""
        await self._throttle.rest(self._keys, reactor, seconds)

    def forgive(self) -> None:
        """Count it no more: it was no wrong guess."""
        self._throttle.charge(self._keys, -1)
        self._throttle.wake(self._keys)
