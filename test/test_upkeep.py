"""What is done by the clock."""

from __future__ import annotations

from uuid import uuid4

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.upkeep import TIDY_INTERVAL, Upkeep
from test.postgres import create_database, drop_database
from test.wire import MINE, WireTestCase


class RecordingStore:
    """A store that notes what is asked of it, and then fails if it is told to."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failure: Exception | None = None

    async def start(self) -> None:
        """Note it."""
        self.calls.append("start")

    async def stop(self) -> None:
        """Note it."""
        self.calls.append("stop")

    async def tidy(self) -> None:
        """Note it."""
        self.calls.append("tidy")
        if self.failure is not None:
            raise self.failure


class ClockTests(SynchronousTestCase):
    """When it is done."""

    def setUp(self) -> None:
        """Make a store that is kept."""
        self.clock = Clock()
        self.store = RecordingStore()
        self.polls = 0
        mailboxes = SharedMailboxes.__new__(SharedMailboxes)
        self.patch(mailboxes, "poll", self.poll)
        self.checks = 0
        self.upkeep = Upkeep(self.store, mailboxes, 60.0, self.clock, [(30.0, self.check)])

    async def poll(self) -> None:
        """Count."""
        self.polls += 1

    async def check(self) -> None:
        """Count."""
        self.checks += 1

    def test_times(self) -> None:
        """Everything at its interval, tidying every hour, from the start to the end and not at once."""
        self.successResultOf(self.upkeep.start())
        self.assertEqual((self.store.calls, self.polls), (["start"], 0))
        self.clock.pump([30.0] * 118)
        self.assertEqual((self.store.calls, self.polls), (["start"], 59))
        self.clock.advance(TIDY_INTERVAL - 59 * 60)
        self.assertEqual((self.store.calls, self.polls, self.checks), (["start", "tidy"], 60, 119))
        self.successResultOf(self.upkeep.stop())
        self.assertEqual(self.store.calls, ["start", "tidy", "stop"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_failure(self) -> None:
        """After a failure it is done again; a store that is away is not a fault to be logged, others are."""
        self.successResultOf(self.upkeep.start())
        self.store.failure = StoreUnavailable("away")
        self.clock.advance(TIDY_INTERVAL)
        self.assertEqual(self.flushLoggedErrors(), [])
        self.store.failure = ZeroDivisionError()
        self.clock.advance(TIDY_INTERVAL)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.clock.advance(TIDY_INTERVAL)
        self.assertEqual(self.store.calls, ["start", "tidy", "tidy", "tidy"])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_stop_before_start(self) -> None:
        """What could not be started can be stopped."""
        self.successResultOf(self.upkeep.stop())
        self.assertEqual(self.store.calls, ["stop"])


class PollTests(WireTestCase):
    """Looking at mailboxes without a notification."""

    def test_idle(self) -> None:
        """Idling sessions of all mailboxes are told, and one mailbox that fails does not hide the others."""
        self.store._observers.clear()
        clients = [self.wire.session(name) for name in (MINE, "INBOX")]
        for client in clients:
            client.send(b"i IDLE\r\n")
        self.wire.clock.settle()
        self.wire.deliver()
        self.wire.clock.settle()
        for client in clients:
            self.assertNotIn(b"EXISTS", client.take())
        self.store.available = False
        self.successResultOf(self.wire.mailboxes.poll())
        self.store.available = True
        self.successResultOf(self.wire.mailboxes.poll())
        for client in clients:
            self.assertIn(b"* 1 EXISTS\r\n", client.take())


class TidyTests(TestCase):
    """Clearing away, in PostgreSQL."""

    async def test_uploads(self) -> None:
        """Pieces older than a day go; younger ones stay, as their message may still be on its way."""
        dsn = create_database()
        self.addCleanup(drop_database, dsn)
        store = PostgresStore(dsn, pool_size=1)
        await store.start()
        try:
            old, young = uuid4(), uuid4()
            for message in (old, young):
                for piece in range(2):
                    await store.upload(message, piece, b"x")
            aged = "UPDATE imap.upload SET created_at = now() - interval '25 hours' WHERE id = %s RETURNING 1"
            await store.pool.query(aged, (old,))
            await store.tidy()
            left = await store.pool.query("SELECT DISTINCT id FROM imap.upload")
        finally:
            await store.stop()
        self.assertEqual(left, [(young,)])
