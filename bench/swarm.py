"""Several connections at work at once, by one thread: how many commands a second a server answers."""

from __future__ import annotations

import selectors
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from bench.client import Client

CONNECTIONS = 16


def work(clients: Sequence[Client], commands: Iterator[str]) -> tuple[float, int]:
    """Give every connection its next command as soon as it is free; return seconds and octets received.

    :raises Refused: a server's answer was not OK.
    :raises TimeoutError: no answer came for as long as a client waits.
    """
    octets, busy = 0, 0
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ)
        begun = perf_counter()
        for client, command in zip(clients, commands, strict=False):
            client.send(command)
            busy += 1
        while busy:
            for client in _ready(selector):
                if not client.receive():
                    continue
                octets += client.octets
                command = next(commands, "")
                if command:
                    client.send(command)
                else:
                    busy -= 1
        return perf_counter() - begun, octets


def visit(connect: Callable[[], Client], login: str, count: int, at_once: int = CONNECTIONS) -> float:
    """Log in so many times, with so many connections at once; return seconds.

    Each visit is a connection of its own, not greeted yet, that is broken off once the server has said OK. Raises as
    :func:`work`.
    """
    came = left = 0
    greeted: set[Client] = set()
    with selectors.DefaultSelector() as selector:
        begun = perf_counter()
        while left < count:
            while came < min(count, left + at_once):
                selector.register(connect(), selectors.EVENT_READ)
                came += 1
            for client in _ready(selector):
                if not client.receive():
                    continue
                if client not in greeted:
                    greeted.add(client)
                    client.send(login)
                else:
                    greeted.remove(client)
                    selector.unregister(client)
                    client.close()
                    left += 1
        return perf_counter() - begun


def _ready(selector: selectors.BaseSelector) -> list[Client]:
    events = selector.select(60.0)
    if not events:
        raise TimeoutError("no answer in a minute")
    found = []
    for key, _ in events:
        assert isinstance(key.fileobj, Client)
        found.append(key.fileobj)
    return found
