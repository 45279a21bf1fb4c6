"""Whether what a process knows of a mailbox is all there is, so that nobody need look.

Whatever changes a mailbox is notified. So when a refresh has taken in everything, and no hint of the mailbox has come
since it was begun, there is nothing new, provided that all hints have come (``Store.heard_all``). Trusted is that for a
while only: a mailbox is compared as a whole now and then by refreshes that find it due, and what no trigger has seen
(rows that were restored with triggers off) is found by looking alone.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

TRUSTED = 60.0
"""Seconds after a refresh within which another may be left out."""


class Begun(NamedTuple):
    """The moment at which a refresh was begun."""

    hints: int
    time: float


class Trust:
    """What hints, and the last refresh, tell of one mailbox."""

    __slots__ = ("_clock", "_known", "_seen", "_settled", "hinted", "hints", "told")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """``clock`` gives seconds."""
        self.hinted = False
        """Whether hints of the mailbox reach :meth:`hint`."""
        self.hints = 0
        """How many there were."""
        self.told = 0
        """How many of them came from elsewhere, and so may be about anything; it only ever rises."""
        self._clock = clock
        self._known: Begun | None = None
        self._seen = -1
        self._settled = False

    def hint(self, own: bool = False) -> None:
        """Take note that something may have changed; ``own``: by a session of this process, and just the messages."""
        self.hints += 1
        if not own:
            self.told += 1

    def begin(self) -> Begun:
        """Begin a refresh: until it has ended well, nothing is trusted."""
        self._known = None
        return Begun(self.hints, self._clock())

    def end(self, begun: Begun, settled: bool) -> None:
        """All is taken in that was there when the refresh was begun; ``settled``: and what comes later is told."""
        self._known, self._settled, self._seen = begun, settled, begun.hints

    @property
    def heard(self) -> bool:
        """Whether no hint has come that no refresh knows of, and each would come."""
        return self._seen == self.hints and self._settled and self.hinted

    @property
    def expects_news(self) -> bool:
        """Whether there probably is what the last refresh did not take in."""
        return self._seen >= 0 and not self.heard

    @property
    def holds(self) -> bool:
        """Whether there was nothing new, as far as hints have come."""
        known = self._known
        return (
            known is not None
            and self._settled
            and self.hinted
            and known.hints == self.hints
            and self._clock() < known.time + TRUSTED
        )
