"""Dovecot, as Debian ships it, over Maildir."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from bench import maildir
from bench.corpus import Mail
from bench.servers import Mails, Server

_DOVECOT = """
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
mail_location = maildir:{folder}/mail
mail_max_userip_connections = 100000
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/home
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  service_count = 0
  process_min_avail = 1
  client_limit = 20000
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service imap {{
  process_limit = 2000
}}
"""

#: Mail belongs to an account that is neither root nor anybody's: Dovecot needs no entry in the list of accounts.
_MAIL_ID = 5999


class Dovecot(Server):
    """Dovecot over Maildir, as Debian ships it; logins and sessions in processes of their own."""

    name = "Dovecot"
    password = "bench-only"

    @staticmethod
    def available() -> bool:
        """Tell whether it is installed, and can be started."""
        return _dovecot_program() is not None and os.geteuid() == 0

    def prepare(self, mailboxes: Mails) -> None:
        """Write its settings and the Maildir folders."""
        for name in ("run", "state", "home", "mail"):
            (self.folder / name).mkdir(parents=True)
        text = _DOVECOT.format(
            folder=self.folder, password=self.password, port=self.address[1], uid=_MAIL_ID, gid=_MAIL_ID
        )
        (self.folder / "dovecot.conf").write_text(text)
        for key, mails in mailboxes.items():
            maildir.write(self.folder / "mail" / f".{key}@example_com", mails())
        self._own()

    def deliver(self, key: str, mail: Mail) -> float:
        """Move a file into the folder of new mail, as every program does that delivers to Maildir."""
        there, to = maildir.prepared(self.folder / "mail" / f".{key}@example_com", mail.octets, _MAIL_ID)
        moment = time.monotonic()
        there.rename(to)
        return moment

    def start(self) -> None:
        """Start it."""
        program = _dovecot_program()
        assert program is not None
        self._spawn([program, "-F", "-c", str(self.folder / "dovecot.conf")], {}, self.folder)

    def mailbox(self, key: str) -> str:
        """Return the name of a mailbox: a dot would divide the name of a Maildir."""
        return f'"{key}@example_com"'

    def _own(self) -> None:
        os.chmod(self.folder, 0o755)
        for name in ("home", "mail"):
            for folder, _, files in os.walk(self.folder / name):
                os.chown(folder, _MAIL_ID, _MAIL_ID)
                for file in files:
                    os.chown(Path(folder, file), _MAIL_ID, _MAIL_ID)


def _dovecot_program() -> str | None:
    return shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
