"""Who comes after a fault of the soak, and finds out how long it takes until everything works again."""

from __future__ import annotations

import time
from itertools import pairwise

from bench.client import Client, Refused

PATIENCE = 60.0


class Newcomer:
    """A client that logs in and changes something."""

    def __init__(self, address: tuple[str, int], email: str, token: str) -> None:
        self._address = address
        self._login = f"LOGIN {email} {token}"

    def come(self, began: float) -> dict[str, float]:
        """Return how long after that moment a new session could do so, and how long each step of it took.

        What was refused before it is ``refused``; the time of it is in ``back`` alone.
        """
        refused = 0
        while True:
            moments = [time.monotonic()]
            try:
                with Client(self._address, PATIENCE) as client:
                    moments.append(time.monotonic())
                    for command in (self._login, "SUBSCRIBE INBOX"):
                        client.run(command)
                        moments.append(time.monotonic())
            except (Refused, OSError):
                if time.monotonic() - began > PATIENCE:
                    raise
                refused += 1
                continue
            greeting, login, change = (round(b - a, 3) for a, b in pairwise(moments))
            back = moments[-1] - began
            return {"back": back, "refused": refused, "greeting": greeting, "login": login, "change": change}
