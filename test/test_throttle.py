"""Counting failed logins: budgets, what is shared, and how little memory it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.rules.origin import network_of
from cybertemp_imap.throttle import FILE_SIZE, Table, Throttle, default_file

PEER, OTHER = "203.0.113.9", "203.0.113.10"


class ThrottleTestCase(SynchronousTestCase):
    """Budgets of 10 and 5 a minute, by a clock of the test's."""

    def setUp(self) -> None:
        self.now = 1_000_000.0
        self.throttle = self.made()

    def made(self, table: Table | None = None) -> Throttle:
        """Return a throttle on a table."""
        return Throttle(10, 5, 15.0, lambda: self.now, table)

    def fail(self, host: str = PEER, account: bytes = b"", times: int = 1) -> None:  # type: ignore[override]
        """Have logins fail, each for an account of its own unless one is given."""
        for _ in range(times):
            self.now += 0.001
            self.throttle.attempt(network_of(host), account or os.urandom(8)).begin()

    def wait(self, host: str = PEER, account: bytes = b"me@example.com") -> float:
        """Return how long a login waits."""
        attempt = self.throttle.attempt(network_of(host), account)
        wait = attempt.ask()
        if not wait:
            attempt.forgive()
        return wait


class BudgetTests(ThrottleTestCase):
    """How long a login waits."""

    def test_by_address(self) -> None:
        """10 failures a minute are free; the 11th login waits, from that address only."""
        self.fail(times=9)
        self.assertEqual(self.wait(), 0)
        self.fail()
        self.assertTrue(5.9 < self.wait() <= 6)
        self.assertEqual(self.wait(OTHER), 0)

    def test_by_account(self) -> None:
        """Failures for one account count from wherever they come, in whatever case it is written."""
        for number in range(5):
            self.fail(f"203.0.113.{number}", b"Me@Example.com")
        self.assertGreater(self.wait("198.51.100.1", b" me@example.COM"), 0)
        self.assertEqual(self.wait("198.51.100.1", b"you@example.com"), 0)

    def test_ipv6(self) -> None:
        """A /64 is one client, and its neighbour another."""
        for number in range(10):
            self.fail(f"2001:db8:1:2::{number:x}")
        self.assertGreater(self.wait("2001:db8:1:2:ffff::1"), 0)
        self.assertEqual(self.wait("2001:db8:1:3::1"), 0)

    def test_never_longer(self) -> None:
        """However many fail, and for however long, a login waits for 15 seconds at most."""
        for _ in range(100):
            self.fail(account=b"me@example.com", times=50)
            self.now += 1
            self.assertLessEqual(self.wait(), 15)
        self.assertGreater(self.wait(), 14)

    def test_comes_back(self) -> None:
        """The budget comes back: one failure every 6 seconds, all of it after a minute and the wait."""
        self.fail(times=10)
        self.now += 6
        self.assertEqual(self.wait(), 0)
        self.fail()
        self.assertGreater(self.wait(), 5)
        self.now += 75
        self.fail(times=9)
        self.assertEqual(self.wait(), 0)

    def test_forgiven(self) -> None:
        """Logins that turn out right do not count."""
        for _ in range(100):
            attempt = self.throttle.attempt(PEER, b"me@example.com")
            self.assertEqual(attempt.ask(), 0)
            attempt.forgive()

    def test_at_once(self) -> None:
        """Logins that are being checked count as failures until they prove to be none."""
        under_way = [self.throttle.attempt(PEER, b"%d" % number) for number in range(10)]
        for attempt in under_way:
            self.assertEqual(attempt.ask(), 0)
        self.assertGreater(self.wait(), 0)
        under_way[0].forgive()
        self.assertEqual(self.wait(), 0)

    def test_clock_set_back(self) -> None:
        """A clock that was set back makes nobody wait longer."""
        self.fail(times=20)
        self.now -= 1_000_000
        self.assertEqual(self.wait(), 0)
        self.fail(times=10)
        self.assertGreater(self.wait(), 0)

    @given(st.binary(max_size=50), st.one_of(st.none(), st.text(max_size=20)))
    def test_anything(self, account: bytes, host: str | None) -> None:
        """No name and no address is too odd to be counted."""
        attempt = self.throttle.attempt(network_of(host), account)
        for _ in range(20):
            attempt.begin()
        self.assertTrue(0 < attempt.ask() <= 15)


class RestTests(ThrottleTestCase):
    """Who waits is woken by a login of its own process that proves to be right."""

    def setUp(self) -> None:
        """Have all that may be under way."""
        super().setUp()
        self.clock = Clock()
        self.under_way = [self.throttle.attempt(PEER, b"%d" % number) for number in range(10)]
        for attempt in self.under_way:
            attempt.begin()

    def rest(self, host: str = PEER, account: bytes = b"me") -> Deferred[None]:
        """Return what calls back when a login that waits for 5 seconds looks again."""
        return Deferred.fromCoroutine(self.throttle.attempt(host, account).rest(self.clock, 5.0))

    def test_in_order(self) -> None:
        """Each right login wakes one, the first that came; the others go on waiting."""
        resting = [self.rest(account=b"%d" % (100 + number)) for number in range(3)]
        for number in range(2):
            self.under_way[number].forgive()
        self.assertNoResult(resting[0])
        self.clock.advance(0)
        self.successResultOf(resting[0])
        self.successResultOf(resting[1])
        self.assertNoResult(resting[2])
        self.clock.advance(5)
        self.successResultOf(resting[2])

    def test_whom(self) -> None:
        """Who waits for another address is woken where the account is the same, and else not."""
        others = self.rest(OTHER, b"me")
        same = self.rest(OTHER, b"1")
        for attempt in self.under_way:
            attempt.forgive()
        self.clock.advance(0)
        self.assertNoResult(others)
        self.successResultOf(same)
        self.clock.advance(5)
        self.successResultOf(others)

    def test_leaves_nothing(self) -> None:
        """Nothing is kept of those who have waited, however it ended, and waking nobody is no error."""
        resting = [self.rest(), self.rest(), self.rest(OTHER)]
        resting[0].cancel()
        self.failureResultOf(resting[0], CancelledError)
        self.under_way[0].forgive()
        self.clock.advance(5)
        self.assertEqual([self.successResultOf(each) for each in resting[1:]], [None, None])
        self.assertEqual(self.throttle.waiting, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.under_way[1].forgive()


class TableTests(ThrottleTestCase):
    """What is kept, and where."""

    def setUp(self) -> None:
        """Have a file."""
        super().setUp()
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.file = folder / "logins"

    def test_bounded(self) -> None:
        """A hundred thousand addresses later the memory is what it was, and the worst is still known."""
        table = Table.shared(self.file)
        self.addCleanup(table.close)
        self.throttle = self.made(table)
        self.fail(times=60)
        for number in range(100_000):
            network = f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::/64"
            self.throttle.attempt(network, b"%d" % number).begin()
        self.assertEqual(self.file.stat().st_size, FILE_SIZE)
        self.assertLess(FILE_SIZE, 1_100_000)
        self.assertGreater(self.wait(), 10)

    def test_shared(self) -> None:
        """What one process counts, another knows."""
        program = (
            "import sys; from pathlib import Path; from cybertemp_imap.throttle import Table, Throttle;"
            "t = Throttle(10, 5, 15.0, lambda: 1000000.0, Table.shared(Path(sys.argv[1])));"
            f"[t.attempt({PEER!r}, b'%d' % n).begin() for n in range(10)]"
        )
        self.throttle = self.made(Table.shared(self.file))
        self.addCleanup(self.throttle.table.close)
        subprocess.run([sys.executable, "-c", program, str(self.file)], check=True, timeout=60, cwd=Path.cwd().parent)
        self.assertGreater(self.wait(), 0)
        self.assertEqual(self.wait(OTHER), 0)

    def test_kept(self) -> None:
        """It is still known after a restart; a file with something else in it is begun anew."""
        for content in (None, b"short", b"x" * FILE_SIZE):
            if content is not None:
                self.file.write_bytes(content)
            self.throttle = self.made(Table.shared(self.file))
            self.assertEqual(self.wait(), 0)
            self.fail(times=10)
            self.throttle.table.close()
            self.throttle = self.made(Table.shared(self.file))
            self.assertGreater(self.wait(), 0)
            self.throttle.table.close()

    def test_private(self) -> None:
        """Nobody else can read it, and there are no addresses and names in it."""
        table = Table.shared(self.file)
        self.addCleanup(table.close)
        self.throttle = self.made(table)
        self.fail(PEER, b"me@example.com")
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(b"example", self.file.read_bytes())

    def test_refused(self) -> None:
        """A folder, a link, or a place that is not there is one sentence."""
        link = self.file.with_name("link")
        link.symlink_to(self.file)
        for path in (self.file.parent, link, self.file / "none"):
            sentence = str(self.assertRaises(OperatorError, Table.shared, path))
            self.assertIn(str(path), sentence)
            self.assertIn("IMAP_THROTTLE_FILE", sentence)

    def test_default(self) -> None:
        """By default there is one file for each user of the machine."""
        self.assertTrue(default_file().parent.is_dir())
        self.assertIn(str(os.geteuid()), default_file().name)
