"""Many sessions that idle, and what they hear: each counts the messages of its mailbox."""

from __future__ import annotations

import re
import selectors
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic

from bench.client import Client
from bench.database import Database

_EXISTS = re.compile(rb"\* ([0-9]+) EXISTS\r\n")
_LINE = 256
_ROOM = 4096


@dataclass(frozen=True, slots=True)
class Member:
    """Who idles, and in which mailbox; ``group`` is what mailboxes that are delivered to together have in common."""

    user: str
    token: str
    mailbox: str
    group: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A session was told, at a moment of the monotonic clock, how many messages there are."""

    member: int
    exists: int
    at: float


def accounts(database: Database, count: int, addresses: int) -> list[tuple[str, str, list[str]]]:
    """Add accounts with so many addresses each; return e-mail, token and addresses of each."""
    made = []
    for number in range(count):
        owned = [f"box{number}-{which}@example.com" for which in range(addresses)]
        email = f"user{number}@example.com"
        made.append((email, database.add_account(email, owned), owned))
    return made


class Crowd:
    """Sessions that idle from :meth:`gather` on, read by a thread of its own until :meth:`close`."""

    def __init__(self, address: tuple[str, int], members: Sequence[Member]) -> None:
        self.heard: list[Heard] = []
        self.lost = 0
        self._address = address
        self._members = members
        self._clients: list[Client] = []
        self._selector = selectors.DefaultSelector()
        self._tails: dict[int, bytes] = {}
        self._over = Event()
        self._thread = Thread(target=self._read, name="crowd", daemon=True)

    def gather(self) -> None:
        """Log in, open the mailboxes and idle, one session after another."""
        for number, member in enumerate(self._members):
            client = Client(self._address, room=_ROOM)
            self._clients.append(client)
            client.run(f'LOGIN "{member.user}" "{member.token}"')
            client.run(f'SELECT "{member.mailbox}"')
            self._selector.register(client.idle(), selectors.EVENT_READ, number)
        self._thread.start()

    def close(self) -> None:
        """Break all connections off."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        for client in self._clients:
            client.close()
        self._selector.close()

    def _read(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(0.2):
                assert isinstance(key.fileobj, socket.socket)
                octets = key.fileobj.recv(1 << 16)
                at = monotonic()
                if not octets:
                    self.lost += 1
                    self._selector.unregister(key.fileobj)
                    continue
                text = self._tails.pop(key.data, b"") + octets
                if not text.endswith(b"\r\n"):
                    self._tails[key.data] = text[-_LINE:]
                self.heard += [Heard(key.data, int(found[1]), at) for found in _EXISTS.finditer(text)]
