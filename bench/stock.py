"""The server that comes with Twisted, over plain mailboxes in memory (:mod:`bench.stock_mailboxes`)."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench import maildir
from bench.corpus import Mail
from bench.servers import ROOT, Mails, Server


class Stock(Server):
    """``twisted.mail.imap4.IMAP4Server`` as it is."""

    name = "IMAP4Server"
    password = "bench-only"
    patience = 90.0
    hurried = True

    @property
    def _mail(self) -> Path:
        return self.folder / "mail"

    def prepare(self, mailboxes: Mails) -> None:
        """Write the mail as Maildir folders, which it loads when it starts."""
        for key, mails in mailboxes.items():
            maildir.write(self._mail / f"{key}@example.com", mails())

    def start(self) -> None:
        """Start it."""
        port = str(self.address[1])
        arguments = [port, str(self._mail), self.user, self.password]
        self._spawn([sys.executable, "-m", "bench.stock_mailboxes", *arguments], {"PYTHONPATH": str(ROOT)}, self.folder)

    def deliver(self, key: str, mail: Mail) -> float:
        """Append in another session; the moment is that before the command."""
        with self.session() as client:
            moment = time.monotonic()
            client.append(self.mailbox(key), mail.octets)
            return moment
