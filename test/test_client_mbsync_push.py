"""mbsync synchronizes both ways: what is changed in Maildirs and what is changed in the database meet."""

from __future__ import annotations

from pathlib import Path

from test.clients.case import ClientTestCase
from test.clients.expected import FOREIGN, FOREIGN_WIRE, expected_mailboxes
from test.test_client_mbsync import LETTERS, letters, number

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
Sync All
Create Both
Expunge Both
SyncState *
"""

_SHOP = "shop@example.com"
_CODES = "codes@example.net"

_STATE = """
    SELECT b.owner, b.folder, b.uid_validity, b.uid_next, b.highest_mod_seq, m.uid, m.mod_seq, e.id, e.flags
    FROM imap.mailbox b LEFT JOIN imap.message m ON m.mailbox_id = b.id LEFT JOIN public.emails e ON e.id = m.email_id
    ORDER BY b.id, m.uid
"""
_IN_FOLDER = """
    SELECT e.subject, e.flags FROM imap.mailbox b JOIN imap.message m ON m.mailbox_id = b.id
    JOIN public.emails e ON e.id = m.email_id WHERE b.owner = %s AND b.folder = %s ORDER BY m.uid
"""
_SET_FLAG = """
    UPDATE public.emails SET flags = '{\\\\Flagged}'
    WHERE id = (SELECT id FROM public.emails WHERE mailbox_owner = %s AND flags = '{}' ORDER BY id LIMIT 1)
"""
_DELETE = "DELETE FROM public.emails WHERE id = %s"


class BothWaysTests(ClientTestCase):
    """A pair of Maildirs and the server, after changes on either side."""

    program = "mbsync"

    async def synchronize(self) -> None:
        """Run mbsync once."""
        mail = self.folder / "mail"
        mail.mkdir(exist_ok=True)
        configuration = self.folder / "mbsyncrc"
        configuration.write_text(_CONFIGURATION.format(port=self.port, user=self.user, token=self.token, mail=mail))
        await self.run_program("mbsync", "--config", configuration, "--all")

    async def settle(self) -> None:
        """Synchronize; a second run must have nothing to do, on either side, and both sides are the same."""
        await self.synchronize()
        # A message of an address is in INBOX too: what is changed in one is found in the other by the run after.
        await self.synchronize()
        before = self.files(), self.execute(_STATE)
        await self.synchronize()
        self.assertEqual((self.files(), self.execute(_STATE)), before)
        self.check_same()

    def files(self) -> dict[Path, tuple[int, int]]:
        """Return every message file, with what changes when it is written again."""
        found = [path for part in ("cur", "new") for path in (self.folder / "mail").rglob(f"{part}/*")]
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    def messages(self, name: str) -> list[Path]:
        """Return the message files of a Maildir, in the order of their numbers."""
        maildir = self.folder / "mail" / name
        return sorted((path for part in ("cur", "new") for path in (maildir / part).iterdir()), key=number)

    def check_same(self) -> None:
        """Every address and every folder below it has the messages of its rows in its Maildir, and their flags."""
        for name, expected in expected_mailboxes(self.dsn).items():
            if "@" in name:
                found = self.messages(FOREIGN_WIRE if name == FOREIGN else name)
                self.assertEqual(
                    sorted(letters(path) for path in found),
                    sorted("".join(sorted(LETTERS.get(flag, "") for flag in m.flags)) for m in expected),
                    name,
                )

    async def test_flags(self) -> None:
        """Flags set on either side are set on both."""
        email = self.deliver(_SHOP, "To be answered")
        await self.settle()
        self.mark(self.find(_SHOP, "To be answered"), "FRS")
        self.execute(_SET_FLAG, _CODES)
        await self.settle()
        ((flags,),) = self.execute("SELECT flags FROM public.emails WHERE id = %s", email)
        self.assertEqual(set(flags), {"\\Answered", "\\Seen", "\\Flagged"})

    async def test_deletions(self) -> None:
        """Messages removed on either side are gone from both."""
        email, other = self.deliver(_SHOP, "To be deleted"), self.deliver(_CODES, "To be deleted too")
        await self.settle()
        count = len(self.messages(_SHOP)), len(self.messages(_CODES))
        self.mark(self.find(_SHOP, "To be deleted"), "ST")
        self.execute(_DELETE, other)
        await self.settle()
        self.assertEqual((len(self.messages(_SHOP)), len(self.messages(_CODES))), (count[0] - 1, count[1] - 1))
        self.assertEqual(self.execute("SELECT 1 FROM public.emails WHERE id = %s", email), [])

    async def test_new(self) -> None:
        """Folders and messages that are new on either side are on both; a message pushed keeps its octets."""
        await self.settle()
        self.put("Projects", "Pushed", "F")
        self.put(f"{_SHOP}/Keepsakes", "Receipt", "")
        self.put("Drafts", "Draft", "D")
        self.deliver(_SHOP, "Pulled")
        await self.settle()
        account = f"account:{self.execute('SELECT user_id FROM public.inbox LIMIT 1')[0][0]}"
        self.assertEqual(self.execute(_IN_FOLDER, account, "Projects"), [("Pushed", ["\\Flagged"])])
        self.assertEqual(self.execute(_IN_FOLDER, _SHOP, "Keepsakes"), [("Receipt", [])])
        self.assertEqual(self.execute(_IN_FOLDER, account, "Drafts"), [("Draft", ["\\Draft"])])
        self.find(_SHOP, "Pulled")

    def put(self, name: str, subject: str, flags: str) -> None:
        """Put a message into a Maildir, which is made if need be."""
        for part in ("cur", "new", "tmp"):
            (self.folder / "mail" / name / part).mkdir(parents=True, exist_ok=True)
        message = f"From: me@example.com\nSubject: {subject}\nMIME-Version: 1.0\n\nKept as it is: {subject}\n"
        (self.folder / "mail" / name / "cur" / f"1.{subject}.host:2,{flags}").write_text(message)

    def find(self, name: str, subject: str) -> Path:
        """Return the file of a message."""
        return next(path for path in self.messages(name) if f"Subject: {subject}\n".encode() in path.read_bytes())

    def mark(self, path: Path, flags: str) -> None:
        """Give a message flags, as a program does that reads Maildirs."""
        path.rename(path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,{flags}")
