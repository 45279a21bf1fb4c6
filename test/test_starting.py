"""Starting while PostgreSQL is not there."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cybertemp_imap import service as service_module
from cybertemp_imap.errors import StoreUnavailable
from test.database_proxy import DatabaseProxy
from test.test_service import RecordingStore, ServiceTestCase


class FailingStore(RecordingStore):
    """A store that cannot be reached at its first start."""

    async def start(self) -> None:
        """Fail, then start."""
        if "failed" not in self.calls:
            self.calls.append("failed")
            raise StoreUnavailable
        await super().start()


class StartingTests(ServiceTestCase):
    """A database behind a proxy that nobody can pass at first."""

    timeout = 60

    def setUp(self) -> None:
        """Shut the way."""
        super().setUp()
        self.patch(service_module, "START_RETRY", 0.05)
        self.proxy = DatabaseProxy(self.dsn)
        self.addCleanup(self.proxy.close)
        self.dsn = self.proxy.dsn
        self.proxy.shut()

    async def until_told(self) -> None:
        """Wait until something is said."""
        while not self.said:
            await deferLater(reactor, 0.01)

    async def test_comes_later(self) -> None:
        """It is said once what is being waited for; when it is there, the server starts."""
        service = self.service()
        service.startService()
        self.addCleanup(service.stopService)
        await self.until_told()
        await deferLater(reactor, 0.3)
        self.proxy.unshut()
        assert service._starting is not None
        await service._starting
        waiting, ready = self.said
        self.assertIn(f"at 127.0.0.1:{self.proxy.port}: Connection refused; start PostgreSQL", waiting)
        self.assertTrue(waiting.endswith("in DATABASE_URL. Trying again until it can be."), waiting)
        self.assertTrue(ready.startswith("ready: "), ready)

    async def test_lost_meanwhile(self) -> None:
        """The same where the schema was looked at, and the store cannot connect then."""
        self.proxy.unshut()
        self.store = FailingStore()
        service = self.service()
        await self._started(service)
        self.assertEqual(self.store.calls, ["failed", "start"])
        self.assertEqual(self.said[0], "cybertemp-imap: PostgreSQL cannot be reached. Trying again until it can be.")

    async def _started(self, service: service_module.ImapService) -> None:
        service.startService()
        self.addCleanup(service.stopService)
        assert service._starting is not None
        await service._starting

    async def test_stopped_while_waiting(self) -> None:
        """It can be stopped all the same, which is no failure."""
        self.patch(service_module, "START_RETRY", 1000.0)
        service = self.service()
        service.startService()
        await self.until_told()
        stopped: Deferred[None] = service.stopService()
        await stopped
        self.assertFalse(service.failed.called)
        self.assertEqual(len(self.said), 1)
