"""LOGIN (RFC 9051 section 6.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from twisted.internet.defer import Deferred

from cybertemp_imap.store.values import LoginRecord
from test.wire import MINE, TOKEN, USER, Client, WireTestCase


class LoginTests(WireTestCase):
    """The right e-mail address and token, and everything else."""

    def delayed(self, client: Client, command: bytes) -> tuple[bytes, float]:
        """Send a command and return its answer and the seconds until it came."""
        client.take()
        client.send(command)
        began = self.wire.clock.seconds()
        while not (answer := client.take()):
            self.wire.later(0.25)
        return answer, self.wire.clock.seconds() - began

    def test_login_then_capabilities(self) -> None:
        """A login is answered at once, with the capabilities of the new state (RFC 9051 section 6.2.3)."""
        client = self.wire.connect()
        answer = client.command(f"LOGIN {USER} {TOKEN}")
        self.assertStatus(answer, "OK", "CAPABILITY")
        assert answer.tagged.code is not None
        self.assertIn(b"NAMESPACE", answer.tagged.code[1])
        self.assertEqual(client.ok("CAPABILITY").data("CAPABILITY"), [answer.tagged.code[1]])

    def test_every_form_of_string(self) -> None:
        """User and token are astrings: atoms, quoted strings with escapes, literals of both kinds (section 4.3)."""
        self.store.add_token(self.wire.user, 'qu"o\\te]')
        for command in (
            b'a LOGIN me@example.com "qu\\"o\\\\te]"\r\n',
            b'a LOGIN "ME@Example.COM" "tok-3141592653"\r\n',
            b"a LOGIN {14+}\r\nme@example.com {14+}\r\ntok-3141592653\r\n",
            b'a login me@example.com {8+}\r\nqu"o\\te]\r\n',
        ):
            client = self.wire.connect()
            client.take()
            client.send(command)
            self.assertEqual(client.answer(b"a").status, "OK", command)

    def test_synchronizing_literals(self) -> None:
        """Each literal is asked for before it is sent (section 4.3)."""
        client = self.wire.connect()
        client.take()
        for line in (b"a LOGIN {14}\r\n", b"me@example.com {14}\r\n"):
            client.send(line)
            self.assertEqual([r.tag for r in client.responses()], [b"+"])
        client.send(b"tok-3141592653\r\n")
        self.assertEqual(client.answer(b"a").status, "OK")

    def test_failures_alike(self) -> None:
        """Wrong e-mail, wrong token, another's token, whatever its limits, nonsense: the same bytes after 2 seconds."""
        past = datetime.now(UTC) - timedelta(days=1)
        limited: dict[str, dict[str, Any]] = {
            "reads": {"read_only": True},
            "none": {"addresses": []},
            "ended": {"expires_at": past},
        }
        for token, limits in limited.items():
            self.store.limit_token(self.store.add_token(self.wire.user, token), **limits)
        commands = (
            "LOGIN they@example.net reads",
            "LOGIN they@example.net none",
            "LOGIN they@example.net ended",
            "LOGIN nobody@example.com ended",
            f"LOGIN {USER} wrong",
            f"LOGIN they@example.net {TOKEN}",
            f"LOGIN nobody@example.com {TOKEN}",
            'LOGIN "" ""',
            f'LOGIN {USER} ""',
            f"LOGIN {'x' * 2000} {TOKEN}",
            f"LOGIN {USER} {'y' * 2000}",
        )
        answers = {self.delayed(self.wire.connect(), b"a " + command.encode() + b"\r\n") for command in commands}
        expected = b"a NO [AUTHENTICATIONFAILED] The e-mail address or the token is not right.\r\n"
        self.assertEqual(answers, {(expected, 2.0)})

    def test_delay_counts_from_the_command(self) -> None:
        """A slow store does not make a failure slower than 2 seconds, so that no time tells what was looked up."""
        answer: Deferred[LoginRecord | None] = Deferred()

        async def find_login(token: str) -> LoginRecord | None:
            return await answer

        self.patch(self.store, "find_login", find_login)
        client = self.wire.connect()
        client.take()
        client.send(b"a LOGIN x y\r\n")
        self.wire.later(1.5)
        answer.callback(None)
        self.assertEqual(client.take(), b"")
        self.wire.later(0.5)
        self.assertStatus(client.answer(b"a"), "NO", "AUTHENTICATIONFAILED")

    def test_expired_and_lapsed(self) -> None:
        """Only who holds the right token learns that it has expired or that the subscription has ended (RFC 5530)."""
        past = datetime.now(UTC) - timedelta(days=1)
        self.store.add_token(self.wire.user, "old", past)
        lapsed = self.store.add_user("lapsed@example.com", "canceled")
        self.store.add_token(lapsed, "fresh")
        for command, code in (
            (f"LOGIN {USER} old", b"EXPIRED"),
            ("LOGIN lapsed@example.com fresh", b"AUTHORIZATIONFAILED"),
            ("LOGIN lapsed@example.com old", b"AUTHENTICATIONFAILED"),
        ):
            answer, waited = self.delayed(self.wire.connect(), b"a " + command.encode() + b"\r\n")
            self.assertTrue(answer.startswith(b"a NO [" + code + b"] "), answer)
            self.assertEqual(waited, 2.0)

    def test_three_failures(self) -> None:
        """The third failure of a connection is followed by BYE; a success before it is still possible."""
        client = self.wire.connect()
        for _ in range(2):
            self.delayed(client, b"a LOGIN x y\r\n")
        answer, _ = self.delayed(client, b"a LOGIN x y\r\n")
        self.assertTrue(answer.endswith(b"\r\n* BYE Too many failed logins.\r\n"), answer)
        self.assertTrue(client.closed)
        client = self.wire.connect()
        for _ in range(2):
            self.delayed(client, b"a LOGIN x y\r\n")
        client.login()

    def test_plaintext(self) -> None:
        """From another machine without TLS, LOGIN is refused, whatever it holds (RFC 5530, PRIVACYREQUIRED)."""
        for secret in (TOKEN, "wrong"):
            client = self.wire.connect(peer="203.0.113.9")
            self.assertStatus(client.command(f"LOGIN {USER} {secret}"), "NO", "PRIVACYREQUIRED")
        self.assertStatus(
            self.wire.connect(peer="203.0.113.9", tls=True).command(f"LOGIN {USER} {TOKEN}"), "OK", "CAPABILITY"
        )

    def test_once(self) -> None:
        """LOGIN is for the not authenticated state (section 6.2), and no other command but a few is."""
        client = self.wire.session()
        self.assertStatus(client.command(f"LOGIN {USER} {TOKEN}"), "BAD")
        for command in ("SELECT INBOX", 'LIST "" *'):
            self.assertStatus(self.wire.connect().command(command), "BAD")
        self.assertStatus(client.select(MINE).command(f"LOGIN {USER} {TOKEN}"), "BAD")

    def test_malformed(self) -> None:
        """LOGIN has two arguments."""
        for arguments in ("", " x", " x y z", " x (y)"):
            self.assertStatus(self.wire.connect().command(f"LOGIN{arguments}"), "BAD")

    def test_gone_meanwhile(self) -> None:
        """A client that leaves while its login is looked up is logged out again."""
        left: list[object] = []
        found: Deferred[LoginRecord | None] = Deferred()
        original = self.store.find_login

        async def find_login(token: str) -> Any:
            await found
            return await original(token)

        self.patch(self.store, "find_login", find_login)
        self.patch(self.wire.factory.portal.realm, "_on_logout", left.append)
        client = self.wire.connect()
        client.send(f"a LOGIN {USER} {TOKEN}\r\n".encode())
        client.hang_up()
        found.callback(None)
        self.wire.clock.settle()
        self.assertEqual(len(left), 1)

    def test_logged_out_at_the_end(self) -> None:
        """The realm is told once when a session is over."""
        left: list[object] = []
        self.patch(self.wire.factory.portal.realm, "_on_logout", left.append)
        client = self.wire.session()
        client.ok("LOGOUT")
        self.assertEqual(len(left), 1)
