"""Looking at mailboxes because of hints: a few at a time, each at once mostly, and later while looking is costly.

What a look costs is how long it takes, which grows with all else that the database has to do. A mailbox that hints
concern again and again rests in between, for so long that looking takes little of what deliveries need; then one look
takes in what many of them have brought. Where looks take milliseconds, nobody notices.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

Later = Callable[[float, Callable[[], None]], object]
"""Has something done in so many seconds; in none, when the reactor has had a turn."""

LOOKERS = 6
"""Mailboxes looked at at a time because of hints: a ban concerns all, and commands need the store meanwhile."""

AT_ONCE = 3
"""Looks at a mailbox that may follow each other at once, unless there is a crowd."""

CROWD = 20
"""Mailboxes that are looked at of late, or are to be: from so many on each rests after every look."""

SHARE = 20.0
"""For every second that a look takes, a mailbox rests for so long."""

SHARE_EACH = 6.0
"""The same for each mailbox that was looked at of late: so all of them together take a sixth of one connection."""

LONGEST = 4.0
"""Seconds that a mailbox rests at most."""

LONG_AGO = 60.0
"""Seconds after which nothing is remembered of a mailbox."""


class Rests:
    """How long mailboxes, given by their number, rest between looks."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """``clock`` gives seconds."""
        self._clock = clock
        # Until when the looks at a mailbox so far count, and for how many seconds they may and it need not rest.
        self._rests: dict[int, tuple[float, float]] = {}
        self._counted = 0.0
        self._busy = 0

    def wait(self, number: int) -> float:
        """Return in how many seconds a mailbox may be looked at, 0 for now."""
        until, allowed = self._rests.get(number, (0.0, 0.0))
        return max(0.0, until - self._clock() - allowed)

    def looked(self, number: int, seconds: float, waiting: int = 0) -> None:
        """Take note of a look that is just over, how long it took, and how many mailboxes wait for theirs."""
        now = self._clock()
        if now > self._counted + 1.0:
            self._count(now)
        busy = max(self._busy, waiting)
        rest = min(seconds * max(SHARE, SHARE_EACH * busy), LONGEST)
        allowed = (AT_ONCE - 1) * rest if busy < CROWD else 0.0
        until, _ = self._rests.get(number, (0.0, 0.0))
        # What counted when the look began counts still: looking is no rest.
        debt = max(0.0, until - (now - seconds))
        self._rests[number] = (now + min(debt, allowed) + rest, allowed)

    def _count(self, now: float) -> None:
        """Count the mailboxes that were looked at of late, and forget those that were not."""
        self._counted = now
        self._rests = {number: each for number, each in self._rests.items() if each[0] > now - LONG_AGO}
        self._busy = sum(until > now for until, _ in self._rests.values())


class Looks:
    """Has mailboxes looked at that hints concern."""

    _log = Logger()

    def __init__(self, look: Callable[[int, float], Awaitable[None]], later: Later | None) -> None:
        """``look`` is given a mailbox and when the first hint came; without ``later`` no mailbox rests."""
        self._look_at = look
        self._later = later
        self._rests = Rests()
        self._due: OrderedDict[int, float] = OrderedDict()
        self._resting: dict[int, float] = {}
        self._lookers = 0

    def add(self, number: int, *, first: bool) -> None:
        """Take note of a hint; ``first``: before other mailboxes that wait. :meth:`begin` is to be called after it."""
        if not self._rest(number):
            self._due.setdefault(number, monotonic())
            if first:
                self._due.move_to_end(number, last=False)

    def begin(self) -> None:
        """Look at what is due, as far as not enough of that is under way."""
        while self._due and self._lookers < LOOKERS:
            self._lookers += 1
            Deferred.fromCoroutine(self._look()).addErrback(self._failed)

    def _rest(self, number: int) -> bool:
        """Tell whether a mailbox is left alone for now; it is due when it has rested."""
        wait = 0.0 if self._later is None or number in self._resting else self._rests.wait(number)
        if self._later is not None and wait > 0:
            self._resting[number] = monotonic()
            self._later(wait, lambda: self._has_rested(number))
        return number in self._resting

    def _has_rested(self, number: int) -> None:
        self._due.setdefault(number, self._resting.pop(number))
        self.begin()

    async def _look(self) -> None:
        """Look at what is due, one mailbox after another."""
        try:
            while self._due:
                # A hint that comes from now on is about something the refresh may not see.
                number, heard = self._due.popitem(last=False)
                begun = monotonic()
                await self._look_at(number, heard)
                self._rests.looked(number, monotonic() - begun, len(self._due))
        finally:
            self._lookers -= 1

    def _failed(self, failure: Any) -> None:
        self._log.failure("Looking for changes failed", failure)
        self.begin()
