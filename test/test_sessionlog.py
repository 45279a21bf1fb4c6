"""The lines of the log: one for each event, in two forms, without secrets, and not too many."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.protocol.sessionlog import BURST, LEVELS, SessionLog, as_json, logfmt
from test.wire import MINE, TOKEN, USER, Client, WireTestCase

_VALUES = st.one_of(st.text(max_size=20), st.integers(), st.booleans())

PEER = "203.0.113.9"


class LogTestCase(WireTestCase):
    """What is written by a server whose log has the form and the level of the class."""

    form = "logfmt"
    level = "debug"

    def setUp(self) -> None:
        """Take down the lines."""
        super().setUp()
        self.wire.factory.session_log = SessionLog(self.form, self.level, self.wire.clock.seconds)
        self.lines: list[str] = []
        self.levels: list[Any] = []

        def observe(event: LogEvent) -> None:
            if event.get("log_namespace") == "cybertemp_imap.sessions":
                self.lines.append(formatEvent(event) or "")
                self.levels.append(event["log_level"])

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def events(self) -> list[dict[str, str]]:
        """Return the fields of each line that has come since the last time."""
        lines, self.lines = self.lines, []
        pattern = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|[^ "]+)')
        return [{name: value.strip('"') for name, value in pattern.findall(line)} for line in lines]

    def names(self) -> list[str]:
        """Return the names of the events, and of commands with them."""
        return [" ".join(filter(None, (each["event"], each.get("command")))) for each in self.events()]


class EventTests(LogTestCase):
    """What is written, at the level of details."""

    def test_session(self) -> None:
        """A line for the connection, the login, each command and the end, all of one session's number."""
        client = self.wire.connect(PEER, tls=True).login()
        client.command("SELECT nothing@example.com")
        self.wire.later(3)
        client.ok("LOGOUT")
        found = self.events()
        self.assertEqual(len({each["session"] for each in found}), 1)
        self.assertEqual({each["peer"] for each in found}, {PEER})
        connect, login, first, second, third, end = found
        self.assertEqual((connect["event"], connect["tls"]), ("connect", "yes"))
        self.assertNotIn("user", connect)
        self.assertEqual((login["event"], login["user"], login["method"]), ("login", USER, "LOGIN"))
        self.assertEqual(
            [(each["command"], each["status"], each["seconds"]) for each in (first, second, third)],
            [("LOGIN", "OK", "0.0"), ("SELECT", "NO", "0.0"), ("LOGOUT", "OK", "0.0")],
        )
        self.assertEqual(
            (end["event"], end["user"], end["seconds"], end["commands"], end["why"]),
            ("end", USER, "3.0", "3", "logout"),
        )

    def test_failed_login(self) -> None:
        """A failed login tells why, and takes the name that was given for as secret as the rest."""
        client = self.wire.connect(PEER, tls=True)
        client.send(b"a LOGIN somebody@example.com wrong\r\n")
        self.wire.later(2)
        found = next(each for each in self.events() if each["event"] == "login-failed")
        self.assertEqual((found["reason"], found["method"], found["peer"]), ("authentication_failed", "LOGIN", PEER))
        self.assertNotIn("user", found)

    def test_ends(self) -> None:
        """The end tells who ended it, and why."""
        self.wire.session().hang_up()
        quiet = self.wire.session()
        self.wire.later(1800)
        self.assertTrue(quiet.closed)
        late = self.wire.connect()
        self.wire.later(60)
        self.assertTrue(late.closed)
        ends = [each["why"] for each in self.events() if each["event"] == "end"]
        self.assertEqual(ends, ["client", "quiet", "login_timeout"])

    def test_strangers(self) -> None:
        """Another protocol is one line with its name."""
        for data, name in ((b"GET / HTTP/1.1\r\n", "http"), (b"\x16\x03\x01", "tls"), (b"EHLO x\r\n", "smtp")):
            self.events()
            self.wire.connect(PEER).send(data)
            found = [each for each in self.events() if each["event"] == "stranger"]
            self.assertEqual([each["protocol"] for each in found], [name])

    def test_starttls(self) -> None:
        """So is the beginning of TLS."""
        self.wire.factory.certificate = object()
        self.wire.connect(PEER).ok("STARTTLS")
        self.assertIn("command STARTTLS", self.names())

    def test_fault(self) -> None:
        """An unforeseen error is told with the number that the client was given, and the session's."""
        logged: list[str] = []

        def observe(event: LogEvent) -> None:
            if "trace" in event:
                logged.append(formatEvent(event) or "")

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

        async def broken(*arguments: Any) -> Any:
            raise ValueError(TOKEN)

        client = self.wire.session()
        self.patch(self.store, "find_mailbox", broken)
        answer = client.command(f"SELECT {MINE}")
        self.assertStatus(answer, "NO", "SERVERBUG")
        reference = answer.tagged.raw.decode().rpartition("Reference ")[2].rstrip(".\r\n")
        self.assertIn(f"reference {reference}", logged[0])
        self.assertIn(f"session {client.server.notes.id}", logged[0])
        self.assertNotIn(TOKEN, logged[0])
        self.assertEqual(len(self.flush_faults()), 1)


class InfoTests(LogTestCase):
    """What is written by default."""

    level = "info"

    def test_session(self) -> None:
        """Login and end, and commands that fail or take long."""
        client = self.wire.session()
        client.ok("NOOP")
        client.command("SELECT nothing@example.com")
        client.ok("LOGOUT")
        self.assertEqual(self.names(), ["login", "command SELECT", "end"])

    def test_slow(self) -> None:
        """A slow command is of interest by itself, but IDLE is slow by nature."""
        gate: Deferred[None] = Deferred()
        original = self.store.find_login

        async def find_login(token: str) -> Any:
            await gate
            return await original(token)

        self.patch(self.store, "find_login", find_login)
        client = self.wire.connect()
        client.send(f"a LOGIN {USER} {TOKEN}\r\n".encode())
        self.wire.later(1.5)
        gate.callback(None)
        self.wire.clock.settle()
        self.assertEqual(self.names(), ["login", "command LOGIN"])
        client.send(b"a IDLE\r\n")
        self.wire.later(5)
        client.send(b"DONE\r\n")
        self.assertEqual(self.names(), [])

    def test_gone_in_the_middle(self) -> None:
        """A client that leaves in the middle of a command is one line, that of the end."""
        client = self.wire.session()
        client.send(b"a IDLE\r\n")
        self.events()
        client.hang_up()
        self.assertEqual(self.names(), ["end"])

    def test_scanners(self) -> None:
        """Who connects and leaves is no line."""
        for _ in range(100):
            self.wire.connect(PEER).hang_up()
        self.assertEqual(self.lines, [])

    def test_floods(self) -> None:
        """However many strangers there are, lines are bounded, and the next tells how many are missing."""
        for _ in range(1000):
            self.wire.connect(PEER).send(b"\x00\x00")
        self.assertEqual(len(self.lines), BURST)
        self.wire.later(10)
        self.lines.clear()
        self.wire.connect(PEER).send(b"\x00\x00")
        self.assertEqual(self.events()[-1]["dropped"], "800")

    def test_flood_of_a_user(self) -> None:
        """Nor can somebody who has logged in flood the log, or keep others out of it."""
        client = self.wire.session()
        client.send(b"".join(b"a%d SELECT nothing\r\n" % number for number in range(2000)))
        self.assertLessEqual(len(self.lines), BURST)
        self.lines.clear()
        self.wire.session()
        self.assertEqual(self.names(), ["login"])


class ErrorTests(LogTestCase):
    """The least."""

    level = "error"

    def test_nothing(self) -> None:
        """Sessions are no errors."""
        self.wire.session().ok("LOGOUT")
        self.assertEqual(self.lines, [])


class JsonTests(LogTestCase):
    """The other form."""

    form = "json"

    def test_session(self) -> None:
        """Each line is an object with the same fields."""
        self.wire.session().ok("LOGOUT")
        found = [json.loads(line) for line in self.lines]
        self.assertEqual([each["event"] for each in found], ["connect", "login", "command", "command", "end"])
        self.assertEqual((found[1]["user"], found[1]["tls"]), (USER, False))
        self.assertIsInstance(found[2]["seconds"], float)


class WholeSessionTests(LogTestCase):
    """Everything at the finest level, of sessions that send secrets wherever they can."""

    def test_no_secrets(self) -> None:
        """No token, no name that was tried, no mailbox, no text."""
        self.wire.deliver(2, subject="Dear-Subject", body="Dear-Text")
        guess = self.wire.connect(PEER, tls=True)
        for line in ("LOGIN typed-secret typed-secret", f"LOGIN {TOKEN} {USER}", f"FOO {TOKEN}"):
            guess.send(f"a {line}\r\n".encode())
            self.wire.later(2)
        client: Client = self.wire.connect(PEER, tls=True).login()
        for command in (
            f"SELECT {MINE}",
            "FETCH 1 BODY[]",
            "SEARCH TEXT Dear-Text",
            "STORE 1 +FLAGS (Dear-Flag)",
            "CREATE Dear-Folder",
            "APPEND Dear-Folder {9+}\r\nDear-Text",
            "SELECT Dear-Nothing",
            "ID (name Dear-Program)",
            f"X {TOKEN}",
            "LOGOUT",
        ):
            client.command(command)
        self.assertGreater(len(self.lines), 15)
        for line in self.lines:
            self.assertNotIn("\n", line)
            for secret in (TOKEN, "typed-secret", "Dear", MINE, "wrong"):
                self.assertNotIn(secret, line)


class FormTests(SynchronousTestCase):
    """Both forms hold any value in one line."""

    @given(st.dictionaries(st.sampled_from("abcdef"), _VALUES, max_size=4))
    def test_one_line(self, fields: dict[str, Any]) -> None:
        """Whatever is in a value, it stays in its place."""
        for line in (logfmt(fields), as_json(fields)):
            self.assertTrue(line.isascii() and line.isprintable())
        self.assertEqual(json.loads(as_json(fields)), fields)

    def test_quoting(self) -> None:
        """What has spaces, quotes or equals signs is quoted."""
        self.assertEqual(
            logfmt({"a": "x y", "b": 'q"', "c": "=", "d": "", "e": True, "f": 1.5}),
            'a="x y" b="q\\"" c="=" d="" e=yes f=1.5',
        )

    def test_levels(self) -> None:
        """The levels are Twisted's."""
        self.assertIs(LEVELS["warn"], LogLevel.warn)
