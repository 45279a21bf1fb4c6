"""mbsync keeps a copy of the demonstration's mail in Maildirs."""

from __future__ import annotations

import re

import psycopg2

from test.clients.expected import FOREIGN, FOREIGN_WIRE, ExpectedMessage, expected_mailboxes
from test.clients.mbsync import LETTERS, NOTHING, MbsyncTestCase, letters

# A field that mbsync adds to what it copies, by which it finds the copy again.
_TUID = re.compile(rb"^X-TUID: [A-Za-z0-9+/]{12}\n", re.MULTILINE)

_FLAG = "UPDATE public.emails SET flags = '{\\\\Flagged}' WHERE id = %s"
_UNFLAGGED = "SELECT id FROM public.emails WHERE mailbox_owner = 'codes@example.net' AND flags = '{}' LIMIT 1"


class MbsyncTests(MbsyncTestCase):
    """A full copy of everything, and what follows."""

    channel = "Create Near\nSync Pull"

    def check_copy(self, name: str, expected: list[ExpectedMessage]) -> None:
        """A Maildir has the mailbox's messages, with LF line ends, and their flags."""
        found = self.messages(FOREIGN_WIRE if name == FOREIGN else name)
        copies = [_TUID.subn(b"", path.read_bytes(), count=1) for path in found]
        self.assertEqual([count for _, count in copies], [1] * len(copies))
        self.assert_octets([copy for copy, _ in copies], [message.local for message in expected])
        wanted = ["".join(sorted(LETTERS.get(flag, "") for flag in message.flags)) for message in expected]
        self.assertEqual([letters(path) for path in found], wanted)

    async def test_copy(self) -> None:
        """Every mailbox is copied; a second run writes nothing; a third takes over a flag set meanwhile."""
        await self.synchronize()
        for name, expected in self.mailboxes.items():
            self.check_copy(name, expected)
        copied = self.files()
        self.assertEqual(len(copied), sum(len(expected) for expected in self.mailboxes.values()))
        self.assertEqual(await self.synchronize(), NOTHING)
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
