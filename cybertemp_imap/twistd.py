"""What ``twistd cybertemp-imap`` starts: the server, in this process or in as many as the settings say.

Programs that have the server in a tree of services of their own use :mod:`cybertemp_imap.tap`, which starts none.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService

from cybertemp_imap import tap
from cybertemp_imap.config import Settings
from cybertemp_imap.tap import Options

__all__ = ["Options", "makeService"]

MOST = 8
"""Processes that are started without being asked for: their connections fit into PostgreSQL's usual 100."""

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def makeService(options: Options) -> MultiService:
    """Return the service that runs the server; nothing happens before it is started."""
    return tap.service_of(options, functools.partial(_service, options.parent))


def _service(twistd: Mapping[str, Any] | None, settings: Settings, reactor: Any) -> MultiService:
    count = worker_count(settings)
    if count == 1:
        from cybertemp_imap.service import ImapService

        return ImapService(settings, reactor)
    from cybertemp_imap.workers import log
    from cybertemp_imap.workers.service import WorkersService

    reactor.addSystemEventTrigger("after", "shutdown", _ended_well, reactor)
    return WorkersService(settings, reactor, count, log.place(twistd))


def worker_count(settings: Settings) -> int:
    """Return how many processes serve: as many as asked for; else one a core, or one over an embedded PostgreSQL.

    Who has a PostgreSQL started along with the server tries it, or has a small machine.
    """
    if settings.workers is not None:
        return settings.workers
    return 1 if settings.embedded else max(1, min(cores(), MOST))


def cores() -> int:
    """Return how many cores this process may use, by its affinity and by the quota of its container."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = _QUOTA.read_text().split()
        found = min(found, max(1, int(quota) // int(period)))
    return found


def _ended_well(reactor: Any) -> None:
    # twistd would end itself by the signal once more that had it stop; all workers have ended, which is status 0.
    if hasattr(reactor, "_exitSignal"):
        reactor._exitSignal = None
