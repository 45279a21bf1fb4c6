"""What the service tells systemd of itself (sd_notify(3)): that it is ready, and that it is stopping."""

from __future__ import annotations

import os
import socket

from twisted.logger import Logger

READY = "READY=1"
STOPPING = "STOPPING=1"

_log = Logger()


def notify(state: str) -> None:
    """Send ``state`` to the socket that ``NOTIFY_SOCKET`` names; without one, do nothing.

    The socket is the service manager's and takes a datagram at once; one that is gone or full is no reason to stop.
    """
    place = os.environ.get("NOTIFY_SOCKET", "")
    if not place.startswith(("/", "@")):
        return
    # "@" stands for the NUL octet that an abstract name begins with.
    address = f"\0{place[1:]}" if place.startswith("@") else place
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as datagrams:
        try:
            datagrams.sendto(state.encode(), address)
        except OSError as error:
            _log.warn("The service manager was not told {state}: {reason}", state=state, reason=error.strerror)
