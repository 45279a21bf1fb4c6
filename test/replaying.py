"""A mail client that knows of its mailbox only what the server has sent it, over a real socket.

Whatever it is told is replayed: EXISTS, EXPUNGE, VANISHED and FETCH, in the order in which they come, also those that
come during other commands. On the way it checks what must hold of any session: numbers are of messages that are there,
a message's UID never changes, UIDs ascend, and what is new has a UID above all that the session ever saw; mod-sequences
never fall, and come with all flags once they were asked for; VANISHED takes the place of EXPUNGE where it was enabled.
"""

from __future__ import annotations

import re
import socket
from collections import deque
from dataclasses import dataclass

from test.mailbox_ledger import Changes, Contents, Point
from test.response_parser import Response, parse_responses
from test.wire import Answer, uids_of

PATIENCE = 20.0
"""Seconds after which a server that does not answer fails the test."""

TRANSCRIPT = 200
"""Responses and commands that are kept to be shown when a test fails."""

_LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
_SUBJECT = re.compile(rb"Subject: (\S+)", re.IGNORECASE)
_UNNUMBERED = "UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)]"


class HungUp(Exception):
    """The server has closed the connection; the text is that of its BYE, or empty."""


@dataclass
class Told:
    """A message as far as the client was told of it; its UID is above ``floor``."""

    floor: int = 0
    uid: int | None = None
    flags: frozenset[str] | None = None
    subject: str | None = None
    mod_seq: int = 0


def told_flags(flags: tuple[bytes, ...]) -> frozenset[str]:
    """Return flags as they compare: without case, and without what only this session sees."""
    return frozenset(flag.decode().lower() for flag in flags) - {"\\recent"}


class Connection:
    """Commands to a server, and its answers."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self._tags = 0
        self._said: deque[bytes] = deque(maxlen=TRANSCRIPT)
        self.enabled: set[bytes] = set()
        self.read()

    @property
    def transcript(self) -> str:
        """What was said last."""
        return b"".join(self._said).decode("latin-1")

    def close(self) -> None:
        """Go away without a word."""
        self._file.close()
        self._socket.close()

    def send(self, octets: bytes) -> None:
        """Send octets."""
        self._said.append(b"C: " + octets)
        try:
            self._socket.sendall(octets)
        except ConnectionError:
            raise HungUp from None

    def read(self) -> Response:
        """Read one response, literals and all; raises :class:`HungUp`, also after BYE."""
        octets = self._line()
        while literal := _LITERAL.search(octets):
            octets += self._file.read(int(literal[1]))
            octets += self._line()
        self._said.append(b"S: " + octets)
        (response,) = parse_responses(octets, self.enabled)
        if response.name == b"ENABLED":
            self.enabled.update(name.upper() for name in response.data)
        if response.name == b"BYE":
            raise HungUp(response.text.decode())
        return response

    def _line(self) -> bytes:
        try:
            line = self._file.readline()
        except ConnectionError:
            raise HungUp from None
        if not line.endswith(b"\r\n"):
            raise HungUp
        return line

    def command(self, text: str) -> Answer:
        """Send a command and read all that comes up to its tagged answer."""
        return self.answer(self.begin(text))

    def begin(self, text: str) -> bytes:
        """Send a command and return its tag."""
        self._tags += 1
        tag = b"t%d" % self._tags
        self.send(tag + b" " + text.encode() + b"\r\n")
        return tag

    def answer(self, tag: bytes) -> Answer:
        """Read all that comes up to the tagged answer."""
        responses: list[Response] = []
        while (response := self.read()).tag != tag:
            responses.append(response)
            self.heard(response)
        return Answer(responses, response)

    def heard(self, response: Response) -> None:
        """Be told of every untagged response, in its order."""


class Session(Connection):
    """One login, with at most one mailbox open. ``messages`` is what the client was told, by sequence number.

    ``reach`` are the addresses to which its token is limited, ``reads_only`` whether that changes nothing.
    """

    def __init__(
        self,
        port: int,
        user: str,
        token: str,
        *enabling: str,
        reach: frozenset[str] | None = None,
        reads_only: bool = False,
    ) -> None:
        self.name: str | None = None
        self.reach = reach
        self.reads_only = reads_only
        self.messages: list[Told] = []
        self.mailbox_id = b""
        self.uid_validity = 0
        self.uid_next = 0
        self.mod_seq = 0
        self._highest = 0
        self._there: list[Told] = []
        self._idling: bytes | None = None
        super().__init__(port)
        self.ok(f"LOGIN {user} {token}")
        if enabling:
            self.ok(f"ENABLE {' '.join(enabling)}")

    @property
    def tells_mod_seqs(self) -> bool:
        """Whether the client has enabled CONDSTORE, by itself or with QRESYNC."""
        return not self.enabled.isdisjoint((b"CONDSTORE", b"QRESYNC"))

    @property
    def tells_vanished(self) -> bool:
        """Whether the client has enabled QRESYNC."""
        return b"QRESYNC" in self.enabled

    def ok(self, text: str) -> Answer:
        """Give a command that must succeed."""
        answer = self.command(text)
        assert answer.status == "OK", f"{text!r}: {answer.tagged.raw!r}"
        return answer

    def select(self, name: str) -> bool:
        """Open a mailbox and learn what is in it; return whether it is there."""
        return self._select(name, "") is not None

    def resync(self, name: str, point: Point, known: str) -> Changes:
        """Open a mailbox as a client that was there before; ``known``: the UIDs it says that it knows, or nothing."""
        parameters = f"{self.uid_validity} {point.mod_seq} {known}".rstrip()
        answer = self._select(name, f" (QRESYNC ({parameters}))")
        assert answer is not None, name
        return changes_told(answer)

    def _select(self, name: str, parameters: str) -> Answer | None:
        self.name, self.messages, self._highest, self.uid_next, self.mod_seq = None, [], 0, 0, 0
        answer = self.command(f'SELECT "{name}"{parameters}')
        if answer.status != "OK":
            assert answer.code == "NONEXISTENT", answer.tagged.raw
            return None
        assert answer.code == ("READ-ONLY" if self.reads_only else "READ-WRITE")
        self.name = name
        # What comes from now on has a UID that was not below UIDNEXT; what is there has one that was.
        self._highest = self.uid_next - 1
        self.learn()
        assert all((each.uid or 0) < self.uid_next for each in self._there), "UIDNEXT is below a UID that is there"
        return answer

    def state(self) -> Point:
        """Ask for the mod-sequences of a mailbox to which nothing happens; the client must know all that is there."""
        ((_, items),) = self.ok(f'STATUS "{self.name}" (HIGHESTMODSEQ UIDNEXT)').data("STATUS")
        before = self.contents
        told = changes_told(self.ok("UID FETCH 1:* (FLAGS MODSEQ)"))
        assert told.flags == {uid: flags for uid, (_, flags) in before.items()}, "flags are not what was told before"
        return Point(items["HIGHESTMODSEQ"], items["UIDNEXT"], before, told.mod_seqs)

    def changes_since(self, point: Point) -> Changes:
        """Ask for what has changed in the open mailbox; ``vanished`` is None for who has not enabled QRESYNC."""
        word = " VANISHED" * self.tells_vanished
        told = changes_told(self.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {point.mod_seq}{word})"))
        return told if self.tells_vanished else Changes(None, told.flags, told.mod_seqs)

    def poll(self) -> None:
        """Take in whatever has happened."""
        self.done()
        self.ok("NOOP")
        self.learn()

    def learn(self) -> bool:
        """Fetch what the client has no UIDs of; return whether all of them were there."""
        unknown = [seq for seq, message in enumerate(self.messages, 1) if message.subject is None]
        if not unknown:
            return True
        more = " MODSEQ" * self.tells_mod_seqs
        answer = self.command(f"FETCH {unknown[0]}:{unknown[-1]} ({_UNNUMBERED}{more})")
        assert answer.status == "OK" or answer.code == "EXPUNGEISSUED", answer.tagged.raw
        return answer.status == "OK"

    def store(self, chosen: str, mode: str, flags: list[str], *, uid: bool, silent: bool) -> Answer:
        """Change flags of messages, given by numbers with commas; with ``silent`` the client works out the new ones."""
        numbers = {int(number) for number in chosen.split(",")}
        if silent:
            named = frozenset(flag.lower() for flag in flags)
            for seq, message in enumerate(self.messages, 1):
                if (message.uid if uid else seq) in numbers and message.flags is not None:
                    before = message.flags
                    message.flags = {"": named, "+": before | named, "-": before - named}[mode]
        word = ".SILENT" if silent else ""
        return self.command(f"{'UID ' * uid}STORE {chosen} {mode}FLAGS{word} ({' '.join(flags)})")

    def idle(self) -> None:
        """Begin to idle."""
        if self._idling is None:
            self._idling = self.begin("IDLE")
            while (response := self.read()).tag != b"+":
                assert response.tag != self._idling, response.raw
                self.heard(response)

    @property
    def is_idling(self) -> bool:
        """Whether the session idles."""
        return self._idling is not None

    def hear(self) -> None:
        """While idling, wait for the next thing that is told."""
        self.heard(self.read())

    def done(self) -> None:
        """Idle no longer."""
        if self._idling is not None:
            tag, self._idling = self._idling, None
            self.send(b"DONE\r\n")
            answer = self.answer(tag)
            assert answer.status == "OK", answer.tagged.raw
            self.learn()

    @property
    def contents(self) -> Contents:
        """What the client knows to be in the mailbox; it must have learnt of every message."""
        found: Contents = {}
        for message in self.messages:
            assert message.uid is not None, f"{message}\n{self.transcript}"
            assert message.flags is not None and message.subject is not None, f"{message}\n{self.transcript}"
            found[message.uid] = (message.subject, message.flags)
        assert list(found) == sorted(found) and len(found) == len(self.messages), "UIDs do not ascend"
        return found

    # -- replaying ----------------------------------------------------------------------------------------------------

    def heard(self, response: Response) -> None:
        """Replay one response."""
        number = response.number or 0
        if response.code is not None:
            self._code(*response.code)
        if response.name == b"EXISTS":
            assert number >= len(self.messages), "messages went without EXPUNGE"
            self.messages += [Told(self._highest) for _ in range(number - len(self.messages))]
        elif response.name == b"EXPUNGE":
            assert not self.tells_vanished, response.raw
            assert 1 <= number <= len(self.messages), response.raw
            del self.messages[number - 1]
        elif response.name == b"FETCH":
            assert 1 <= number <= len(self.messages), response.raw
            self._fetched(number, response)
        elif response.name == b"VANISHED":
            assert self.tells_vanished, response.raw
            self._vanished(response)

    def _code(self, name: bytes, value: object) -> None:
        if name == b"UIDVALIDITY":
            assert isinstance(value, int)
            self.uid_validity = value
        elif name == b"UIDNEXT":
            assert isinstance(value, int)
            self.uid_next = value
            # What is told to exist after this, while the mailbox is still being opened, has come since.
            self._there = list(self.messages)
        elif name == b"HIGHESTMODSEQ":
            assert isinstance(value, int) and value >= self.mod_seq, "HIGHESTMODSEQ falls"
            self.mod_seq = value
        elif name == b"MAILBOXID":
            assert isinstance(value, bytes)
            self.mailbox_id = value

    def _vanished(self, response: Response) -> None:
        """Take out what is gone."""
        for uid in uids_of(response):
            numbers = [message.uid for message in self.messages]
            if response.data["earlier"]:
                assert uid not in numbers, f"{uid} is EARLIER, and has a number: {response.raw!r}"
            elif uid in numbers:
                del self.messages[numbers.index(uid)]
            else:
                del self.messages[self._place_of(uid, response)]

    def _place_of(self, uid: int, response: Response) -> int:
        """Return where a message is that was told to exist, but not by its UID.

        It is between the known UIDs below and above it. Of several places there it is the last that was told when all
        known UIDs were below: those in front of it may be of messages that were told earlier, and have lower UIDs.
        """
        above = next((at for at, each in enumerate(self.messages) if (each.uid or 0) > uid), len(self.messages))
        place = max((at for at in range(above) if (self.messages[at].uid or self.messages[at].floor) < uid), default=-1)
        assert place >= 0 and self.messages[place].uid is None, f"{uid} was never told: {response.raw!r}"
        return place

    def _fetched(self, seq: int, response: Response) -> None:
        message = self.messages[seq - 1]
        uid = response.data.get(b"UID", message.uid)
        assert message.uid in (None, uid), f"{message} has another UID now: {response.raw!r}"
        if message.uid is None and uid is not None:
            # What comes after the mailbox was opened has a UID that no session can have seen.
            assert uid > message.floor, f"{uid} comes after {message.floor}\n{self.transcript}"
            message.uid = uid
            self._highest = max(self._highest, uid)
        if b"MODSEQ" in response.data:
            assert response.data[b"MODSEQ"] >= message.mod_seq, f"the mod-sequence falls: {response.raw!r}"
            message.mod_seq = response.data[b"MODSEQ"]
        if b"FLAGS" in response.data:
            assert b"MODSEQ" in response.data or not self.tells_mod_seqs, response.raw
            message.flags = told_flags(response.data[b"FLAGS"])
        for name, value in response.data.items():
            if name.startswith(b"BODY[HEADER.FIELDS"):
                subject = _SUBJECT.search(value)
                assert subject is not None, response.raw
                message.subject = subject[1].decode()


def changes_told(answer: Answer) -> Changes:
    """Return what VANISHED (EARLIER) and FETCH of an answer tell."""
    told = [each.data for each in answer.named("FETCH") if b"FLAGS" in each.data and b"MODSEQ" in each.data]
    return Changes(
        frozenset(answer.vanished(earlier=True)),
        {items[b"UID"]: told_flags(items[b"FLAGS"]) for items in told},
        {items[b"UID"]: items[b"MODSEQ"] for items in told},
    )
