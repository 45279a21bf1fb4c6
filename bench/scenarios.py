"""What is measured on every server: each row of the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench import measures
from bench.corpus import BIG
from bench.measures import Measure

ENVELOPES = "FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)"

THUNDERBIRD = (
    "FETCH 1:* (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS (From To Cc Bcc Subject Date Message-ID Priority "
    "X-Priority References Newsgroups In-Reply-To Content-Type Reply-To)])"
)
BODIES = "FETCH 1:* (BODY.PEEK[])"


def _time(seconds: float, _octets: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _rate(seconds: float, _octets: float) -> str:
    return f"{1 / seconds:,.{0 if seconds < 0.1 else 1}f}/s"


def _stream(seconds: float, octets: float) -> str:
    return f"{octets / seconds / 1e6:,.0f} MB/s"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row. ``shown`` prints a figure, of seconds and octets a command."""

    key: str
    title: str
    measure: Measure
    shown: Callable[[float, float], str] = _time
    goal: float = 1.0
    """How many times as quick as Dovecot this server is to be at least."""


_big = partial(measures.repeated, BIG)

SCENARIOS = (
    Scenario("login", "LOGIN, 16 connections", measures.logins(400), _rate),
    Scenario("select", "SELECT, warm", measures.selecting(100)),
    Scenario("flags", "FETCH 1:* (UID FLAGS)", _big("FETCH 1:* (UID FLAGS)", 20)),
    Scenario("headers", "FETCH 1:* of header fields, as Thunderbird", _big(THUNDERBIRD, 3)),
    Scenario("envelopes", "FETCH 1:* of envelopes and structures", _big(ENVELOPES, 3)),
    Scenario("bodies", "FETCH 1:* of all bodies", _big(BODIES, 1), _stream),
    Scenario("one", "UID FETCH of one random body", measures.random_bodies(300)),
    Scenario("one16", "the same, 16 connections", measures.random_bodies_together(1600), _rate),
    Scenario("text", "SEARCH TEXT", measures.searching("TEXT"), goal=10.0),
    Scenario("subject", "SEARCH SUBJECT", measures.searching("SUBJECT", 10)),
    Scenario("from", "SEARCH FROM", measures.searching("FROM", 10)),
    Scenario("unseen", "SEARCH UNSEEN", measures.searching("UNSEEN", 20)),
    Scenario("store", "STORE of one flag", measures.stores(300), _rate),
    Scenario("store16", "the same, 16 connections", measures.stores_together(1600), _rate),
    Scenario("noop16", "NOOP, 16 connections", measures.noops_together(8000), _rate),
    Scenario("append", "APPEND, 10 KB", measures.appends(100), _rate),
    Scenario("told", "delivery to EXISTS in IDLE", measures.deliveries(8), goal=10.0),
)
