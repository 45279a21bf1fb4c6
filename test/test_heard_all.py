"""Once all notifications are known to have come, nothing that was committed before is unknown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any
from uuid import uuid4

import psycopg2
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import blockingCallFromThread, deferToThread
from twisted.trial.unittest import TestCase

from cybertemp_imap.store import listener
from cybertemp_imap.store.postgres import PostgresStore
from cybertemp_imap.store.values import MailboxRef
from test.database_proxy import DatabaseProxy
from test.store_contract_observe import until
from test.test_store_postgres import PostgresFixture

WRITERS = 3
COMMITS = 120

_DELIVER = (
    "INSERT INTO emails (id, mailbox_owner, mailbox, body, from_addr) VALUES (%s, %s, 'INBOX', 'x', 'a@b.example')"
)


class HeardAllTests(TestCase):
    """``heard_all`` of the PostgreSQL store."""

    timeout = 60

    async def setUp(self) -> None:  # type: ignore[override]
        """Open some mailboxes, and count what is told of each."""
        self.fixture = PostgresFixture()
        await self.fixture.set_up()
        self.store = self.fixture.postgres
        user = await self.fixture.add_user("me@example.com")
        self.refs: list[MailboxRef] = []
        for number in range(WRITERS):
            await self.fixture.add_address(user, self.address(number))
            ref = await self.store.find_mailbox(user, self.address(number), "INBOX")
            assert ref is not None
            await self.store.refresh(ref)
            self.refs.append(ref)
        self.told: Counter[int | None] = Counter()
        self.store.observe(self.note)
        await until(self.fixture.is_listening)

    async def tearDown(self) -> None:  # type: ignore[override]
        """Stop everything."""
        await self.fixture.tear_down()

    def address(self, number: int) -> str:
        """Return the address that a writer delivers to."""
        return f"a{number}@example.com"

    def note(self, mailboxes: Collection[int] | None) -> None:
        """Count."""
        self.told.update([None] if mailboxes is None else mailboxes)

    async def heard(self, number: int) -> tuple[bool, int]:
        """Ask, and tell how often a mailbox was told of by then."""
        heard = await self.store.heard_all()
        return heard, self.told[number]

    def write(self, number: int) -> list[tuple[bool, int]]:
        """Deliver one message after another, and ask at once when COMMIT has returned; in a thread."""
        connection = psycopg2.connect(self.fixture.dsn)
        ref = self.refs[number]
        outcome: list[tuple[bool, int]] = []
        for _ in range(COMMITS):
            with connection, connection.cursor() as cursor:
                cursor.execute(_DELIVER, (str(uuid4()), self.address(number)))
            outcome.append(
                blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(self.heard(ref.id)))  # type: ignore[arg-type]
            )
        connection.close()
        return outcome

    async def test_committed_before(self) -> None:
        """Whatever was committed before somebody asks has been told when the answer comes, every single time."""
        outcomes = await gatherResults([deferToThread(self.write, number) for number in range(WRITERS)])
        for outcome in outcomes:
            self.assertEqual([heard for heard, _ in outcome], [True] * COMMITS)
            missing = [n for n, (_, told) in enumerate(outcome, 1) if told < n]
            self.assertEqual(missing, [])

    async def test_together(self) -> None:
        """However many ask at a time, one statement serves the first and one all others; later, one serves all."""
        self.store._listener._clock.stop()
        connection: Any = self.store._listener._connection
        asked: list[str] = []
        later: list[Deferred[bool]] = []
        query = connection.query

        def counted(sql: str, *parameters: Any) -> Any:
            asked.append(sql)
            if not later:
                later.extend(Deferred.fromCoroutine(self.store.heard_all()) for _ in range(100))
                self.assertEqual([each.called for each in later], [False] * 100)
            return query(sql, *parameters)

        self.patch(connection, "query", counted)
        answers = await gatherResults([Deferred.fromCoroutine(self.store.heard_all()) for _ in range(100)])
        self.assertEqual(answers, [True] * 100)
        self.assertEqual((await gatherResults(later), len(asked)), ([True] * 100, 2))
        answers = await gatherResults([Deferred.fromCoroutine(self.store.heard_all()) for _ in range(100)])
        self.assertEqual((answers, len(asked)), ([True] * 100, 3))

    async def test_lost(self) -> None:
        """Where the connection is lost nothing is promised, until it is there again and everything was told."""
        connection: Any = self.store._listener._connection
        asking = Deferred.fromCoroutine(self.store.heard_all())
        self.fixture.execute(("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,)))
        await asking
        await until(lambda: not self.fixture.is_listening())
        self.assertFalse(await self.store.heard_all())
        before = self.told[None]
        await until(self.fixture.is_listening)
        self.assertGreater(self.told[None], before)
        self.assertTrue(await self.store.heard_all())

    async def test_stopped(self) -> None:
        """A store that is stopped lets nobody wait."""
        asking = [Deferred.fromCoroutine(self.store.heard_all()) for _ in range(3)]
        self.store._listener.stop()
        await gatherResults(asking)
        self.assertFalse(await self.store.heard_all())

    async def test_silence(self) -> None:
        """A connection on which no answer comes is given up, and made anew."""
        self.patch(listener, "TIMEOUT", 0.5)
        proxy = DatabaseProxy(self.fixture.dsn)
        self.addCleanup(proxy.close)
        store = PostgresStore(proxy.dsn, pool_size=1)
        await store.start()
        try:
            await until(lambda: store.listening)
            proxy.stall()
            self.assertFalse(await store.heard_all())
            proxy.resume()
            await until(lambda: store.listening)
            self.assertTrue(await store.heard_all())
        finally:
            await store.stop()
