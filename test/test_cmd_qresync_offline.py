"""Clients that go and come back: what they kept and what QRESYNC tells them is what there is (RFC 7162 section 3.2)."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.protocol.sequence import compact
from test.response_parser import Response
from test.wire import MINE, Client, Wire, uids_of

UIDS = st.integers(1, 6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deliver"), st.integers(1, 3)),
        st.tuples(st.just("flag"), UIDS),
        st.tuples(st.just("flag elsewhere"), UIDS),
        st.tuples(st.just("expunge"), UIDS),
        st.tuples(st.just("move"), UIDS),
        st.tuples(st.just("forget"), st.integers(0, 2)),
        st.tuples(st.just("come"), st.integers(0, 3)),
        st.tuples(st.just("go"), st.just(0)),
        st.tuples(st.just("NOOP"), st.just(0)),
        st.tuples(st.just("UID FETCH 1:* FLAGS"), st.just(0)),
        st.tuples(st.just("CHANGEDSINCE"), st.just(0)),
        st.tuples(st.just("UID STORE {} +FLAGS (mine)"), UIDS),
        st.tuples(st.just("UID STORE {} -FLAGS.SILENT (mine)"), UIDS),
        st.tuples(st.just("UID FETCH {} BODY[TEXT]"), UIDS),
        st.tuples(st.just("UID MOVE {} Archive"), UIDS),
    ),
    min_size=8,
    max_size=40,
)


class OfflineClient:
    """A client with a cache. A ``greedy`` one takes any mod-sequence it is told for one that it is up to date with."""

    def __init__(self, wire: Wire, greedy: bool) -> None:
        self.wire = wire
        self.greedy = greedy
        self.flags: dict[int, frozenset[bytes]] = {}
        self.uid_validity = self.mod_seq = 0
        self.uid_next = 1
        self.connection: Client | None = None

    def come(self, form: int) -> None:
        """Connect and select, naming all, or the known UIDs, or them with their sequence numbers, or nothing."""
        if self.connection is not None:
            return
        self.connection = self.wire.session()
        self.connection.ok("ENABLE QRESYNC")
        known = sorted(self.flags)
        parameters = ""
        if self.mod_seq:
            parameters = f" (QRESYNC ({self.uid_validity} {self.mod_seq}{self._known(known, form)}))"
        before = self.uid_next
        self.take(f"SELECT {MINE}{parameters}")
        if not self.mod_seq or self.uid_next > before:
            self.take(f"UID FETCH {before}:* FLAGS")

    def _known(self, known: list[int], form: int) -> str:
        if not known or form == 0:
            return ""
        uids = compact(known).decode()
        match = f" ({compact(range(1, len(known) + 1)).decode()} {uids})"
        return {1: f" {uids}", 2: f" {uids}{match}", 3: match}[form]

    def go(self) -> None:
        """Hang up."""
        if self.connection is not None:
            self.connection.hang_up()
            self.connection = None

    def take(self, command: str) -> None:
        """Send a command and keep what it tells; the mod-sequence only when all of it was told."""
        assert self.connection is not None
        answer = self.connection.command(command)
        told = [self._learn(response) for response in (*answer.responses, answer.tagged)]
        self.mod_seq = max(self.mod_seq, *told)

    def _learn(self, response: Response) -> int:
        """Keep what a response tells; return the mod-sequence that it promises, or 0."""
        if response.name == b"VANISHED":
            for uid in uids_of(response):
                self.flags.pop(uid, None)
        if response.name == b"FETCH":
            uid = response.data[b"UID"]
            if b"FLAGS" in response.data:
                self.flags[uid] = frozenset(response.data[b"FLAGS"]) - {b"\\Recent"}
            self.uid_next = max(self.uid_next, uid + 1)
            return int(response.data.get(b"MODSEQ", 0)) if self.greedy else 0
        name, value = response.code or (b"", 0)
        if name == b"UIDVALIDITY":
            self.uid_validity = value
        if name == b"UIDNEXT":
            self.uid_next = max(self.uid_next, value)
        return int(value) if name == b"HIGHESTMODSEQ" else 0

    def fetch_new(self) -> None:
        """Ask for what has come since, as clients do after EXISTS."""
        self.take(f"UID FETCH {max(self.flags, default=0) + 1}:* FLAGS")

    def do(self, command: str, uid: int) -> None:
        """Do something while connected."""
        if self.connection is None:
            return
        before = dict(self.flags)
        if command == "CHANGEDSINCE":
            command = f"UID FETCH 1:* FLAGS (CHANGEDSINCE {self.mod_seq} VANISHED)"
        self.take(command.format(uid))
        if ".SILENT" in command and uid in before and self.flags.get(uid) == before[uid]:
            self.flags[uid] -= {b"mine"}
        self.fetch_new()


class World:
    """A server, somebody who changes the mailbox, and clients."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.ids = self.wire.deliver(4)
        self.other = self.wire.session(MINE)
        self.clients = [OfflineClient(self.wire, greedy) for greedy in (False, True)]

    def step(self, number: int, what: str, argument: int) -> None:
        """Let something happen; ``number`` makes flags differ."""
        store = self.wire.store
        if what == "deliver":
            self.ids += self.wire.deliver(argument)
        elif what == "flag":
            self.other.command(f"UID STORE {argument} FLAGS (f{number % 3})")
        elif what == "flag elsewhere":
            email_id = self.ids[argument % len(self.ids)]
            if email_id in store.emails:
                store.set_flags_elsewhere(email_id, [f"e{number % 3}"])
        elif what == "expunge":
            self.other.command(f"UID STORE {argument} +FLAGS (\\Deleted)")
            self.other.command(f"UID EXPUNGE {argument}")
        elif what == "move":
            self.other.command(f"UID MOVE {argument} Archive")
        elif what == "forget":
            store.forget_expunged(self.other.server.mbox.shared.ref, argument)
        else:
            self.clients_do(what, argument)

    def clients_do(self, what: str, argument: int) -> None:
        """Let both clients do the same."""
        for client in self.clients:
            if what == "come":
                client.come(argument)
            elif what == "go":
                client.go()
            else:
                client.do(what, argument)

    def truth(self) -> dict[int, frozenset[bytes]]:
        """Return the flags of every message, as a session sees them that has just come."""
        fetched = self.wire.session(MINE).ok("UID FETCH 1:* FLAGS").data("FETCH")
        return {items[b"UID"]: frozenset(items[b"FLAGS"]) - {b"\\Recent"} for items in fetched}


class OfflineTests(SynchronousTestCase):
    """Whatever happens while a client is away, or while it is there and leaves at any moment."""

    @settings(max_examples=150, deadline=None)
    @example([("come", 0), ("expunge", 2), ("flag", 3), ("UID FETCH 1:* FLAGS", 0)], 0)
    @example([("come", 0), ("deliver", 2), ("flag elsewhere", 5), ("NOOP", 0)], 0)
    @given(STEPS, st.integers(0, 3))
    def test_cache(self, steps: list[tuple[str, int]], form: int) -> None:
        """After it has come back, each client's cache is what there is: no flag, no message more or less."""
        world = World()
        for number, (what, argument) in enumerate(steps):
            world.step(number, what, argument)
        for client in world.clients:
            client.go()
            client.come(form)
            self.assertEqual(client.flags, world.truth())
        world.wire.close()
        world.wire.check()
