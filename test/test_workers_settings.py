"""How many processes serve, and who never starts any; metrics of several as one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap import tap, twistd
from cybertemp_imap.config import Settings
from cybertemp_imap.metrics import PREFIX
from cybertemp_imap.service import ImapService
from cybertemp_imap.tap import Options
from cybertemp_imap.workers import channel
from cybertemp_imap.workers.channel import Beginning, Lines
from cybertemp_imap.workers.service import WorkersService
from cybertemp_imap.workers.totals import Totals, as_json


class CountTests(SynchronousTestCase):
    """How many processes serve."""

    def test_count(self) -> None:
        """As many as asked for; else one a core, at most eight, and one over an embedded PostgreSQL."""
        for cores, settings, count in (
            (4, {}, 4),
            (64, {}, twistd.MOST),
            (1, {}, 1),
            (4, {"embedded": True}, 1),
            (4, {"embedded": True, "workers": 3}, 3),
            (2, {"workers": 16}, 16),
        ):
            self.patch(twistd, "cores", lambda cores=cores: cores)
            made: dict[str, Any] = settings
            self.assertEqual(twistd.worker_count(Settings(**made)), count, settings)

    def test_cores(self) -> None:
        """A container's quota counts, where it is less than the cores that there are; at least one is left."""
        self.patch(os, "sched_getaffinity", lambda process: {0, 1, 2, 3, 4, 5})
        quota = Path(self.mktemp())
        self.patch(twistd, "_QUOTA", quota)
        self.assertEqual(twistd.cores(), 6)
        for text, count in (("max 100000\n", 6), ("250000 100000\n", 2), ("50000 100000\n", 1), ("900000 100000\n", 6)):
            quota.write_text(text)
            self.assertEqual(twistd.cores(), count)

    def test_services(self) -> None:
        """``twistd cybertemp-imap`` has workers; ``makeService`` for other people's services never starts a process."""
        options = Options()
        options.parseOptions(["--workers", "3", "--bind", "127.0.0.1:0"])
        environ = mock.patch.dict(os.environ, {"DATABASE_URL": "dbname=d", "IMAP_WORKERS": "2"})
        with environ, mock.patch.object(reactor, "addSystemEventTrigger") as trigger:
            self.assertIsInstance(tap.makeService(options), ImapService)
            trigger.assert_not_called()
            service = twistd.makeService(options)
        assert isinstance(service, WorkersService)
        self.assertEqual(service.crew.count, 3)


class ChannelTests(SynchronousTestCase):
    """What goes through the pipes."""

    def test_lines(self) -> None:
        """Lines are taken whole, wherever the octets were cut."""
        found: list[bytes] = []
        lines = Lines(found.append)
        for octets in (b"ab", b"c\nd", b"\n\nef", b"g\n"):
            lines.feed(octets)
        self.assertEqual(found, [b"abc", b"d", b"", b"efg"])

    def test_beginning(self) -> None:
        """A worker is told the settings as they are."""
        beginning = Beginning(Settings(database_url="dbname=d password=x", listen=("tcp:1",)), 1, 2, [[]])
        found: list[bytes] = []
        Lines(found.append).feed(channel.beginning_line(beginning))
        self.assertNotIn(b"password", found[0])
        text = found[0].decode().split('"')[3]
        self.assertEqual(channel.read_beginning(text), beginning)


class TotalsTests(SynchronousTestCase):
    """Metrics of several processes."""

    def told(self, logins: int, sessions: int, up: int) -> list[Any]:
        """Return what a process tells."""
        counter = CounterMetricFamily(PREFIX + "logins", "Logins.", labels=["result"])
        counter.add_metric(["ok"], logins)
        listener = GaugeMetricFamily(PREFIX + "listener_up", "Heard.", up)
        return as_json([counter, GaugeMetricFamily(PREFIX + "sessions", "Open.", sessions), listener])

    def values(self, metrics: Any) -> dict[str, float]:
        """Return the values by name."""
        found: list[Metric] = list(metrics)
        return {sample.name.removeprefix(PREFIX): sample.value for metric in found for sample in metric.samples}

    def test_sums(self) -> None:
        """Counts are added up; whether changes are heard is so only if it is so in all."""
        found = self.values(Totals().of([self.told(3, 2, 1), self.told(4, 1, 0)]))
        self.assertEqual(found, {"logins_total": 7, "sessions": 3, "listener_up": 0})

    def test_gone(self) -> None:
        """What a process counted that is gone stays in the sum, and what it had open does not."""
        totals = Totals()
        totals.keep(self.told(3, 2, 0))
        totals.keep(self.told(5, 2, 1))
        self.assertEqual(
            self.values(totals.of([self.told(4, 1, 1)])), {"logins_total": 12, "sessions": 1, "listener_up": 1}
        )
        self.assertEqual(self.values(totals.of([])), {"logins_total": 8})
