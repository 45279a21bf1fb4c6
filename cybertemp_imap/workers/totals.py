"""The metrics of a server with workers: what each of them counts, summed up.

A counter never falls: what a worker had counted when it was last asked stays in the sum when it is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client.core import Metric

from cybertemp_imap.metrics import PREFIX

Family = list[Any]
"""A metric as it goes from process to process: name, text, kind, unit, and samples of name, labels and value."""

LASTING = frozenset({"counter", "histogram"})
"""Kinds that count what has been."""

COMBINED: dict[str, Callable[[float, float], float]] = {
    PREFIX + "build": max,
    PREFIX + "listener_up": min,
    PREFIX + "cache_age_seconds": max,
    "process_start_time_seconds": min,
    "process_max_fds": min,
}
"""What is not a sum: the worst of all, or what is the same everywhere."""


def as_json(metrics: Iterable[Metric]) -> list[Family]:
    """Return metrics as they go from process to process."""
    return [
        [
            metric.name,
            metric.documentation,
            metric.type,
            metric.unit,
            [[sample.name, sample.labels, sample.value] for sample in metric.samples],
        ]
        for metric in metrics
    ]


class Totals:
    """Sums of what several processes have told."""

    def __init__(self) -> None:
        self._gone: list[Family] = []

    def keep(self, told: list[Family]) -> None:
        """Keep what a process has counted that is gone."""
        self._gone = as_json(_sum([*self._gone, *(family for family in told if family[2] in LASTING)]))

    def of(self, told: Iterable[list[Family]]) -> Iterator[Metric]:
        """Return the metrics of processes together, with those that are gone."""
        return _sum([*(family for each in told for family in each), *self._gone])


def _sum(families: Iterable[Family]) -> Iterator[Metric]:
    metrics: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for name, text, kind, unit, samples in families:
        metrics.setdefault(name, Metric(name, text, kind, unit))
        known = values.setdefault(name, {})
        combined = COMBINED.get(name, float.__add__)
        for sample, labels, value in samples:
            key = (sample, tuple(labels.items()))
            known[key] = combined(known[key], float(value)) if key in known else float(value)
    for name, metric in metrics.items():
        for (sample, labels), value in values[name].items():
            metric.add_sample(sample, dict(labels), value)
        yield metric
