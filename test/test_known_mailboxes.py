"""What a process does not look at because it would have been told: no change of a mailbox is missed by that."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg2
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from cybertemp_imap.account import Account
from cybertemp_imap.auth import Identity
from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.naming import account_key
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import FlagMode, NewMessage, TokenLimits
from cybertemp_imap.trust import TRUSTED, Trust
from test.store_contract import MINE, MINE_TOO, letter
from test.store_contract_observe import until
from test.test_store_postgres import PostgresFixture

_DELIVER = "INSERT INTO emails (id, mailbox_owner, mailbox, body) VALUES (gen_random_uuid(), %s, 'INBOX', 'x')"


class TrustTests(SynchronousTestCase):
    """When it is known that nothing has changed."""

    def setUp(self) -> None:
        """Have a mailbox of which hints are told."""
        self.clock = Clock()
        self.trust = Trust(self.clock.seconds)
        self.trust.hinted = True

    def refreshed(self, settled: bool = True) -> Trust:
        """Have it refreshed."""
        self.trust.end(self.trust.begin(), settled)
        return self.trust

    def test_hints(self) -> None:
        """A hint ends it, until the next refresh; one that comes while a refresh is under way ends it at once."""
        self.assertFalse(self.trust.holds)
        self.assertTrue(self.refreshed().holds)
        self.trust.hint()
        self.assertFalse(self.trust.holds)
        begun = self.trust.begin()
        self.trust.hint()
        self.trust.end(begun, True)
        self.assertFalse(self.trust.holds)
        self.assertTrue(self.refreshed().holds)

    def test_not_told(self) -> None:
        """Where hints do not come, or not all of them, there is none."""
        self.assertFalse(self.refreshed(settled=False).holds)
        self.refreshed().hinted = False
        self.assertFalse(self.trust.holds)

    def test_failed(self) -> None:
        """A refresh that was begun may have taken something in that nobody was told of."""
        self.refreshed().begin()
        self.assertFalse(self.trust.holds)

    def test_news(self) -> None:
        """Something is to be taken in, probably, after a hint; at first, and in a mailbox that is as it was, not."""
        self.assertFalse(self.trust.expects_news)
        self.assertFalse(self.refreshed().expects_news)
        self.trust.hint()
        self.assertTrue(self.trust.expects_news)
        self.assertTrue(self.refreshed(settled=False).expects_news)
        self.assertFalse(self.refreshed().expects_news)

    def test_time(self) -> None:
        """It ends with time."""
        self.refreshed()
        self.clock.advance(TRUSTED)
        self.assertFalse(self.trust.holds)


class KnownTestCase(TestCase):
    """A process over PostgreSQL, whose user has two addresses, and another process that is a store."""

    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        """Make both."""
        self.fixture = PostgresFixture()
        await self.fixture.set_up()
        self.user = await self.fixture.add_user("me@example.com")
        for address in (MINE, MINE_TOO):
            await self.fixture.add_address(self.user, address)
        self.row = letter()
        await self.fixture.deliver([self.row])
        self.statements: list[str] = []
        query = self.fixture.postgres.pool.query

        async def noted(statement: str, *parameters: Any, **options: Any) -> Any:
            self.statements.append(statement)
            return await query(statement, *parameters, **options)

        self.patch(self.fixture.postgres.pool, "query", noted)
        self.mailboxes = SharedMailboxes(self.fixture.postgres)
        self.account = Account(self.identity(), self.mailboxes)
        await until(self.fixture.is_listening)

    async def tearDown(self) -> None:  # type: ignore[override]
        """Stop everything."""
        await self.fixture.tear_down()

    def identity(self, token: UUID | None = None, limits: TokenLimits | None = None) -> Identity:
        """Return who has logged in."""
        return Identity(self.user, "me@example.com", token or UUID(int=7), limits or TokenLimits())

    async def seen(self, name: str = MINE, account: Account | None = None) -> list[tuple[int, tuple[str, ...]]]:
        """Open a mailbox and return what is in it."""
        mailbox = await (account or self.account).open(name, read_only=False)
        messages = mailbox.shared.messages
        return [(uid, flags.names) for uid, flags in zip(messages.uids, messages.flags, strict=True)]

    async def settled(self, name: str = MINE, account: Account | None = None) -> None:
        """Open a mailbox until it can be opened without a statement."""
        await self.seen(name, account)
        for _ in range(200):
            self.statements.clear()
            await self.seen(name, account)
            if not self.statements:
                return
        self.fail("it is never known")

    async def append(self, name: str) -> None:
        """Append a small message."""
        await self.account.check_destination(name)
        await self.account.append(name, [NewMessage(uuid4(), 1, (), datetime.now(UTC), rest=b"x")])

    async def other(self) -> PostgresStore:
        """Return another process's store."""
        store = PostgresStore(self.fixture.dsn, pool_size=1)
        await store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        return store


class OthersTests(KnownTestCase):
    """Changes by other programs and processes."""

    async def test_mail(self) -> None:
        """Mail that comes, changes, moves or goes, and bans, are seen by the first who opens the mailbox after it."""
        await self.settled()
        new = letter(minutes=1)
        await self.fixture.deliver([new])
        self.assertEqual(await self.seen(), [(1, ()), (2, ())])
        await self.settled()
        await self.fixture.set_flags_elsewhere(new.id, ["\\Seen"])
        self.assertEqual(await self.seen(), [(1, ()), (2, ("\\Seen",))])
        await self.settled()
        ban = await self.fixture.ban("sender", new.from_addr or "")
        self.assertEqual(await self.seen(), [])
        await self.settled()
        await self.fixture.lift(ban)
        self.assertEqual([uid for uid, _ in await self.seen()], [3, 4])
        await self.settled()
        self.fixture.execute(("UPDATE emails SET mailbox_owner = %s WHERE id = %s", (MINE_TOO, new.id)))
        self.assertEqual([uid for uid, _ in await self.seen()], [3])
        await self.settled()
        await self.fixture.delete_elsewhere(self.row.id)
        self.assertEqual(await self.seen(), [])
        await self.fixture.deliver([letter(minutes=2)])
        await self.settled()
        self.fixture.execute(("TRUNCATE emails", ()))
        self.assertEqual(await self.seen(), [])

    async def test_aged(self) -> None:
        """So is mail that is deleted for its age, also by this process."""
        await self.settled()
        await self.fixture.postgres.purge(datetime.now(UTC) + timedelta(days=1000), 5)
        self.assertEqual(await self.seen(), [])

    async def test_addresses(self) -> None:
        """An address that comes is in INBOX at once; one that goes, is banned or passed on is not there."""
        await self.settled("INBOX")
        await self.settled(MINE)
        await self.fixture.add_address(self.user, "new@example.com")
        await self.fixture.deliver([letter("new@example.com")])
        self.assertEqual(len(await self.seen("INBOX")), 2)
        ban = await self.fixture.ban("email", MINE)
        with self.assertRaises(Refused):
            await self.seen(MINE)
        await self.fixture.lift(ban)
        await self.settled(MINE)
        await self.settled("INBOX")
        await self.fixture.pass_address(MINE, await self.fixture.add_user("you@example.com"))
        with self.assertRaises(Refused):
            await self.seen(MINE)
        self.assertEqual(len(await self.seen("INBOX")), 1)

    async def test_folders(self) -> None:
        """Folders that another process renames or deletes, and others that take their names, are those that open."""
        await self.account.create_mailbox("One")
        await self.settled("One")
        other, key = await self.other(), account_key(self.user)
        await other.rename_folder(self.user, key, "One", key, "Two")
        with self.assertRaises(Refused):
            await self.seen("One")
        await self.settled("Two")
        with self.assertRaises(Refused):
            await self.seen("One")
        await other.delete_folder(self.user, key, "Two")
        with self.assertRaises(Refused):
            await self.seen("Two")

    async def test_appended(self) -> None:
        """A message goes where its name leads, though it was not heard yet that another process has renamed folders."""
        await self.account.create_mailbox("One")
        await self.append("One")
        self.fixture.postgres._listener.stop()
        other, key = await self.other(), account_key(self.user)
        await other.rename_folder(self.user, key, "One", key, "Two")
        await other.create_folder(self.user, key, "One", None)
        await self.append("One")
        self.assertEqual([len(await self.seen(name)) for name in ("One", "Two")], [1, 1])
        await other.delete_folder(self.user, key, "One")
        with self.assertRaises(Refused) as raised:
            await self.append("One")
        self.assertIs(raised.exception.refusal, Refusal.NO_SUCH_MAILBOX)
        await self.append(MINE)
        await self.fixture.pass_address(MINE, await self.fixture.add_user("you@example.com"))
        with self.assertRaises(Refused) as raised:
            await self.append(MINE)
        self.assertIs(raised.exception.refusal, Refusal.NO_SUCH_MAILBOX)

    async def test_flags_elsewhere(self) -> None:
        """What another process does to flags is seen, and so are the limits of a token."""
        await self.settled()
        other = await self.other()
        ref = await other.find_mailbox(self.user, MINE, "INBOX")
        assert ref is not None
        await other.store_flags(ref, [1], FlagMode.ADD, ["\\Flagged"], None)
        self.assertEqual(await self.seen(), [(1, ("\\Flagged",))])

    async def test_delivery_under_way(self) -> None:
        """A delivery that began before the mailbox was first opened has seen nothing to notify, and is found."""
        connection = psycopg2.connect(self.fixture.dsn)
        cursor = connection.cursor()
        cursor.execute(_DELIVER, (MINE_TOO,))
        for _ in range(3):
            self.assertEqual(await self.seen(MINE_TOO), [])
        connection.commit()
        connection.close()
        self.assertEqual(len(await self.seen(MINE_TOO)), 1)

    async def test_not_listening(self) -> None:
        """While nothing is heard, each looks."""
        await self.settled()
        self.fixture.postgres._listener.stop()
        await self.fixture.deliver([letter(minutes=1)])
        self.assertEqual(len(await self.seen()), 2)
        self.assertIn(sql.REFRESH, self.statements)


class OwnTests(KnownTestCase):
    """Changes by this process, which are not notified to it."""

    async def test_names(self) -> None:
        """A folder that was renamed or deleted is not opened by its old name."""
        await self.account.create_mailbox("One")
        await self.account.create_mailbox("One/Below")
        await self.settled("One/Below")
        await self.account.rename_folder("One", "Two")
        with self.assertRaises(Refused):
            await self.seen("One/Below")
        await self.settled("Two/Below")
        await self.account.delete_mailbox("Two/Below")
        with self.assertRaises(Refused):
            await self.seen("Two/Below")
        await self.account.create_mailbox("Two/Below")
        self.assertEqual(await self.seen("Two/Below"), [])

    async def test_address(self) -> None:
        """An address that was given back is not opened."""
        await self.settled(MINE_TOO)
        await self.account.delete_mailbox(MINE_TOO)
        with self.assertRaises(Refused):
            await self.seen(MINE_TOO)

    async def test_appended(self) -> None:
        """A small message to a mailbox whose name is known costs one statement, and is seen by who looks then."""
        await self.settled("Drafts")
        self.statements.clear()
        await self.append("Drafts")
        self.assertEqual(self.statements, [sql.APPEND])
        self.assertEqual(len(await self.seen("Drafts")), 1)

    async def test_copied(self) -> None:
        """Copies and moved messages are where they were put, whoever looks first."""
        await self.settled(MINE)
        await self.settled("Archive")
        await self.settled("INBOX")
        source = (await self.account.open(MINE, read_only=False)).shared
        target = await self.account.shared("Archive")
        await source.copy([1], target)
        self.assertEqual(len(await self.seen("Archive")), 1)
        await source.move([1], target)
        self.assertEqual([len(await self.seen(name)) for name in ("Archive", MINE, "INBOX")], [2, 0, 0])

    async def test_expunged(self) -> None:
        """What is expunged in one place is gone from the other."""
        await self.settled(MINE)
        await self.settled("INBOX")
        inbox = (await self.account.open("INBOX", read_only=False)).shared
        await self.fixture.set_flags_elsewhere(self.row.id, ["\\Deleted"])
        await inbox.expunge(None)
        self.assertEqual([await self.seen(name) for name in ("INBOX", MINE)], [[], []])

    async def test_limited(self) -> None:
        """The INBOX of a limited token follows its limits."""
        token = await self.fixture.add_token(self.user, "limited", self.row.created_at)  # type: ignore[arg-type]
        await self.fixture.limit_token(token, [MINE])
        limited = Account(self.identity(token, TokenLimits(frozenset([MINE]))), self.mailboxes)
        self.assertEqual(len(await self.seen("INBOX", limited)), 1)
        await self.fixture.limit_token(token, [MINE_TOO])
        self.assertEqual(await self.seen("INBOX", limited), [])

    async def test_names_are_users(self) -> None:
        """A name that is known for one user is nothing to another."""
        await self.settled(MINE)
        you = await self.fixture.add_user("you@example.com")
        other = Account(Identity(you, "you@example.com", UUID(int=8)), self.mailboxes)
        with self.assertRaises(Refused):
            await self.seen(MINE, other)
