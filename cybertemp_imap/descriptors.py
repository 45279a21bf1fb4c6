"""How many connections a process may have: every one takes a file descriptor, and systems begin with few of them."""

from __future__ import annotations

import resource

from twisted.logger import Logger

_log = Logger()


def raise_limit() -> int:
    """Raise the limit of open descriptors to the most that the system lets this process have; return what it is.

    The hard limit is the administrator's word, and is left alone.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        _log.warn("The limit of {soft} open files cannot be raised: {reason}", soft=soft, reason=str(error))
        return soft
    return hard
