"""SAVEDATE (RFC 8514): when a message came into the mailbox it is in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cybertemp_imap.protocol.date import format_date
from test.wire import MINE, Client, WireTestCase


def save_dates(client: Client) -> list[datetime]:
    """Return the save dates in the selected mailbox."""
    found = client.ok("UID FETCH 1:* SAVEDATE").fetched().values()
    return [datetime.strptime(items[b"SAVEDATE"].decode(), "%d-%b-%Y %H:%M:%S %z") for items in found]


class SaveDateTests(WireTestCase):
    """FETCH SAVEDATE and the search keys; what was delivered has an INTERNALDATE of long ago."""

    def setUp(self) -> None:
        """Deliver, and open."""
        super().setUp()
        self.begun = datetime.now(UTC).replace(microsecond=0)
        self.wire.deliver(2)
        self.client = self.wire.session(MINE)

    def check_now(self, moments: list[datetime]) -> None:
        """Check that all of these are of this test."""
        self.assertTrue(moments)
        for moment in moments:
            self.assertTrue(self.begun <= moment <= datetime.now(UTC), moment)

    def test_fetch(self) -> None:
        """It is the time at which the message came here, in UTC; INTERNALDATE is another (section 4.2)."""
        self.check_now(save_dates(self.client))
        found = self.client.ok("FETCH 1 (INTERNALDATE SAVEDATE)").fetched()[1]
        self.assertNotEqual(found[b"INTERNALDATE"], found[b"SAVEDATE"])
        self.assertTrue(found[b"SAVEDATE"].endswith(b" +0000"))

    def test_copied_moved_appended(self) -> None:
        """COPY and MOVE give a new one, and keep INTERNALDATE; APPEND with a date does too (section 4.1)."""
        self.client.ok("COPY 1 Archive")
        self.client.ok("MOVE 1 Archive")
        self.client.ok('APPEND Archive "01-Jan-2001 10:00:00 +0000" {1+}\r\nx')
        self.client.ok("SELECT Archive")
        self.check_now(save_dates(self.client))
        self.assertEqual(len(save_dates(self.client)), 3)

    def test_stays(self) -> None:
        """It does not change, in no session and by no flag."""
        before = save_dates(self.client)
        self.client.ok("STORE 1:* +FLAGS (\\Seen)")
        self.wire.deliver(1)
        self.assertEqual(save_dates(self.wire.session(MINE))[:2], before)

    def test_search(self) -> None:
        """SAVEDBEFORE, SAVEDON and SAVEDSINCE disregard the time; SAVEDATESUPPORTED finds all (section 4.3)."""
        today = self.begun.date()
        yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
        for key, day, found in (
            ("SAVEDBEFORE", yesterday, ()),
            ("SAVEDSINCE", yesterday, (1, 2)),
            ("SAVEDON", yesterday, ()),
            ("SAVEDSINCE", tomorrow + timedelta(days=1), ()),
            ("SAVEDBEFORE", tomorrow + timedelta(days=1), (1, 2)),
            ("NOT SAVEDBEFORE", yesterday, (1, 2)),
        ):
            answer = self.client.ok(b"SEARCH %b %b" % (key.encode(), format_date(day)))
            self.assertEqual(answer.data("SEARCH"), [found], (key, day))
        self.assertEqual(self.client.ok("SEARCH SAVEDATESUPPORTED").data("SEARCH"), [(1, 2)])
        self.assertEqual(self.client.ok("SEARCH NOT SAVEDATESUPPORTED").data("SEARCH"), [()])
