"""What sessions that change nothing read from a replica: as new as what was committed, or from the primary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from psycopg2.extensions import parse_dsn
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from cybertemp_imap.account import Account
from cybertemp_imap.auth import Identity
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store import replica as replica_module
from cybertemp_imap.store import statements as sql
from cybertemp_imap.store.interface import MailboxReads
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import TokenLimits
from test.replaying import Session
from test.statement_routes import Route, routes
from test.test_machines_replica import ADDRESS, ReplicaTestCase

NAMES = {value: name for name, value in vars(sql).items() if name.isupper()}


class Recorded:
    """Which statements a store has run, by name, on the primary and on the replica."""

    def __init__(self, store: PostgresStore) -> None:
        assert store.replica is not None
        self.primary: list[str] = []
        self.replica: list[str] = []
        self._record(store.pool, self.primary)
        self._record(store.replica.pool, self.replica)

    def _record(self, pool: Any, names: list[str]) -> None:
        query = pool.query

        async def recorded(statement: str, parameters: Sequence[object] = (), **options: Any) -> Any:
            names.append(NAMES[statement.removeprefix(sql.REPLAYED)])
            return await query(statement, parameters, **options)

        pool.query = recorded

    def clear(self) -> None:
        """Forget what was run."""
        self.primary.clear()
        self.replica.clear()


class ReadingTestCase(ReplicaTestCase):
    """A store that has opened the mailbox, and another process's beside it."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Have the replica in use."""
        await super().setUp()
        await self.store.list_mailboxes(self.user_id)
        await self.until_looked_at("replica")

    async def until_looked_at(self, where: str) -> None:
        """Look again and again, rightly each time, until that is done there."""
        before = self.store.looks[where]
        while self.store.looks[where] == before:
            reads = self.store.reading()
            self.assertEqual(await reads.find_mailbox(self.user_id, ADDRESS, "INBOX"), self.ref)
            await deferLater(reactor, 0.02)

    def other(self, statement: str) -> None:
        """Do something as another program."""
        self.run_on(self.dsn, statement)


class ReadingTests(ReadingTestCase):
    """``Store.reading`` of a store with a replica."""

    async def all_of(self, reads: MailboxReads) -> list[Any]:
        """Read everything there is to be read."""
        head = await reads.refresh(self.ref)
        return [
            head,
            sorted(await reads.list_mailboxes(self.user_id), key=repr),
            await reads.subscriptions(self.user_id),
            await reads.find_mailbox(self.user_id, ADDRESS, "INBOX"),
            await reads.changes(self.ref, 0, 0, 10),
            await reads.changes(self.ref, 1, 0, 10),
            await reads.expunged_since(self.ref, 1),
            await reads.claim_recent(self.ref, claim=False),
            await reads.status(self.ref, True),
        ]

    async def test_all(self) -> None:
        """Everything reads as from the primary, of which nothing is asked but how far its log is."""
        await self.store.set_subscribed(self.user_id, "Sent", False)
        await self.store.store_flags(self.ref, [1], "+", ["\\Deleted"], None)
        await self.store.expunge(self.ref, [1])
        expected = await self.all_of(self.store)
        recorded = Recorded(self.store)
        while "CHANGES" not in recorded.replica or set(recorded.primary) != {"WRITTEN"}:
            recorded.clear()
            self.assertEqual(await self.all_of(self.store.reading()), expected)
        wanted = {name for name, route in routes().items() if route == Route("replica", "primary")}
        self.assertEqual(set(recorded.replica), wanted)

    async def test_limited(self) -> None:
        """The INBOX of a limited token is found there once it has been made."""
        token_id = uuid4()
        made = await self.store.reading().limited_inbox(self.user_id, token_id)
        recorded = Recorded(self.store)
        while recorded.primary != ["WRITTEN"]:
            recorded.clear()
            self.assertEqual(await self.store.reading().limited_inbox(self.user_id, token_id), made)
        self.assertEqual(recorded.replica, ["KNOWN_MAILBOX"] * len(recorded.replica))

    async def test_news(self) -> None:
        """New mail gets its UID on the primary, and is told at once, as is what somebody else has taken in."""
        other = await self.started(self.proxy.dsn)
        for number in range(3, 30):
            self.write(f"m{number}")
            if number % 2:
                await other.refresh(self.ref)
            head = await self.store.reading().refresh(self.ref)
            assert head is not None
            self.assertEqual(head.uid_next, number + 1)
            reads = self.store.reading()
            counts = await reads.status(self.ref, False)
            assert counts is not None
            self.assertEqual((counts.messages, counts.head), (number, head))

    async def test_news_meanwhile(self) -> None:
        """What was notified between finding a mailbox and opening it is there when it is opened."""
        other, reading, heard = await self.started(self.proxy.dsn), self.store.reading, list[Any]()
        account = Account(Identity(self.user_id, "u@x.org", uuid4(), TokenLimits()), SharedMailboxes(self.store))
        self.store.observe(heard.append)

        def interrupted() -> Any:
            reads = reading()
            find = reads.find_mailbox

            async def found(*names: Any) -> Any:
                ref = await find(*names)
                self.pause()
                self.write("m3")
                await other.refresh(self.ref)
                await self.store.heard_all()
                return ref

            self.patch(reads, "find_mailbox", found)
            return reads

        self.patch(self.store, "reading", interrupted)
        mailbox = await account.open(ADDRESS, read_only=True)
        self.resume()
        self.assertIn([self.ref.id], heard)
        self.assertEqual(mailbox.getMessageCount(), 3)

    async def test_behind(self) -> None:
        """A replica that stays behind is asked no more, and what is told is what there is."""
        self.patch(replica_module, "LAG", 0.05)
        self.pause()
        for number in range(3, 6):
            self.write(f"m{number}")
            counts = await self.store.reading().status(self.ref, False)
            assert counts is not None
            self.assertEqual((counts.messages, counts.head.uid_next), (number, number + 1))
        self.other(
            "INSERT INTO bans (scope, value, match_type, status) VALUES ('sender', 'a@b.example', 'exact', 'active')"
        )
        counts = await self.store.reading().status(self.ref, False)
        self.assertEqual(counts and counts.messages, 0)
        self.other("UPDATE inbox SET user_id = gen_random_uuid() WHERE user_id = %s")
        self.assertIsNone(await self.store.reading().refresh(self.ref))
        self.assertIsNone(await self.store.reading().find_mailbox(self.user_id, ADDRESS, "INBOX"))
        self.assertNotIn(ADDRESS, [each.owner for each in await self.store.reading().list_mailboxes(self.user_id)])
        self.resume()

    async def test_waited_for(self) -> None:
        """One that is a little behind is waited for, and nothing but the position is asked of the primary."""
        self.patch(replica_module, "LAG", 60.0)
        recorded = Recorded(self.store)
        self.pause()
        self.other("CREATE TABLE other ()")
        reading = Deferred.fromCoroutine(self.store.reading().find_mailbox(self.user_id, ADDRESS, "INBOX"))
        while len(recorded.replica) < 3:
            await deferLater(reactor, 0.01)
        self.resume()
        self.assertEqual(await reading, self.ref)
        self.assertEqual(set(recorded.primary), {"WRITTEN"})

    async def test_away(self) -> None:
        """One that has ended is done without, and used again."""
        self.standby.stop()
        counts = await self.store.reading().status(self.ref, True)
        self.assertEqual(counts and counts.messages, 2)
        self.standby.start()
        await self.until_looked_at("replica")

    async def test_not_listening(self) -> None:
        """Without notifications all is asked of the primary."""
        self.store._listener.stop()
        recorded = Recorded(self.store)
        self.assertIsNotNone(await self.store.reading().status(self.ref, False))
        self.assertEqual(recorded.replica, [])


class SessionTests(ReadingTestCase):
    """Sessions of a token that is limited to reading, and of one that is not."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Have both tokens, a server, and all that the standby is asked written to its log."""
        await super().setUp()
        self.other(
            "INSERT INTO imap_tokens (user_id, token, expires_at) VALUES (%s, 'reading', now() + interval '1 day')"
        )
        self.other(
            "INSERT INTO imap.token_limit (token_id, read_only) "
            "SELECT id, true FROM imap_tokens WHERE token = 'reading'"
        )
        self.other(f"ALTER DATABASE {parse_dsn(self.dsn)['dbname']} SET log_statement = 'all'")
        standby = self.standby.dsn_like(self.dsn)
        while self.run_on(standby, "SHOW log_statement") != [("all",)]:
            await deferLater(reactor, 0.02)
        self.logged = len(self.log())
        self.port = await self.serve(replica_dsn=self.proxy.dsn)
        checker: Any = next(iter(self.factory.portal.checkers.values()))
        self.served: PostgresStore = checker._store
        replica = self.served.replica
        assert replica is not None
        while not self.served.listening or not replica.pool.idle or None in replica.positions._samples:
            await deferLater(reactor, 0.01)
        self.recorded = Recorded(self.served)

    def log(self) -> str:
        """Return what the standby has logged."""
        return (self.standby.folder / "server.log").read_text(errors="replace")

    async def in_session(self, token: str, verb: str) -> None:
        """Do all that a session does that reads."""
        await deferToThread(self._read_all, token, verb)

    def _read_all(self, token: str, verb: str) -> None:
        session = Session(self.port, "u@x.org", token)
        try:
            session.ok('LIST "" * RETURN (STATUS (MESSAGES UNSEEN))')
            session.ok(f"STATUS {ADDRESS} (MESSAGES UIDNEXT UNSEEN SIZE)")
            session.ok(f"{verb} {ADDRESS}")
            session.ok("FETCH 1:* (FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE BODY.PEEK[])")
            session.ok("SEARCH TEXT body")
            session.ok("NOOP")
        finally:
            session.close()

    def check_routes(self, only_reads: bool) -> None:
        """Check that each statement went where the table says."""
        known = routes()
        for name in set(self.recorded.replica):
            route = known[name].reading if only_reads else known[name].others
            self.assertEqual(route, "replica", name)
        for name in set(self.recorded.primary):
            self.assertIn(name, known)

    async def test_read_only(self) -> None:
        """What a session reads that changes nothing the replica itself reads, and it is never to change anything."""
        while not {"LISTED_MAILBOXES", "UNCHANGED", "COUNTS", "METADATA"} <= set(self.recorded.replica):
            await self.in_session("reading", "SELECT")
        self.check_routes(True)
        logged = self.log()[self.logged :]
        for words in ("imap.list_mailboxes(b.user_id)", "FROM imap.ban_state s", "r.body_structure"):
            self.assertIn(words, logged)
        for words in ("INSERT", "UPDATE", "DELETE", "imap.refresh", "read-only transaction"):
            self.assertNotIn(words, logged)

    async def test_others(self) -> None:
        """Of any other session, what mailboxes are like is asked of the primary, but for what EXAMINE opens."""
        while "METADATA" not in self.recorded.replica:
            await self.in_session("s3cret-token", "SELECT")
        self.check_routes(False)
        self.assertEqual(self.served.looks, {"primary": 0, "replica": 0})
        self.served._tell(None)
        await self.in_session("s3cret-token", "EXAMINE")
        self.assertGreater(sum(self.served.looks.values()), 0)

    async def test_lost(self) -> None:
        """A session of either kind is served all the same when the replica ends, and falls behind."""
        await self.in_session("reading", "SELECT")
        self.standby.stop()
        await self.in_session("reading", "SELECT")
        self.standby.start()
        self.pause()
        self.write("m3")
        await self.in_session("reading", "EXAMINE")
        self.resume()
