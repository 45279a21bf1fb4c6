"""When certificates are read again: at SIGHUP, and when their files change."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.task import LoopingCall

from cybertemp_imap.tls import Certificate

POLL_INTERVAL = 10.0
"""Seconds between looks at the files."""


class Certificates(Protocol):
    """What is looked after."""

    @property
    def certificates(self) -> Iterable[Certificate]:
        """Every certificate once."""

    def look(self) -> None:
        """Read again the certificates whose files have changed."""

    def reload(self) -> None:
        """Read all certificates again."""


class Renewal:
    """Looks after the certificates of ``places`` from :meth:`start` to :meth:`stop`."""

    def __init__(self, places: Certificates, reactor: Any) -> None:
        self._places = places
        self._reactor = reactor
        self._polling = LoopingCall(places.look)
        self._polling.clock = reactor
        self._listens = False

    def start(self) -> None:
        """Begin to look; SIGHUP is left alone where somebody else uses it already."""
        if not self._polling.running and list(self._places.certificates):
            self._polling.start(POLL_INTERVAL, now=False)
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
            signal.signal(signal.SIGHUP, self._hung_up)
            self._listens = True

    def stop(self) -> None:
        """Look no more."""
        if self._polling.running:
            self._polling.stop()
        if self._listens:
            self._listens = False
            signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def _hung_up(self, number: int, frame: object) -> None:
        # In the reactor's own time: a signal comes in the middle of anything.
        self._reactor.callFromThread(self._places.reload)
