"""What searches learn: the next ones read nothing, find the same, and stay within bounds."""

from __future__ import annotations

import gc
import os
from unittest import mock
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.trial import unittest

from cybertemp_imap.columns import blocks, file
from cybertemp_imap.columns.blocks import END, holding
from cybertemp_imap.columns.file import PAGE
from cybertemp_imap.columns.shelf import Shelf
from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.naming import INBOX
from cybertemp_imap.pace import Pace
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from test.search_mailbox import ADDRESS, BASE, Box, Mail, box_of, letter

MAILS = [
    Mail(
        letter(
            b"body %d, gr\xc3\xb6\xc3\x9fer" % number,
            b"Subject: number %d" % number,
            b"From: sender%d@example.com" % (number % 3),
            b"Date: %d Feb 2024 10:00 +0000" % number,
            *([b"X-Odd: odd", b"X-Odd: strange"] if number % 2 else []),
        )
    )
    for number in range(1, 11)
]

PROGRAMS = [
    b"SUBJECT 1",
    b"FROM sender2",
    b"NOT FROM sender2",
    b"TO x",
    b'HEADER X-Odd ""',
    b"HEADER X-Odd strange",
    b"NOT HEADER X-Odd range",
    b"SENTON 4-Feb-2024",
    b"SENTBEFORE 4-Feb-2024",
    b"SENTSINCE 4-Feb-2024",
    b"SINCE 1-Mar-2024",
    b"BEFORE 2-Mar-2024 2:5",
    b"ON 1-Mar-2024",
    b"SAVEDSINCE 1-Jan-2020",
    b"OLDER 1000",
    b"YOUNGER 1000",
    b"LARGER 130",
    b"SMALLER 130",
    b"TEXT 4",
    b"TEXT {8+}\r\ngr\xc3\xb6\xc3\x9fer",
    b'TEXT "GROSSER"',
    b"BODY 4",
    b"BODY subject",
    b"TEXT subject",
    b"NOT TEXT subject",
    b"OR (BODY 1 NOT SUBJECT 1) (TEXT 3 UNSEEN)",
    b"NOT (TEXT 3 SUBJECT 3)",
]


async def opened_again(box: Box, shelf: Shelf | None = None) -> Box:
    """Return a mailbox as another process has it open, with what its own searches learn."""
    ref = box.mailbox.shared.ref
    shared = SharedMailboxes(box.store, shelf=shelf).get(ref)
    return Box(box.store, await Mailbox.open(shared, read_only=True), box.ids)


class KnownTests(unittest.TestCase):
    """What was read once is not read again, and answers the same."""

    async def test_nothing_read_again(self) -> None:
        """Whatever was searched for before, a key finds the same, and reads nothing the second time."""
        box = await box_of(MAILS)
        expected = [await (await opened_again(box)).search(program) for program in PROGRAMS]
        self.assertEqual([await box.search(program) for program in PROGRAMS], expected)
        box.store.calls.clear()
        self.assertEqual([await box.search(program) for program in PROGRAMS], expected)
        self.assertEqual(box.store.calls, {})

    async def test_fields_at_once(self) -> None:
        """The header fields that clients ask about one after the other are read together."""
        box = await box_of(MAILS)
        await box.search(b"SUBJECT 1")
        self.assertEqual(await box.search(b"FROM sender2 NOT SUBJECT 2"), [5, 8])
        self.assertEqual(box.store.calls, {"headers": 1})

    async def test_new_messages(self) -> None:
        """Of a mailbox that has grown, the new messages alone are read."""
        box = await box_of(MAILS[:7])
        for program in (b"SUBJECT number", b"TEXT body"):
            self.assertEqual(await box.search(program), [1, 2, 3, 4, 5, 6, 7])
        more = await box_of(MAILS)
        for id_ in more.ids[7:]:
            box.store.deliver(more.store.emails[id_].row)
        await box.mailbox.poll()
        box.mailbox.report(expunge=True)
        box.store.read.clear()
        for program in (b"SUBJECT number", b"TEXT body"):
            self.assertEqual(len(await box.search(program)), 10)
        self.assertEqual(box.store.read, {"headers": [8, 9, 10], "letters": [8, 9, 10]})

    async def test_learnt_meanwhile(self) -> None:
        """What another search learns while this one lets others run is not taken for looked at."""
        breathe = Pace.breathe
        for program in (b"SUBJECT number", b"SINCE 1-Jan-2020", b"TEXT number"):
            box = await box_of(MAILS)
            await box.search(b"1:5 " + program)
            others = [b"6:10 " + program]

            async def breathing(self: Pace, box: Box = box, others: list[bytes] = others) -> None:
                if others:
                    await box.search(others.pop())
                await breathe(self)

            with self.subTest(program=program), mock.patch.object(Pace, "breathe", breathing):
                self.assertEqual(await box.search(program), list(range(1, 11)))
                self.assertEqual(others, [])

    async def test_some_known(self) -> None:
        """What is known of some messages, in whatever order, is used for those, and the others are read."""
        box = await box_of(MAILS)
        for program in (b"8:9 TEXT number", b"2,5 TEXT number"):
            await box.search(program)
        box.store.read.clear()
        self.assertEqual(await box.search(b"TEXT number"), list(range(1, 11)))
        self.assertEqual(box.store.read, {"letters": [1, 3, 4, 6, 7, 10]})

    async def test_expunged(self) -> None:
        """Messages that are gone are not found, though something is known of them; numbers are those of the view."""
        box = await box_of(MAILS)
        for program in (b"SUBJECT number", b"TEXT body", b"LARGER 1"):
            await box.search(program)
        for id_ in (box.ids[0], box.ids[4]):
            box.store.delete_elsewhere(id_)
        await box.mailbox.poll()
        for program in (b"SUBJECT number", b"TEXT body", b"LARGER 1"):
            self.assertEqual(await box.search(program), [2, 3, 4, 6, 7, 8, 9, 10])
        box.mailbox.report(expunge=True)
        box.store.calls.clear()
        for program in (b"SUBJECT number", b"TEXT body", b"LARGER 1"):
            self.assertEqual(await box.search(program), [1, 2, 3, 4, 5, 6, 7, 8])
        self.assertEqual(await box.search(b"SUBJECT 6"), [4])
        self.assertEqual(box.store.calls, {})

    async def test_not_the_users(self) -> None:
        """When the mailbox is another's, nothing is found, whatever is known of it; nor when nobody can tell."""
        box = await opened_again(await box_of(MAILS))
        for program in PROGRAMS:
            await box.search(program)
        box.store.available = False
        with self.assertRaises(StoreUnavailable):
            await box.search(b"SUBJECT number")
        box.store.available = True
        await box.store.delete_address(box.mailbox.shared.ref.user_id, ADDRESS)
        for program in PROGRAMS:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), [])


class BoundsTests(unittest.TestCase):
    """What is kept is bounded, and what cannot be kept is read as if nothing were."""

    async def test_many_blocks(self) -> None:
        """What fills several blocks and pages is found in all of them."""
        self.patch(blocks, "ROWS", 3)
        self.patch(file, "PAGE", 300)
        box = await opened_again(await box_of(MAILS), Shelf(file=30_000))
        for program in (b"SUBJECT number", b"TEXT body", b"BODY body", b"SINCE 1-Jan-2020"):
            for _ in range(2):
                self.assertEqual(await box.search(program), list(range(1, 11)))
        self.assertGreater(len(box.mailbox.shared.notes.texts.blocks), 3)
        self.assertEqual(await box.search(b"TEXT 7"), [7])

    async def test_no_file(self) -> None:
        """Without room for texts they are read each time; other things are known all the same."""
        box = await opened_again(await box_of(MAILS), Shelf(file=0))
        for _ in range(2):
            self.assertEqual(await box.search(b"TEXT body"), list(range(1, 11)))
            self.assertEqual(await box.search(b"SUBJECT 3"), [3])
        self.assertEqual(box.store.calls, {"letters": 2, "headers": 1})

    async def test_pages_change_hands(self) -> None:
        """When the file is full, the mailbox that was not searched for longest gives its pages back."""
        self.patch(file, "PAGE", 2_000)
        shelf = Shelf(file=2_000)
        first = await opened_again(await box_of(MAILS[:3]), shelf)
        second = await opened_again(await box_of(MAILS[3:6]), shelf)
        for box in (first, second, second, first, first):
            self.assertEqual(await box.search(b"TEXT body"), [1, 2, 3])
        self.assertEqual((first.store.calls["letters"], second.store.calls["letters"]), (2, 1))

    async def test_pages_come_back(self) -> None:
        """The pages of a mailbox that nobody knows any more are used for others."""
        self.patch(file, "PAGE", 2_000)
        shelf = Shelf(file=2_000)
        for _ in range(3):
            box = await opened_again(await box_of(MAILS[:3]), shelf)
            for _ in range(2):
                self.assertEqual(await box.search(b"TEXT body"), [1, 2, 3])
            self.assertEqual(box.store.calls["letters"], 1)
            del box
            gc.collect()

    async def test_big_message(self) -> None:
        """A message too big to be kept is found each time."""
        mails = [*MAILS[:2], Mail(letter(b"big " * (PAGE // 4), b"Subject: number 3")), MAILS[3]]
        box = await box_of(mails)
        for _ in range(2):
            self.assertEqual(await box.search(b"TEXT number"), [1, 2, 3, 4])
        self.assertEqual(box.store.read["letters"], [1, 2, 3, 4, 3])

    async def test_long_field(self) -> None:
        """A message with a very long header field is found each time."""
        box = await box_of([*MAILS[:2], Mail(letter(b"x", b"Subject: number " + b"x" * 10_000))])
        for _ in range(2):
            self.assertEqual(await box.search(b"SUBJECT number"), [1, 2, 3])
        self.assertEqual(box.store.read["headers"], [1, 2, 3, 3])

    async def test_disk_full(self) -> None:
        """When the file cannot be written, searches find what they always do."""
        box = await box_of(MAILS)
        with mock.patch.object(os, "pwrite", side_effect=OSError(28, "No space left on device")):
            self.assertEqual(await box.search(b"TEXT body"), list(range(1, 11)))
        self.assertEqual(await box.search(b"TEXT 7"), [7])
        self.assertEqual(box.store.calls["letters"], 2)

    async def test_memory(self) -> None:
        """Beyond the bound what was not searched for longest is forgotten; one mailbox alone learns no more."""
        shelf = Shelf(memory=900)
        first = await opened_again(await box_of(MAILS), shelf)
        second = await opened_again(await box_of(MAILS), shelf)
        for box in (first, second, second, first, first):
            self.assertEqual(await box.search(b"SUBJECT number"), list(range(1, 11)))
        self.assertEqual((first.store.calls["headers"], second.store.calls["headers"]), (2, 1))
        self.assertEqual(second.mailbox.shared.notes.octets, 0)
        for _ in range(3):
            await first.search(b"SINCE 1-Jan-2020")
            await first.search(b"LARGER 1")
            await first.search(b"HEADER X-Odd odd")
        self.assertLess(first.mailbox.shared.notes.octets, 3_000)

    async def test_many_fields(self) -> None:
        """However many header fields are asked about, a few are kept."""
        box = await box_of(MAILS)
        many = b" ".join(b"NOT HEADER X-%d a" % number for number in range(100))
        for program in (many, *(b"NOT HEADER X-%d a" % number for number in range(100)), b"SUBJECT number", many):
            self.assertEqual(await box.search(program), list(range(1, 11)))
        self.assertLess(len(box.mailbox.shared.notes.strings), 20)
        self.assertEqual(await box.search(b"HEADER X-Odd odd"), [1, 3, 5, 7, 9])

    async def test_not_in_memory(self) -> None:
        """Texts that the system has to read from the disk are read in a thread."""
        box = await box_of(MAILS)
        await box.search(b"TEXT body")
        read = os.preadv

        def waiting(descriptor: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
            if flags:
                raise BlockingIOError
            return read(descriptor, buffers, offset)

        with mock.patch.object(os, "preadv", waiting):
            self.assertEqual(await box.search(b"TEXT 7"), [7])
        self.assertEqual(box.store.calls["letters"], 1)

    async def test_lent_to_others_meanwhile(self) -> None:
        """What is lent to another mailbox while it is read is not taken for this one's."""
        self.patch(file, "PAGE", 2_000)
        shelf = Shelf(file=2_000)
        box = await opened_again(await box_of(MAILS[:3]), shelf)
        other = await opened_again(await box_of([Mail(letter(b"other"))]), shelf)
        await box.search(b"TEXT body")
        paused: Deferred[None] = Deferred()
        read = file.TextFile.read

        async def late(self: file.TextFile, page: int, buffer: memoryview, reactor: object) -> None:
            await paused
            await read(self, page, buffer, reactor)

        with mock.patch.object(file.TextFile, "read", late):
            searching = Deferred.fromCoroutine(box.search(b"TEXT other"))
        self.assertNoResult(searching)
        self.assertEqual(await other.search(b"TEXT other"), [1])
        paused.callback(None)
        self.assertEqual(await searching, [])
        self.assertEqual(await box.search(b"TEXT body"), [1, 2, 3])

    async def test_garbage(self) -> None:
        """What is known of messages that are gone is forgotten when it is most of what is known."""
        self.patch(blocks, "ROWS", 4)
        box = await box_of(MAILS)
        await box.search(b"TEXT body")
        with mock.patch("cybertemp_imap.columns.shelf.SPARE", 0):
            for id_ in box.ids[:6]:
                box.store.delete_elsewhere(id_)
            await box.mailbox.poll()
            box.mailbox.report(expunge=True)
            self.assertEqual(await box.search(b"TEXT body"), [1, 2, 3, 4])
        self.assertEqual(box.mailbox.shared.notes.texts.count, 4)

    async def test_churn(self) -> None:
        """However many messages come, are searched and go, only those of some hundred that are gone are known."""
        box = await box_of(MAILS)
        for _ in range(500):
            row = EmailRow(uuid4(), ADDRESS, INBOX, "s", "b", None, None, (), BASE, BASE)
            box.store.deliver(row)
            await box.mailbox.poll()
            box.mailbox.report(expunge=True)
            await box.search(b"OR SUBJECT 1 (SMALLER 1 SENTON 4-Feb-2024 TEXT 2)")
            box.store.delete_elsewhere(row.id)
            await box.mailbox.poll()
        counts = [column.count for column in box.mailbox.shared.notes._columns() if column.count]
        self.assertGreater(len(counts), 1)
        self.assertLess(max(counts), 2 * len(MAILS) + 102)


class HoldingTests(unittest.SynchronousTestCase):
    """One search through many texts finds those that hold a needle, each once."""

    def test_table(self) -> None:
        """Texts that are empty, hold it twice, or before the place to begin at."""
        texts = [b"", b"ab ab", b"", b"b", b"xab", b"a", b"b"]
        data = b"".join(text + END for text in texts)
        starts = [sum(len(text) + 1 for text in texts[:number]) for number in range(len(texts))]
        for needle, skip, found in [
            (b"ab", (), [1, 4]),
            (b"b", (), [1, 3, 4, 6]),
            (b"ab", [start + 1 for start in starts], [1, 4]),
            (b"ab", [start + 4 for start in starts], []),
            (b"ba", (), []),
            (b"c", (), []),
        ]:
            with self.subTest(needle=needle, skip=skip):
                self.assertEqual(holding(data, needle, starts, skip=skip), found)
        self.assertEqual(holding(b"", b"a", []), [])
