"""Cost curves: SELECT, a fetch, searches and a push against the size of a mailbox, the number of sessions, and bans.

Every point is a run of its own as far as figures go: some are measured now and others later (``--points``), and drawn
together (:mod:`bench.draw`).
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, cycle, islice
from time import perf_counter
from typing import Any

from bench import machine
from bench.client import Refused
from bench.corpus import NEEDLE
from bench.crowd import Crowd, Member, accounts
from bench.mailboxes import bulk
from bench.measures import deliveries
from bench.servers import Ours

POINTS: dict[str, tuple[int, ...]] = {
    "size": (100, 1_000, 10_000, 100_000, 1_000_000),
    "bans": (0, 100, 1_000, 10_000, 100_000),
    "sessions": (10, 100, 1_000, 10_000),
}
"""Where each curve is measured."""

COUNT = 1_000
"""Messages in the mailbox that is asked while sessions and bans become more."""

MEASURES = {
    "cold": "SELECT, first ever",
    "select": "SELECT, known",
    "fetch": "FETCH of one body",
    "again": "the same body again",
    "subject": "SEARCH SUBJECT",
    "text": "SEARCH TEXT",
    "push": "push to IDLE",
}
"""In the order of the table. A mailbox is new to IMAP only once: the first is of sizes alone."""

NAMES = {"size": "messages", "bans": "bans", "sessions": "sessions idling"}

Point = tuple[str, int]

_BUDGET = 1.0
"""Seconds after which a measure is not repeated any more."""

_REPEATS = 40
_PUSHES = 8
_ACCOUNTS = 100
_SHORTEST = 5
"""Letters of the needle that no other text holds together."""

_BANS = """
    INSERT INTO public.bans (scope, value, match_type)
    SELECT 'sender', CASE WHEN n %% 50 = 0 THEN '@unwanted' || md5(n::text) ELSE 'spammer.' || n || '@bad.example' END,
           CASE WHEN n %% 50 = 0 THEN 'contains' ELSE 'exact' END
    FROM generate_series(1, %s) AS n
"""


def point(text: str) -> Point:
    """Read a point, as ``size=1000000``.

    :raises ValueError: there is no such curve, or no number.
    """
    name, _, number = text.partition("=")
    if name not in POINTS:
        raise ValueError(text)
    return name, int(number)


def measure(server: Ours, say: Callable[[str], None], points: Sequence[Point] = ()) -> Iterator[dict[str, Any]]:
    """Measure with server and PostgreSQL on one core and the client on the other; times are seconds, medians.

    Without ``points``, all.
    """
    client_cores, server_cores = machine.cores()
    server.stop()
    server.cores = server_cores
    machine.pin(machine.family(server.database.process()), server_cores)
    with machine.on(client_cores):
        server.start()
        curves = _Curves(server, say)
        for name, numbers in POINTS.items():
            for number in [number for each, number in points if each == name] if points else numbers:
                say(f"curves, {number:,} {NAMES[name]}")
                for _ in curves.measure(name, number):
                    yield curves.found


class _Curves:
    """What has been found so far, and of which mailboxes which messages have been read."""

    def __init__(self, server: Ours, say: Callable[[str], None]) -> None:
        self.found: dict[str, dict[int, dict[str, float]]] = {}
        self._server = server
        self._say = say
        self._unread: dict[int, Iterator[int]] = {}
        self._people: list[Member] = []

    def measure(self, name: str, number: int) -> Iterator[None]:
        """Measure a point; yields whenever something has been found."""
        found = self.found.setdefault(name, {}).setdefault(number, {})
        of: dict[str, Callable[[int, dict[str, float]], Iterator[None]]] = {
            "size": self._in_mailbox,
            "bans": self._with_bans,
            "sessions": self._with_sessions,
        }
        yield from of[name](number, found)

    def _with_bans(self, bans: int, found: dict[str, float]) -> Iterator[None]:
        self._known()
        database = self._server.database
        database.execute(_BANS, (bans,))
        database.settle()
        try:
            yield from self._in_mailbox(COUNT, found)
        finally:
            database.execute("DELETE FROM public.bans")
            database.settle()

    def _with_sessions(self, sessions: int, found: dict[str, float]) -> Iterator[None]:
        self._known()
        if not self._people:
            people = accounts(self._server.database, _ACCOUNTS, 1)
            self._people = [Member(email, token, addresses[0], 0) for email, token, addresses in people]
        crowd = Crowd(self._server.address, list(islice(cycle(self._people), sessions)))
        try:
            crowd.gather()
            yield from self._in_mailbox(COUNT, found)
            if crowd.lost:
                self._say(f"{crowd.lost} of {sessions:,} sessions lost")
        finally:
            crowd.close()

    def _known(self) -> None:
        """Make the mailbox that is asked, and open it once."""
        if COUNT not in self._unread:
            self._fill(COUNT)
            with self._server.session() as client:
                client.run(f"SELECT {self._server.mailbox(_key(COUNT))}")

    def _fill(self, size: int) -> None:
        bulk(self._server.database, f"{_key(size)}@example.com", size)
        self._unread[size] = iter(random.Random(size).sample(range(1, size + 1), min(size, 1_000)))

    def _in_mailbox(self, size: int, found: dict[str, float]) -> Iterator[None]:
        """Measure everything in the mailbox of one size, what takes longest last; what fails is left out.

        The first search of text reads every message, and the header with it.
        """
        if fresh := size not in self._unread:
            self._fill(size)
        draw, key = random.Random(size), _key(size)
        select = f"SELECT {self._server.mailbox(key)}"
        subjects = (f"SEARCH SUBJECT {number}" for number in draw.sample(range(10, 100), 90))
        texts = (f"SEARCH TEXT {needle}" for needle in draw.sample(_needles(), len(_needles())))
        measures: list[Callable[[], dict[str, float]]] = [
            lambda: {"cold": self._timed(key, [select], None)[0]} if fresh else {},
            lambda: {"select": statistics.median(self._timed(key, (select for _ in count()), select))},
            lambda: self._fetches(key, self._unread[size]),
            lambda: {"push": deliveries(_PUSHES, key)(self._server).seconds},
            lambda: {"text": statistics.median(self._timed(key, texts, select, next(texts)))},
            lambda: {"subject": statistics.median(self._timed(key, subjects, select, next(subjects)))},
        ]
        for each in measures:
            try:
                found |= each()
            except (Refused, OSError) as failed:
                self._say(f"{size:,} messages: {failed}")
            yield

    def _fetches(self, key: str, uids: Iterator[int]) -> dict[str, float]:
        """Fetch messages that nobody has read, each twice."""
        twice = (f"UID FETCH {uid} (BODY.PEEK[])" for uid in uids for _ in range(2))
        spent = self._timed(key, islice(twice, 2 * _REPEATS), f"SELECT {self._server.mailbox(key)}")
        return {"fetch": statistics.median(spent[::2]), "again": statistics.median(spent[1::2])}

    def _timed(self, key: str, commands: Iterable[str], *before: str | None) -> list[float]:
        """Return how long each of the commands took, in a session that has done what comes before."""
        spent: list[float] = []
        with self._server.session() as client:
            for command in filter(None, before):
                client.run(command)
            for command in islice(commands, 2 * _REPEATS):
                begun = perf_counter()
                client.run(command)
                spent.append(perf_counter() - begun)
                if sum(spent) > _BUDGET and len(spent) % 2 == 0:
                    break
        return spent


def _key(size: int) -> str:
    return f"size{size}"


def _needles() -> list[str]:
    """Return different words that find the same messages."""
    ends = range(_SHORTEST, len(NEEDLE) + 1)
    return [NEEDLE[begin:end] for end in ends for begin in range(end - _SHORTEST + 1)]


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the figures as lines."""
    lines = [f"{'cost, ms':24}" + "".join(f"{title:>20}" for title in MEASURES.values())]
    for name, points in results.items():
        for number, found in points.items():
            cells = (f"{found[key] * 1000:.2f}" if key in found else "-" for key in MEASURES)
            lines.append(f"{f'{int(number):,} {NAMES[name]}':24}" + "".join(f"{cell:>20}" for cell in cells))
    return lines
