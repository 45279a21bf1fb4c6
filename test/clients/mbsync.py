"""Running mbsync between the server and Maildirs below the test's folder."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from test.clients.case import ClientTestCase

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
Patterns {patterns}
{channel}
SyncState *
"""

# What mbsync has counted, as it shows it on a terminal at the end: of messages added, flags changed, and messages
# removed, those done and those to be done.
_COUNTS = re.compile(r"F: \+(\d+)/\d+ \*(\d+)/\d+ #(\d+)/\d+  N: \+(\d+)/\d+ \*(\d+)/\d+ #(\d+)/\d+")

_FILE = re.compile(r".+,U=(\d+)(?::2,([A-Z]*))?")
LETTERS = {"\\Answered": "R", "\\Deleted": "T", "\\Draft": "D", "\\Flagged": "F", "\\Seen": "S"}


@dataclass(frozen=True, slots=True)
class Done:
    """What a run has changed on either side: (messages added, flags changed, messages removed)."""

    far: tuple[int, int, int]
    near: tuple[int, int, int]


NOTHING = Done((0, 0, 0), (0, 0, 0))


class MbsyncTestCase(ClientTestCase):
    """A pair of Maildirs and the server.

    :ivar patterns: the mailboxes that take part.
    :ivar channel: what is done with them.
    """

    program = "mbsync"
    patterns = "*"
    channel = ""

    async def synchronize(self) -> Done:
        """Run mbsync once; return what it says it has done."""
        mail = self.folder / "mail"
        mail.mkdir(exist_ok=True)
        configuration = self.folder / "mbsyncrc"
        configuration.write_text(
            _CONFIGURATION.format(
                port=self.port,
                user=self.user,
                token=self.token,
                mail=mail,
                patterns=self.patterns,
                channel=self.channel,
            )
        )
        command = shlex.join(["mbsync", "--config", str(configuration), "--all"])
        printed = await self.run_program("script", "--quiet", "--return", "--command", command, "/dev/null")
        counts = _COUNTS.findall(printed.decode("utf-8", "replace"))
        self.assertTrue(counts, printed)
        added, flagged, removed, *near = map(int, counts[-1])
        return Done((added, flagged, removed), (near[0], near[1], near[2]))

    def files(self) -> dict[Path, tuple[int, int]]:
        """Return every message file, with what changes when it is written again."""
        found = [path for part in ("cur", "new") for path in (self.folder / "mail").rglob(f"{part}/*")]
        return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}

    def messages(self, name: str) -> list[Path]:
        """Return the message files of a Maildir, in the order of their numbers."""
        maildir = self.folder / "mail" / name
        return sorted((path for part in ("cur", "new") for path in (maildir / part).iterdir()), key=number)


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
