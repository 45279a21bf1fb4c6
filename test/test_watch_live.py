"""The server as it is run, over PostgreSQL: sessions end when another program takes their right away."""

from __future__ import annotations

from typing import Any, cast
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from cybertemp_imap.config import Settings
from cybertemp_imap.service import build_factory
from test.store_contract import BASE, MINE, MINE_TOO, letter
from test.test_store_postgres import PostgresFixture

USER = "me@example.com"
HOUR_FROM_NOW = "now() + interval '1 hour'"


class LineClient(LineReceiver):
    """A client that sends lines and waits for others."""

    transport: Any

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._gone: Deferred[None] = Deferred()
        self._wanted: tuple[str, Deferred[str]] | None = None

    def lineReceived(self, line: bytes) -> None:
        """Keep a line, and hand it to who waits for it."""
        text = line.decode()
        self.lines.append(text)
        if self._wanted is not None and text.startswith(self._wanted[0]):
            (_, waiting), self._wanted = self._wanted, None
            waiting.callback(text)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Tell that it is over."""
        self._gone.callback(None)

    async def end(self) -> str:
        """Wait for the end, and return the last line."""
        await self._gone
        return self.lines[-1]

    async def line(self, beginning: str) -> str:
        """Wait for a line that begins as said."""
        waiting: Deferred[str] = Deferred()
        self._wanted = (beginning, waiting)
        return await waiting

    def leave(self) -> Deferred[None]:
        """Close the connection; fires when it is gone."""
        self.transport.loseConnection()
        return self._gone

    async def ask(self, line: str, answer: str) -> str:
        """Send a line; return the first one that comes and begins as said."""
        self.sendLine(line.encode())
        return await self.line(answer)


class LiveTests(TestCase):
    """Sessions over TCP, looked at every second."""

    timeout = 120

    async def setUp(self) -> None:  # type: ignore[override]
        """Start a server over an account with two addresses and three tokens."""
        self.fixture = PostgresFixture()
        await self.fixture.set_up()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.fixture.tear_down()))
        self.user = await self.fixture.add_user(USER)
        for address in (MINE, MINE_TOO):
            await self.fixture.add_address(self.user, address)
        self.tokens = {name: await self.fixture.add_token(self.user, name, BASE) for name in ("a", "b", "c")}
        self.write(f"UPDATE imap_tokens SET expires_at = {HOUR_FROM_NOW}")
        await self.fixture.deliver([letter(), letter(MINE_TOO)])
        settings = Settings(database_url=self.fixture.dsn, rights_interval=1.0)
        upkeep, factory = build_factory(settings, self.fixture.dsn)
        await upkeep.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(upkeep.stop()))
        tcp = cast(Any, reactor)
        port = tcp.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", cast(IPv4Address, port.getHost()).port)

    def write(self, statement: str, *parameters: object) -> None:
        """Do to the tables what other programs do."""
        self.fixture.execute((statement, parameters))

    async def session(self, token: str, *commands: str) -> LineClient:
        """Log in, and have commands carried out."""
        client: LineClient = await connectProtocol(self.endpoint, LineClient())
        self.addCleanup(client.leave)
        for command in (f"LOGIN {USER} {token}", *commands):
            await client.ask(f"t {command}", "t OK")
        return client

    async def test_revoked(self) -> None:
        """Sessions of a token that is deleted are closed, idling or not; those of another token are not."""
        quiet, idle, other = [await self.session(token, f"SELECT {MINE}") for token in ("a", "a", "b")]
        await idle.ask("i IDLE", "+ ")
        self.write("DELETE FROM imap_tokens WHERE id = %s", self.tokens["a"])
        for client in (quiet, idle):
            self.assertEqual(await client.end(), "* BYE [NOPERM] This token is not valid any more.")
        await other.ask("n NOOP", "n OK")

    async def test_expired_and_lapsed(self) -> None:
        """So are those of one that expires, and all when the subscription ends."""
        first, second = await self.session("a"), await self.session("b")
        self.write("UPDATE imap_tokens SET expires_at = now() WHERE id = %s", self.tokens["a"])
        line = await first.end()
        self.assertTrue(line.startswith("* BYE [EXPIRED] "), line)
        self.write("UPDATE users SET subscription_status = 'canceled' WHERE id = %s", self.user)
        line = await second.end()
        self.assertTrue(line.startswith("* BYE [NOPERM] The account has no active subscription"), line)

    async def test_limited(self) -> None:
        """A limited token sees what it is limited to, hears of its mail only, and is closed when the limits change."""
        limit = "INSERT INTO imap.token_limit (token_id, addresses, read_only) VALUES (%s, %s, true)"
        self.write(limit, self.tokens["c"], [MINE])
        client = await self.session("c", "SELECT INBOX")
        self.assertIn("* 1 EXISTS", client.lines)
        await client.ask("s SELECT " + MINE_TOO, "s NO [NONEXISTENT]")
        await client.ask("s SELECT INBOX", "s OK [READ-ONLY]")
        await client.ask("i IDLE", "+ ")
        await self.fixture.deliver([letter(MINE_TOO), letter()])
        await client.line("* 2 EXISTS")
        self.write("UPDATE imap.token_limit SET addresses = %s WHERE token_id = %s", [MINE_TOO], self.tokens["c"])
        line = await client.end()
        self.assertTrue(line.startswith("* BYE [NOPERM] What this token may do"), line)

    async def test_address_given_back(self) -> None:
        """A quiet session in the mailbox of an address that is given back is closed."""
        client = await self.session("a", f"SELECT {MINE}")
        await self.fixture.remove_address(MINE)
        self.assertEqual(await client.end(), "* BYE The selected mailbox is gone.")

    async def test_address_banned(self) -> None:
        """Sessions in the mailbox of an address that is banned are closed; INBOX loses its mail, and stays open."""
        quiet, idle = [await self.session("a", f"SELECT {MINE}") for _ in range(2)]
        inbox = await self.session("a", "SELECT INBOX")
        for client in (idle, inbox):
            await client.ask("i IDLE", "+ ")
        await self.fixture.ban("email", MINE)
        self.assertIn(await inbox.line("* "), ("* 1 EXPUNGE", "* 2 EXPUNGE"))
        for client in (idle, quiet):
            self.assertEqual(await client.end(), "* BYE The selected mailbox is gone.")
        await inbox.ask("DONE", "i OK")
        await inbox.ask(f"s SELECT {MINE}", "s NO [NONEXISTENT]")

    async def test_last_used(self) -> None:
        """A login is noted in the token's row."""
        await self.session("b")
        while await self.fixture.last_used(self.tokens["b"]) is None:
            passed: Deferred[None] = Deferred()
            cast(Any, reactor).callLater(0.01, passed.callback, None)
            await passed
        self.assertIsNone(await self.fixture.last_used(self.tokens["a"]))


class TidyTests(TestCase):
    """Forgetting the INBOX of tokens that nobody can need any more."""

    async def test_tidy(self) -> None:
        """Those without limits, expired by them, or unused for 30 days go, with all that is kept of them."""
        fixture = PostgresFixture()
        await fixture.set_up()
        self.addCleanup(lambda: Deferred.fromCoroutine(fixture.tear_down()))
        store = fixture.postgres
        user = await fixture.add_user(USER)
        await fixture.add_address(user, MINE)
        row = letter()
        await fixture.deliver([row])
        kept, expired, unused, unlimited = (uuid4() for _ in range(4))
        for token in (kept, expired, unused, unlimited):
            await fixture.limit_token(token, [MINE])
            await store.refresh(await store.limited_inbox(user, token))
        await fixture.limit_token(expired, [MINE], False, BASE)
        await fixture.limit_token(unlimited)
        long_ago = "UPDATE imap.mailbox SET scanned_at = now() - interval '31 days', created_at = '2020-01-01'"
        fixture.execute((f"{long_ago} WHERE owner = %s", (f"limited:{unused}",)))
        await store.tidy()
        left = fixture.execute(("SELECT owner FROM imap.mailbox WHERE owner LIKE 'limited:%%'", ()))
        self.assertEqual(left, [(f"limited:{kept}",)])
        for table in ("feed", "message", "arrival"):
            ((count,),) = fixture.execute(
                (f"SELECT count(*) FROM imap.{table} WHERE mailbox_id NOT IN (SELECT id FROM imap.mailbox)", ())
            )
            self.assertEqual(count, 0, table)
        self.assertIsNotNone(await fixture.stored_row(row.id))
