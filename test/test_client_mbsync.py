"""mbsync keeps a copy of the demonstration's mail in Maildirs."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg2

from test.clients.case import ClientTestCase
from test.clients.expected import FOREIGN, FOREIGN_WIRE, ExpectedMessage, expected_mailboxes

# Push needs APPEND.
_CONFIGURATION = """
IMAPAccount demo
Host 127.0.0.1
Port {port}
User {user}
Pass {token}
SSLType None
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
Patterns *
Create Near
Sync Pull
SyncState *
"""

_FILE = re.compile(r".+,U=(\d+)(?::2,([A-Z]*))?")
LETTERS = {"\\Answered": "R", "\\Deleted": "T", "\\Draft": "D", "\\Flagged": "F", "\\Seen": "S"}

# A field that mbsync adds to what it copies, by which it finds the copy again.
_TUID = re.compile(rb"^X-TUID: [A-Za-z0-9+/]{12}\n", re.MULTILINE)

_FLAG = "UPDATE public.emails SET flags = '{\\\\Flagged}' WHERE id = %s"
_UNFLAGGED = "SELECT id FROM public.emails WHERE mailbox_owner = 'codes@example.net' AND flags = '{}' LIMIT 1"


class MbsyncTests(ClientTestCase):
    """A full copy of everything, and what follows."""

    program = "mbsync"

    async def synchronize(self) -> None:
        """Run mbsync once."""
        mail = self.folder / "mail"
        mail.mkdir(exist_ok=True)
        configuration = self.folder / "mbsyncrc"
        configuration.write_text(
            _CONFIGURATION.format(port=self.port, user=self.user, token=self.token, mail=self.folder / "mail")
        )
        await self.run_program("mbsync", "--config", configuration, "--all")

    def files(self) -> dict[Path, tuple[int, int]]:
        """Return every message file, with what changes when it is written again."""
        found = [path for part in ("cur", "new") for path in (self.folder / "mail").rglob(f"{part}/*")]
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    def check_copy(self, name: str, expected: list[ExpectedMessage]) -> None:
        """A Maildir has the mailbox's messages, with LF line ends, and their flags."""
        maildir = self.folder / "mail" / (FOREIGN_WIRE if name == FOREIGN else name)
        found = sorted((number(path), path) for part in ("cur", "new") for path in (maildir / part).iterdir())
        copies = [_TUID.subn(b"", path.read_bytes(), count=1) for _, path in found]
        self.assertEqual([count for _, count in copies], [1] * len(copies))
        self.assert_octets([copy for copy, _ in copies], [message.local for message in expected])
        wanted = ["".join(sorted(LETTERS.get(flag, "") for flag in message.flags)) for message in expected]
        self.assertEqual([letters(path) for _, path in found], wanted)

    async def test_copy(self) -> None:
        """Every mailbox is copied; a second run writes nothing; a third takes over a flag set meanwhile."""
        await self.synchronize()
        for name, expected in self.mailboxes.items():
            self.check_copy(name, expected)
        copied = self.files()
        self.assertEqual(len(copied), sum(len(expected) for expected in self.mailboxes.values()))
        await self.synchronize()
        self.assertEqual(self.files(), copied)
        self.flag_one()
        await self.synchronize()
        for name, expected in expected_mailboxes(self.dsn).items():
            self.check_copy(name, expected)

    def flag_one(self) -> None:
        """Set a flag as other programs do."""
        connection = psycopg2.connect(self.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(_UNFLAGGED)
                cursor.execute(_FLAG, cursor.fetchone())
        finally:
            connection.close()


def number(path: Path) -> int:
    """Return the number that mbsync gave a message: counted from 1 in the order of their UIDs."""
    match = _FILE.fullmatch(path.name)
    assert match is not None, path.name
    return int(match[1])


def letters(path: Path) -> str:
    """Return a file's flags, a letter each."""
    match = _FILE.fullmatch(path.name)
    assert match is not None, path.name
    return match[2] or ""
