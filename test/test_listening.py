"""Endpoints: TLS by endpoint string, the PROXY protocol, IPv6, and STARTTLS over real sockets."""

from __future__ import annotations

import socket
import ssl
import struct
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cybertemp_imap.config import ConfigError, Settings
from cybertemp_imap.config_values import Address
from cybertemp_imap.listening import Places
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.proxied import HEADER_TIMEOUT, ProxiedFactory
from cybertemp_imap.rules.origin import shown
from test.certificates import make_certificate
from test.real import RealServer
from test.wire import TOKEN, USER

LOGIN = f"a LOGIN {USER} {TOKEN}\r\n".encode()
REFUSED = b"a NO [PRIVACYREQUIRED] Logging in needs an encrypted connection.\r\n"


def version_1(source: str = "203.0.113.9") -> bytes:
    """Return a header of version 1."""
    family = "TCP6" if ":" in source else "TCP4"
    here = "::1" if ":" in source else "127.0.0.1"
    return f"PROXY {family} {source} {here} 50000 143\r\n".encode()


def version_2(source: str = "203.0.113.9", command: int = 1, more: bytes = b"") -> bytes:
    """Return a header of version 2."""
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    addresses = socket.inet_pton(family, source) * 2 + struct.pack("!HH", 50000, 143) + more
    kind = 0x21 if family == socket.AF_INET6 else 0x11
    prefix = b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, kind])
    return prefix + struct.pack("!H", len(addresses)) + addresses


class Talk:
    """A client that blocks, over a real socket."""

    def __init__(self, port: int, header: bytes = b"", host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.sendall(header)

    def encrypt(self, certificate: Path) -> None:
        """Begin TLS."""
        context = ssl.create_default_context(cafile=str(certificate))
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def line(self) -> bytes:
        """Read a line, empty at the end."""
        found = b""
        while not found.endswith(b"\n"):
            data = self.socket.recv(1)
            if not data:
                break
            found += data
        return found

    def command(self, line: bytes) -> bytes:
        """Send a command with the tag "a" and return its tagged answer."""
        self.socket.sendall(line)
        while not (found := self.line()).startswith(b"a "):
            assert found, "the connection was closed"
        return found

    def rest(self) -> bytes:
        """Read until the end."""
        found = b""
        while data := self.socket.recv(1000):
            found += data
        return found


class RealTestCase(TestCase):
    """A server on real ports, with a certificate."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.certificate, self.key = make_certificate(self.folder)
        self.pair: dict[str, Any] = {"tls_cert": self.certificate, "tls_key": self.key}
        self.files = f"privateKey={self.key}:certKey={self.certificate}"
        self.server = RealServer()
        self.addCleanup(self.server.stop)

    async def in_thread(self, work: Any, *arguments: Any) -> Any:
        """Do what blocks."""
        return await deferToThread(work, *arguments)


class TlsTests(RealTestCase):
    """TLS from the first octet, and after STARTTLS."""

    async def test_simple_settings(self) -> None:
        """With certificate and key STARTTLS is there on the plain port, TLS on the other."""
        plain, encrypted = await self.server.listen(
            bind=Address("127.0.0.1", 0), tls_bind=Address("127.0.0.1", 0), **self.pair
        )

        def talk() -> None:
            client = Talk(encrypted)
            client.encrypt(self.certificate)
            self.assertNotIn(b"STARTTLS", client.line())
            self.assertTrue(client.command(LOGIN).startswith(b"a OK"))
            client = Talk(plain)
            self.assertIn(b" STARTTLS ", client.line())
            self.assertEqual(client.command(b"a STARTTLS\r\n"), b"a OK Begin TLS now\r\n")
            client.encrypt(self.certificate)
            self.assertTrue(client.command(LOGIN).startswith(b"a OK"))
            self.assertEqual(client.command(b"a LOGOUT\r\n"), b"a OK LOGOUT completed\r\n")
            self.assertEqual(client.rest(), b"")

        await self.in_thread(talk)

    async def test_endpoint_string(self) -> None:
        """An ``ssl:`` endpoint has its own certificate, and listens where it says."""
        (port,) = await self.server.listen(listen=(f"ssl:0:{self.files}:interface=127.0.0.1:backlog=7",))

        def talk() -> None:
            client = Talk(port)
            client.encrypt(self.certificate)
            self.assertTrue(client.command(LOGIN).startswith(b"a OK"))

        await self.in_thread(talk)

    async def test_much_data(self) -> None:
        """Large answers, and large messages on their way in, go through TLS that STARTTLS began."""
        (port,) = await self.server.listen(bind=Address("127.0.0.1", 0), **self.pair)
        message = (b"x" * 98 + b"\r\n") * 30_000

        def talk() -> None:
            client = Talk(port)
            client.command(b"a STARTTLS\r\n")
            client.encrypt(self.certificate)
            client.command(LOGIN)
            client.command(b"a APPEND Drafts {%d+}\r\n" % len(message) + message + b"\r\n")
            client.command(b"a SELECT Drafts\r\n")
            client.socket.sendall(b"a FETCH 1 BODY.PEEK[]\r\n")
            found = client.socket.makefile("rb")
            while not (line := found.readline()).startswith(b"* 1 FETCH"):
                self.assertTrue(line)
            self.assertEqual(found.read(len(message)), message)
            self.assertEqual(found.readline(), b")\r\n")

        await self.in_thread(talk)

    async def test_pipelined(self) -> None:
        """What comes behind STARTTLS in the clear, also in a packet of its own, never gets into the session."""
        (port,) = await self.server.listen(bind=Address("127.0.0.1", 0), **self.pair)

        def talk() -> None:
            client = Talk(port)
            client.line()
            client.socket.sendall(b"a STARTTLS\r\nb LOGIN x y\r\n")
            self.assertEqual(client.rest(), b"* BYE Nothing may follow STARTTLS before TLS is on.\r\n")
            client = Talk(port)
            client.command(b"a STARTTLS\r\n")
            client.socket.sendall(b"b NOOP\r\n")
            self.assertNotIn(b"b ", client.rest())

        await self.in_thread(talk)

    async def test_ipv6(self) -> None:
        """IPv6 addresses are bound, with TLS and without."""
        ports = await self.server.listen(bind=Address("::1", 0), tls_bind=Address("::1", 0), **self.pair)

        def talk() -> None:
            for port, encrypted in zip(ports, (False, True), strict=True):
                client = Talk(port, host="::1")
                if encrypted:
                    client.encrypt(self.certificate)
                self.assertTrue(client.command(LOGIN).startswith(b"a OK"))

        await self.in_thread(talk)


class ProxyTests(RealTestCase):
    """The PROXY protocol."""

    async def test_real_address(self) -> None:
        """It is the client's address by which logging in in the clear is allowed, in every version and family."""
        (port,) = await self.server.listen(listen=("haproxy:tcp:0:interface=127.0.0.1",))

        def talk(header: bytes) -> tuple[bytes, bytes]:
            client = Talk(port, header)
            return client.line(), client.command(LOGIN)

        for source in ("203.0.113.9", "2001:db8::9"):
            for header in (version_1(source), version_2(source)):
                greeting, answer = await self.in_thread(talk, header)
                self.assertIn(b"LOGINDISABLED", greeting)
                self.assertEqual(answer, REFUSED)
                self.assertEqual(shown(self.server.sessions[-1].peer_host), source)
        for source in ("127.0.0.1", "::1"):
            greeting, answer = await self.in_thread(talk, version_1(source))
            self.assertNotIn(b"LOGINDISABLED", greeting)
            self.assertTrue(answer.startswith(b"a OK"))

    async def test_limits(self) -> None:
        """Connections are counted by the client's address, not by the proxy's."""
        server = RealServer(ip_connections=2)
        self.addCleanup(server.stop)
        (port,) = await server.listen(listen=("haproxy:tcp:0:interface=127.0.0.1",))

        def talk(source: str) -> bytes:
            kept.append(Talk(port, version_2(source)))
            return kept[-1].line()[:12]

        kept: list[Talk] = []
        found = [await self.in_thread(talk, f"203.0.113.{number}") for number in (9, 9, 9, 10)]
        self.assertEqual(found, [b"* OK [CAPABI", b"* OK [CAPABI", b"* BYE [LIMIT", b"* OK [CAPABI"])

    async def test_unknown(self) -> None:
        """A client of whom the proxy knows nothing is served, and is not of this machine."""
        (port,) = await self.server.listen(listen=("haproxy:tcp:0:interface=127.0.0.1",))

        def talk(header: bytes) -> bytes:
            return Talk(port, header).command(LOGIN)

        for header in (b"PROXY UNKNOWN\r\n", version_2("127.0.0.1", command=0)):
            self.assertEqual(await self.in_thread(talk, header), REFUSED)

    async def test_header_and_more(self) -> None:
        """What comes in one packet with the header is not lost."""
        (port,) = await self.server.listen(listen=("haproxy:tcp:0:interface=127.0.0.1",))

        def talk() -> bytes:
            return Talk(port, version_2(more=b"\x04\0\x01x")).command(b"a NOOP\r\n")

        self.assertEqual(await self.in_thread(talk), b"a OK NOOP completed\r\n")

    async def test_no_header(self) -> None:
        """Without a header nothing is said, not even a greeting."""
        (port,) = await self.server.listen(listen=("haproxy:tcp:0:interface=127.0.0.1",))
        for header in (
            b"a NOOP\r\n" * 3,
            b"PROXY TCP4 nonsense\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 x y\r\n",
            b"PROXY TCP4 \xff \xff 1 2\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01x",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x13\0\x01x",
        ):
            self.assertEqual(await self.in_thread(lambda header=header: Talk(port, header).rest()), b"")

    async def test_tls_behind(self) -> None:
        """TLS that goes through the proxy begins behind the header; so does STARTTLS."""
        encrypted, plain = await self.server.listen(
            listen=(f"haproxy:ssl:0:{self.files}:interface=127.0.0.1", "haproxy:tcp:0:interface=127.0.0.1"), **self.pair
        )

        def talk() -> None:
            client = Talk(encrypted, version_2())
            client.encrypt(self.certificate)
            self.assertTrue(client.command(LOGIN).startswith(b"a OK"))
            client = Talk(plain, version_1())
            client.command(b"a STARTTLS\r\n")
            client.encrypt(self.certificate)
            self.assertTrue(client.command(LOGIN).startswith(b"a OK"))

        await self.in_thread(talk)
        for session in self.server.sessions:
            self.assertEqual(session.peer_host, "203.0.113.9")

    def test_header_in_time(self) -> None:
        """A connection without a header is closed after a few seconds."""
        clock = MemoryReactorClock()
        factory = ProxiedFactory(self.server.factory, clock)
        connection = factory.buildProtocol(None)
        transport = StringTransport()
        connection.makeConnection(transport)
        clock.advance(HEADER_TIMEOUT - 1)
        self.assertFalse(transport.disconnecting or transport.disconnected)
        clock.advance(1)
        self.assertTrue(transport.disconnecting or transport.disconnected)


class EndpointStringTests(SynchronousTestCase):
    """Endpoint strings that are not understood, and certificates that are none, are one sentence."""

    def refused(self, text: str) -> str:
        """Return the sentence."""
        error = self.assertRaises(OperatorError, Places, Settings(bind=None, listen=(text,)), reactor)
        self.assertNotIn("\n", str(error))
        return str(error)

    def test_form(self) -> None:
        """Mistakes in the form."""
        for text in ("ssl:", "ssl:1", "ssl:1:2:privateKey=x", "haproxy:", "haproxy:ssl:1", "haproxy:foo:1"):
            self.assertIn(f'"{text}" is not an endpoint to listen on', self.refused(text))
        self.assertIn("foo is not known", self.refused("ssl:1:privateKey=a:foo=1"))

    def test_files(self) -> None:
        """Mistakes in the files."""
        self.assertIn("The certificate /none.pem cannot be read", self.refused("ssl:1:privateKey=/none.pem"))

    def test_config_error(self) -> None:
        """They are mistakes in the settings."""
        self.assertRaises(ConfigError, Places, Settings(bind=None, listen=("foo:1",)), reactor)
