"""``cybertemp-imap-admin import`` and ``export``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from cybertemp_imap.admin import importing
from cybertemp_imap.admin.mailfiles import Source, mbox_form
from cybertemp_imap.operator_error import OperatorError
from test.admin_case import USER, AdminTestCase

ONE = b"From: a@example.net\nTo: box@example.com\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nStatus: RO\n\nHello\n"
TWO = b"From: b@example.net\nX-Status: AF\nDate: Mon, 02 Jan 2023 10:00:00 +0000\n\nFrom me\n\nFrom here on, text\n"
MBOX = (
    b"From a@example.net Wed Nov  2 10:11:12 2022\n"
    + ONE
    + b"\nFrom b@example.net Thu Nov  3 10:11:12 2022\n"
    + TWO.replace(b"\nFrom me", b"\n>From me")
    + b"\n"
)
ROWS = """
    SELECT e.subject, e.from_addr, e.to_addrs, e.body, e.flags, e.timestamp, s.source, e.size
    FROM emails e JOIN imap.source s ON s.email_id = e.id ORDER BY e.timestamp
"""


def crlf(octets: bytes) -> bytes:
    """Return a message with CRLF."""
    return octets.replace(b"\n", b"\r\n")


class MailCase(AdminTestCase):
    """An account with an address, and a folder for files."""

    def setUp(self) -> None:
        super().setUp()
        self.prepare()
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def file(self, name: str, octets: bytes) -> str:
        """Write a file, and return its name."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)
        return str(path)

    def bring(self, *paths: str, to: str = "box@example.com") -> dict[str, int]:
        """Import, and return the counts."""
        counts: dict[str, int] = self.facts("import", *paths, "--account", USER, "--mailbox", to)
        return counts


class ImportTests(MailCase):
    """Mail from files is as if it had been appended."""

    def test_mbox(self) -> None:
        """The source is kept with CRLF and without quoting; the row is decoded; flags and dates come along."""
        self.assertEqual(self.bring(self.file("m.mbox", MBOX))["imported"], 2)
        first, second = self.query(ROWS)
        self.assertEqual(bytes(first[6]), crlf(ONE))
        self.assertEqual(first[:5], ("Grüße", "a@example.net", ["box@example.com"], "Hello\r\n", ["\\Seen"]))
        self.assertEqual((first[5], first[7]), (datetime(2022, 11, 2, 10, 11, 12, tzinfo=UTC), len(crlf(ONE))))
        self.assertEqual((bytes(second[6]), sorted(second[4])), (crlf(TWO), ["\\Answered", "\\Flagged"]))

    def test_shown(self) -> None:
        """Imported messages have UIDs in the mailbox at once."""
        self.bring(self.file("m.mbox", MBOX))
        self.assertEqual(self.query("SELECT uid FROM imap.message ORDER BY uid"), [(1,), (2,)])

    def test_repeated(self) -> None:
        """What is there already is not added again; the same message twice in the file is two messages."""
        path = self.file("m.mbox", MBOX + MBOX)
        self.assertEqual(self.bring(path)["imported"], 4)
        again = self.bring(path)
        self.assertEqual((again["imported"], again["present"]), (0, 4))
        self.assertEqual(self.bring(path, to="Archive")["imported"], 4)

    def test_resumed(self) -> None:
        """An import that was broken off between batches goes on where it was."""
        self.patch(importing, "BATCH", 1)
        path = self.file("m.mbox", MBOX)
        real, calls = importing._add, [1]

        def broken(*arguments: Any) -> int:
            if not calls:
                raise KeyboardInterrupt
            calls.pop()
            return real(*arguments)

        with mock.patch.object(importing, "_add", broken):
            self.assertEqual(self.run_admin("import", path, "--account", USER).exit_code, 1)
        self.assertEqual(self.query("SELECT count(*) FROM emails"), [(1,)])
        result = self.bring(path, to="INBOX")
        self.assertEqual((result["imported"], result["present"]), (1, 1))

    def test_maildir(self) -> None:
        """The flags are those of the file's name, the date is that of the file."""
        path = self.file("box/cur/1.host:2,FS", ONE)
        self.file("box/new/2.host", TWO)
        (self.folder / "box/tmp").mkdir()
        os.utime(path, (10**9, 10**9))
        self.assertEqual(self.bring(str(self.folder / "box"))["imported"], 2)
        self.assertEqual(
            self.query("SELECT flags, timestamp FROM emails ORDER BY timestamp")[0],
            (["\\Flagged", "\\Seen"], datetime.fromtimestamp(10**9, UTC)),
        )

    def test_eml(self) -> None:
        """A file, or all of a folder, with the dates of the messages."""
        self.file("many/a/1.eml", TWO)
        self.file("many/2.EML.txt", ONE)
        self.assertEqual(self.bring(str(self.folder / "many"))["imported"], 1)
        self.assertEqual(self.bring(self.file("one.eml", ONE))["imported"], 1)
        self.assertEqual(
            self.query("SELECT timestamp FROM emails ORDER BY 1")[0], (datetime(2023, 1, 2, 10, tzinfo=UTC),)
        )

    def test_left_out(self) -> None:
        """Mail that is too big, or from a banned sender, is counted and left out; NUL is dropped."""
        self.environ["IMAP_APPEND_LIMIT"] = "65536"
        self.done("ban", "add", "sender", "a@example.net")
        big = self.file("big.eml", TWO + b"x" * 70000)
        nul = self.file("nul.eml", b"From: c@example.net\n\na\0b\n")
        counts = self.bring(self.file("m.mbox", MBOX), big, nul)
        self.assertEqual(counts, {"imported": 2, "present": 0, "too_big": 1, "banned": 1})
        self.assertIn((b"From: c@example.net\r\n\r\nab\r\n",), [(bytes(row[6]),) for row in self.query(ROWS)])

    def test_mistakes(self) -> None:
        """No such file, address, account or format."""
        path = self.file("one.eml", ONE)
        self.refused("import", path + "x", "--account", USER, status=2)
        self.assertIn(
            "is no address of", self.refused("import", path, "--account", USER, "--mailbox", "x@else.example")
        )
        self.assertIn("There is no account", self.refused("import", path, "--account", "you@example.org"))
        self.assertRaises(OperatorError, Source, self.folder, "maildir", 100)


class ExportTests(MailCase):
    """A mailbox as an mbox."""

    def test_round_trip(self) -> None:
        """What is exported are the octets that were imported; imported elsewhere, they are the same again."""
        self.bring(self.file("m.mbox", MBOX))
        out = self.folder / "out.mbox"
        self.done("export", "box@example.com", "--account", USER, "--output", str(out))
        self.assertEqual([found.octets for found in Source(out, None, 10**6).messages()], [crlf(ONE), crlf(TWO)])
        self.assertEqual(out.stat().st_mode & 0o777, 0o600)
        self.bring(str(out), to="Archive")
        self.assertEqual(sorted({bytes(row[6]) for row in self.query(ROWS)}), sorted([crlf(ONE), crlf(TWO)]))

    def test_standard_output(self) -> None:
        """Without a file it goes to standard output, and nothing else does; rows of a receiver are rendered."""
        self.query(
            "INSERT INTO emails (id, mailbox_owner, mailbox, subject, body, from_addr, timestamp) "
            "VALUES (gen_random_uuid(), 'box@example.com', 'INBOX', 'Code', '123456', 'x@example.net', '2024-01-02Z')"
        )
        told = self.done("export", "box@example.com", "--account", USER)
        self.assertTrue(told.startswith("From x@example.net Tue Jan 02 00:00:00 2024\n"), told)
        self.assertIn("Subject: Code", told)

    def test_mistakes(self) -> None:
        """A file that is there is not overwritten; another's mailbox and one that is not there are alike."""
        path = self.file("there.mbox", b"")
        self.assertIn("there already", self.refused("export", "INBOX", "--account", USER, "-o", path))
        self.assertIn("no such mailbox", self.refused("export", "x@else.example", "--account", USER))
        self.assertIn("--output", self.refused("export", "INBOX", "--account", USER, "--json", status=2))

    def test_form(self) -> None:
        """Lines that begin with From are quoted, quoted ones once more; a last line is ended."""
        date = datetime(2024, 1, 2, tzinfo=UTC)
        made = mbox_form(b"A: b\r\n\r\nFrom x\r\n>From y", "Bad \x1b<no>", date)
        self.assertEqual(made, b"From MAILER-DAEMON Tue Jan 02 00:00:00 2024\nA: b\r\n\r\n>From x\r\n>>From y\r\n\n")
