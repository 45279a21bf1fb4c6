"""What a search reads: no more than its answer needs, in pages, without holding up the reactor."""

from __future__ import annotations

from datetime import UTC, datetime
from time import perf_counter
from unittest import mock

from twisted.internet import reactor
from twisted.internet.task import LoopingCall
from twisted.trial import unittest

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.search import chunk, reading
from test.search_mailbox import Mail, box_of, letter

MAILS = [
    Mail(letter(b"body %d" % number, b"Subject: number %d" % number), ("\\Seen",) if number % 2 else ())
    for number in range(1, 11)
]


class NarrowingTests(unittest.TestCase):
    """Costly readings are of those messages only whose answer can still change the outcome."""

    async def test_nothing_read(self) -> None:
        """Keys about numbers and flags read nothing, and whatever cannot matter beside them neither."""
        for program, count in [
            (b"SEEN", 5),
            (b"1:4 UNSEEN UID 1:* OLD", 0),
            (b"NOT ALL TEXT a SUBJECT b LARGER 1 SINCE 1-Jan-2020", 0),
            (b"TEXT a SUBJECT b NOT ALL", 0),
            (b"OR ALL TEXT a", 10),
            (b"OR BODY a OR TEXT a ALL", 10),
            (b"NOT (NOT ALL TEXT a)", 10),
            (b"OR SEEN (UNSEEN NOT ALL TEXT a)", 5),
            (b"BODY {1}\r\n\xff", 0),
        ]:
            with self.subTest(program=program):
                box = await box_of(MAILS)
                self.assertEqual(len(await box.search(program)), count)
                self.assertEqual(box.store.calls, {})

    async def test_what_is_read(self) -> None:
        """Each reading is of the messages that cheaper ones have left open."""
        for program, found, read in [
            (b"TEXT body SEEN", [1, 3, 5, 7, 9], {"letters": [1, 3, 5, 7, 9]}),
            (b"OR SEEN BODY 4", [1, 3, 4, 5, 7, 9], {"letters": [2, 4, 6, 8, 10]}),
            (b"BODY body SUBJECT 3", [3], {"headers": list(range(1, 11)), "letters": [3]}),
            (b"TEXT 3 3:4 LARGER 1 SUBJECT 3", [3], {"metadata": [3, 4], "headers": [3, 4], "letters": [3]}),
            (b"SUBJECT 2 BEFORE 1-Jan-2000", [], {"saved_dates": list(range(1, 11))}),
            (b"SUBJECT 2 SUBJECT 2 SUBJECT number", [2], {"headers": list(range(1, 11))}),
            (b"OR (1:2 SUBJECT 1) (3 TEXT 9)", [1], {"headers": [1, 2], "letters": [3]}),
            (b"OR (1:2 SUBJECT number) (2:3 SUBJECT number)", [1, 2, 3], {"headers": [1, 2, 3]}),
            (b"NOT (SEEN TEXT body)", [2, 4, 6, 8, 10], {"letters": [1, 3, 5, 7, 9]}),
            (b"UNSEEN OR (1:4 BODY 2) (SUBJECT 8)", [2, 8], {"headers": [2, 4, 6, 8, 10], "letters": [2, 4]}),
        ]:
            with self.subTest(program=program):
                box = await box_of(MAILS)
                self.assertEqual(await box.search(program), found)
                self.assertEqual(box.store.read, read)


class PageTests(unittest.TestCase):
    """Messages are read in pages."""

    async def test_chunks(self) -> None:
        """A mailbox of several chunks and pages is searched as if it were one."""
        self.patch(chunk, "CHUNK", 4)
        self.patch(reading, "PAGES", {tier: 3 for tier in reading.PAGES})
        box = await box_of(MAILS)
        for program, found in [
            (b"ALL", list(range(1, 11))),
            (b"3:6,9", [3, 4, 5, 6, 9]),
            (b"4:5", [4, 5]),
            (b"*", [10]),
            (b"UID 4,8:*", [4, 8, 9, 10]),
            (b"SEEN", [1, 3, 5, 7, 9]),
            (b"SUBJECT number NOT SUBJECT 1", list(range(2, 10))),
            (b"BODY 7", [7]),
            (b"LARGER 1 SINCE 1-Jan-2020 UNSEEN TEXT body", [2, 4, 6, 8, 10]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)
        self.assertEqual(max(box.store.largest_page.values()), 3)

    async def test_default_pages(self) -> None:
        """At most 500 headers are read at a time."""
        box = await box_of([Mail(letter(b"", b"Subject: a"))] * 1_200)
        self.assertEqual(len(await box.search(b"SUBJECT a")), 1_200)
        self.assertEqual((box.store.calls["headers"], box.store.largest_page["headers"]), (3, 500))

    async def test_bounded_octets(self) -> None:
        """Whole messages are read by as many octets as fit in memory, one message at least."""
        self.patch(reading, "SOURCE_OCTETS", 2_500)
        box = await box_of(Mail(letter(b"x" * size)) for size in (1_000, 1_000, 1_000, 9_000, 10, 10))
        self.assertEqual(await box.search(b"BODY x"), [1, 2, 3, 4, 5, 6])
        self.assertEqual(box.store.calls["letters"], 4)


class ReactorTests(unittest.TestCase):
    """A search leaves the reactor to others, and fails when the store does."""

    async def test_others_run(self) -> None:
        """While a long search runs, the reactor has its turns."""
        box = await box_of([Mail(letter(b"text " * 1_000, b"Subject: a"))] * 300)
        turns = 0

        def turn() -> None:
            nonlocal turns
            turns += 1

        ticking = LoopingCall(turn)
        ticking.clock = reactor
        running = ticking.start(0)
        began = perf_counter()
        await box.search(b"TEXT absent")
        spent = perf_counter() - began
        ticking.stop()
        await running
        self.assertGreater(turns, spent / 0.05)

    async def test_many_keys(self) -> None:
        """A thousand keys are searched for in reasonable time."""
        box = await box_of(MAILS * 20)
        program = b" ".join(b"OR SUBJECT absent%d NOT KEYWORD k%d" % (n, n) for n in range(1_000))
        began = perf_counter()
        self.assertEqual(len(await box.search(program)), 200)
        self.assertLess(perf_counter() - began, 5)
        program = b" ".join(b"NOT SUBJECT absent%d" % n for n in range(1_000))
        self.assertEqual(len(await box.search(program)), 200)

    async def test_unavailable(self) -> None:
        """When the store cannot be reached, neither can an answer."""
        box = await box_of(MAILS)
        box.store.available = False
        self.assertEqual(await box.search(b"SEEN"), [1, 3, 5, 7, 9])
        with self.assertRaises(StoreUnavailable):
            await box.search(b"SUBJECT a")

    async def test_arrivals_meanwhile(self) -> None:
        """What changes while a search waits does not shift its answer."""
        self.patch(chunk, "CHUNK", 4)
        box = await box_of(MAILS)
        headers = box.store.headers

        async def changing(ref: object, uids: list[int]) -> object:
            if 5 in uids:
                box.store.delete_elsewhere(box.ids[6])
                box.store.delete_elsewhere(box.ids[9])
                await box.mailbox.poll()
            return await headers(box.mailbox.shared.ref, uids)

        with mock.patch.object(box.store, "headers", changing):
            self.assertEqual(await box.search(b"SUBJECT number"), [1, 2, 3, 4, 5, 6, 8, 9])

    async def test_time_of_search(self) -> None:
        """All messages are compared with one moment."""
        now = datetime.now(UTC)
        box = await box_of(Mail(letter(), date=now) for _ in range(3))
        self.assertEqual(await box.search(b"OR YOUNGER 1000 OLDER 1000"), [1, 2, 3])
