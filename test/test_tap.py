"""``twistd cybertemp-imap`` as an operator runs it: every mistake is one sentence, a status, and no traceback."""

from __future__ import annotations

import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from psycopg2.extensions import make_dsn
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.tap import Options
from test.certificates import make_certificate
from test.postgres import create_database, create_empty_database, drop_database
from test.test_embedded import environment
from test.test_migrations import query


def twistd(
    folder: Path, arguments: list[str], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``twistd -n cybertemp-imap`` in a folder until it ends."""
    program = Path(sys.executable).with_name("twistd")
    return subprocess.run(
        [sys.executable, str(program), "--nodaemon", "--pidfile=", "cybertemp-imap", *arguments],
        cwd=folder,
        env={**environment(), **(environ or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class RefusingPostgres(socketserver.BaseRequestHandler):
    """A server that speaks just enough of PostgreSQL's protocol to refuse a password."""

    def handle(self) -> None:
        """Refuse TLS, then the login."""
        length = int.from_bytes(self.request.recv(4), "big")
        if length == 8:
            self.request.recv(4)
            self.request.sendall(b"N")
            length = int.from_bytes(self.request.recv(4), "big")
        self.request.recv(length - 4)
        fields = b'SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user "admin"\0\0'
        self.request.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)


class MistakeTestCase(SynchronousTestCase):
    """Each test has a folder to run in."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def sentence(self, *arguments: str, **environ: str) -> str:
        """Return the one sentence that is told."""
        done = twistd(self.folder, list(arguments), environ)
        self.assertEqual(done.returncode, 1, done)
        self.assertNotIn("Traceback", done.stdout + done.stderr)
        self.assertNotIn("Unhandled", done.stdout + done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("cybertemp-imap: "), done.stderr)
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        return done.stderr.removeprefix("cybertemp-imap: ").rstrip("\n")


class SettingTests(MistakeTestCase):
    """Mistakes found before anything is started."""

    def test_nothing_set(self) -> None:
        """Without a database it says what to set."""
        self.assertEqual(
            self.sentence(),
            "DATABASE_URL is not set, in the environment or in .env: set it, or use --embedded to run one here.",
        )

    def test_malformed_in_file(self) -> None:
        """A malformed value is told with the file it is in."""
        (self.folder / ".env").write_text("IMAP_BIND=abc\nDATABASE_URL=dbname=d\n")
        self.assertEqual(self.sentence(), 'IMAP_BIND from .env: "abc" is not address:port.')

    def test_options(self) -> None:
        """A wrong option, and an argument that is none, are one sentence rather than the whole help."""
        self.assertEqual(self.sentence("--bnid=x"), "option --bnid not recognized: see twistd cybertemp-imap --help.")
        self.assertEqual(self.sentence("start"), '"start" is not an option: see twistd cybertemp-imap --help.')

    def test_endpoint(self) -> None:
        """So is an endpoint string of an unknown kind."""
        told = self.sentence("--listen=foo:1", DATABASE_URL="dbname=d")
        self.assertTrue(told.startswith('"foo:1" is not an endpoint to listen on: '), told)

    def test_tls(self) -> None:
        """So are mistakes with certificates: half of a pair, a missing file, a key that is another's or encrypted."""
        certificate, key = make_certificate(self.folder)
        _, other = make_certificate(self.folder, "other")
        _, locked = make_certificate(self.folder, "locked", b"s3cret")
        for environ, told in (
            ({"IMAP_TLS_BIND": "0.0.0.0:993"}, "IMAP_TLS_BIND from the environment is set, and IMAP_TLS_CERT is not"),
            ({"IMAP_TLS_CERT": "c.pem"}, "IMAP_TLS_CERT from the environment is set, and IMAP_TLS_KEY is not"),
            (
                {"IMAP_TLS_CERT": "/none.pem", "IMAP_TLS_KEY": str(key)},
                "The certificate /none.pem cannot be read: No such",
            ),
            ({"IMAP_TLS_CERT": str(certificate), "IMAP_TLS_KEY": str(other)}, "does not belong to the certificate"),
            ({"IMAP_TLS_CERT": str(certificate), "IMAP_TLS_KEY": str(locked)}, "is encrypted: give one without"),
        ):
            self.assertIn(told, self.sentence(DATABASE_URL="dbname=d", **environ))

    def test_supabase(self) -> None:
        """So is a half of a Supabase configuration."""
        told = self.sentence(DATABASE_URL="dbname=d", USE_SUPABASE_BANS="true")
        self.assertEqual(told, "USE_SUPABASE_BANS from the environment is true, and SUPABASE_URL is not set.")


class RunningTests(MistakeTestCase):
    """Mistakes that only show when the server starts."""

    def test_port_in_use(self) -> None:
        """The port, the reason and the remedy are told."""
        dsn = create_database()
        self.addCleanup(drop_database, dsn)
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            told = self.sentence(f"--bind=127.0.0.1:{port}", DATABASE_URL=dsn)
        self.assertEqual(
            told,
            f"Cannot listen on tcp:{port}:interface=127.0.0.1: Address already in use; stop the program that uses it, "
            "or choose another port with --bind or IMAP_BIND.",
        )

    def test_wrong_password(self) -> None:
        """PostgreSQL refuses the password, which is not repeated."""
        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), RefusingPostgres) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            port = server.server_address[1]
            url = f"postgresql://admin:s3cret@127.0.0.1:{port}/mail"
            told = self.sentence("--bind=127.0.0.1:0", DATABASE_URL=url)
            server.shutdown()
            thread.join()
        self.assertEqual(
            told,
            f'cannot connect to database "mail" at 127.0.0.1:{port}: password authentication failed for user "admin"; '
            "correct the user and password in DATABASE_URL.",
        )

    def test_databases(self) -> None:
        """A database that is not there, has no schema, or one of another version, is told with what to do."""
        dsn = create_empty_database()
        self.addCleanup(drop_database, dsn)
        bind = "--bind=127.0.0.1:0"
        self.assertIn(
            'database "none" does not exist; create it', self.sentence(bind, DATABASE_URL=make_dsn(dsn, dbname="none"))
        )
        self.assertIn("The schema is missing", self.sentence(bind, DATABASE_URL=dsn))
        newer = create_database()
        self.addCleanup(drop_database, newer)
        query(newer, "INSERT INTO imap.schema_version (version, name) VALUES (9000, 'future')")
        self.assertIn("is newer than this version", self.sentence(bind, DATABASE_URL=newer))


class PluginTests(SynchronousTestCase):
    """What twistd finds."""

    def test_listed(self) -> None:
        """The plugin is found under its name, with our options."""
        makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
        self.assertIs(makers["cybertemp-imap"].options, Options)

    def test_listen_repeats(self) -> None:
        """--listen can be given several times."""
        options = Options()
        options.parseOptions(["--listen", "tcp:1", "-l", "tcp:2", "--bind=[::1]:3", "--embedded"])
        self.assertEqual((options["listen"], options["bind"]), (["tcp:1", "tcp:2"], "[::1]:3"))
