"""What each search key matches (RFC 9051 section 6.4.4, RFC 3501, 5032, 5182, 7162, 8474, 8514)."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid4

from twisted.trial import unittest

from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.store.values import FlagMode
from test.search_mailbox import Mail, box_of, letter

SEVERAL = [Mail(letter(b"number %d" % number)) for number in range(1, 6)]


class ViewKeyTests(unittest.TestCase):
    """Keys about numbers and flags."""

    async def test_numbers(self) -> None:
        """Sequence sets name messages by their place, UID sets by their UID; what is not there matches nothing."""
        box = await box_of(SEVERAL)
        box.store.delete_elsewhere(box.ids[1])
        await box.mailbox.poll()
        box.mailbox.report(expunge=True)  # UIDs 1, 3, 4, 5
        for program, found in [
            (b"ALL", [1, 2, 3, 4]),
            (b"2", [2]),
            (b"2:3", [2, 3]),
            (b"3:2", [2, 3]),
            (b"*", [4]),
            (b"3:*", [3, 4]),
            (b"4,1", [1, 4]),
            (b"4:900", [4]),
            (b"9", []),
            (b"7:*", [4]),
            (b"NOT 2", [1, 3, 4]),
            (b"UID 1:3", [1, 2]),
            (b"UID 2", []),
            (b"UID 3", [2]),
            (b"UID *", [4]),
            (b"UID 70:*", [4]),
            (b"UID 4:* 1:3", [3]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)

    async def test_saved(self) -> None:
        """``$`` is the saved result, for UID too; without any it is empty."""
        box = await box_of(SEVERAL)
        for program, saved, found in [
            (b"$", [5, 2], [2, 5]),
            (b"UID $", [2, 5], [2, 5]),
            (b"NOT $", [2, 5], [1, 3, 4]),
            (b"$", [], []),
            (b"$ 1:3", [2, 99], [2]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program, saved), found)

    async def test_empty_mailbox(self) -> None:
        """Where there are no messages none match, whatever is asked."""
        box = await box_of([])
        for program in (b"ALL", b"*", b"1:*", b"UID *", b"NOT ALL", b"TEXT a", b"$"):
            self.assertEqual(await box.search(program), [])

    async def test_flags(self) -> None:
        """Flags and keywords compare without case."""
        box = await box_of(
            [
                Mail(letter()),
                Mail(letter(), ("\\Seen", "\\Answered")),
                Mail(letter(), ("\\Flagged", "$Junk")),
                Mail(letter(), ("\\Deleted", "\\Draft", "custom")),
            ]
        )
        for program, found in [
            (b"SEEN", [2]),
            (b"UNSEEN", [1, 3, 4]),
            (b"ANSWERED", [2]),
            (b"UNANSWERED", [1, 3, 4]),
            (b"FLAGGED", [3]),
            (b"UNFLAGGED", [1, 2, 4]),
            (b"DELETED", [4]),
            (b"UNDELETED", [1, 2, 3]),
            (b"DRAFT", [4]),
            (b"UNDRAFT", [1, 2, 3]),
            (b"KEYWORD $junk", [3]),
            (b"KEYWORD Custom", [4]),
            (b"UNKEYWORD CUSTOM", [1, 2, 3]),
            (b"KEYWORD unknown", []),
            (b"OR SEEN (DELETED DRAFT)", [2, 4]),
            (b"NOT (UNSEEN UNFLAGGED)", [2, 3]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)

    async def test_flags_changed(self) -> None:
        """A search sees flags as they are, whether or not the session was told."""
        box = await box_of(SEVERAL)
        await box.mailbox.store_flags([2], FlagMode.ADD, ["\\Seen"])
        self.assertEqual(await box.search(b"SEEN"), [2])

    async def test_recent(self) -> None:
        """RECENT is what this session was the first to be told of; OLD and NEW follow from it."""
        box = await box_of([Mail(letter()), Mail(letter(), ("\\Seen",))])
        second = await Mailbox.open(box.mailbox.shared, read_only=False)
        for program, found in [(b"RECENT", [1, 2]), (b"OLD", []), (b"NEW", [1])]:
            self.assertEqual(await box.search(program), found)
        box.mailbox = second
        for program, found in [(b"RECENT", []), (b"OLD", [1, 2]), (b"NEW", [])]:
            self.assertEqual(await box.search(program), found)

    async def test_mod_seq(self) -> None:
        """MODSEQ finds what has at least that mod-sequence; entry names make no difference."""
        box = await box_of(SEVERAL)
        before = box.mailbox.shared.head.highest_mod_seq
        await box.mailbox.store_flags([4], FlagMode.ADD, ["\\Seen"])
        self.assertEqual(await box.search(b"MODSEQ %d" % before), [1, 2, 3, 4, 5])
        self.assertEqual(await box.search(b"MODSEQ %d" % (before + 1)), [4])
        self.assertEqual(await box.search(b'MODSEQ "/flags/\\\\seen" all %d' % (before + 1)), [4])
        self.assertEqual(await box.search(b"MODSEQ %d" % (before + 2)), [])

    async def test_expunged_elsewhere(self) -> None:
        """A message that is gone matches nothing, while its number stays until the session is told."""
        box = await box_of(SEVERAL)
        box.store.delete_elsewhere(box.ids[1])
        for program in (b"ALL", b"NOT SEEN", b"NOT TEXT absent", b"NOT SUBJECT a", b"LARGER 1", b"SINCE 1-Jan-2020"):
            with self.subTest(program=program, known=False):
                found = await box.search(program)
                self.assertEqual(found, [1, 2, 3, 4, 5] if program in (b"ALL", b"NOT SEEN") else [1, 3, 4, 5])
        await box.mailbox.poll()
        for program in (b"ALL", b"NOT SEEN", b"1:*", b"NOT TEXT absent", b"OR SEEN LARGER 1"):
            with self.subTest(program=program, known=True):
                self.assertEqual(await box.search(program), [1, 3, 4, 5])

    async def test_identifiers(self) -> None:
        """EMAILID is compared exactly as FETCH prints it; no message has a THREADID; save dates are supported."""
        ident = UUID("00112233-4455-6677-8899-aabbccddeeff")
        box = await box_of([Mail(letter()), Mail(letter(), id=ident)])
        for program, found in [
            (b"EMAILID E00112233445566778899aabbccddeeff", [2]),
            (b"EMAILID e00112233445566778899aabbccddeeff", []),
            (b"EMAILID E" + uuid4().hex.encode(), []),
            (b"EMAILID nothing", []),
            (b"THREADID T1", []),
            (b"SAVEDATESUPPORTED", [1, 2]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)


class DateAndSizeTests(unittest.TestCase):
    """Keys about dates and sizes."""

    async def test_internal_date(self) -> None:
        """BEFORE, ON and SINCE compare days in UTC, as INTERNALDATE is printed."""
        east = timezone(timedelta(hours=5))
        box = await box_of(
            [
                Mail(letter(), date=datetime(2024, 2, 28, 23, 59, 59, tzinfo=UTC)),
                Mail(letter(), date=datetime(2024, 3, 1, 4, 59, tzinfo=east)),  # 29 February in UTC
                Mail(letter(), date=datetime(2024, 3, 1, tzinfo=UTC)),
            ]
        )
        for program, found in [
            (b"BEFORE 29-Feb-2024", [1]),
            (b"ON 29-Feb-2024", [2]),
            (b"SINCE 29-Feb-2024", [2, 3]),
            (b'SINCE "1-Mar-2024"', [3]),
            (b"BEFORE 28-Feb-2024", []),
            (b"NOT ON 29-Feb-2024", [1, 3]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)

    async def test_sent_date(self) -> None:
        """SENT keys compare the day as the sender wrote it; without a valid Date a message matches none of them."""
        box = await box_of(
            [
                Mail(letter(b"", b"Date: Thu, 29 Feb 2024 23:30:00 -1100")),
                Mail(letter(b"", b"Date: Fri, 1 Mar 2024 00:30:00 +1100")),
                Mail(letter(b"", b"Date: tomorrow")),
                Mail(letter(b"", b"Subject: none")),
            ]
        )
        for program, found in [
            (b"SENTBEFORE 1-Mar-2024", [1]),
            (b"SENTON 29-Feb-2024", [1]),
            (b"SENTON 1-Mar-2024", [2]),
            (b"SENTSINCE 29-Feb-2024", [1, 2]),
            (b"NOT SENTSINCE 1-Jan-1990", [3, 4]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)

    async def test_saved_date(self) -> None:
        """SAVED keys compare the day on which a message came into the mailbox (RFC 8514)."""
        before = datetime.now(UTC)
        box = await box_of([Mail(letter(), date=datetime(2001, 1, 1, tzinfo=UTC))])
        today = before.strftime("%d-%b-%Y").encode()
        for program, found in [
            (b"SAVEDSINCE " + today, [1]),
            (b"SAVEDBEFORE " + today, []),
            (b"SAVEDON 1-Jan-2001", []),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)

    async def test_age(self) -> None:
        """YOUNGER and OLDER count seconds back from now (RFC 5032)."""
        now = datetime.now(UTC)
        ages = (7_200, 1_800, 0, -3_600)
        box = await box_of(Mail(letter(), date=now - timedelta(seconds=age)) for age in ages)
        for program, found in [
            (b"YOUNGER 3600", [2, 3, 4]),
            (b"OLDER 3600", [1]),
            (b"OLDER 600", [1, 2]),
            (b"YOUNGER 4294967295", [1, 2, 3, 4]),
            (b"OLDER 4294967295", []),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)

    async def test_size(self) -> None:
        """LARGER and SMALLER compare RFC822.SIZE, its own size excluded."""
        box = await box_of(Mail(b"\r\n" + b"x" * octets) for octets in (8, 98, 998))
        for program, found in [
            (b"LARGER 100", [3]),
            (b"LARGER 99", [2, 3]),
            (b"SMALLER 100", [1]),
            (b"SMALLER 101", [1, 2]),
            (b"LARGER 10 SMALLER 1000", [2]),
            (b"SMALLER 9223372036854775807", [1, 2, 3]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)


class HeaderKeyTests(unittest.TestCase):
    """Keys about header fields."""

    async def test_fields(self) -> None:
        """A field matches by any of its occurrences, unfolded, without case; an empty value asks for the field."""
        box = await box_of(
            [
                Mail(letter(b"", b"From: Alice <alice@a.example>", b"To: Bob <bob@b.example>", b"Cc: c@c.example")),
                Mail(letter(b"", b"FROM : mallory@m.example", b"Bcc: hidden@b.example", b"X-Tag: one", b"X-Tag: Two")),
                Mail(letter(b"From: alice\r\n", b"Subject: a\r\n folded subject", b"X-Empty:")),
            ]
        )
        for program, found in [
            (b"FROM alice", [1]),
            (b"FROM ALICE@A", [1]),
            (b"FROM example", [1, 2]),
            (b"TO bob", [1]),
            (b"CC c@c", [1]),
            (b"BCC hidden", [2]),
            (b'FROM ""', [1, 2]),
            (b'NOT HEADER From ""', [3]),
            (b"HEADER x-tag two", [2]),
            (b"HEADER X-TAG one", [2]),
            (b"HEADER X-Tag three", []),
            (b'HEADER X-Empty ""', [3]),
            (b"HEADER X-Empty a", []),
            (b'SUBJECT "a folded"', [3]),
            (b'HEADER "" a', []),
            (b'HEADER "X Tag" one', []),
            (b'HEADER "From:" alice', []),
            (b"OR FROM alice OR FROM mallory SUBJECT folded", [1, 2, 3]),
        ]:
            with self.subTest(program=program):
                self.assertEqual(await box.search(program), found)

    async def test_many_fields(self) -> None:
        """More fields than are picked by one pattern give the same answers."""
        box = await box_of([Mail(letter(b"", b"X-7: seven")), Mail(letter(b"", b"Subject: none"))])
        fields = [b"HEADER X-%d SEVEN" % number for number in range(20)]
        self.assertEqual(await box.search(b" ".join(b"OR " + field for field in fields) + b" HEADER X-7 eight"), [1])
        self.assertEqual(await box.search(b" ".join(b"NOT " + field for field in fields)), [2])

    async def test_encoded(self) -> None:
        """Encoded words and raw UTF-8 are looked through decoded, without case and in either spelling of an accent."""
        box = await box_of(
            [
                Mail(letter(b"", b"Subject: =?iso-8859-1?Q?Caf=E9_Gr=F6=DFe?=")),
                Mail(letter(b"", b"Subject: =?utf-8?B?" + b64encode("Привет, МИР".encode()) + b"?=")),
                Mail(letter(b"", b"Subject: " + "cafe\u0301 au lait".encode())),
                Mail(letter(b"", b"Subject: =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=")),
                Mail(letter(b"", b"From: =?utf-8?q?J=C3=B6rg?= <joerg@example.com>")),
            ]
        )
        for text, found in [
            ("SUBJECT café", [1, 3]),
            ("SUBJECT CAFÉ", [1, 3]),
            ("SUBJECT cafe\u0301", [1, 3]),
            ("SUBJECT cafe", []),
            ("SUBJECT GRÖSSE", [1]),
            ("SUBJECT größe", [1]),
            ("SUBJECT привет", [2]),
            ("SUBJECT мир", [2]),
            ("SUBJECT 日本", [4]),
            ("FROM jörg", [5]),
            ("FROM =?utf-8", []),
        ]:
            key, _, value = text.encode().partition(b" ")
            with self.subTest(text=text):
                program = b"%b {%d}\r\n%b" % (key, len(value), value)
                self.assertEqual(await box.search(program), found)

    async def test_not_utf8(self) -> None:
        """What is not UTF-8 is in no text."""
        box = await box_of([Mail(letter(b"\xe9", b"Subject: \xe9"))])
        for key in (b"SUBJECT", b"BODY", b"TEXT", b"HEADER Subject"):
            self.assertEqual(await box.search(key + b" {1}\r\n\xe9"), [])
            self.assertEqual(await box.search(b"NOT " + key + b" {1}\r\n\xe9"), [1])
