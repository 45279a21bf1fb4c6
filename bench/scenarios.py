"""What is measured: one function for each, which does it once and returns how long a single command took."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from bench.servers import Server

#: The mailbox that most is measured with, and two whose messages are small and alike.
BIG, FEW, MANY = "big", "few", "many"
BIG_COUNT, FEW_COUNT, MANY_COUNT = 10_000, 100, 100_000

ENVELOPES = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"

_THUNDERBIRD = (
    "FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority "
    "X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])"
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement: seconds and octets received for one command, and how many commands it is the mean of."""

    seconds: float
    octets: float
    commands: int


Measure = Callable[[Server], Sample]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Something measured on every server (``everywhere``), or on ours alone.

    ``at_most``: the most that our time may be of Dovecot's; None where none is set.
    """

    key: str
    title: str
    measure: Measure
    at_most: float | None = None
    everywhere: bool = True


def _repeated(mailbox: str, command: str, times: int) -> Measure:
    """The same command again and again in one session."""

    def measure(server: Server) -> Sample:
        with server.session() as client:
            client.run(f"SELECT {server.mailbox(mailbox)}")
            begun = perf_counter()
            octets = sum(client.run(command) for _ in range(times))
            return Sample((perf_counter() - begun) / times, octets / times, times)

    return measure


def _selecting(times: int) -> Measure:
    """SELECT of a mailbox, each time in a session that has just opened another one."""

    def measure(server: Server) -> Sample:
        with server.session() as client:
            spent, octets = 0.0, 0
            for _ in range(times):
                client.run(f"SELECT {server.mailbox(FEW)}")
                begun = perf_counter()
                octets += client.run(f"SELECT {server.mailbox(BIG)}")
                spent += perf_counter() - begun
            return Sample(spent / times, octets / times, times)

    return measure


def _one_message(mailbox: str, count: int, times: int) -> Measure:
    """Whole messages by UID, never the same one twice in a row."""

    def measure(server: Server) -> Sample:
        draw = random.Random(times)
        with server.session() as client:
            client.run(f"SELECT {server.mailbox(mailbox)}")
            commands = [f"UID FETCH {draw.randint(1, count)} (BODY.PEEK[])" for _ in range(times)]
            begun = perf_counter()
            octets = sum(client.run(command) for command in commands)
            return Sample((perf_counter() - begun) / times, octets / times, times)

    return measure


def _logins(times: int) -> Measure:
    def measure(server: Server) -> Sample:
        begun = perf_counter()
        for _ in range(times):
            with server.session():
                pass
        return Sample((perf_counter() - begun) / times, 0, times)

    return measure


SCENARIOS = (
    Scenario("flags", "FETCH 1:* (UID FLAGS)", _repeated(BIG, "FETCH 1:* (UID FLAGS)", 20), at_most=1.0),
    Scenario("envelopes", "FETCH 1:* of envelopes and structures", _repeated(BIG, ENVELOPES, 4), at_most=2.0),
    Scenario("select", "SELECT, mailbox known", _selecting(50)),
    Scenario("bodies", "FETCH 1:* BODY.PEEK[]", _repeated(BIG, "FETCH 1:* BODY.PEEK[]", 1)),
    Scenario("one", "UID FETCH n BODY.PEEK[], any of 10,000", _one_message(BIG, BIG_COUNT, 300)),
    Scenario("headers", "FETCH 1:* of header fields (Thunderbird)", _repeated(BIG, _THUNDERBIRD, 2)),
    Scenario("login", "connect and LOGIN", _logins(50)),
    Scenario("noop", "NOOP", _repeated(BIG, "NOOP", 300)),
    Scenario("few", "UID FETCH n BODY.PEEK[] in 100", _one_message(FEW, FEW_COUNT, 400), everywhere=False),
    Scenario("many", "UID FETCH n BODY.PEEK[] in 100,000", _one_message(MANY, MANY_COUNT, 400), everywhere=False),
)


def cold(server: Server, mailbox: str = BIG) -> tuple[Sample, Sample]:
    """Open a mailbox that the server has never seen, and list it: the first SELECT, the first envelopes."""
    with server.session() as client:
        begun = perf_counter()
        octets = client.run(f"SELECT {server.mailbox(mailbox)}")
        opened = perf_counter()
        listed = client.run(ENVELOPES)
        return Sample(opened - begun, octets, 1), Sample(perf_counter() - opened, listed, 1)


def check(server: Server) -> None:
    """See that the server has all the mail and answers all that is asked.

    :raises AssertionError: it does not.
    """
    with server.session() as client:
        opened = client.ask(f"SELECT {server.mailbox(BIG)}")
        assert f"* {BIG_COUNT} EXISTS".encode() in opened, opened
        for command in ("FETCH 1:* (UID FLAGS)", ENVELOPES):
            assert client.ask(command).count(b" FETCH (") == BIG_COUNT, command
        sizes = client.ask("FETCH 1:* (RFC822.SIZE)").split(b"RFC822.SIZE ")[1:]
        total = sum(int(size.partition(b")")[0]) for size in sizes)
        octets = client.run("FETCH 1:* BODY.PEEK[]")
        assert total < octets < total + BIG_COUNT * 50, (total, octets)
