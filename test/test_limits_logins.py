"""Limits of failed logins, by address and by account, as a client sees them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from twisted.internet.defer import Deferred

from test.wire import THEIR_TOKEN, THEIR_USER, TOKEN, USER, Client, WireTestCase

PEER, OTHER = "203.0.113.9", "198.51.100.7"


class FailedLoginTests(WireTestCase):
    """10 a minute for an address and for an account."""

    limits: dict[str, Any] = {"ip_failures": 10, "account_failures": 10}  # noqa: RUF012

    def connect(self, peer: str = PEER) -> Client:
        """Connect under TLS."""
        client = self.wire.connect(peer, tls=True)
        client.take()
        return client

    def guesses(self, count: int, peer: str = PEER, user: str | None = None) -> None:
        """Have logins fail, two a connection, half of them by AUTHENTICATE."""
        client = self.connect(peer)
        for number in range(count):
            name = user or f"user{number}@example.com"
            line = f"LOGIN {name} wrong"
            if number % 2:
                line = "AUTHENTICATE PLAIN " + b64encode(f"\0{name}\0wrong".encode()).decode()
                client.send(f"a {line}\r\n".encode())
                self.wire.clock.advance(0)
                self.pending.append(client)
                client = self.connect(peer)
            else:
                client.send(f"a {line}\r\n".encode())
        self.pending.append(client)
        self.wire.later(2)

    def setUp(self) -> None:
        """Keep who waits."""
        super().setUp()
        self.pending: list[Client] = []

    def login(self, peer: str = PEER, user: str = USER, token: str = TOKEN) -> tuple[bytes, float]:
        """Log in, and return the answer and how long it took."""
        client = self.connect(peer)
        client.send(f"a LOGIN {user} {token}\r\n".encode())
        began = self.wire.clock.seconds()
        while not (answer := client.take()):
            self.wire.later(0.25)
        return answer[:5], self.wire.clock.seconds() - began

    def test_budget(self) -> None:
        """A right login is not delayed while there is budget, and by no one else's failures."""
        self.guesses(9)
        self.assertEqual(self.login(), (b"a OK ", 0))
        self.guesses(3)
        answer, waited = self.login()
        self.assertEqual(answer, b"a OK ")
        self.assertGreater(waited, 0)
        self.assertEqual(self.login(OTHER), (b"a OK ", 0))

    def test_flood(self) -> None:
        """While an address floods the server, a right login from it takes 15 seconds at most, a wrong one 17."""
        for _ in range(4):
            self.guesses(40)
        answer, waited = self.login()
        self.assertEqual(answer, b"a OK ")
        self.assertLessEqual(waited, 15.25)
        self.assertGreater(waited, 5)
        answer, waited = self.login(token="wrong")
        self.assertEqual(answer, b"a NO ")
        self.assertLessEqual(waited, 17.25)

    def test_account(self) -> None:
        """Failures for one account slow logins to it, from every address, and to no other."""
        for number in range(20):
            self.guesses(1, f"192.0.2.{number}", USER)
        answer, waited = self.login(OTHER)
        self.assertEqual(answer, b"a OK ")
        self.assertGreater(waited, 0)
        self.assertLessEqual(waited, 15.25)
        self.assertEqual(self.login(OTHER, THEIR_USER, THEIR_TOKEN), (b"a OK ", 0))

    def test_checked_rate(self) -> None:
        """Of guesses that come without end, no more than the budget is checked without a wait."""
        checked: list[str] = []
        original = self.store.find_login

        async def find_login(token: str) -> Any:
            checked.append(token)
            return await original(token)

        self.patch(self.store, "find_login", find_login)
        clients = [self.connect() for _ in range(30)]
        for client in clients:
            client.send(b"a LOGIN me@example.com wrong\r\n")
        self.wire.later(1)
        self.assertEqual(len(checked), 10)
        for _ in range(20):
            self.wire.later(1)
        self.assertEqual(len(checked), 30)

    def test_right_ones_at_once(self) -> None:
        """Right logins at once, more than there may be failures, are answered without any time in between."""
        asked: list[Deferred[None]] = []
        original = self.store.find_login

        async def find_login(token: str) -> Any:
            asked.append(Deferred())
            await asked[-1]
            return await original(token)

        self.patch(self.store, "find_login", find_login)
        clients = [self.connect() for _ in range(18)]
        for client in clients:
            client.send(f"a LOGIN {USER} {TOKEN}\r\n".encode())
        self.assertEqual(len(asked), 10)
        began = self.wire.clock.seconds()
        while asked:
            asked.pop().callback(None)
            self.wire.clock.advance(0)
        self.assertEqual([client.take()[:5] for client in clients], [b"a OK "] * 18)
        self.assertEqual(self.wire.clock.seconds(), began)

    def test_wrong_ones_wake_nobody(self) -> None:
        """Of guesses and a right login at once, the login waits until the budget is back: guesses make no room."""
        self.guesses(10)
        client = self.connect()
        client.send(f"a LOGIN {USER} {TOKEN}\r\n".encode())
        self.wire.later(3)
        self.assertEqual(client.take(), b"")
        self.wire.later(3)
        self.assertEqual(client.take()[:5], b"a OK ")

    def test_unavailable_costs_nothing(self) -> None:
        """A store that cannot be reached uses up no budget."""
        self.store.available = False
        for _ in range(20):
            self.assertEqual(self.login()[0], b"a NO ")
        self.store.available = True
        self.assertEqual(self.login(), (b"a OK ", 0))

    def test_gone_while_waiting(self) -> None:
        """A client that leaves while it waits is not looked up."""
        self.guesses(40)
        client = self.connect()
        client.send(f"a LOGIN {USER} {TOKEN}\r\n".encode())
        client.hang_up()
        self.wire.later(30)
        self.assertIsNone(client.server.account)

    def tearDown(self) -> None:
        """Let everybody be answered."""
        for _ in range(40):
            self.wire.later(1)
        super().tearDown()
