"""The service: order of starting and stopping, ready lines, and failing without a trace."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.application.service import IService, MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from cybertemp_imap import service as service_module
from cybertemp_imap.config import ConfigError, Settings
from cybertemp_imap.config_values import Address
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.ready import ready_lines
from cybertemp_imap.service import ImapService
from test.postgres import create_database, create_empty_database, drop_database


class RecordingStore:
    """A store that notes what is asked of it; its start waits for ``opened``."""

    def __init__(self, opened: Deferred[None] | None = None) -> None:
        self.calls: list[str] = []
        self.opened = opened or succeed(None)

    async def start(self) -> None:
        """Wait as told."""
        await self.opened
        self.calls.append("start")

    async def stop(self) -> None:
        """Note it."""
        self.calls.append("stop")


class Greeting(Protocol):
    """Says one line and hangs up."""

    def connectionMade(self) -> None:
        """Say it."""
        assert self.transport is not None
        self.transport.write(b"* OK hello\r\n")
        self.transport.loseConnection()


class Collecting(Protocol):
    """Collects what comes until the end."""

    def __init__(self) -> None:
        self.done: Deferred[bytes] = Deferred()
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        """Keep it."""
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        """Hand it over."""
        self.done.callback(self.data)


class ServiceTestCase(TestCase):
    """A service over a database of its own, with a store and a factory of the test's."""

    def setUp(self) -> None:
        self.dsn = create_database()
        self.addCleanup(drop_database, self.dsn)
        self.said: list[str] = []
        self.patch(service_module, "_say", lambda stream, line: self.said.append(line))
        self.store = RecordingStore()

    def service(self, **changes: Any) -> ImapService:
        """Return a service on a free port."""
        settings = Settings(database_url=self.dsn, bind=Address("127.0.0.1", 0))
        factory: Any = Factory.forProtocol(Greeting)
        service = ImapService(settings, reactor, lambda settings, dsn: (self.store, factory))
        service._settings = Settings(**{"database_url": self.dsn, **changes}) if changes else settings
        return service

    async def until_ready(self, service: ImapService) -> int:
        """Start, wait for the ready line, and return the port."""
        service.startService()
        self.addCleanup(service.stopService)
        assert service._starting is not None
        await service._starting
        return int(self.said[0].rpartition(":")[2])

    async def failure(self, service: ImapService) -> Exception:
        """Return why a service cannot be started."""
        try:
            await service.failed
        except OperatorError as error:
            return error
        raise AssertionError("it started")

    async def greeting(self, port: int) -> bytes:
        """Connect and return what is said."""
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
        collecting = Collecting()
        await connectProtocol(endpoint, collecting)
        return await collecting.done


class StartTests(ServiceTestCase):
    """Starting and stopping."""

    def test_interface(self) -> None:
        """It is a Twisted service, and fits into another's tree."""
        service = self.service()
        verifyObject(IService, service)
        MultiService().addService(service)

    async def test_serves(self) -> None:
        """After the ready line it serves, and after stopping it does not."""
        service = self.service()
        port = await self.until_ready(service)
        self.assertEqual(self.said, [f"ready: imap://127.0.0.1:{port}"])
        self.assertEqual(await self.greeting(port), b"* OK hello\r\n")
        await service.stopService()
        self.assertEqual(self.store.calls, ["start", "stop"])
        socket.create_server(("127.0.0.1", port)).close()

    async def test_clients_wait_for_the_store(self) -> None:
        """Who connects before the store is ready is served when it is."""
        self.store = RecordingStore(Deferred())
        service = self.service()
        service.privilegedStartService()
        port = service._ports[0].getHost().port  # type: ignore[attr-defined]
        service.startService()
        self.addCleanup(service.stopService)
        greeted = self.greeting(port)
        waiting = Deferred.fromCoroutine(greeted)
        self.assertFalse(waiting.called)
        self.store.opened.callback(None)
        self.assertEqual(await waiting, b"* OK hello\r\n")

    async def test_restart(self) -> None:
        """It can be started again after a stop."""
        service = self.service()
        await self.until_ready(service)
        await service.stopService()
        self.said.clear()
        port = await self.until_ready(service)
        self.assertEqual(await self.greeting(port), b"* OK hello\r\n")


class FailureTests(ServiceTestCase):
    """A start that fails."""

    async def test_everything_is_given_back(self) -> None:
        """When the store does not start, the ports are closed and the reason is passed on."""
        self.store.opened = Deferred()
        self.store.opened.errback(OperatorError("No store today."))
        service = self.service()
        service.privilegedStartService()
        port = service._ports[0].getHost().port  # type: ignore[attr-defined]
        service.startService()
        error = await self.failure(service)
        self.assertEqual(str(error), "No store today.")
        self.assertEqual(self.store.calls, ["stop"])
        socket.create_server(("127.0.0.1", port)).close()
        await service.stopService()

    async def test_schema_missing(self) -> None:
        """A database without the schema is refused, and not changed."""
        self.dsn = create_empty_database()
        self.addCleanup(drop_database, self.dsn)
        service = self.service()
        service.startService()
        error = await self.failure(service)
        self.assertIn("run `cybertemp-imap-admin migrate`", str(error))
        await service.stopService()

    def test_endpoint_strings(self) -> None:
        """A string that no endpoint understands is a mistake in the settings."""
        for text in ("foo:1", "tcp:", "tcp:x", "ssl:1:privateKey=/none.pem"):
            settings = Settings(database_url=self.dsn, bind=None, listen=(text,))
            error = self.assertRaises(ConfigError, ImapService, settings, reactor)
            self.assertIn(f'"{text}" is not an endpoint to listen on', str(error))
            self.assertNotIn("\n", str(error))


class ReadyTests(TestCase):
    """What is printed."""

    def test_demo(self) -> None:
        """One line for programs, one to paste into a shell, one for a mail client."""
        host = mock.Mock(host="127.0.0.1", port=1143)
        self.assertEqual(
            ready_lines([host], "t0ken"),
            [
                "ready: imap://127.0.0.1:1143 user=demo@example.com token=t0ken",
                "curl --user 'demo@example.com:t0ken' 'imap://127.0.0.1:1143/INBOX;MAILINDEX=1'",
                "mail client: server 127.0.0.1, port 1143, no TLS or STARTTLS, "
                "user name demo@example.com, password t0ken",
            ],
        )

    def test_every_port(self) -> None:
        """Without a demo there is a line for each port, as reached from this machine."""
        hosts = [mock.Mock(host="0.0.0.0", port=143), mock.Mock(host="::1", port=144), mock.Mock(spec=["name"])]
        self.assertEqual(ready_lines(hosts, None), ["ready: imap://127.0.0.1:143", "ready: imap://[::1]:144"])
        self.assertEqual(
            ready_lines(hosts, None, hosts[1:2]), ["ready: imap://127.0.0.1:143", "ready: imaps://[::1]:144"]
        )


class PlaceTests(TestCase):
    """The drop-in for twistd."""

    def test_no_packages(self) -> None:
        """Neither twisted/ nor twisted/plugins has an __init__.py, which would hide Twisted itself."""
        top = Path(service_module.__file__).parents[1] / "twisted" / "plugins"
        self.assertTrue((top / "cybertemp_imap_plugin.py").is_file())
        if (top.parents[1] / "setup.cfg").exists():
            self.assertEqual([*top.parent.glob("__init__.py"), *top.glob("__init__.py")], [])
