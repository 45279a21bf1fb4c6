"""Whether anything grows: sessions come, read, expunge, idle and leave, mail comes in, and the process is looked at."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Callable
from itertools import cycle
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Any

from bench import machine
from bench.client import Client, Refused
from bench.corpus import corpus
from bench.crowd import accounts
from bench.servers import Ours

ACCOUNTS = 100
VISITORS = 20
REST = 3.0
"""Seconds from one visit of a visitor to the next, on average; an IDLE lasts as long."""

DELIVERIES = 4.0
"""A second."""

KEPT = 10
"""Messages of a mailbox that is visited; the older ones are expunged."""

EVERY = 5.0
SETTLED = 0.2
"""The part of the time in which caches fill, before growth counts."""

Sample = tuple[float, int, int]
"""Seconds, octets of memory, descriptors."""


class Churn:
    """What goes on until :attr:`over`."""

    def __init__(self, server: Ours) -> None:
        self.over = Event()
        self.done: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self._lock = Lock()
        self._server = server
        self._people = accounts(server.database, ACCOUNTS, 2)

    def threads(self) -> list[Thread]:
        """Return everybody, not started."""
        return [Thread(target=self._visitor, args=(number,)) for number in range(VISITORS)] + [
            Thread(target=self._deliver)
        ]

    def _note(self, what: str) -> None:
        with self._lock:
            self.done[what] += 1

    def _visitor(self, number: int) -> None:
        chance = random.Random(number)
        while not self.over.wait(chance.expovariate(1 / REST)):
            email, token, addresses = chance.choice(self._people)
            try:
                self._visit(email, token, chance.choice(["INBOX", *addresses]), chance)
            except (Refused, OSError) as error:
                with self._lock:
                    self.errors[str(error)[:100]] += 1

    def _visit(self, email: str, token: str, mailbox: str, chance: random.Random) -> None:
        with Client(self._server.address, 60.0) as client:
            client.run(f'LOGIN "{email}" "{token}"')
            opened = client.ask(f'SELECT "{mailbox}"')
            count = int(opened.partition(b" EXISTS")[0].rpartition(b"* ")[2])
            if count:
                client.run(f"FETCH {max(count - 20, 1)}:{count} (UID FLAGS ENVELOPE)")
                client.run(f"FETCH {chance.randint(1, count)} (BODY.PEEK[])")
                client.run(f"STORE {chance.randint(1, count)} +FLAGS (\\Seen)")
                client.run("SEARCH SUBJECT 7")
            if count > KEPT:
                client.run(f"STORE 1:{count - KEPT} +FLAGS.SILENT (\\Deleted)")
                client.run("EXPUNGE")
                self._note("expunges")
            client.idle()
            self.over.wait(chance.expovariate(1 / REST))
            if chance.random() < 0.5:
                client.done()
                client.run("LOGOUT")
            self._note("visits")

    def _deliver(self) -> None:
        chance = random.Random(0)
        mails = cycle(corpus("churn@example.com", 100, largest=20_000))
        while not self.over.wait(chance.expovariate(DELIVERIES)):
            _, _, addresses = chance.choice(self._people)
            self._server.database.deliver(chance.choice(addresses), next(mails))
            self._note("deliveries")


def endure(server: Ours, say: Callable[[str], None], minutes: float) -> dict[str, Any]:
    """Go on for so long; return what was seen of the process."""
    churn = Churn(server)
    threads = churn.threads()
    for thread in threads:
        thread.start()
    samples: list[Sample] = []
    began = monotonic()
    try:
        while (passed := monotonic() - began) < minutes * 60:
            samples.append((passed, machine.memory(server.pid), machine.descriptors(server.pid)))
            if len(samples) % 60 == 0:
                say(f"{passed / 60:.0f} min, {samples[-1][1] / 1e6:.1f} MB, {samples[-1][2]} descriptors")
            sleep(EVERY)
    finally:
        churn.over.set()
        for thread in threads:
            thread.join()
    sleep(1.0)
    after = (monotonic() - began, machine.memory(server.pid), machine.descriptors(server.pid))
    return {
        "minutes": minutes,
        "samples": samples,
        "after": after,
        "done": dict(churn.done),
        "errors": dict(churn.errors),
        **figures(samples),
    }


def figures(samples: list[Sample]) -> dict[str, float]:
    """Return memory and descriptors by halves of the settled time, and the growth of each an hour."""
    settled = samples[int(len(samples) * SETTLED) :]
    half = len(settled) // 2
    first, second = settled[:half], settled[half:]
    times = [sample[0] / 3600 for sample in settled]
    return {
        "memory_first": statistics.mean(sample[1] for sample in first),
        "memory_second": statistics.mean(sample[1] for sample in second),
        "memory_most": max(sample[1] for sample in samples),
        "memory_an_hour": statistics.linear_regression(times, [sample[1] for sample in settled]).slope,
        "descriptors_first": statistics.mean(sample[2] for sample in first),
        "descriptors_second": statistics.mean(sample[2] for sample in second),
    }


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the lines that tell of it."""
    done = ", ".join(f"{count} {name}" for name, count in results["done"].items())
    return [
        f"churn, {results['minutes']:g} minutes: {done}; errors: {results['errors'] or 'none'}",
        f"    memory {results['memory_first'] / 1e6:.1f} MB in the first half once settled, "
        f"{results['memory_second'] / 1e6:.1f} MB in the second, {results['memory_most'] / 1e6:.1f} MB at most, "
        f"{results['memory_an_hour'] / 1e6:+.1f} MB an hour",
        f"    descriptors {results['descriptors_first']:.1f} and {results['descriptors_second']:.1f}, "
        f"{results['after'][2]} after all had left",
    ]
