"""Printing strings, names, dates and numbers, and reading dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial import unittest

from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.date import format_date, format_date_time, parse_date, parse_date_time
from cybertemp_imap.protocol.names import MailboxNameFault
from cybertemp_imap.protocol.tokens import Tokens


class StringTests(unittest.SynchronousTestCase):
    """What is printed is what the grammar reads."""

    def test_string(self) -> None:
        """Short printable strings are quoted; others are literals without NUL."""
        for octets, printed in (
            (b"", b'""'),
            (b'a"\\', b'"a\\"\\\\"'),
            (b"a\r\n", b"{3}\r\na\r\n"),
            (b"\xe4\0", b"{1}\r\n\xe4"),
            (b"a\0b", b'"ab"'),
            (b"x" * 1001, b"{1001}\r\n" + b"x" * 1001),
        ):
            self.assertEqual((strings.string(octets), strings.nstring(octets)), (printed, printed))
        self.assertEqual(strings.nstring(None), b"NIL")
        self.assertEqual(strings.literal(b"\0x\0"), b"{1}\r\nx")

    def test_astring(self) -> None:
        """What can be an atom is one, but nothing that looks like NIL."""
        for octets, printed in (
            (b"abc", b"abc"),
            (b"nil", b'"nil"'),
            (b"", b'""'),
            (b"a b", b'"a b"'),
            (b"a]", b'"a]"'),
        ):
            self.assertEqual(strings.astring(octets), printed)

    def test_mailbox(self) -> None:
        """Names are always quoted, in the encoding of the session; no name can break the line."""
        self.assertEqual(strings.mailbox("INBOX", False), b'"INBOX"')
        self.assertEqual(strings.mailbox('ü"\\', False), b'"&APw-\\"\\\\"')
        self.assertEqual(strings.mailbox("ü&", True), '"ü&"'.encode())
        self.assertRaises(MailboxNameFault, strings.mailbox, "a\r\nb", False)
        self.assertRaises(ValueError, strings.quoted, b"a\r\n* BYE")

    def test_numbers(self) -> None:
        """Numbers have a space between."""
        self.assertEqual((strings.numbers([2, 84, 882]), strings.numbers([])), (b"2 84 882", b""))

    @given(st.one_of(st.binary(), st.text().map(str.encode)))
    def test_round_trip(self, octets: bytes) -> None:
        """Any octets are read back, but for NUL."""
        kept = octets.replace(b"\0", b"")
        self.assertEqual(Tokens(strings.string(octets)).string(), kept)
        self.assertEqual(Tokens(strings.nstring(octets)).nstring(), kept)
        self.assertEqual(Tokens(strings.astring(octets)).astring(), kept)
        self.assertEqual(Tokens(strings.literal(octets)).string(), kept)


class DateTests(unittest.SynchronousTestCase):
    """Dates and times."""

    def test_date_time(self) -> None:
        """Times are read with one digit or two, and printed with two."""
        moment = datetime(1996, 7, 7, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7)))
        for text in (b" 7-Jul-1996 02:44:25 -0700", b"07-JUL-1996 02:44:25 -0700", b"7-jul-1996 02:44:25 -0700"):
            self.assertEqual(parse_date_time(text), moment)
        self.assertEqual(format_date_time(moment), b'"07-Jul-1996 02:44:25 -0700"')
        self.assertEqual(format_date_time(datetime(2000, 1, 2)), b'"02-Jan-2000 00:00:00 +0000"')
        self.assertEqual(parse_date_time(b"31-Dec-2016 23:59:60 +0000").second, 59)

    def test_odd_zones(self) -> None:
        """A zone of seconds is cut to minutes, whatever its sign."""
        for seconds, printed in ((-1172, b"-0019"), (1172, b"+0019"), (-30, b"-0000"), (-86399, b"-2359")):
            moment = datetime(1890, 1, 1, tzinfo=timezone(timedelta(seconds=seconds)))
            self.assertEqual(format_date_time(moment)[-6:-1], printed)

    def test_malformed(self) -> None:
        """What is no time is refused."""
        for text in (
            *(
                b"",
                b"7-Jul-1996",
                b"7-Jul-96 02:44:25 -0700",
                b"31-Feb-1996 02:44:25 -0700",
                b"7-Jul-1996 24:00:00 -0700",
            ),
            *(
                b"7-Jul-1996 02:44:25 -2400",
                b"7-Jul-1996 02:44:25 -0760",
                b"7-Jul-1996 02:44:61 -0700",
                b"7-Jul-1996 02:44:25",
            ),
            *(
                b"01-Jan-0001 00:00:00 +1400",
                b"31-Dec-9999 23:59:59 -0100",
                b"7-Foo-1996 02:44:25 -0700",
                b"  7-Jul-1996 02:44:25 +0000",
            ),
        ):
            self.assertRaises(ValueError, parse_date_time, text)
        for text in (b"", b"1-1-2000", b"30-Feb-2000", b"1-Jan-0000", b"1-Jan-20000", b"01-Jan-2000 ", b"001-Jan-2000"):
            self.assertRaises(ValueError, parse_date, text)

    @given(st.dates(), st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31)))
    def test_round_trip(self, day: date, moment: datetime) -> None:
        """What is printed is read back."""
        self.assertEqual(parse_date(format_date(day)), day)
        expected = moment.replace(microsecond=0, tzinfo=UTC)
        self.assertEqual(parse_date_time(format_date_time(expected)[1:-1]), expected)
