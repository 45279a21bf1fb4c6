"""Messages read from a replica: never older than what sessions were told, and from the primary where it cannot be."""

from __future__ import annotations

import atexit
import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg2
import psycopg2.extras
from psycopg2.extensions import make_dsn, parse_dsn
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from cybertemp_imap.store import replica as replica_module
from cybertemp_imap.store.pool import Pool
from cybertemp_imap.store.positions import parsed, printed
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import MailboxRef
from test.clients.case import ClientTestCase, in_thread
from test.database_proxy import DatabaseProxy
from test.mortal_postgres import MortalPostgres
from test.replaying import Session
from test.standby import Standby, allow_standbys
from test.test_admin_doctor import DoctorCase

DEBIANS = Path("/usr/lib/postgresql/15/bin")

ADDRESS = "me@example.com"

_DELIVER = """
    INSERT INTO emails (mailbox_owner, mailbox, subject, body, from_addr, to_addrs, timestamp)
    VALUES (%s, 'INBOX', %s, %s, 'a@b.example', '{}', now())
"""
_TOKEN = """
    INSERT INTO imap_tokens (user_id, token, expires_at) VALUES (%s, 's3cret-token', now() + interval '1 day')
"""


class DebiansPostgres(MortalPostgres):
    """Debian's PostgreSQL, where it is installed."""

    programs = DEBIANS if DEBIANS.is_dir() else None


_servers: list[tuple[MortalPostgres, Standby]] = []


def servers() -> tuple[MortalPostgres, Standby]:
    """Return the primary and the standby of this process."""
    if not _servers:
        primary = DebiansPostgres()
        atexit.register(primary.remove)
        primary.start()
        allow_standbys(primary)
        standby = Standby(primary)
        atexit.register(standby.remove)
        _servers.append((primary, standby))
    return _servers[0]


class ReplicaTestCase(ClientTestCase):
    """An account with an address and two messages, on a primary and a standby that follows it."""

    timeout = 120

    async def setUp(self) -> None:  # type: ignore[override]
        """Start them, and a store that knows both."""
        psycopg2.extras.register_uuid()
        self.patch(replica_module, "SAMPLE_INTERVAL", 0.05)
        self.primary, self.standby = servers()
        self.dsn = self.primary.create()
        self.user_id = uuid4()
        self.run_on(self.dsn, "INSERT INTO users (id, email, subscription_status) VALUES (%s, 'u@x.org', 'active')")
        self.run_on(self.dsn, _TOKEN)
        self.run_on(self.dsn, "INSERT INTO inbox (user_id, email_address) VALUES (%s, 'me@example.com')")
        for number in (1, 2):
            self.write(f"m{number}")
        self.addCleanup(self.resume)
        self.proxy = DatabaseProxy(self.standby.dsn_like(self.dsn))
        self.addCleanup(self.proxy.close)
        self.store = await self.started(self.proxy.dsn)
        self.ref = await self.opened(self.store)

    def run_on(self, dsn: str, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement, which may want the user's id, by itself."""
        connection = psycopg2.connect(dsn)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, (self.user_id,) if "%s" in statement else None)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def write(self, subject: str) -> None:
        """Deliver a message."""
        connection = psycopg2.connect(self.dsn)
        with connection, connection.cursor() as cursor:
            cursor.execute(_DELIVER, (ADDRESS, subject, f"body of {subject}"))
        connection.close()

    async def started(self, replica_dsn: str) -> PostgresStore:
        """Return a store with a replica."""
        store = PostgresStore(self.dsn, pool_size=2, replica_dsn=replica_dsn, reactor=reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(store.stop()))
        await store.start()
        while not store.listening:
            await deferLater(reactor, 0.01)
        return store

    async def opened(self, store: PostgresStore, user_id: UUID | None = None) -> MailboxRef:
        """Open the address, and take in what is there."""
        ref = await store.find_mailbox(user_id or self.user_id, ADDRESS, "INBOX")
        assert ref is not None
        await store.refresh(ref)
        return ref

    async def read(self, *uids: int) -> str:
        """Read whole messages, which must all be there and right; return where that was."""
        before = dict(self.store.reads)
        found = await self.store.sources(self.ref, uids)
        self.assertEqual([uid for uid, _ in found], list(uids))
        for uid, source in found:
            self.assertIn(f"body of m{uid}".encode(), source)
        (where,) = [name for name, number in self.store.reads.items() if number > before[name]]
        return where

    async def until_read_from(self, where: str, *uids: int) -> None:
        """Read again and again, rightly each time, until that is done there."""
        while await self.read(*uids) != where:
            await deferLater(reactor, 0.02)

    def pause(self) -> None:
        """Have the standby stay where it is."""
        self.run_on(self.standby.dsn_like(self.dsn), "SELECT pg_wal_replay_pause()")

    def resume(self) -> None:
        """Have it go on."""
        self.run_on(self.standby.dsn_like("dbname=postgres user=postgres"), "SELECT pg_wal_replay_resume()")


class ReplicaTests(ReplicaTestCase):
    """What is read where."""

    async def test_reads(self) -> None:
        """Whatever is read of messages comes from the replica; what is missing there is made on the primary."""
        await self.until_read_from("replica", 1, 2)
        self.assertEqual([each.uid for each in await self.store.metadata(self.ref, [1, 2])], [1, 2])
        while True:
            before = self.store.reads["primary"]
            await self.store.metadata(self.ref, [1, 2])
            await self.store.headers(self.ref, [1, 2])
            await self.store.weights(self.ref, [1, 2])
            await self.store.object_ids(self.ref, [1, 2])
            await self.store.saved_dates(self.ref, [1, 2])
            if self.store.reads["primary"] == before:
                break
        self.assertEqual(await self.store.sources(self.ref, [3]), [])
        self.assertEqual(self.store.reads["primary"], before + 1)

    async def test_paused(self) -> None:
        """What a session was told is read where it is while the replica lacks it; what it has may come from it."""
        await self.until_read_from("replica", 1, 2)
        self.patch(self.store.replica.positions, "_samples", (0, 0))  # type: ignore[union-attr]
        self.store.replica._clock.stop()  # type: ignore[union-attr]
        self.pause()
        self.assertEqual(await self.read(1, 2), "replica")
        self.write("m3")
        await self.store.refresh(self.ref)
        self.assertEqual(await self.read(3), "primary")
        self.assertEqual(await self.read(1, 2), "primary")
        self.resume()
        await self.until_read_from("replica", 1, 2, 3)

    async def test_silent(self) -> None:
        """Where no hint comes, the replica is asked for nothing that is older than a moment."""
        await self.until_read_from("replica", 1, 2)
        self.pause()
        self.run_on(self.dsn, "CREATE TABLE other ()")
        await self.until_read_from("primary", 1, 2)
        self.resume()
        await self.until_read_from("replica", 1, 2)

    async def test_released(self) -> None:
        """An address that was given away is read no more once that was heard, though the replica has not heard it."""
        await self.until_read_from("replica", 1, 2)
        self.pause()
        heard: list[Any] = []
        self.store.observe(heard.append)
        self.run_on(self.dsn, "UPDATE inbox SET user_id = gen_random_uuid() WHERE user_id = %s")
        while not heard:
            await deferLater(reactor, 0.01)
        self.assertEqual(await self.store.sources(self.ref, [1, 2]), [])
        self.assertIsNone(await self.store.refresh(self.ref))
        self.assertEqual(await self.store.sources(self.ref, [1, 2]), [])
        self.resume()
        await self.until(lambda: self.store.replica.pool.idle > 0)  # type: ignore[union-attr]
        self.assertEqual(await self.store.sources(self.ref, [1, 2]), [])

    async def test_given_back(self) -> None:
        """The same where the server itself has given it away."""
        await self.until_read_from("replica", 1, 2)
        self.pause()
        await self.store.delete_address(self.user_id, ADDRESS)
        self.assertEqual(await self.store.sources(self.ref, [1, 2]), [])

    async def test_positions(self) -> None:
        """What leaves a mailbox moves on what a replica must have; a flag does not, as nothing read depends on it."""
        await self.until_read_from("replica", 1, 2)
        replica = self.store.replica
        assert replica is not None
        replica._clock.stop()
        self.patch(replica.positions, "_samples", (0, 0))
        head = await self.store.refresh(self.ref)
        before = await replica.positions.needed(self.ref)
        assert head is not None and before is not None
        await self.store.store_flags(self.ref, [1], "+", ["\\Seen"], None)
        await self.store.refresh(self.ref)
        self.assertEqual(await self.store.expunged_since(self.ref, head.highest_mod_seq), [])
        self.assertEqual(await replica.positions.needed(self.ref), before)
        await self.store.store_flags(self.ref, [2], "+", ["\\Deleted"], None)
        await self.store.expunge(self.ref, [2])
        self.assertEqual(await self.store.expunged_since(self.ref, head.highest_mod_seq), [2])
        after = await replica.positions.needed(self.ref)
        self.assertTrue(after is not None and after > before)

    async def test_isolation_level(self) -> None:
        """Where a transaction has one snapshot, the replica is not read from: it may be older than the look."""
        name = parse_dsn(self.dsn)["dbname"]
        self.run_on(self.dsn, f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
        standby = self.standby.dsn_like(self.dsn)
        while self.run_on(standby, "SHOW default_transaction_isolation") != [("repeatable read",)]:
            await deferLater(reactor, 0.02)
        self.store = await self.started(self.proxy.dsn)
        self.ref = await self.opened(self.store)
        for _ in range(30):
            self.assertEqual(await self.read(1, 2), "primary")
            await deferLater(reactor, 0.01)

    async def test_not_listening(self) -> None:
        """Without notifications, nothing is read from the replica."""
        await self.until_read_from("replica", 1, 2)
        self.store._listener.stop()
        self.assertEqual(await self.read(1, 2), "primary")

    async def test_away(self) -> None:
        """A replica that ends, is cut off or hangs is done without, and used again when it is there."""
        self.patch(replica_module, "PATIENCE", 0.3)
        self.patch(replica_module, "REST", 0.3)
        await self.until_read_from("replica", 1, 2)
        self.standby.stop()
        self.assertEqual(await self.read(1, 2), "primary")
        self.standby.start()
        await self.until_read_from("replica", 1, 2)
        self.proxy.stall()
        self.assertEqual(await self.read(1, 2), "primary")
        self.assertEqual(await self.read(1, 2), "primary")
        self.proxy.resume()
        await self.until_read_from("replica", 1, 2)

    async def test_promoted(self) -> None:
        """One that goes ways of its own is read from no more."""
        promoted = Standby(self.primary)
        self.addCleanup(promoted.remove)
        self.store = await self.started(promoted.dsn_like(self.dsn))
        await self.until_read_from("replica", 1, 2)
        promoted.promote()
        self.run_on(promoted.dsn_like(self.dsn), "UPDATE emails SET body = 'something else'")
        for _ in range(5):
            self.assertEqual(await self.read(1, 2), "primary")

    async def until(self, what: Any) -> None:
        """Wait for something."""
        while not what():
            await deferLater(reactor, 0.01)


class OtherTests(ReplicaTestCase):
    """A connection string that leads elsewhere, and sessions."""

    async def test_other_database(self) -> None:
        """Another database is no replica, be it of the same server and in recovery."""
        other = self.primary.create()
        self.store = await self.started(self.standby.dsn_like(other))
        for _ in range(30):
            self.assertEqual(await self.read(1, 2), "primary")
            await deferLater(reactor, 0.01)
        self.assertEqual(self.store.replica.pool.connected, 0)  # type: ignore[union-attr]

    async def test_sessions(self) -> None:
        """A session is given each message that it was told of, while the replica falls behind and catches up."""
        self.port = await self.serve(replica_dsn=self.proxy.dsn)
        await self.in_session()

    @in_thread
    def in_session(self) -> None:
        """Read as mail comes in."""
        session = Session(self.port, "u@x.org", "s3cret-token")
        self.addCleanup(session.close)
        self.assertTrue(session.select(ADDRESS))
        for number in range(3, 30):
            if number % 6 == 0:
                self.pause()
            if number % 6 == 3:
                self.resume()
            self.write(f"m{number}")
            session.poll()
            (response,) = session.ok(f"FETCH {number} BODY[TEXT]").responses[:1]
            self.assertIn(f"body of m{number}".encode(), response.raw)


class DoctorTests(DoctorCase):
    """What the doctor says of a replica."""

    def setUp(self) -> None:
        """Have one."""
        super().setUp()
        self.primary, self.standby = servers()
        self.dsn = self.primary.create()

    def said(self, replica_dsn: str) -> tuple[str, str]:
        """Return what is found of a replica at this connection string."""
        self.environ["IMAP_REPLICA_URL"] = replica_dsn
        state, told = self.examine()["replica"]
        return str(state), str(told)

    def test_replica(self) -> None:
        """One that follows is right; a primary, another database and one that is away are told with what to do."""
        self.assertNotIn("replica", self.examine())
        while self.said(self.standby.dsn_like(self.dsn))[0] != "ok":
            # The database is not there yet.
            time.sleep(0.05)
        self.assertIn("is a primary", self.said(self.dsn)[1])
        self.assertIn("not a copy", self.said(self.primary.create())[1])
        isolated = make_dsn(self.standby.dsn_like(self.dsn), options="-c default_transaction_isolation=serializable")
        self.assertIn("default_transaction_isolation is serializable", self.said(isolated)[1])
        self.assertIn("set it to read committed", self.said(isolated)[1])
        self.assertIn("host and port in IMAP_REPLICA_URL", self.said("host=127.0.0.1 port=9 dbname=mail")[1])


class PositionTests(ReplicaTestCase):
    """Positions in the log."""

    async def test_order(self) -> None:
        """They are numbers in PostgreSQL's order."""
        pool = Pool(self.dsn, 1, 5.0, 5.0, reactor)
        self.addCleanup(lambda: Deferred.fromCoroutine(pool.stop()))
        await pool.start()
        for text in ("0/0", "0/1A2B3C4D", "12/FF000028", "FFFFFFFF/0"):
            self.assertEqual(printed(parsed(text)), text)
            ((octets,),) = await pool.query("SELECT (%s::pg_lsn - '0/0')::text", (text,))
            self.assertEqual(parsed(text), int(octets))
