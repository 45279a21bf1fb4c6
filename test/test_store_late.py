"""Changes of e-mails that are committed after a refresh has taken in what was there before them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import psycopg2
from twisted.internet.defer import Deferred

from cybertemp_imap.errors import Refused
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.store.values import Expunged, FlagChange, FlagMode, MailboxRef, NewMessage
from test.store_contract import BASE, MINE, StoreContract, letter
from test.store_contract_observe import until
from test.test_store_postgres import PostgresFixture


class LateChangeTests(StoreContract):
    """A transaction that is under way while mail is taken in for the first time."""

    fixture_type = PostgresFixture

    async def setUp(self) -> None:  # type: ignore[override]
        """Open an address, a folder of it and INBOX, all empty."""
        await super().setUp()
        await self.store.create_folder(self.user, MINE, "Work", None)
        self.address, self.inbox = await self.open(), await self.open(self.account)
        self.work = await self.open(MINE, "Work")
        self.mailboxes = (self.address, self.inbox, self.work)
        for _ in range(2):
            for mailbox in self.mailboxes:
                await self.refresh(mailbox)

    async def changed_late(self, statement: str) -> EmailRow:
        """Deliver mail, and have it taken in while a transaction that has run a statement on it is not committed."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        row = letter()
        await self.deliver(row)
        connection = psycopg2.connect(fixture.dsn)
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            cursor.execute(statement, (str(row.id),))
            self.assertEqual(cursor.rowcount, 1)
        self.assertEqual(await self.contents(self.address), {row.id: 1})
        self.assertEqual(await self.contents(self.inbox), {row.id: 1})
        connection.commit()
        return row

    async def test_flags(self) -> None:
        """Flags that another program wrote meanwhile are told."""
        await self.changed_late("UPDATE public.emails SET flags = '{work}' WHERE id = %s")
        for mailbox in (self.address, self.inbox):
            await self.refresh(mailbox)
            self.assertEqual([state.flags for state in await self.states(mailbox)], [("work",)])

    async def test_deletion(self) -> None:
        """Mail that another program deleted meanwhile is gone."""
        await self.changed_late("DELETE FROM public.emails WHERE id = %s")
        for mailbox in (self.address, self.inbox):
            self.assertEqual(await self.contents(mailbox), {})

    async def test_move(self) -> None:
        """Mail that another program gave another folder meanwhile is in that, and nowhere else."""
        row = await self.changed_late("UPDATE public.emails SET mailbox = 'Work' WHERE id = %s")
        for mailbox in (self.address, self.inbox):
            self.assertEqual(await self.contents(mailbox), {})
        self.assertEqual(await self.contents(self.work), {row.id: 1})

    async def test_sender(self) -> None:
        """Mail that has a banned sender since is hidden."""
        await self.fixture.ban("sender", "spam@bad.example")
        for mailbox in self.mailboxes:
            await self.refresh(mailbox)
        await self.changed_late("UPDATE public.emails SET from_addr = 'spam@bad.example' WHERE id = %s")
        for mailbox in (self.address, self.inbox):
            self.assertEqual(await self.contents(mailbox), {})

    async def test_through_imap(self) -> None:
        """What a client does in one mailbox is told in another that does not show the message yet."""
        await self.deliver(letter())
        (uid,) = await self.uids(self.address)
        await self.store.store_flags(self.address, [uid], FlagMode.ADD, ["work"], None)
        await self.refresh(self.inbox)
        self.assertEqual([state.flags for state in await self.states(self.inbox)], [("work",)])

    async def test_refreshed_meanwhile(self) -> None:
        """A refresh tells what was there before it began, also what another one takes in at the same time."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        await self.deliver(letter())
        connection = psycopg2.connect(fixture.dsn)
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            # The first refresh has to wait where it asks whose the mailbox is.
            cursor.execute("LOCK TABLE public.inbox IN ACCESS EXCLUSIVE MODE")
            first = Deferred.fromCoroutine(self.store.refresh(self.address))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            await until(lambda: fixture.execute((waiting, ())) == [(1,)])
            cursor.execute("SELECT uid_next FROM imap.refresh(%s, %s)", (str(self.user), self.address.id))
            self.assertEqual(cursor.fetchall(), [(2,)])
        connection.commit()
        head = await first
        assert head is not None
        self.assertEqual(head.uid_next, 2)


class TakenAwayTests(StoreContract):
    """A message that another program gives to somebody else at the moment when its reader changes it."""

    fixture_type = PostgresFixture

    async def while_taken_away(self, change: Callable[[MailboxRef, int], Awaitable[object]]) -> tuple[object, EmailRow]:
        """Change a message that waits for the transaction that takes it away; return the outcome and the row."""
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        row = letter()
        await self.deliver(row)
        address = await self.open()
        (uid,) = await self.uids(address)
        await self.store.store_flags(address, [uid], FlagMode.ADD, ["\\Deleted"], None)
        connection = psycopg2.connect(fixture.dsn)
        self.addCleanup(connection.close)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE public.emails SET mailbox_owner = 'somebody@else.example' WHERE id = %s", (str(row.id),)
            )
            changing = Deferred.fromCoroutine(_awaited(change(address, uid)))
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            await until(lambda: fixture.execute((waiting, ())) == [(1,)])
        connection.commit()
        return await changing, row

    async def test_expunge(self) -> None:
        """It is not expunged: it is another's now."""
        outcome, row = await self.while_taken_away(lambda ref, uid: self.store.expunge(ref, None))
        assert isinstance(outcome, Expunged)
        self.assertEqual(list(outcome.uids), [])
        self.assertEqual(self._flags_of(row), [(["\\Deleted"],)])

    async def test_store(self) -> None:
        """Its flags stay what they are, and it is as one that is gone."""
        outcome, row = await self.while_taken_away(
            lambda ref, uid: self.store.store_flags(ref, [uid], FlagMode.ADD, ["mine"], None)
        )
        assert isinstance(outcome, FlagChange)
        self.assertEqual((list(outcome.messages), list(outcome.modified)), ([], []))
        self.assertEqual(self._flags_of(row), [(["\\Deleted"],)])

    def _flags_of(self, row: EmailRow) -> object:
        fixture = self.fixture
        assert isinstance(fixture, PostgresFixture)
        return fixture.execute(("SELECT flags FROM public.emails WHERE id = %s", (str(row.id),)))


async def _awaited(outcome: Awaitable[object]) -> object:
    return await outcome


class LateAppendTests(StoreContract):
    """APPEND, and what others do while it waits or after it began."""

    fixture_type = PostgresFixture

    def message(self, sender: str = "") -> NewMessage:
        """Return a message of one octet; its source is not sent beforehand."""
        return NewMessage(uuid4(), 1, (), BASE, from_addr=sender, rest=b"x")

    def other_program(self) -> Any:
        """Connect as another program."""
        assert isinstance(self.fixture, PostgresFixture)
        connection = psycopg2.connect(self.fixture.dsn)
        self.addCleanup(connection.close)
        return connection

    async def test_banned_meanwhile(self) -> None:
        """A sender who is banned while APPEND waits for the mailbox is refused, and no UID is used up."""
        mailbox = await self.open(self.account, "Archive")
        await self.fixture.ban("sender", "other@bad.example")
        before = await self.refresh(mailbox)
        holder = self.other_program()
        holder.cursor().execute("SELECT 1 FROM imap.mailbox WHERE id = %s FOR UPDATE", (mailbox.id,))
        appending = Deferred.fromCoroutine(self.store.append(mailbox, [self.message("spam@bad.example")]))
        watcher = self.other_program()
        watcher.autocommit = True
        waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

        def waits() -> bool:
            with watcher.cursor() as cursor:
                cursor.execute(waiting)
                return bool(cursor.rowcount)

        await until(waits)
        await self.fixture.ban("sender", "spam@bad.example")
        holder.commit()
        with self.assertRaises(Refused):
            await appending
        self.assertEqual((await self.refresh(mailbox)).uid_next, before.uid_next)

    async def test_kept_out(self) -> None:
        """A message that another program's trigger keeps out of the table is not answered as if it were there."""
        mailbox = await self.open(self.account, "Archive")
        connection = self.other_program()
        connection.cursor().execute(
            "CREATE FUNCTION public.none() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
            "CREATE TRIGGER none BEFORE INSERT ON public.emails FOR EACH ROW EXECUTE FUNCTION public.none()"
        )
        connection.commit()
        with self.assertRaises(psycopg2.Error):
            await self.store.append(mailbox, [self.message()])
        self.assertEqual(await self.contents(mailbox), {})
