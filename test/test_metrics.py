"""Metrics, health and readiness, as the operator's programs see them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cybertemp_imap import metrics
from cybertemp_imap import service as service_module
from cybertemp_imap.config import Settings
from cybertemp_imap.config_values import Address
from cybertemp_imap.counts import COMMAND_SECONDS, Counts, Durations
from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.service import ImapService
from cybertemp_imap.store import migrations
from cybertemp_imap.vitals import PATIENCE, Vitals
from test.postgres import create_database, drop_database
from test.server_process import BlockingClient
from test.test_migrations import query
from test.web import asked, samples, started
from test.wire import MINE, TOKEN, USER, Wire, WireTestCase

HTTP = "tcp:0:interface=127.0.0.1"
PREFIX = metrics.PREFIX

_USER = "INSERT INTO users (id, email, subscription_status) VALUES (gen_random_uuid(), 'me@x.org', 'active')"
_TOKEN = """
    INSERT INTO imap_tokens (id, user_id, token, expires_at)
    SELECT gen_random_uuid(), id, 'tok', now() + interval '1 day' FROM users
"""


class CountsTests(SynchronousTestCase):
    """Plain numbers."""

    def test_buckets(self) -> None:
        """A duration counts in the first bucket whose bound it does not exceed; what is beyond all, in the last."""
        durations = Durations((0.1, 1.0))
        for seconds in (0.05, 0.1, 0.5, 7.0, -3.0):
            durations.add(seconds)
        self.assertEqual((durations.counts, durations.total), ([3, 1, 1], 7.65))

    def test_idle_has_no_duration(self) -> None:
        """IDLE lasts as long as its client likes: it is counted, not timed."""
        counts = Counts()
        counts.command("IDLE", "OK", 900.0)
        counts.command("NOOP", "OK", 0.001)
        self.assertEqual(dict(counts.commands), {("IDLE", "OK"): 1, ("NOOP", "OK"): 1})
        self.assertEqual(list(counts.durations), ["NOOP"])


class SessionCountsTests(WireTestCase):
    """What sessions add to the counts."""

    def test_commands_and_logins(self) -> None:
        """Commands count by the name of their rule, never by what a client wrote; logins by result."""
        counts = self.wire.factory.session_log.counts
        client = self.wire.connect()
        client.send(b"a LOGIN me@example.com wrong\r\n")
        self.wire.later(3)
        client.take()
        client.login().select(MINE)
        client.command("UID SEARCH ALL")
        client.command("XSECRET word")
        client.command("SELECT nowhere@example.com")
        self.assertEqual(counts.connections, 1)
        self.assertEqual(dict(counts.logins), {"authentication_failed": 1, "ok": 1})
        self.assertEqual(counts.commands["LOGIN", "NO"], 1)
        self.assertEqual(counts.commands["SEARCH", "OK"], 1)
        self.assertEqual(counts.commands["SELECT", "NO"], 1)
        self.assertNotIn("XSECRET", str(counts.commands))

    def test_store_away(self) -> None:
        """A login for which the database is away counts as such."""
        self.store.available = False
        self.wire.connect().command(f"LOGIN {USER} {TOKEN}")
        self.assertEqual(dict(self.wire.factory.session_log.counts.logins), {"unavailable": 1})

    def test_octets_survive_their_connection(self) -> None:
        """Octets count while a connection is open and when it is gone: the sum never falls."""
        client = self.wire.connect()
        client.send(b"a NOOP\r\n")
        sessions = self.wire.factory.sessions
        before = sessions.octets()
        self.assertEqual(before, (8, len(client.transport.taken)))
        self.assertEqual(sessions.by_state(), {"unauth": 1})
        client.hang_up()
        self.assertEqual(sessions.octets(), before)
        self.assertEqual(sessions.by_state(), {})

    def test_push(self) -> None:
        """The time until idling sessions are told is counted once a change, and not where nobody was told."""
        push = self.wire.mailboxes.push
        first = self.wire.session(MINE)
        self.wire.deliver()
        self.wire.mailboxes.changed(None)
        self.assertEqual(sum(push.counts), 0)
        first.send(b"a IDLE\r\n")
        self.wire.deliver()
        self.wire.mailboxes.changed(None)
        self.wire.mailboxes.changed(None)
        self.assertEqual(sum(push.counts), 1)
        first.send(b"DONE\r\n")


class EndpointTests(TestCase):
    """A server over PostgreSQL, and its port."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start it, quietly."""
        self.patch(service_module, "_say", lambda stream, line: None)
        self.service = await started(self, http=HTTP)
        self.port = self.service._web.ports[0].getHost().port  # type: ignore[attr-defined]

    @property
    def vitals(self) -> Vitals:
        """What is looked at."""
        assert self.service._factory is not None
        vitals: Vitals = self.service._factory.vitals
        return vitals

    async def test_metrics(self) -> None:
        """A session is in the metrics: state, login, commands with durations, octets; and so is the database."""
        dsn = self.service._settings.database_url
        assert dsn is not None
        query(
            dsn, "INSERT INTO users (id, email, subscription_status) VALUES (gen_random_uuid(), 'me@x.org', 'active')"
        )
        query(dsn, _TOKEN)
        imap = self.service._ports[0].getHost().port  # type: ignore[attr-defined]
        client = await deferToThread(BlockingClient, imap, "me@x.org", "tok")
        self.addCleanup(client.close)
        await deferToThread(client.command, "SELECT INBOX")
        reply = await asked(self.port, "/metrics")
        self.assertEqual(reply.status, 200)
        self.assertTrue(reply.headers["content-type"].startswith("text/plain; version="))
        found = samples(reply.text)
        self.assertEqual(found[PREFIX + "sessions", (("state", "selected"),)], 1)
        self.assertEqual(found[PREFIX + "logins_total", (("result", "ok"),)], 1)
        self.assertEqual(found[PREFIX + "commands_total", (("command", "SELECT"), ("status", "OK"))], 1)
        buckets = [
            value for (name, labels), value in found.items() if ("command", "SELECT") in labels and "bucket" in name
        ]
        self.assertEqual(len(buckets), len(COMMAND_SECONDS) + 1)
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual(found[PREFIX + "command_duration_seconds_count", (("command", "SELECT"),)], 1)
        self.assertGreater(found[PREFIX + "octets_total", (("direction", "in"),)], 20)
        self.assertEqual(found[PREFIX + "database_pool_size", ()], 10)
        self.assertEqual(found[PREFIX + "listener_up", ()], 1)
        self.assertGreater(found["process_resident_memory_bytes", ()], 0)

    async def test_what_has_not_been_read_has_no_age(self) -> None:
        """The cache of domains has an age when it was read; bans that are in the database have none."""
        name = PREFIX + "cache_age_seconds"
        before = samples((await asked(self.port, "/metrics")).text)
        self.assertNotIn((name, (("cache", "domains"),)), before)
        await self.vitals.domains.get()
        after = samples((await asked(self.port, "/metrics")).text)
        self.assertGreaterEqual(after[name, (("cache", "domains"),)], 0)
        self.assertNotIn((name, (("cache", "bans"),)), after)

    async def test_health_and_readiness(self) -> None:
        """A server that serves lives and is ready."""
        await self.listening()
        for path, said in (("/healthz", "ok\n"), ("/readyz", "ready\n")):
            reply = await asked(self.port, path)
            self.assertEqual((reply.status, reply.text), (200, said))

    async def listening(self) -> None:
        """Wait until changes are listened to."""
        while not self.vitals.store.listening:
            await deferLater(reactor, 0.01)

    async def test_not_ready(self) -> None:
        """Whatever is missing is said, and the process lives all the same."""
        await self.listening()
        store = self.vitals.store
        self.patch(store, "schema_versions", mock.Mock(side_effect=StoreUnavailable("away")))
        store._listener.listening = False
        reply = await asked(self.port, "/readyz")
        self.assertEqual(reply.status, 503)
        self.assertIn("database: it cannot be reached.\n", reply.text)
        self.assertIn("listener: ", reply.text)
        self.assertEqual((await asked(self.port, "/healthz")).status, 200)

    async def test_schema_of_another_version(self) -> None:
        """A schema that is older or newer than the server's is no schema to serve with."""
        known = {each.version for each in migrations.migrations()}
        for applied in (known - {max(known)}, known | {max(known) + 1}, set()):

            async def versions(applied: Any = applied) -> Any:
                return applied

            self.patch(self.vitals.store, "schema_versions", versions)
            self.assertIn("schema: ", (await asked(self.port, "/readyz")).text)

    async def test_bounds(self) -> None:
        """What is no question is refused, and a body that is too long not taken in."""
        self.assertEqual((await asked(self.port, "/")).status, 404)
        self.assertEqual((await asked(self.port, "/metrics", b"x")).status, 405)
        self.assertEqual((await asked(self.port, "/metrics", b"x" * 20_000)).status, 413)
        reply = await asked(self.port, "/healthz", Host="evil.example")
        self.assertNotIn("server", reply.headers)
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")

    async def test_stopped(self) -> None:
        """A server that was stopped has let go of the port."""
        await self.service.stopService()
        with self.assertRaises(ConnectionRefusedError):
            await asked(self.port, "/healthz")


class StartTests(TestCase):
    """Before there is a server."""

    async def test_port_in_use(self) -> None:
        """A port that is taken is one sentence, which names the setting."""
        taken: Any = reactor.listenTCP(0, mock.Mock(), interface="127.0.0.1")
        self.addCleanup(taken.stopListening)
        dsn = create_database()
        self.addCleanup(drop_database, dsn)
        http = f"tcp:{taken.getHost().port}:interface=127.0.0.1"
        service = ImapService(Settings(database_url=dsn, bind=Address("127.0.0.1", 0), http=http), reactor)
        service.startService()
        self.addCleanup(service.stopService)
        with self.assertRaises(OperatorError) as caught:
            await service.failed
        self.assertIn("choose another port with --http or IMAP_HTTP.", str(caught.exception))


class ReadinessTests(SynchronousTestCase):
    """A database that does not answer."""

    def test_patience(self) -> None:
        """Whoever asks hears after some seconds, and all together ask the database once."""
        wire = Wire()
        self.addCleanup(wire.close)
        silent: Deferred[Any] = Deferred()
        known = [each.version for each in migrations.migrations()]
        store = mock.Mock(listener_up=True, schema_versions=mock.Mock(side_effect=[silent, succeed(known)]))
        vitals = Vitals(wire.factory, store, wire.mailboxes, mock.Mock(), wire.clock)
        asking = [Deferred.fromCoroutine(vitals.faults()) for _ in range(3)]
        wire.later(PATIENCE)
        for each in asking:
            self.assertEqual(self.successResultOf(each), ["database: it does not answer."])
        self.assertEqual(store.schema_versions.call_count, 1)
        silent.callback(known)
        later = Deferred.fromCoroutine(vitals.faults())
        self.assertEqual(self.successResultOf(later), [])


class DashboardTests(SynchronousTestCase):
    """The dashboard for Grafana."""

    def test_queries_name_metrics_that_are_there(self) -> None:
        """Every metric in a query is one that the server has, and every label one of that metric's."""
        file = Path(__file__).parents[1] / "docs" / "grafana.json"
        expressions = [
            target["expr"] for panel in json.loads(file.read_text())["panels"] for target in panel.get("targets", [])
        ]
        self.assertGreater(len(expressions), 8)
        labels = _labels_by_sample()
        for expression in expressions:
            named = set(re.findall(r"\b(?:cybertemp_imap|process)_[a-z_]+", expression))
            self.assertTrue(named, expression)
            self.assertLessEqual(named, labels.keys(), expression)
            used = set(re.findall(r"[{,]\s*([a-z_]+)\s*(?:=|!)", expression))
            used |= {each for found in re.findall(r"by \(([^)]*)\)", expression) for each in found.split(", ")}
            known = set().union(*(labels[each] for each in named))
            self.assertLessEqual(used - {"instance", "job"}, known, expression)


def _labels_by_sample() -> dict[str, set[str]]:
    """Return the labels of every sample, by its name."""
    wire = Wire()
    wire.factory.session_log.counts.command("NOOP", "OK", 0.0)
    pool = mock.Mock(usage=mock.Mock(size=1, connected=1, busy=0, waiting=0), timeouts=0, refused=0)
    reads = {"primary": 0, "replica": 0}
    store = mock.Mock(pool=pool, listener_up=1, bans_age=1.0, reads=reads, looks=reads, replica=mock.Mock(pool=pool))
    vitals = Vitals(wire.factory, store, wire.mailboxes, mock.Mock(age=1.0), wire.clock)
    found: dict[str, set[str]] = {}
    for family in metrics.registry(vitals).collect():
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found
