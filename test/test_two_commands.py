"""What ``make run`` starts: ready, read with a mail client, stopped by Ctrl-C, and found again as it was."""

from __future__ import annotations

import imaplib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

import cybertemp_imap
from cybertemp_imap.demo.account import ADDRESSES
from test.postgres import test_programs
from test.test_embedded import alive, environment, postmaster

_READY = re.compile(r"ready: imap://127\.0\.0\.1:(\d+) user=(demo@example\.com) token=(\S+)")


class Running:
    """The server as ``make run`` starts it, but on a free port."""

    def __init__(self, folder: Path) -> None:
        environ = {**environment(), "IMAP_BIND": "127.0.0.1:0"}
        if programs := test_programs():
            environ["IMAP_POSTGRES_BIN"] = str(programs)
        self._errors = (folder / "errors").open("w+")
        # What runs the tests may have had it ignored, as a shell does for what it starts in the background.
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        self.folder = folder
        self.process = subprocess.Popen(
            [
                *(sys.executable, str(Path(sys.executable).with_name("twistd"))),
                *("--nodaemon", "--pidfile=", "--logfile=server.log", "cybertemp-imap", "--embedded", "--demo"),
            ],
            cwd=folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.lines = [self.process.stdout.readline().rstrip("\n") for _ in range(3)]
        match = _READY.fullmatch(self.lines[0])
        if match is None:
            self.stop()
            raise AssertionError((self.lines, self.errors(), (folder / "server.log").read_text()[-4000:]))
        self.port, self.user, self.token = int(match[1]), match[2], match[3]

    def errors(self) -> str:
        """Return what was written to standard error."""
        self._errors.seek(0)
        return self._errors.read()

    def login(self) -> imaplib.IMAP4:
        """Return a session that is logged in."""
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(self.user, self.token)
        return client

    def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal, and return the status the process leaves with."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        status = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return status


def mailbox_state(client: imaplib.IMAP4, name: str) -> list[bytes]:
    """Return UIDVALIDITY, and UID, flags and size of every message."""
    client.select(name, readonly=True)
    validity = client.response("UIDVALIDITY")[1]
    _, messages = client.fetch("1:*", "(UID FLAGS RFC822.SIZE)")
    return [bytes(line) for line in [*validity, *messages] if isinstance(line, bytes)]


class MakeRunTests(SynchronousTestCase):
    """One folder, started several times."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="imap-run-", dir="/tmp"))
        self.folder.chmod(0o711)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def run_server(self) -> Running:
        """Start, and stop when the test ends."""
        running = Running(self.folder)
        self.addCleanup(running.stop)
        return running

    def test_twice(self) -> None:
        """A second start has the same token, the same mail and the same UIDs; Ctrl-C leaves nothing running."""
        first = self.run_server()
        client = first.login()
        names = [f'"{address}"' for address in ADDRESSES]
        before = [mailbox_state(client, name) for name in ["INBOX", *names]]
        self.assertGreater(min(len(state) for state in before), 10)
        database = postmaster(self.folder / ".data")
        self.assertEqual(first.stop(), -signal.SIGINT)
        self.assertFalse(alive(database))
        self.assertEqual(first.errors(), "")

        second = self.run_server()
        self.assertEqual(second.token, first.token)
        client = second.login()
        self.assertEqual([mailbox_state(client, name) for name in ["INBOX", *names]], before)
        client.logout()
        self.assertEqual(second.stop(signal.SIGTERM), -signal.SIGTERM)
        self.assertFalse((self.folder / ".data" / "postgres" / "postmaster.pid").exists())

    def test_pasted_curl(self) -> None:
        """The second line, pasted into a shell, prints a message; the token is in no log."""
        if shutil.which("curl") is None:
            raise SkipTest("curl is not installed")
        running = self.run_server()
        arguments = shlex.split(running.lines[1])
        self.assertEqual(arguments[0], "curl")
        done = subprocess.run([*arguments, "--silent", "--max-time", "20"], capture_output=True, check=True)
        self.assertIn(b"\r\nSubject: ", done.stdout)
        self.assertIn(f"port {running.port}, no TLS", running.lines[2])
        running.stop()
        log = (self.folder / "server.log").read_text() + (self.folder / ".data" / "postgres.log").read_text()
        self.assertNotIn(running.token, log)
        self.assertNotIn("Traceback", log)


class MakefileTests(SynchronousTestCase):
    """The two commands of the README are there."""

    def test_targets(self) -> None:
        """``make run`` and ``make test`` are targets, and the README names both."""
        top = Path(cybertemp_imap.__file__).parents[1]
        if not (top / "Makefile").exists():
            raise SkipTest("not in a source tree")
        makefile, readme = (top / "Makefile").read_text(), (top / "README.rst").read_text()
        for target in ("run", "test"):
            self.assertRegex(makefile, rf"(?m)^{target}:")
            self.assertIn(f"    make {target}\n", readme)
