"""Every command that the documentation gives is run as it stands there, or is on a list that says why it is not.

A page is one script of bash in a folder of its own, with a database of its own. In the place of what a page names, such
as a connection string or a port, comes what the test has. A server that a page starts is started in the background, and
stopped when the page ends.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

from psycopg2.extensions import make_dsn
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.postgres_programs import find_programs
from test.certificates import make_certificate
from test.documentation import TOP, console_blocks, pages
from test.postgres import create_database, create_empty_database, drop_database, test_programs
from test.test_embedded import environment

NOT_RUN = {
    "adduser": "would add an account to this machine",
    "apt-get": "installs Debian packages",
    "certbot": "needs a domain that the internet reaches",
    "chmod 755 /etc/letsencrypt": "is about certbot's folder",
    "cat > /etc/letsencrypt": "is about certbot's folder",
    "/etc/letsencrypt": "is about certbot's folder",
    "export PATH=/opt": "has no such folder; the tests have a path of their own",
    "install": "would write to folders of this machine",
    "mkdir -p /etc": "would write to folders of this machine",
    "python3 -m venv": ".ci/run makes an environment and installs the wheel",
    "/opt/cybertemp-imap/bin/pip": ".ci/run makes an environment and installs the wheel",
    "su postgres": "changes the machine's own PostgreSQL",
    "systemctl": "needs systemd as process 1",
    "haproxy": "test_machines_haproxy runs HAProxy with such a file",
    "docker": "needs a daemon that builds and runs containers",
    "make": ".ci/run runs them; make run is in test_two_commands",
    ".venv/bin/python": "make test runs all modules",
    "openssl s_client": "needs a domain that the internet reaches; test_client_tls looks at certificates",
}
"""How commands begin that are not run, and why."""

FROM_NOTHING = {"self-hosted.rst"}
"""Pages that begin with an empty database."""

BACKGROUND = "twistd --nodaemon"

PREAMBLE = r"""
set -eu
# The source tree's, not what may be installed.
cybertemp-imap-admin() {
    python -c 'import sys; from cybertemp_imap.admin import main; sys.exit(main())' "$@"
}
serve() {
    "$@" >>server.out 2>&1 &
    servers="${servers:-} $!"
    trap 'kill $servers; wait' EXIT
    for _ in $(seq 1200); do
        grep -q "^ready: .*:$expected\$" server.out && return
        kill -0 $! || break
        sleep 0.05
    done
    cat server.out *.log >&2
    exit 1
}
"""


class CommandsTests(SynchronousTestCase):
    """One test for each page, made below."""

    def run_page(self, page: Path) -> None:
        """Every command succeeds."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        dsn, other = create_database(), create_empty_database()
        if page.name in FROM_NOTHING:
            dsn, other = other, dsn
        self.addCleanup(drop_database, other)
        self.addCleanup(drop_database, dsn)
        restored = make_dsn(dsn, dbname=f"restored_{os.getpid()}")
        self.addCleanup(drop_database, restored)
        made, secure = make_certificate(folder, "mail"), free_port()
        (folder / "systemd").symlink_to(TOP / "systemd")
        words = {
            "postgresql://imap:secret@127.0.0.1:5432/mail": _quoted(dsn),
            "postgresql://imap:secret@127.0.0.1:5432/old": _quoted(other),
            "postgresql://imap:secret@127.0.0.1:5432/restored": _quoted(restored),
            "CREATE DATABASE restored": f"CREATE DATABASE restored_{os.getpid()}",
            "/etc/cybertemp-imap/tls/fullchain.pem": str(made[0]),
            "/etc/cybertemp-imap/tls/privkey.pem": str(made[1]),
            "/etc/cybertemp-imap": str(folder),
            **{f"127.0.0.1:{port}": f"127.0.0.1:{free_port()}" for port in (143, 1143, 1144)},
            "0.0.0.0:993": f"127.0.0.1:{secure}",
            "'imaps://mail.example.com:993": f"--insecure 'imaps://127.0.0.1:{secure}",
        }
        script = [PREAMBLE]
        for block in console_blocks(page):
            script += [self.made_runnable(command, words) for command in block if not _reason(command)]
        # A page that begins with nothing writes its settings, which the environment would override.
        environ = {} if page.name in FROM_NOTHING else {"DATABASE_URL": dsn}
        self.run_script(folder, "\n".join(script), environ)

    def made_runnable(self, command: str, words: dict[str, str]) -> str:
        """Return a command with what the test has in the place of what the page names."""
        for word, ours in words.items():
            command = command.replace(word, ours)
        if command.startswith(BACKGROUND):
            port = re.search(r"127\.0\.0\.1:(\d+)", command)
            command = f"expected={port[1] if port else words['0.0.0.0:993'].rpartition(':')[2]} serve {command}"
        if " token issue " in command:
            command = f'token=$({command} --json | sed -n \'s/.*"token": "\\([^"]*\\)".*/\\1/p\'); test -n "$token"'
        return command.replace("'me@example.org:<token>'", '"me@example.org:$token"')

    def run_script(self, folder: Path, script: str, environ: dict[str, str]) -> None:
        """Run a script, which must succeed."""
        programs = [str(find_programs(test_programs())), str(Path(sys.executable).parent)]
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=folder,
            env={
                **environment(),
                **environ,
                "PATH": os.pathsep.join([*programs, os.environ["PATH"]]),
                "IMAP_THROTTLE_FILE": str(folder / "logins"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        self.assertEqual(done.returncode, 0, f"{script}\n{done.stdout}\n{done.stderr}")


class PagesTests(SynchronousTestCase):
    """The pages as a whole."""

    def test_reasons(self) -> None:
        """Every reason for not running a command is one that a page needs."""
        commands = [command for page in pages() for block in console_blocks(page) for command in block]
        for start in NOT_RUN:
            self.assertTrue(any(command.startswith(start) for command in commands), start)


def _tests() -> None:
    for page in pages():
        if any(console_blocks(page)):

            def test(self: CommandsTests, page: Path = page) -> None:
                self.run_page(page)

            test.__doc__ = f"The commands of {page.relative_to(TOP)} succeed."
            setattr(CommandsTests, f"test_{page.stem.lower().replace('-', '_')}", test)


_tests()


def free_port() -> int:
    """Return a port that nobody uses at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _quoted(dsn: str) -> str:
    return "'" + dsn.replace("'", "'\\''") + "'"


def _reason(command: str) -> str | None:
    return next((reason for start, reason in NOT_RUN.items() if command.startswith(start)), None)
