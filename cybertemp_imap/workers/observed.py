"""How a server with workers is seen from outside: what all of them tell, as one."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric

from cybertemp_imap.metrics import PREFIX
from cybertemp_imap.workers import totals
from cybertemp_imap.workers.crew import Crew
from cybertemp_imap.workers.worker import WorkerProcess


class Workers:
    """The workers of a server, and the process that looks after them."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._totals = totals.Totals()
        self._own = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._own)
        crew.lost = self._keep

    async def faults(self) -> list[str]:
        """Return what keeps any worker that serves from serving well; one that is away has others serve its clients."""
        told = await self._crew.told()
        if not told:
            return ["workers: none of them can serve."]
        return list(dict.fromkeys(fault for each in told for fault in each.faults))

    async def collected(self) -> Iterable[Metric]:
        """Return the sums of what all processes count, and how the workers are."""
        told = [each.metrics for each in await self._crew.told()]
        found = list(self._totals.of([*told, totals.as_json(self._own.collect())]))
        found.append(Gauge(PREFIX + "workers", "Processes that serve.", len(self._crew.serving)))
        found.append(Counter(PREFIX + "worker_restarts", "Workers that were started again.", self._crew.restarts))
        return found

    def _keep(self, worker: WorkerProcess) -> None:
        self._totals.keep(worker.metrics)
