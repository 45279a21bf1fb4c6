"""The metrics of a server in the form of Prometheus.

They are made when somebody asks, of what :mod:`cybertemp_imap.counts` and the parts of the server know by themselves.
The registry is the server's own. Labels come from sets that are part of the program: commands, states and refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import HistogramMetricFamily as Histogram
from prometheus_client.core import InfoMetricFamily as Info
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from cybertemp_imap import __version__
from cybertemp_imap.counts import Durations
from cybertemp_imap.vitals import Vitals

PREFIX = "cybertemp_imap_"

STATES = {"unauth": "login", "auth": "authenticated", "select": "selected", "logout": "closing"}
"""The states of a session as the server names them, and as they are labelled."""


def registry(vitals: Vitals) -> CollectorRegistry:
    """Return a registry with the metrics of one server and of its process."""
    made = CollectorRegistry(auto_describe=False)
    made.register(ServerCollector(vitals))
    ProcessCollector(registry=made)
    return made


class ServerCollector(Collector):
    """Tells what a server counts, as it is when it is asked."""

    def __init__(self, vitals: Vitals) -> None:
        self._vitals = vitals

    def describe(self) -> Iterable[Metric]:
        """Describe nothing: there is no other collector that could use the same names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Return all metrics."""
        yield Info(PREFIX + "build", "The version that runs.", {"version": __version__})
        yield from self._sessions()
        yield from self._commands()
        yield from self._database()
        yield from self._replica()
        yield from self._changes()

    def _sessions(self) -> Iterator[Metric]:
        factory = self._vitals.factory
        counts = factory.session_log.counts
        states = factory.sessions.by_state()
        yield _labelled(
            Gauge(PREFIX + "sessions", "Open connections, by state.", labels=["state"]),
            {(label,): states[state] for state, label in STATES.items()},
        )
        yield Counter(PREFIX + "connections", "Connections that were made.", counts.connections)
        yield _labelled(
            Counter(PREFIX + "logins", "Logins, by result.", labels=["result"]),
            {(result,): number for result, number in {"ok": 0, **counts.logins}.items()},
        )
        read, given = factory.sessions.octets()
        yield _labelled(
            Counter(PREFIX + "octets", "Octets of IMAP, without what TLS adds.", labels=["direction"]),
            {("in",): read, ("out",): given},
        )

    def _commands(self) -> Iterator[Metric]:
        counts = self._vitals.factory.session_log.counts
        yield _labelled(
            Counter(PREFIX + "commands", "Commands, by the status of the answer.", labels=["command", "status"]),
            {
                (command, "none" if status == "-" else status): number
                for (command, status), number in counts.commands.items()
            },
        )
        durations = Histogram(
            PREFIX + "command_duration_seconds", "From a command to its answer; without IDLE.", labels=["command"]
        )
        for command, each in counts.durations.items():
            durations.add_metric([command], *_buckets(each))
        yield durations

    def _database(self) -> Iterator[Metric]:
        pool = self._vitals.store.pool
        usage = pool.usage
        for name, text, value in (
            ("size", "Connections to PostgreSQL that there are to be.", usage.size),
            ("connected", "Connections to PostgreSQL that are open.", usage.connected),
            ("busy", "Connections to PostgreSQL that run a statement.", usage.busy),
            ("waiting", "Statements that wait for a connection.", usage.waiting),
        ):
            yield Gauge(f"{PREFIX}database_pool_{name}", text, value)
        yield Counter(PREFIX + "database_query_timeouts", "Statements that took too long.", pool.timeouts)
        yield Counter(
            PREFIX + "database_pool_timeouts", "Statements for which no connection was free in time.", pool.refused
        )

    def _replica(self) -> Iterator[Metric]:
        store = self._vitals.store
        yield _labelled(
            Counter(PREFIX + "message_reads", "Statements that read of messages, by where.", labels=["source"]),
            {(source,): number for source, number in store.reads.items()},
        )
        yield _labelled(
            Counter(PREFIX + "mailbox_reads", "Statements of sessions that only read, by where.", labels=["source"]),
            {(source,): number for source, number in store.looks.items()},
        )
        if store.replica is not None:
            connected = store.replica.pool.connected
            yield Gauge(PREFIX + "replica_connected", "Connections to the replica that are open.", connected)

    def _changes(self) -> Iterator[Metric]:
        store = self._vitals.store
        yield Gauge(PREFIX + "listener_up", "Whether notifications of changes are heard.", int(store.listener_up))
        push = Histogram(
            PREFIX + "push_duration_seconds", "From hearing of a change until idling sessions have been told."
        )
        push.add_metric([], *_buckets(self._vitals.mailboxes.push))
        yield push
        ages = {("domains",): self._vitals.domains.age, ("bans",): store.bans_age}
        yield _labelled(
            Gauge(PREFIX + "cache_age_seconds", "Since when what is cached was last read.", labels=["cache"]),
            {cache: age for cache, age in ages.items() if age is not None},
        )


def _labelled(family: Any, values: dict[tuple[str, ...], float]) -> Metric:
    for labels, value in values.items():
        family.add_metric(list(labels), value)
    filled: Metric = family
    return filled


def _buckets(durations: Durations) -> tuple[list[tuple[str, float]], float]:
    """Return the cumulative counts with their bounds, and the sum."""
    found: list[tuple[str, float]] = []
    below = 0
    for bound, count in zip((*durations.bounds, float("inf")), durations.counts, strict=True):
        below += count
        found.append(("+Inf" if bound == float("inf") else repr(bound), below))
    return found, durations.total
