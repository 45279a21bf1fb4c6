"""What sessions and mailboxes cost in memory: 1,000 sessions idling, 10,000 connections, 1,000,000 messages."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from time import monotonic, perf_counter, sleep
from typing import Any

from bench.crowd import Crowd, Member, accounts
from bench.mailboxes import bulk
from bench.servers import Ours

IDLING, CONNECTIONS, MESSAGES = 1_000, 10_000, 1_000_000
ACCOUNTS = 100
LETTERS = 20
"""Messages in each mailbox that a session has open."""

_SPARE = 200
_WAIT = 60.0

_LETTERS = """
    INSERT INTO public.emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, "timestamp")
    SELECT email_address, 'INBOX', 'Letter ' || n, 'Hello.', 'a@b.example', ARRAY[email_address], '{}', now()
    FROM public.inbox, generate_series(1, %s) AS n
"""
_ONE_EACH = """
    INSERT INTO public.emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, "timestamp")
    SELECT email_address, 'INBOX', 'News', 'Hello.', 'a@b.example', ARRAY[email_address], '{}', now()
    FROM public.inbox WHERE email_address LIKE 'box%%'
"""


def measure(server: Ours, say: Callable[[str], None]) -> Iterator[dict[str, Any]]:
    """Measure all three, each on a server that has just been started."""
    people = accounts(server.database, ACCOUNTS, 1)
    server.database.execute(_LETTERS, (LETTERS,))
    server.database.settle()
    descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    results: dict[str, Any] = {"limit": descriptors, "idling": [], "million": {}}
    for count in (IDLING, min(CONNECTIONS, descriptors - _SPARE)):
        say(f"{count} sessions")
        members = [
            Member(email, token, addresses[0], number)
            for number, (email, token, addresses) in (
                (number % ACCOUNTS, people[number % ACCOUNTS]) for number in range(count)
            )
        ]
        results["idling"].append(_idling(server, members))
        yield results
    say(f"a mailbox of {MESSAGES:,}, filling")
    bulk(server.database, "million@example.com", MESSAGES)
    for kind in ("first", "known"):
        say(f"a mailbox of {MESSAGES:,}, {kind}")
        results["million"][kind] = _opening(server)
        yield results


def _idling(server: Ours, members: list[Member]) -> dict[str, Any]:
    """Have so many sessions idle, see that each of them is told of a message, and that all leave nothing behind."""
    server.restart()
    warm = Crowd(server.address, members[:ACCOUNTS])
    warm.gather()
    before = server.memory()
    crowd = Crowd(server.address, members[ACCOUNTS:])
    try:
        began = perf_counter()
        crowd.gather()
        gathered = perf_counter() - began
        after = server.memory()
        server.watch()
        server.database.execute(_ONE_EACH)
        deadline = monotonic() + _WAIT
        while len({heard.member for heard in crowd.heard}) < len(members) - ACCOUNTS and monotonic() < deadline:
            sleep(0.2)
        told = len({heard.member for heard in crowd.heard})
        probe = server.watched()
        full = server.memory()
    finally:
        crowd.close()
        warm.close()
    sleep(3.0)
    return {
        "sessions": len(members) - ACCOUNTS,
        "gathered": gathered,
        "each": (after - before) / (len(members) - ACCOUNTS),
        "each_told": (full - before) / (len(members) - ACCOUNTS),
        "told": told,
        "lost": crowd.lost,
        "pause": probe["pause"],
        "memory": full,
        "left": server.memory(),
    }


def _opening(server: Ours) -> dict[str, Any]:
    """Open the big mailbox in a server that has just been started."""
    server.restart()
    with server.session() as client:
        client.run("NOOP")
        before = server.memory()
        server.watch()
        began = perf_counter()
        client.run('SELECT "million@example.com"')
        took = perf_counter() - began
        probe = server.watched()
    return {
        "seconds": took,
        "peak": probe["memory"] - before,
        "kept": server.memory() - before,
        "pause": probe["pause"],
    }


def as_text(results: dict[str, Any]) -> list[str]:
    """Return the figures as lines."""
    lines = [f"memory; at most {results['limit']} descriptors a process"]
    for row in results["idling"]:
        lines.append(
            f"    {row['sessions']} sessions idling in {ACCOUNTS} mailboxes: {row['each'] / 1e3:.1f} KB each, "
            f"{row['each_told'] / 1e3:.1f} KB once {row['told']} of them were told of a message; {row['lost']} lost; "
            f"{row['memory'] / 1e6:.0f} MB, {row['left'] / 1e6:.0f} MB when all had left; they came in "
            f"{row['gathered']:.1f} s; longest pause {row['pause'] * 1000:.1f} ms"
        )
    for kind, row in results["million"].items():
        lines.append(
            f"    a mailbox of {MESSAGES:,}, {kind}: SELECT {row['seconds']:.2f} s, {row['peak'] / 1e6:.0f} MB more at "
            f"most, {row['kept'] / 1e6:.0f} MB kept; longest pause {row['pause'] * 1000:.1f} ms"
        )
    return lines
