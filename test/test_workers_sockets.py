"""Sockets for workers: bound once, handed on, and adopted."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from cybertemp_imap.config import Settings
from cybertemp_imap.listening import HandedSocket, Place, Places
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.workers import sockets
from cybertemp_imap.workers.sockets import BALANCED, Binder, Bound, bind
from test.certificates import make_certificate
from test.test_service import Collecting, Greeting

LOCAL = "tcp:{}:interface=127.0.0.1"


class BindTests(TestCase):
    """What the process does that starts workers."""

    async def bound(self, text: str, workers: int = 3) -> Bound:
        """Bind an endpoint's sockets."""
        bound = await bind(Place(reactor, text), "IMAP_LISTEN", reactor, workers)
        self.addCleanup(bound.close)
        return bound

    async def test_one_for_each(self) -> None:
        """Each worker has a socket of its own on one port, and connections come to all of them."""
        bound = await self.bound(LOCAL.format(0))
        host: Any = bound.host
        self.assertEqual({each.getsockname() for each in bound.sockets}, {("127.0.0.1", host.port)})
        self.assertEqual(len(bound.sockets), 3 if BALANCED else 1)
        clients = [socket.create_connection(("127.0.0.1", host.port)) for _ in range(48)]
        counts = []
        for each in bound.sockets:
            each.setblocking(False)
            counts.append(0)
            try:
                while True:
                    each.accept()[0].close()
                    counts[-1] += 1
            except BlockingIOError:
                pass
        for client in clients:
            client.close()
        self.assertEqual((sum(counts), min(counts) > 0), (48, True), counts)

    async def test_below(self) -> None:
        """TLS and the PROXY protocol are the workers' part: what is bound is what is below them."""
        folder = Path(self.mktemp())
        folder.mkdir()
        certificate, key = make_certificate(folder)
        bound = await self.bound(f"haproxy:ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}")
        self.assertEqual(bound.sockets[0].getsockname()[0], "127.0.0.1")

    async def test_another_server(self) -> None:
        """A port where another server listens is refused, though its sockets could be shared."""
        port: Any = (await self.bound(LOCAL.format(0))).host
        with self.assertRaisesRegex(OperatorError, "Address already in use; stop the program .* with IMAP_LISTEN"):
            await self.bound(LOCAL.format(port.port))

    async def test_service_manager(self) -> None:
        """A socket that the service manager has bound is one for all workers: each takes it as its own."""
        with socket.create_server(("127.0.0.1", 0)) as given:
            bound: Any = Binder(reactor, 3).adoptStreamPort(given.fileno(), socket.AF_INET, Factory())
            self.addCleanup(bound.close)
            self.assertEqual(bound.host.port, given.getsockname()[1])
        self.assertEqual(bound.handed(2, 7), [HandedSocket(7, socket.AF_INET, 2)])

    async def test_not_to_be_shared(self) -> None:
        """An endpoint of a kind that is nothing to be bound is refused in one sentence."""
        self.patch(sockets, "serverFromString", lambda binder, text: mock.Mock(listen=lambda factory: binder.listenX()))
        with self.assertRaisesRegex(OperatorError, "Workers cannot share tcp:0: .* --workers 1"):
            await bind(Place(reactor, "tcp:0"), "IMAP_LISTEN", reactor, 2)


class UnixTests(TestCase):
    """A socket in the file system."""

    async def test_file_is_left_alone(self) -> None:
        """A worker serves on it, and neither changes the mode of its file nor removes it when it ends."""
        path = Path("/tmp") / f"cybertemp-test-{os.getpid()}"
        bound = await bind(Place(reactor, f"unix:{path}:mode=600"), "IMAP_LMTP", reactor, 2)
        handed = [HandedSocket(os.dup(bound.sockets[0].fileno()), socket.AF_UNIX, 0)]
        place = Place(reactor, f"unix:{path}:mode=600", handed=handed[0])
        port = await place.listen(Factory.forProtocol(Greeting))
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        collecting = Collecting()
        await connectProtocol(UNIXClientEndpoint(reactor, str(path)), collecting)
        self.assertEqual(await collecting.done, b"* OK hello\r\n")
        await port.stopListening()  # type: ignore[misc]
        self.assertTrue(path.exists())
        bound.close()
        await deferLater(reactor, 0)
        self.assertFalse(path.exists())


class HandedTests(TestCase):
    """What a worker makes of what it is handed."""

    def test_places(self) -> None:
        """Every socket of an endpoint is a place with the endpoint's own rules, and tells whose share it is in."""
        settings = Settings(bind=None, listen=("haproxy:tcp:1", "tcp:2"), lmtp=("tcp:3",))
        handed = [
            [HandedSocket(90 + 2 * number, socket.AF_INET, 0), HandedSocket(91 + 2 * number, socket.AF_INET, 1)]
            for number in range(3)
        ]
        places = Places(settings, reactor, handed)
        self.assertEqual([place.proxied for place in places.all], [True, True, False, False])
        self.assertEqual([place.in_share([1]) for place in places.all], [False, True] * 2)
        self.assertEqual([place.in_share(()) for place in places.lmtp], [False, False])
        self.assertEqual([place.in_share(None) for place in places.lmtp], [True, True])
