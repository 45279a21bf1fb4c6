"""What others do reaches clients that idle: Python's imapclient, and Node's imapflow."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from test import clients
from test.clients.case import CLIENT_TIMEOUT, ClientTestCase, in_thread

try:
    import imapclient
except ImportError:
    imapclient = None

_FOLDER = Path(clients.__file__).parent
_SCRIPT = _FOLDER / "imapflow_idle.mjs"

_CODES = "codes@example.net"
_SHOP = "shop@example.com"

_FLAG = "UPDATE public.emails SET flags = '{\\\\Seen,\\\\Flagged}' WHERE id = %s"
_DELETE = "DELETE FROM public.emails WHERE id = %s"
_BAN = "INSERT INTO public.bans (scope, value, match_type, status) VALUES ('sender', %s, 'exact', 'active')"
_LIFT = "DELETE FROM public.bans WHERE value = %s"


class IdleTestCase(ClientTestCase):
    """Clients of imapclient's that idle."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server, if there is a client."""
        if imapclient is None:
            raise SkipTest("the Python package imapclient is not installed")
        await super().setUp()

    def client(self, port: int | None = None, name: str = _CODES) -> Any:
        """Return a session that has opened a mailbox."""
        client = imapclient.IMAPClient("127.0.0.1", port or self.port, ssl=False, timeout=CLIENT_TIMEOUT)
        self.addCleanup(client.shutdown)
        client.login(self.user, self.token)
        client.select_folder(name)
        return client

    def idling(self, port: int | None = None, name: str = _CODES) -> Any:
        """Return a session that idles."""
        client = self.client(port, name)
        client.idle()
        return client

    def heard(self, client: Any, wanted: Callable[[tuple[Any, ...]], bool], seconds: float = 10) -> list[Any]:
        """Wait for a response, and return all that came up to it."""
        heard: list[Any] = []
        end = time.monotonic() + seconds
        while not any(wanted(response) for response in heard):
            left = end - time.monotonic()
            if left <= 0:
                self.fail(f"it was not told; but {heard}")
            heard += client.idle_check(timeout=left)
        return heard

    def hears(self, client: Any, *response: Any) -> None:
        """Wait for a response."""
        self.heard(client, response.__eq__)


class IdleTests(IdleTestCase):
    """One idling client, and programs that write the tables."""

    @in_thread
    def test_arrival(self) -> None:
        """A message delivered is told to those who idle in its address and in INBOX, and can be read."""
        count, total = len(self.mailboxes[_CODES]), len(self.mailboxes["INBOX"])
        in_address, in_inbox = self.idling(), self.idling(name="INBOX")
        self.deliver(_CODES, "Now")
        self.hears(in_address, count + 1, b"EXISTS")
        self.hears(in_inbox, total + 1, b"EXISTS")
        in_address.idle_done()
        fetched = in_address.fetch(in_address.search("SUBJECT Now"), ["ENVELOPE"])
        self.assertEqual([data[b"ENVELOPE"].subject for data in fetched.values()], [b"Now"])

    @in_thread
    def test_flags(self) -> None:
        """Flags set by another program are told."""
        email = self.deliver(_CODES, "Flags")
        client = self.idling()
        seq = len(self.mailboxes[_CODES]) + 1
        self.execute(_FLAG, email)
        heard = self.heard(client, lambda response: response[:2] == (seq, b"FETCH"))
        flags = next(response[2] for response in heard if response[:2] == (seq, b"FETCH"))
        self.assertEqual(set(flags[flags.index(b"FLAGS") + 1]) - {b"\\Recent"}, {b"\\Seen", b"\\Flagged"})

    @in_thread
    def test_deletion(self) -> None:
        """A message that another program deletes is told by its number."""
        email = self.deliver(_CODES, "Short")
        client = self.idling()
        self.execute(_DELETE, email)
        self.hears(client, len(self.mailboxes[_CODES]) + 1, b"EXPUNGE")

    @in_thread
    def test_ban(self) -> None:
        """A ban takes a sender's messages away; lifted, it gives them back."""
        self.deliver(_CODES, "Banned", "nobody@unwanted.example")
        client = self.idling()
        seq = len(self.mailboxes[_CODES]) + 1
        self.execute(_BAN, "nobody@unwanted.example")
        self.hears(client, seq, b"EXPUNGE")
        self.execute(_LIFT, "nobody@unwanted.example")
        self.hears(client, seq, b"EXISTS")

    @in_thread
    def test_other_session(self) -> None:
        """What another session of the same server does to the mailbox is told: flags, and what it expunges."""
        idling, other = self.idling(), self.client()
        uid = other.search("ALL")[0]
        other.add_flags([uid], ["$Label1"])
        self.heard(idling, lambda response: response[:2] == (1, b"FETCH"))
        other.delete_messages([uid])
        other.expunge()
        self.hears(idling, 1, b"EXPUNGE")

    @in_thread
    def test_by_way_of_inbox(self) -> None:
        """What is done to a message in INBOX is told in its address."""
        idling, other = self.idling(), self.client(name="INBOX")
        email = self.deliver(_CODES, "Twice")
        seq = len(self.mailboxes[_CODES]) + 1
        self.hears(idling, seq, b"EXISTS")
        other.noop()
        (uid,) = other.search("SUBJECT Twice")
        other.add_flags([uid], ["\\Flagged"])
        self.heard(idling, lambda response: response[:2] == (seq, b"FETCH"))
        other.delete_messages([uid])
        other.expunge()
        self.hears(idling, seq, b"EXPUNGE")
        self.assertEqual(self.execute("SELECT 1 FROM public.emails WHERE id = %s", email), [])


class PollingTests(IdleTestCase):
    """No notification comes."""

    async def test_polling(self) -> None:
        """A server that hears nothing finds changes by looking every so often."""
        port = await self.serve(listen=False, poll_interval=0.2)
        await deferToThread(self.changes, port)

    def changes(self, port: int) -> None:
        """Deliver, flag and delete while a client idles."""
        client = self.idling(port)
        seq = len(self.mailboxes[_CODES]) + 1
        email = self.deliver(_CODES, "Found")
        self.hears(client, seq, b"EXISTS")
        self.execute(_FLAG, email)
        self.heard(client, lambda response: response[:2] == (seq, b"FETCH"))
        self.execute(_DELETE, email)
        self.hears(client, seq, b"EXPUNGE")


class TwoServersTests(IdleTestCase):
    """Two servers over one database, with nothing else in common."""

    async def test_two_servers(self) -> None:
        """What a client does at one server reaches a client that idles at the other."""
        other = await self.serve()
        await deferToThread(self.changes, other)

    def changes(self, port: int) -> None:
        """Change through the other server."""
        there = self.client(port)
        for name in (_CODES, "INBOX"):
            here = self.idling(name=name)
            count = len(self.mailboxes[name])
            there.select_folder(name)
            there.append(name, b"Subject: Across\r\n\r\nHello\r\n")
            self.hears(here, count + 1, b"EXISTS")
            there.noop()
            (uid,) = there.search("SUBJECT Across")
            there.add_flags([uid], ["\\Flagged"])
            self.heard(here, lambda response, seq=count + 1: response[:2] == (seq, b"FETCH"))  # type: ignore[misc]
            there.delete_messages([uid])
            there.expunge()
            self.hears(here, count + 1, b"EXPUNGE")
            there.select_folder(_SHOP)
            there.copy([1], name)
            self.hears(here, count + 1, b"EXISTS")
            there.select_folder(name)
            there.move([max(there.search("ALL"))], "Archive")
            self.hears(here, count + 1, b"EXPUNGE")
            here.idle_done()


class ImapflowIdleTests(ClientTestCase):
    """imapflow tells its program what the server says while it idles."""

    program = "node"

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server, if there is a client."""
        if not (_FOLDER / "node_modules" / "imapflow").is_dir():
            raise SkipTest("imapflow is not installed: run `npm ci` in test/clients")
        await super().setUp()

    async def test_events(self) -> None:
        """A message that arrives, its flags and its deletion are the events ``exists``, ``flags`` and ``expunge``."""
        environ = {
            "IMAP_PORT": str(self.port),
            "IMAP_USER": self.user,
            "IMAP_TOKEN": self.token,
            "IMAP_MAILBOX": _CODES,
        }
        ready = self.folder / "idling"
        environ["READY_FILE"] = str(ready)
        others = deferToThread(self.others, ready)
        events = json.loads(await self.run_program("node", _SCRIPT, environ=environ))
        await others
        count = len(self.mailboxes[_CODES])
        self.assertEqual(
            [{key: event[key] for key in wanted} for event, wanted in zip(events, self.wanted(count), strict=True)],
            self.wanted(count),
        )

    def wanted(self, count: int) -> list[dict[str, Any]]:
        """Return the events that must come, after ``count`` messages."""
        return [
            {"event": "exists", "path": _CODES, "count": count + 1, "prevCount": count},
            {"event": "flags", "path": _CODES, "seq": count + 1, "flags": ["\\Seen", "\\Flagged"]},
            {"event": "expunge", "path": _CODES, "seq": count + 1},
        ]

    def others(self, ready: Path) -> None:
        """Do what other programs do, each when the client has heard of the one before."""
        email = ""
        for step in ("0", "1", "2"):
            end = time.monotonic() + CLIENT_TIMEOUT
            while not (ready.exists() and ready.read_text() == step):
                if time.monotonic() > end:
                    return
                time.sleep(0.02)
            if step == "0":
                email = self.deliver(_CODES, "Event")
            else:
                self.execute(_FLAG if step == "1" else _DELETE, email)
