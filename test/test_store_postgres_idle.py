"""Mailboxes that nobody looks at any more, and connections whose other end is gone."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import parse_dsn
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.store.connection import watched
from cybertemp_imap.store.postgres import IDLE_DAYS, PostgresStore
from cybertemp_imap.store.values import MailboxRef
from test.store_contract import StoreContract, letter
from test.test_store_postgres import PostgresFixture


class IdleMailboxTests(StoreContract):
    """What is noted for a mailbox while it is not looked at."""

    fixture_type = PostgresFixture

    async def setUp(self) -> None:  # type: ignore[override]
        """Open an address, and settle it."""
        await super().setUp()
        self.address = await self.open()
        for _ in range(2):
            await self.refresh(self.address)

    def execute(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement as another program."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        return fixture.execute((statement, parameters))

    def count(self, table: str, mailbox: MailboxRef) -> int:
        """Return how many rows of a table are about a mailbox."""
        ((count,),) = self.execute(f"SELECT count(*) FROM {table} WHERE mailbox_id = %s", mailbox.id)
        return int(count)

    async def idle(self, mailbox: MailboxRef, interval: str) -> None:
        """Have a mailbox been looked at for the last time so long ago, and tidy."""
        self.execute("UPDATE imap.mailbox SET scanned_at = now() - %s::interval WHERE id = %s", interval, mailbox.id)
        assert isinstance(self.store, PostgresStore)
        await self.store.tidy()

    async def test_in_use(self) -> None:
        """What is noted for a mailbox in use stays."""
        await self.deliver(letter())
        await self.idle(self.address, "50 minutes")
        self.assertEqual(self.count("imap.arrival", self.address), 1)
        self.assertEqual(await self.uids(self.address), [1])

    async def test_not_looked_at(self) -> None:
        """After an hour it is cleared away; the next look finds all the same what has happened, before and after it."""
        await self.deliver(*(letter(minutes=n) for n in range(3)))
        await self.refresh(self.address)
        await self.deliver(letter(minutes=3), letter(minutes=4))
        self.execute("DELETE FROM public.emails WHERE id = (SELECT email_id FROM imap.message WHERE uid = 2)")
        self.execute(
            "UPDATE public.emails SET flags = '{work}' WHERE id = (SELECT email_id FROM imap.message WHERE uid = 1)"
        )
        await self.idle(self.address, "61 minutes")
        self.assertEqual(self.count("imap.arrival", self.address), 0)
        await self.deliver(letter(minutes=5))
        await self.refresh(self.address)
        self.assertEqual(
            [(state.uid, state.flags) for state in await self.states(self.address)],
            [(1, ("work",)), (3, ()), (4, ()), (5, ()), (6, ())],
        )
        self.assertEqual(self.count("imap.arrival", self.address), 0)

    async def test_forgotten(self) -> None:
        """One not looked at for long costs deliveries nothing, and goes on where it was when it is opened again."""
        other = await self.open(self.account)
        for _ in range(2):
            await self.refresh(other)
        await self.deliver(letter(minutes=1))
        before = await self.refresh(self.address)
        await self.idle(self.address, f"{IDLE_DAYS} days 1 minute")
        await self.deliver(letter(minutes=2))
        self.assertEqual((self.count("imap.arrival", self.address), self.count("imap.feed", self.address)), (0, 0))
        self.assertEqual(len(await self.uids(other)), 2)
        head = await self.refresh(self.address)
        self.assertEqual((head.uid_validity, head.uid_next), (before.uid_validity, 3))
        await self.deliver(letter(minutes=3))
        self.assertEqual(self.count("imap.arrival", self.address), 1)
        self.assertEqual(await self.uids(self.address), [1, 2, 3])


class WatchedTests(SynchronousTestCase):
    """Connections say how long a silent peer is believed to be there."""

    def test_added(self) -> None:
        """To both forms of a connection string, and to all else in it."""
        for dsn in ("postgresql://me:secret@db.example:6000/mail?sslmode=require", "host=db.example dbname='my mail'"):
            parts = parse_dsn(watched(dsn))
            self.assertEqual({name: parts[name] for name in parse_dsn(dsn)}, parse_dsn(dsn))
            self.assertEqual(parts["keepalives_idle"], "30")
            self.assertEqual(parts["tcp_user_timeout"], "60000")

    def test_operator(self) -> None:
        """What the operator says stays."""
        parts = parse_dsn(watched("host=db.example keepalives_idle=7 tcp_user_timeout=0"))
        self.assertEqual((parts["keepalives_idle"], parts["tcp_user_timeout"]), ("7", "0"))

    def test_malformed(self) -> None:
        """What is no connection string is left for the connecting to refuse."""
        self.assertEqual(watched("no string"), "no string")
