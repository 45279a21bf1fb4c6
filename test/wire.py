"""A whole server over connections without a network.

A test sends octets as a client would and reads what comes back; everything the server writes is read again, at the end
of each test, by the strict parser of :mod:`test.response_parser`, and the numbers in it are checked for consistency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from twisted.cred.portal import Portal
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.account import watched_realm
from cybertemp_imap.auth import TokenChecker
from cybertemp_imap.kept.content import Keep
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.protocol.factory import ImapFactory
from cybertemp_imap.protocol.limits import Limits
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.watch import SessionWatch
from test.response_parser import Malformed, Response, parse_responses
from test.wire_transport import TlsWireTransport, WireClock, WireTransport

USER = "me@example.com"
TOKEN = "tok-3141592653"
MINE = "box@example.com"
MINE_TOO = "second@example.org"
THEIR_USER = "they@example.net"
THEIR_TOKEN = "tok-2718281828"
THEIRS = "theirs@example.net"
NOBODYS = "nobody@example.net"
BASE = datetime(2026, 3, 1, 12, tzinfo=UTC)

KEPT = 1 << 22
"""Octets of messages that a server keeps."""

_QUIET_ABOUT_EXPUNGE = ("FETCH", "STORE", "SEARCH")


def uids_of(vanished: Response) -> list[int]:
    """Return the UIDs of a VANISHED response."""
    return [uid for first, last in vanished.data["ranges"] for uid in range(first, last + 1)]


def letter(owner: str = MINE, **fields: Any) -> EmailRow:
    """Return a message to an address."""
    row = EmailRow(
        id=uuid4(),
        owner=owner,
        folder="INBOX",
        subject="A letter",
        body="Hello.\n",
        html=None,
        from_addr="Sender <sender@good.example>",
        to_addrs=(owner,),
        timestamp=BASE,
        created_at=BASE,
    )
    return replace(row, **fields)


@dataclass(frozen=True)
class Answer:
    """What came back for one command: untagged responses and the tagged one."""

    responses: Sequence[Response]
    tagged: Response

    @property
    def status(self) -> str:
        """``OK``, ``NO`` or ``BAD``."""
        return self.tagged.name.decode()

    @property
    def code(self) -> str | None:
        """The name of the response code."""
        return self.tagged.code[0].decode() if self.tagged.code else None

    @property
    def copied(self) -> tuple[bytes, bytes] | None:
        """The two UID sets of COPYUID, of whichever response has it."""
        codes = [response.code for response in (*self.responses, self.tagged) if response.code]
        return next(((value[1], value[2]) for name, value in codes if name == b"COPYUID"), None)

    @property
    def raw(self) -> bytes:
        """All octets, the tagged response included."""
        return b"".join(response.raw for response in (*self.responses, self.tagged))

    def named(self, name: str) -> list[Response]:
        """Return the untagged responses of a name, in their order."""
        return [response for response in self.responses if response.name == name.encode()]

    def data(self, name: str) -> list[Any]:
        """Return what the untagged responses of a name hold."""
        return [response.data for response in self.named(name)]

    def numbers(self, name: str) -> list[int | None]:
        """Return the numbers of ``* n EXPUNGE`` and the like."""
        return [response.number for response in self.named(name)]

    def vanished(self, earlier: bool = False) -> list[int]:
        """Return the UIDs of VANISHED, or of VANISHED (EARLIER)."""
        return [uid for each in self.named("VANISHED") if each.data["earlier"] == earlier for uid in uids_of(each)]

    def fetched(self) -> dict[int, dict[bytes, Any]]:
        """Return what FETCH told, by message sequence number."""
        found: dict[int, dict[bytes, Any]] = {}
        for response in self.named("FETCH"):
            assert response.number is not None
            found.setdefault(response.number, {}).update(response.data)
        return found

    def flags(self) -> dict[int, set[bytes]]:
        """Return the flags that FETCH told, by message sequence number."""
        return {seq: set(items[b"FLAGS"]) for seq, items in self.fetched().items() if b"FLAGS" in items}


class Client:
    """One connection, from the client's side."""

    def __init__(self, wire: Wire, transport: WireTransport) -> None:
        self.wire = wire
        self.transport = transport
        self._seen = 0
        self._enabled: set[bytes] = set()
        self._tags = 0

    @property
    def server(self) -> Any:
        """The server's protocol."""
        return self.transport.protocol

    @property
    def closed(self) -> bool:
        """Whether the server has closed the connection."""
        return self.transport.lost

    def send(self, data: bytes, chunk: int | None = None) -> Client:
        """Send octets, in pieces of ``chunk``, and let the server do what it can."""
        for start in range(0, len(data), chunk or max(len(data), 1)):
            self.transport.arrive(data[start : start + chunk] if chunk else data)
            self.wire.clock.settle()
        return self

    def take(self) -> bytes:
        """Return what came since the last time."""
        data = bytes(self.transport.taken[self._seen :])
        self._seen += len(data)
        return data

    def lines(self) -> list[bytes]:
        """Return what came since the last time, cut at line ends."""
        return self.take().split(b"\r\n")[:-1]

    def responses(self) -> list[Response]:
        """Return the responses that came since the last time."""
        found = parse_responses(self.take(), self._enabled)
        self._enabled.update(name.upper() for each in found if each.name == b"ENABLED" for name in each.data)
        return found

    def command(self, text: str | bytes, chunk: int | None = None) -> Answer:
        """Send a command, with a tag before and a line end after it, and return the answer."""
        text = text.encode() if isinstance(text, str) else text
        self._tags += 1
        tag = b"t%d" % self._tags
        self.take()
        self.send(tag + b" " + text + b"\r\n", chunk)
        return self.answer(tag, text)

    def answer(self, tag: bytes, text: bytes = b"") -> Answer:
        """Return the answer that has come for a tag."""
        responses = self.responses()
        tagged = [response for response in responses if response.tag == tag]
        assert len(tagged) == 1, f"{tag!r} {text[:80]!r} was answered by {responses!r}"
        answer = Answer([response for response in responses if response is not tagged[0]], tagged[0])
        word = text.decode("latin-1").upper().removeprefix("UID ").split(" ")[0]
        assert not (word in _QUIET_ABOUT_EXPUNGE and answer.named("EXPUNGE")), f"EXPUNGE during {text!r}"
        by_number = word in _QUIET_ABOUT_EXPUNGE and not text.upper().startswith(b"UID ")
        assert not (by_number and answer.vanished()), f"VANISHED during {text!r}"
        return answer

    def ok(self, text: str | bytes) -> Answer:
        """Send a command that must succeed."""
        answer = self.command(text)
        assert answer.status == "OK", f"{text!r}: {answer.tagged.raw!r}"
        return answer

    def login(self, user: str = USER, token: str = TOKEN) -> Client:
        """Log in."""
        self.ok(f"LOGIN {user} {token}")
        return self

    def select(self, name: str = MINE) -> Client:
        """Open a mailbox."""
        self.ok(f"SELECT {name}")
        return self

    def hang_up(self) -> None:
        """Go away."""
        self.transport.hang_up()
        self.wire.clock.settle()


class Wire:
    """A server over a store in memory, with two accounts; ``limits`` are those of its connections."""

    def __init__(self, **limits: Any) -> None:
        self.clock = WireClock()
        self.store = MemoryStore()
        self.mailboxes = SharedMailboxes(self.store, keep=Keep(KEPT))
        self.watch = SessionWatch(self.store)
        portal = Portal(watched_realm(self.watch, self.mailboxes), [TokenChecker(self.store, reactor=self.clock)])
        # Tests open connections and fail to log in as they like; those limits have tests of their own.
        plenty = {"ip_connections": 10_000, "user_connections": 10_000, "ip_failures": 1000, "account_failures": 1000}
        self.factory = ImapFactory(portal, Limits(**{**plenty, **limits}), reactor=self.clock)
        self.clients: list[Client] = []
        self.user = self._add_account(USER, TOKEN, MINE, MINE_TOO)
        self.other_user = self._add_account(THEIR_USER, THEIR_TOKEN, THEIRS)

    def _add_account(self, email: str, token: str, *addresses: str) -> UUID:
        user = self.store.add_user(email)
        self.store.add_token(user, token)
        for address in addresses:
            self.store.add_address(user, address)
        return user

    def deliver(self, count: int = 1, owner: str = MINE, flags: Sequence[str] = (), **fields: Any) -> list[UUID]:
        """Deliver messages, a minute apart, after all that are there; return their ids."""
        found = []
        for _ in range(count):
            moment = BASE + timedelta(minutes=len(self.store.emails))
            row = letter(owner, **{"timestamp": moment, "subject": f"Letter {len(self.store.emails)}", **fields})
            self.store.deliver(row, flags)
            found.append(row.id)
        return found

    def connect(self, peer: str = "127.0.0.1", tls: bool = False, reads: bool = True) -> Client:
        """Open a connection; the greeting is there to be read."""
        transport = (TlsWireTransport if tls else WireTransport)(self.clock, peer)
        transport.client_reads = reads
        transport.protocol = self.factory.buildProtocol(None)
        transport.protocol.makeConnection(transport)
        client = Client(self, transport)
        self.clients.append(client)
        self.clock.settle()
        return client

    def session(self, name: str | None = None) -> Client:
        """Open a connection and log in; with a name, open that mailbox too."""
        client = self.connect().login()
        return client.select(name) if name else client

    def later(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.clock.settle()

    def check(self) -> None:
        """Read again all that was sent, and check that the numbers in it hold together."""
        for client in self.clients:
            _check_session(parse_responses(bytes(client.transport.taken)))

    def close(self) -> None:
        """End every connection; nothing may be left to happen after that."""
        for client in self.clients:
            client.hang_up()
        left = self.clock.getDelayedCalls()
        assert not left, f"calls are left behind: {left}"


def _check_session(responses: Sequence[Response]) -> None:
    """Check message numbers against EXISTS and EXPUNGE (RFC 9051 section 7.4.1 and 7.5.1).

    FLAGS with UIDVALIDITY begin a mailbox.
    """
    count: int | None = None
    for index, response in enumerate(responses):
        number = response.number or 0
        opening = [each.code[0] for each in responses[index : index + 6] if each.code]
        if response.name == b"FLAGS" and b"UIDVALIDITY" in opening:
            count = None
        elif response.name == b"EXISTS":
            if count is not None and number < count:
                raise Malformed("EXISTS says that messages went without EXPUNGE")
            count = number
        elif response.name in (b"EXPUNGE", b"FETCH"):
            if count is None or not 1 <= number <= count:
                raise Malformed(f"{response.raw!r} of {count} messages")
            count -= response.name == b"EXPUNGE"
        elif response.name == b"VANISHED" and not response.data["earlier"]:
            gone = uids_of(response)
            if count is None or len(gone) > count:
                raise Malformed(f"{response.raw!r} of {count} messages")
            count -= len(gone)


class WireTestCase(SynchronousTestCase):
    """A test over :class:`Wire`; ``limits`` may be set by a subclass."""

    limits: dict[str, Any] = {}  # noqa: RUF012

    def setUp(self) -> None:
        """Start a server."""
        self.wire = Wire(**self.limits)
        self.store = self.wire.store
        self._faults: list[str] = []
        observer: Any = self._observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _observe(self, event: LogEvent) -> None:
        if "trace" in event:
            self._faults.append(formatEvent(event) or "")

    def flush_faults(self) -> list[str]:
        """Return what the log was told of unforeseen exceptions, which then do not fail the test."""
        faults, self._faults = self._faults, []
        return faults

    def tearDown(self) -> None:
        """Check everything that was sent."""
        self.wire.close()
        self.wire.check()
        if self._faults:
            self.fail("\n".join(self._faults))

    def assertStatus(self, answer: Answer, status: str, code: str | None = None) -> None:
        """Check the status and the response code of an answer."""
        self.assertEqual((answer.status, answer.code), (status, code), answer.tagged.raw)
