"""pymap, from PyPI: its own store in memory, with the mail loaded as the data of its demonstration."""

from __future__ import annotations

import importlib.util
import sys
import time

from bench.client import Client
from bench.corpus import Mail
from bench.servers import Mails, Server

_PACKAGE = "benchmail"
"""The Python package that pymap is told to load its data from."""

_PROGRAM = f"""
from pymap.backend.dict import Config
Config.demo_data_resource = property(lambda self: {_PACKAGE!r})
from pymap.main import main
main()
"""


class Pymap(Server):
    """pymap with its in-memory store, the quickest it has; it loads the mail when somebody first logs in."""

    name = "pymap"
    password = "bench-only"
    patience = 90.0
    hurried = True

    @staticmethod
    def available() -> bool:
        """Tell whether it is installed."""
        return importlib.util.find_spec("pymap") is not None

    def prepare(self, mailboxes: Mails) -> None:
        """Write the mail as files, each with its flags and its time in front."""
        package = self.folder / _PACKAGE
        (package / "demo" / "INBOX").mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "demo" / "sieve").write_text("keep;\r\n")
        for key, mails in mailboxes.items():
            folder = package / "demo" / f"{key}@example.com"
            folder.mkdir()
            for number, mail in enumerate(mails()):
                assert mail.row.timestamp is not None
                head = f"{' '.join(mail.flags)}\n{mail.row.timestamp.timestamp():.0f}\n"
                (folder / f"{number:06d}").write_bytes(head.encode() + mail.octets)

    def start(self) -> None:
        """Start it, and have it load the mail."""
        host, port = self.address
        options = ["--no-tls", "--host", host, "--port", str(port), "--no-service", "managesieve"]
        account = ["--demo-data", "--demo-user", self.user, "--demo-password", self.password]
        environment = {"PYTHONPATH": str(self.folder)}
        self._spawn([sys.executable, "-c", _PROGRAM, *options, "dict", *account], environment, self.folder)
        with Client(self.address, 300.0) as client:
            client.run(self.login)

    def deliver(self, key: str, mail: Mail) -> float:
        """Append in another session, the only way into its store; the moment is that before the command."""
        with self.session() as client:
            moment = time.monotonic()
            client.append(self.mailbox(key), mail.octets)
            return moment
