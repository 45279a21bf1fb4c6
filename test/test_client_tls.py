"""Mail clients over TLS, straight and through HAProxy."""

from __future__ import annotations

import shlex
import shutil
import socket
import ssl
import subprocess
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.trial.unittest import SkipTest

from cybertemp_imap.config import Settings
from cybertemp_imap.config_values import Address
from cybertemp_imap.listening import Places
from test.certificates import make_certificate
from test.clients.case import CLIENT_TIMEOUT, ClientTestCase, environment, in_thread

try:
    import imapclient
except ImportError:
    imapclient = None

_MBSYNC = """
IMAPAccount demo
Host localhost
Port {port}
User {user}
Pass {token}
SSLType {kind}
CertificateFile {certificate}
Timeout 30

IMAPStore far
Account demo

MaildirStore near
Path {mail}/
Inbox {mail}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX
Create Near
Sync Pull
SyncState *
"""

_HAPROXY = """
global
    maxconn 100
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
listen first
    bind 127.0.0.1:{first}
    server imap 127.0.0.1:{plain} send-proxy
listen second
    bind 127.0.0.1:{second}
    server imap 127.0.0.1:{plain} send-proxy-v2
listen passed
    bind 127.0.0.1:{passed}
    server imap 127.0.0.1:{encrypted} send-proxy-v2
listen ended
    bind 127.0.0.1:{ended} ssl crt {both} alpn imap
    server imap 127.0.0.1:{plain} send-proxy-v2 check check-send-proxy inter 200ms
"""


class TlsClientTestCase(ClientTestCase):
    """The demonstration's server, with TLS on a port of its own and STARTTLS on another."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Listen on both."""
        await super().setUp()
        self.certificate, self.key = make_certificate(self.folder)
        self.plain, self.encrypted = await self.listen(
            bind=Address("127.0.0.1", 0),
            tls_bind=Address("127.0.0.1", 0),
            tls_cert=self.certificate,
            tls_key=self.key,
        )

    async def listen(self, **settings: Any) -> list[int]:
        """Listen where settings say, and return the ports."""
        places = Places(Settings(**{"bind": None, **settings}), reactor)
        if places.starttls is not None:
            self.factory.certificate = places.starttls
        ports: list[IListeningPort] = []
        for place in places.all:
            factory: Any = self.factory
            ports.append(await place.listen(factory))
            self.addCleanup(self.close, ports[-1])
        hosts: list[Any] = [port.getHost() for port in ports]
        return [host.port for host in hosts]

    def close(self, port: IListeningPort) -> Deferred[Any]:
        """Stop listening."""
        return maybeDeferred(port.stopListening)


class OpensslTests(TlsClientTestCase):
    """``openssl s_client``."""

    program = "openssl"

    async def talk(self, *arguments: str) -> bytes:
        """Log in, log out, and return what was printed."""
        script = self.folder / "script"
        script.write_text(f"a LOGIN {self.user} {self.token}\nb LOGOUT\n")
        command = ["openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", str(self.certificate)]
        line = shlex.join([*command, "-crlf", *arguments])
        return await self.run_program("sh", "-c", f"(cat {script}; sleep 1) | {line}")

    async def test_both(self) -> None:
        """TLS 1.2 and 1.3 from the first octet, and STARTTLS."""
        for arguments in (
            ["-connect", f"127.0.0.1:{self.encrypted}", "-tls1_2"],
            ["-connect", f"127.0.0.1:{self.encrypted}", "-tls1_3", "-alpn", "imap"],
            ["-connect", f"127.0.0.1:{self.plain}", "-starttls", "imap"],
        ):
            printed = await self.talk(*arguments)
            self.assertIn(b"a OK ", printed)
            self.assertIn(b"b OK LOGOUT completed", printed)


class CurlTests(TlsClientTestCase):
    """curl."""

    program = "curl"

    async def test_both(self) -> None:
        """``imaps:`` and ``--ssl-reqd`` fetch the same message."""
        for url, more in (
            (f"imaps://127.0.0.1:{self.encrypted}", ""),
            (f"imap://127.0.0.1:{self.plain}", "ssl-reqd"),
        ):
            lines = [f'user = "{self.user}:{self.token}"', "silent", "show-error", f"max-time = {CLIENT_TIMEOUT}", more]
            lines += [f'cacert = "{self.certificate}"', 'noproxy = "*"', f'url = "{url}/INBOX;MAILINDEX=1"']
            file = self.folder / "curl.conf"
            file.write_text("\n".join(lines))
            found = await self.run_program("curl", "--disable", "--config", file)
            self.assertEqual(found, self.mailboxes["INBOX"][0].source)


class MbsyncTests(TlsClientTestCase):
    """mbsync."""

    program = "mbsync"

    async def test_both(self) -> None:
        """INBOX is copied either way."""
        for kind, port in (("IMAPS", self.encrypted), ("STARTTLS", self.plain)):
            mail = self.folder / kind
            mail.mkdir()
            file = self.folder / "mbsyncrc"
            file.write_text(
                _MBSYNC.format(
                    port=port, user=self.user, token=self.token, kind=kind, certificate=self.certificate, mail=mail
                )
            )
            await self.run_program("mbsync", "--config", file, "--all")
            copied = [path for folder in ("cur", "new") for path in (mail / "INBOX" / folder).iterdir()]
            self.assertEqual(len(copied), len(self.mailboxes["INBOX"]))


class ImapclientTests(TlsClientTestCase):
    """The Python library imapclient."""

    @in_thread
    def test_both(self) -> None:
        """It logs in either way, and not in the clear where the server forbids it."""
        if imapclient is None:
            raise SkipTest("the Python package imapclient is not installed")
        context = ssl.create_default_context(cafile=str(self.certificate))
        for port, direct in ((self.encrypted, True), (self.plain, False)):
            client = imapclient.IMAPClient(
                "localhost", port, ssl=direct, ssl_context=context if direct else None, timeout=CLIENT_TIMEOUT
            )
            if not direct:
                client.starttls(context)
            client.login(self.user, self.token)
            self.assertEqual(client.select_folder("INBOX")[b"EXISTS"], len(self.mailboxes["INBOX"]))
            client.logout()


class HaproxyTests(TlsClientTestCase):
    """HAProxy before the server, with both versions of its protocol."""

    program = "haproxy"

    async def setUp(self) -> None:  # type: ignore[override]
        """Start HAProxy."""
        await super().setUp()
        pair = f"privateKey={self.key}:certKey={self.certificate}"
        plain, encrypted = await self.listen(
            listen=("haproxy:tcp:0:interface=127.0.0.1", f"haproxy:ssl:0:{pair}:interface=127.0.0.1")
        )
        both = self.folder / "both.pem"
        both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        names = ("first", "second", "passed", "ended")
        free = [socket.create_server(("127.0.0.1", 0)) for _ in names]
        self.ports = {name: each.getsockname()[1] for name, each in zip(names, free, strict=True)}
        for each in free:
            each.close()
        file = self.folder / "haproxy.cfg"
        file.write_text(_HAPROXY.format(**self.ports, plain=plain, encrypted=encrypted, both=both))
        program = shutil.which("haproxy")
        assert program is not None
        self.proxy = subprocess.Popen(
            [program, "-db", "-f", str(file)], env=environment(self.folder), stderr=subprocess.DEVNULL
        )
        self.addCleanup(self.end)

    def end(self) -> None:
        """Stop HAProxy."""
        self.proxy.terminate()
        self.proxy.wait(30)

    def connect(self, name: str) -> socket.socket:
        """Connect from an address of the loopback network that is not the proxy's; wait for it to listen."""
        while True:
            try:
                return socket.create_connection(
                    ("127.0.0.1", self.ports[name]), CLIENT_TIMEOUT, source_address=("127.7.7.7", 0)
                )
            except ConnectionRefusedError:
                assert self.proxy.poll() is None

    @in_thread
    def test_every_way(self) -> None:
        """Through each, the server sees the client's address; TLS that passes through ends at the server."""
        for name in self.ports:
            client = self.connect(name)
            if name in ("passed", "ended"):
                context = ssl.create_default_context(cafile=str(self.certificate))
                client = context.wrap_socket(client, server_hostname="localhost")
            with client, client.makefile("rb") as lines:
                self.assertTrue(lines.readline().startswith(b"* OK "), name)
                client.sendall(f"a LOGIN {self.user} {self.token}\r\n".encode())
                self.assertTrue(lines.readline().startswith(b"a OK "), name)
                peers = {session.peer_host for session in self.factory.connections}
                self.assertIn("127.7.7.7", peers, name)
                client.sendall(b"b LOGOUT\r\n")
                lines.read()
