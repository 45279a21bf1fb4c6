"""mbsync synchronizes both ways: what is changed in Maildirs and what is changed in the database meet."""

from __future__ import annotations

from pathlib import Path

from test.clients.expected import FOREIGN, FOREIGN_WIRE, expected_mailboxes
from test.clients.mbsync import LETTERS, NOTHING, Done, MbsyncTestCase, letters

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
_DELIVER_INTO = """
    INSERT INTO public.emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, flags, "timestamp")
    VALUES (%s, 'Filed', %s, 'Hello', 'ada@work.example', '{}', '{}', now())
"""
_DELETE = "DELETE FROM public.emails WHERE id = %s"


class BothWaysTestCase(MbsyncTestCase):
    """Changes on either side are carried to the other."""

    channel = "Sync All\nCreate Both\nExpunge Both"

    async def runs(self) -> list[Done]:
        """Synchronize until there is nothing left to do; return what each run but the last has done."""
        done: list[Done] = []
        while len(done) < 4:
            before = self.files(), self.execute(_STATE)
            run = await self.synchronize()
            if run == NOTHING:
                # Nor has anything been written that is not counted.
                self.assertEqual((self.files(), self.execute(_STATE)), before)
                self.check_same()
                return done
            done.append(run)
        raise self.failureException(f"it never comes to rest: {done}")

    async def one_run(self) -> Done:
        """Synchronize: a second run must find nothing left to do. Return what the first has done."""
        done = await self.runs()
        self.assertEqual(len(done), 1, done)
        return done[0]

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


class BothWaysTests(BothWaysTestCase):
    """Every mailbox but INBOX: no message is in two of them."""

    patterns = "* !INBOX"

    async def test_flags(self) -> None:
        """Flags set on either side are set on both."""
        email = self.deliver(_SHOP, "To be answered")
        await self.one_run()
        self.mark(self.find(_SHOP, "To be answered"), "FRS")
        self.execute(_SET_FLAG, _CODES)
        self.assertEqual(await self.one_run(), Done((0, 1, 0), (0, 1, 0)))
        ((flags,),) = self.execute("SELECT flags FROM public.emails WHERE id = %s", email)
        self.assertEqual(set(flags), {"\\Answered", "\\Seen", "\\Flagged"})

    async def test_deletions(self) -> None:
        """Messages removed on either side are gone from both."""
        email, other = self.deliver(_SHOP, "To be deleted"), self.deliver(_CODES, "To be deleted too")
        await self.one_run()
        count = len(self.messages(_SHOP)), len(self.messages(_CODES))
        self.mark(self.find(_SHOP, "To be deleted"), "ST")
        self.execute(_DELETE, other)
        await self.one_run()
        self.assertEqual((len(self.messages(_SHOP)), len(self.messages(_CODES))), (count[0] - 1, count[1] - 1))
        self.assertEqual(self.execute("SELECT 1 FROM public.emails WHERE id = %s", email), [])

    async def test_new(self) -> None:
        """Folders and messages that are new on either side are on both; a message pushed keeps its octets."""
        await self.one_run()
        self.put("Projects", "Pushed", "F")
        self.put(f"{_SHOP}/Keepsakes", "Receipt", "")
        self.put("Drafts", "Draft", "D")
        self.deliver(_SHOP, "Pulled")
        self.execute(_DELIVER_INTO, _CODES, "Filed")
        done = await self.one_run()
        self.assertEqual((done.far[0], done.near[0]), (3, 2))
        account = f"account:{self.execute('SELECT user_id FROM public.inbox LIMIT 1')[0][0]}"
        self.assertEqual(self.execute(_IN_FOLDER, account, "Projects"), [("Pushed", ["\\Flagged"])])
        self.assertEqual(self.execute(_IN_FOLDER, _SHOP, "Keepsakes"), [("Receipt", [])])
        self.assertEqual(self.execute(_IN_FOLDER, account, "Drafts"), [("Draft", ["\\Draft"])])
        self.find(_SHOP, "Pulled")
        self.find(f"{_CODES}/Filed", "Filed")


class OverlapTests(BothWaysTestCase):
    """INBOX shows the messages of the addresses, and takes part with them.

    mbsync goes from mailbox to mailbox, INBOX first, and reads each once. What it has written to the server while it
    was at an address, it can find in INBOX only with its next run; the other way round, one run does.
    """

    async def test_on_the_server(self) -> None:
        """What is changed on the server is in both Maildirs after one run."""
        email = self.deliver(_SHOP, "Twice")
        await self.one_run()
        self.find("INBOX", "Twice")
        self.find(_SHOP, "Twice")
        self.execute("UPDATE public.emails SET flags = '{\\\\Flagged}' WHERE id = %s", email)
        self.assertEqual(await self.one_run(), Done((0, 0, 0), (0, 2, 0)))
        self.execute(_DELETE, email)
        await self.one_run()

    async def test_in_inbox(self) -> None:
        """What is changed in INBOX's Maildir is in that of the address after one run."""
        self.deliver(_SHOP, "Twice")
        await self.one_run()
        self.mark(self.find("INBOX", "Twice"), "FS")
        self.assertEqual(await self.one_run(), Done((0, 1, 0), (0, 1, 0)))
        self.assertEqual(letters(self.find(_SHOP, "Twice")), "FS")

    async def test_in_address(self) -> None:
        """What is changed in the Maildir of an address is in INBOX's after the next run, and no run has more to do."""
        self.deliver(_SHOP, "Twice")
        await self.one_run()
        self.mark(self.find(_SHOP, "Twice"), "FS")
        self.assertEqual(await self.runs(), [Done((0, 1, 0), (0, 0, 0)), Done((0, 0, 0), (0, 1, 0))])
        self.assertEqual(letters(self.find("INBOX", "Twice")), "FS")
