"""How each row is measured: functions that do it once and return how long a single command took."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle, islice
from time import monotonic, perf_counter, sleep

from bench import swarm
from bench.client import Client, Refused
from bench.corpus import BIG, FEW, NEWS, SEARCHES, SINK, Mail, corpus
from bench.servers import Server


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: seconds and octets received for one command, and how many commands it is the mean of."""

    seconds: float
    octets: float
    commands: int


Measure = Callable[[Server], Sample]

_SEARCH = re.compile(rb"\* SEARCH([ 0-9]*)\r\n")
_EXISTS = re.compile(rb"\* [0-9]+ EXISTS\r\n")
_MISSED = 20.0
"""Seconds after which a delivery was not told."""


def repeated(mailbox: str, command: str, times: int) -> Measure:
    """The same command again and again in one session; less often where there is little mail or much patience lost."""

    def measure(server: Server) -> Sample:
        count = 1 if server.hurried else times
        with _selected(server, mailbox) as client:
            begun = perf_counter()
            octets = sum(client.run(command) for _ in range(count))
            return Sample((perf_counter() - begun) / count, octets / count, count)

    return measure


def selecting(times: int) -> Measure:
    """SELECT of a mailbox, each time in a session that has just opened another one."""

    def measure(server: Server) -> Sample:
        count = 5 if server.hurried else times
        with server.session() as client:
            spent, octets = 0.0, 0
            for _ in range(count):
                client.run(f"SELECT {server.mailbox(FEW)}")
                begun = perf_counter()
                octets += client.run(f"SELECT {server.mailbox(BIG)}")
                spent += perf_counter() - begun
            return Sample(spent / count, octets / count, count)

    return measure


def searching(key: str, times: int = 1) -> Measure:
    """SEARCH for one word after another, so that an answer that was kept is of no use.

    :raises Refused: as many messages were not found as there are.
    """
    words = cycle(SEARCHES[key])

    def measure(server: Server) -> Sample:
        count = 1 if server.hurried else times
        with _selected(server, BIG) as client:
            asked = [f"{key} {word}".strip() for word in islice(words, count)]
            begun = perf_counter()
            answers = [client.ask(f"SEARCH {search}") for search in asked]
            seconds = perf_counter() - begun
        for search, answer in zip(asked, answers, strict=True):
            found = len(match[1].split()) if (match := _SEARCH.search(answer)) else 0
            if found != server.expected[search]:
                raise Refused(f"SEARCH {search}: {found} messages, not {server.expected[search]}")
        return Sample(seconds / count, len(answers[0]), count)

    return measure


def _bodies(server: Server, count: int) -> Iterator[str]:
    """Whole messages by UID, never the same one twice in a row."""
    draw = random.Random(count)
    return (f"UID FETCH {draw.randint(1, server.expected['ALL'])} (BODY.PEEK[])" for _ in range(count))


def random_bodies(times: int) -> Measure:
    """Whole messages in one session."""
    return _alone(_bodies, times)


def random_bodies_together(times: int) -> Measure:
    """Whole messages in many sessions at once."""
    return _together(_bodies, times)


def _flags(server: Server, count: int) -> Iterator[str]:
    """A flag set or taken, of any message."""
    draw = random.Random(count)
    for number in range(count):
        yield f"STORE {draw.randint(1, server.expected['ALL'])} {'+-'[number // 2 % 2]}FLAGS (\\Draft)"


def stores(times: int) -> Measure:
    """STORE in one session."""
    return _alone(_flags, times)


def stores_together(times: int) -> Measure:
    """STORE in many sessions at once, which are told of each other's."""
    return _together(_flags, times)


def noops_together(times: int) -> Measure:
    """NOOP in many sessions at once."""
    return _together(lambda server, count: iter(["NOOP"] * count), times)


def _alone(commands: Callable[[Server, int], Iterator[str]], times: int) -> Measure:
    def measure(server: Server) -> Sample:
        count = max(times // 10, 1) if server.hurried else times
        with _selected(server, BIG) as client:
            prepared = list(commands(server, count))
            begun = perf_counter()
            octets = sum(client.run(command) for command in prepared)
            return Sample((perf_counter() - begun) / count, octets / count, count)

    return measure


def _together(commands: Callable[[Server, int], Iterator[str]], times: int) -> Measure:
    def measure(server: Server) -> Sample:
        count = max(times // 10, 1) if server.hurried else times
        with ExitStack() as stack:
            clients = [stack.enter_context(_selected(server, BIG)) for _ in range(swarm.CONNECTIONS)]
            seconds, octets = swarm.work(clients, iter(list(commands(server, count))))
            return Sample(seconds / count, octets / count, count)

    return measure


def logins(times: int) -> Measure:
    """Connections, each greeted and logged in."""

    def measure(server: Server) -> Sample:
        count = max(times // 4, 1) if server.hurried else times
        return Sample(swarm.visit(server.connection, server.login, count) / count, 0, count)

    return measure


def _letters(count: int) -> list[Mail]:
    return list(islice(cycle(corpus("letters@example.com", 20, smallest=10_000, largest=10_000)), count))


def appends(times: int) -> Measure:
    """APPEND of messages of 10 KB, one after the other."""

    def measure(server: Server) -> Sample:
        octets = [mail.octets for mail in _letters(times // 10 if server.hurried else times)]
        with server.session() as client:
            begun = perf_counter()
            for message in octets:
                client.append(server.mailbox(SINK), message)
            return Sample((perf_counter() - begun) / len(octets), 0, len(octets))

    return measure


def deliveries(times: int, mailbox: str = NEWS) -> Measure:
    """From just before a message can be seen to EXISTS at a client that idles; the median of some.

    :raises Refused: there is no IDLE, or nothing is told.
    """

    def measure(server: Server) -> Sample:
        draw = random.Random(times)
        with _selected(server, mailbox) as client:
            connection = client.idle()
            connection.settimeout(_MISSED)
            spent = []
            for mail in _letters(times):
                sleep(draw.uniform(0.05, 0.3))
                delivered = server.deliver(mailbox, mail)
                heard = b""
                while not _EXISTS.search(heard):
                    heard += connection.recv(4096)
                spent.append(monotonic() - delivered)
            client.done()
        return Sample(sorted(spent)[len(spent) // 2], 0, times)

    return measure


def _selected(server: Server, mailbox: str) -> Client:
    client = server.session()
    client.run(f"SELECT {server.mailbox(mailbox)}")
    return client
