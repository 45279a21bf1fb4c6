"""Certificates: what is refused, what is spoken, and renewing them while connections are open."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import warnings
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID
from twisted.internet import reactor
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from cybertemp_imap.config import Settings
from cybertemp_imap.config_values import Address
from cybertemp_imap.listening import Places
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.renewal import POLL_INTERVAL, Renewal
from cybertemp_imap.tls import Certificate
from test.certificates import make_certificate
from test.real import RealServer


class CertificateTestCase(SynchronousTestCase):
    """A folder with a certificate, and what is logged."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.certificate, self.key = make_certificate(self.folder)
        self.logged: list[str] = []

        def observe(event: LogEvent) -> None:
            if event.get("log_namespace", "").startswith("cybertemp_imap.tls"):
                self.logged.append(formatEvent(event) or "")

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def renew(self, name: str) -> None:
        """Replace certificate and key, as a program that renews them does."""
        certificate, key = make_certificate(self.folder, name)
        os.replace(key, self.key)
        os.replace(certificate, self.certificate)


class MistakeTests(CertificateTestCase):
    """Every mistake is one sentence."""

    def refused(self, certificate: Path, key: Path) -> str:
        """Return the sentence."""
        sentence = str(self.assertRaises(OperatorError, Certificate, certificate, key))
        self.assertNotIn("\n", sentence)
        return sentence

    def test_interface(self) -> None:
        """It is what Twisted takes for a server's TLS."""
        self.assertTrue(verifyObject(IOpenSSLServerConnectionCreator, Certificate(self.certificate, self.key)))

    def test_missing(self) -> None:
        """A file that is not there, or is none."""
        none = self.folder / "none.pem"
        self.assertEqual(
            self.refused(none, self.key), f"The certificate {none} cannot be read: No such file or directory."
        )
        self.assertEqual(
            self.refused(self.certificate, self.folder),
            f"The private key {self.folder} cannot be read: Is a directory.",
        )

    def test_no_pem(self) -> None:
        """A file with something else in it, or with the other of the two."""
        other = self.folder / "other.pem"
        other.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        for certificate in (other, self.key):
            self.assertIn(f"There is no certificate in {certificate}", self.refused(certificate, self.key))
        for key in (other, self.certificate):
            self.assertIn(f"There is no private key in {key}", self.refused(self.certificate, key))

    def test_not_matching(self) -> None:
        """The key of another certificate."""
        _, other = make_certificate(self.folder, "other")
        self.assertEqual(
            self.refused(self.certificate, other),
            f"The private key in {other} does not belong to the certificate in {self.certificate}.",
        )

    def test_encrypted(self) -> None:
        """A key with a passphrase, which nobody could type."""
        certificate, key = make_certificate(self.folder, "secret", b"s3cret")
        self.assertEqual(
            self.refused(certificate, key), f"The private key {key} is encrypted: give one without a passphrase."
        )

    def test_one_file(self) -> None:
        """Both in one file, in whatever order, is fine."""
        both = self.folder / "both.pem"
        both.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        Certificate(both, both)


class _SignalledClock(Clock):
    """A reactor that notes what it is asked to do by a signal."""

    def __init__(self, calls: list[Any]) -> None:
        super().__init__()
        self.callFromThread = calls.append


class RenewalTests(CertificateTestCase):
    """When files are read again."""

    def setUp(self) -> None:
        """Look after one certificate, by a clock of the test's."""
        super().setUp()
        settings = Settings(bind=None, tls_cert=self.certificate, tls_key=self.key, tls_bind=Address("127.0.0.1", 0))
        self.places = Places(settings, reactor)
        self.calls: list[Any] = []
        self.clock = _SignalledClock(self.calls)
        self.renewal = Renewal(self.places, self.clock)
        # What runs the tests may have had it ignored, as nohup does.
        self.addCleanup(signal.signal, signal.SIGHUP, signal.signal(signal.SIGHUP, signal.SIG_DFL))
        self.renewal.start()
        self.addCleanup(self.renewal.stop)

    def test_shared(self) -> None:
        """One certificate serves STARTTLS and the TLS port; it is read once."""
        self.assertEqual(len(list(self.places.certificates)), 1)

    def test_unchanged(self) -> None:
        """Files that stay as they are, are not read again."""
        self.clock.pump([POLL_INTERVAL] * 5)
        self.assertEqual(self.logged, [])

    def test_changed(self) -> None:
        """Files that are replaced are read within the interval, once."""
        self.renew("renewed")
        self.clock.pump([POLL_INTERVAL] * 3)
        self.assertEqual(self.logged, [f"The certificate of {self.certificate} was read again."])

    def test_link(self) -> None:
        """So are files behind a link that is turned, as certbot does."""
        for name in ("one", "two"):
            (self.folder / name).mkdir()
            make_certificate(self.folder / name)
        live = self.folder / "live"
        live.symlink_to("one")
        places = Places(Settings(bind=None, tls_cert=live / "server.pem", tls_key=live / "server.key"), reactor)
        live.unlink()
        live.symlink_to("two")
        places.look()
        self.assertEqual(len(self.logged), 1)

    def test_broken(self) -> None:
        """A broken certificate is told once, and the old one kept until there is a good one."""
        assert self.places.starttls is not None
        before = self.places.starttls._context
        good = self.certificate.read_bytes()
        self.certificate.write_text("nonsense")
        self.clock.pump([POLL_INTERVAL] * 3)
        self.assertEqual(len(self.logged), 1)
        self.assertIn(f"The old certificate is kept: There is no certificate in {self.certificate}", self.logged[0])
        self.assertIs(self.places.starttls._context, before)
        self.certificate.unlink()
        self.clock.pump([POLL_INTERVAL] * 3)
        self.assertEqual(len(self.logged), 2)
        self.certificate.write_bytes(good)
        self.clock.pump([POLL_INTERVAL] * 3)
        self.assertEqual(len(self.logged), 3)
        self.assertIsNot(self.places.starttls._context, before)

    def test_signal(self) -> None:
        """SIGHUP has them read at once, changed or not; after the stop it is nobody's again."""
        os.kill(os.getpid(), signal.SIGHUP)
        (call,) = self.calls
        call()
        self.assertEqual(len(self.logged), 1)
        self.renewal.stop()
        self.assertEqual(signal.getsignal(signal.SIGHUP), signal.SIG_DFL)


class SpokenTests(TestCase):
    """What is spoken on a real port."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Listen with TLS."""
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.certificate, self.key = make_certificate(self.folder)
        self.server = RealServer()
        self.addCleanup(self.server.stop)
        (self.port,) = await self.server.listen(
            tls_cert=self.certificate, tls_key=self.key, tls_bind=Address("127.0.0.1", 0)
        )

    def context(self) -> ssl.SSLContext:
        """Return a client's context that trusts the certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def connect(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        """Connect; blocks."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return context.wrap_socket(plain, server_hostname="localhost")

    async def test_session(self) -> None:
        """A session under TLS, with ALPN and a cipher of today."""

        def talk() -> tuple[Any, ...]:
            context = self.context()
            context.set_alpn_protocols(["http/1.1", "imap"])
            with self.connect(context) as client:
                greeting = client.recv(1000)
                cipher = client.cipher()
                assert cipher is not None
                return greeting[:4], client.selected_alpn_protocol(), client.version(), cipher[2] >= 128

        self.assertEqual(await deferToThread(talk), (b"* OK", "imap", "TLSv1.3", True))

    async def test_other_protocols(self) -> None:
        """A client that offers only other protocols is served without ALPN."""

        def talk() -> tuple[bytes, str | None]:
            context = self.context()
            context.set_alpn_protocols(["http/1.1"])
            with self.connect(context) as client:
                return client.recv(1000)[:4], client.selected_alpn_protocol()

        self.assertEqual(await deferToThread(talk), (b"* OK", None))

    async def test_versions(self) -> None:
        """TLS 1.2 is spoken with forward secrecy only; what is older is refused."""

        def talk(version: ssl.TLSVersion, ciphers: str) -> str:
            context = self.context()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = version
            context.set_ciphers(ciphers)
            try:
                with self.connect(context) as client:
                    client.recv(1000)
                    found = client.cipher()
                    return found[0] if found else ""
            except ssl.SSLError:
                return "refused"

        v12 = ssl.TLSVersion.TLSv1_2
        self.assertIn("ECDHE", await deferToThread(talk, v12, "ALL"))
        for version, ciphers in (
            (v12, "AES128-GCM-SHA256:AES256-SHA"),
            (v12, "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA"),
            (ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0"),
            (ssl.TLSVersion.TLSv1, "ALL:@SECLEVEL=0"),
        ):
            self.assertEqual(await deferToThread(talk, version, ciphers), "refused")

    async def test_renewal(self) -> None:
        """After a renewal new connections get the new certificate, and the session before it goes on."""

        def name_of(client: ssl.SSLSocket) -> str:
            found = client.getpeercert(binary_form=True)
            assert found is not None
            subject = x509.load_der_x509_certificate(found).subject
            return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

        def connect() -> ssl.SSLSocket:
            context = self.context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            client = self.connect(context)
            client.recv(1000)
            return client

        def noop(client: ssl.SSLSocket) -> bytes:
            client.sendall(b"a NOOP\r\n")
            return client.recv(1000)

        old = await deferToThread(connect)
        certificate, key = make_certificate(self.folder, "renewed")
        shutil.copy(key, self.key)
        shutil.copy(certificate, self.certificate)
        self.server.places[0].look()
        new = await deferToThread(connect)
        self.assertEqual((name_of(old), name_of(new)), ("server", "renewed"))
        for client in (old, new):
            self.assertEqual(await deferToThread(noop, client), b"a OK NOOP completed\r\n")
            client.close()

    async def test_clear_text(self) -> None:
        """Who speaks in the clear there is disconnected, and nothing is logged as a fault."""

        def talk() -> bytes:
            with socket.create_connection(("127.0.0.1", self.port), timeout=30) as client:
                client.sendall(b"a NOOP\r\n")
                found = b""
                while data := client.recv(1000):
                    found += data
                return found

        self.assertNotIn(b"* ", await deferToThread(talk))
