"""offlineimap brings what was done to Maildirs offline to the server."""

from __future__ import annotations

from pathlib import Path

from test.clients.case import ClientTestCase

_CONFIGURATION = """
[general]
accounts = demo
metadata = {folder}/state
ui = quiet

[Account demo]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {folder}/mail
sep = /

[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {port}
ssl = no
starttls = no
auth_mechanisms = PLAIN
remoteuser = {user}
remotepass = {token}
folderfilter = lambda name: name in ("codes@example.net", "Archive")
"""

_CODES = "codes@example.net"
_FLAGS = "SELECT flags FROM public.emails WHERE id = %s"
_ARCHIVED = "SELECT flags FROM public.emails WHERE subject = %s AND mailbox = 'Archive'"


class OfflineimapTests(ClientTestCase):
    """Changes made while nobody is connected."""

    program = "offlineimap"

    async def synchronize(self) -> None:
        """Run offlineimap once."""
        (self.folder / "mail").mkdir(exist_ok=True)
        configuration = self.folder / "offlineimaprc"
        configuration.write_text(
            _CONFIGURATION.format(folder=self.folder, port=self.port, user=self.user, token=self.token)
        )
        await self.run_program("offlineimap", "-c", configuration, "-o")

    def messages(self, name: str) -> list[Path]:
        """Return the message files of a Maildir."""
        maildir = self.folder / "mail" / name
        return sorted(path for part in ("cur", "new") for path in (maildir / part).iterdir())

    def find(self, subject: str) -> Path:
        """Return the file of a message."""
        return next(path for path in self.messages(_CODES) if f"Subject: {subject}\n".encode() in path.read_bytes())

    async def test_offline(self) -> None:
        """A flag, a deletion and a new message are made offline, and are on the server after the next run."""
        flagged, deleted = self.deliver(_CODES, "To be flagged"), self.deliver(_CODES, "To be deleted")
        await self.synchronize()
        self.assertEqual(len(self.messages(_CODES)), len(self.mailboxes[_CODES]) + 2)
        path = self.find("To be flagged")
        path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,FS")
        self.find("To be deleted").unlink()
        new = "From: me@example.com\nDate: Thu, 1 Jan 2026 10:00:00 +0000\nSubject: Offline\n\nHello\n"
        (self.folder / "mail" / "Archive" / "cur" / "1.offline.host:2,S").write_text(new)
        await self.synchronize()
        self.assertEqual({*self.execute(_FLAGS, flagged)[0][0]}, {"\\Flagged", "\\Seen"})
        self.assertEqual(self.execute(_FLAGS, deleted), [])
        self.assertEqual(self.execute(_ARCHIVED, "Offline"), [(["\\Seen"],)])
        before = self.messages(_CODES), self.messages("Archive")
        await self.synchronize()
        self.assertEqual((self.messages(_CODES), self.messages("Archive")), before)
