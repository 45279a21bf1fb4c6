"""When tokens were last used."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap import usage
from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.usage import INTERVAL, UsageNotes
from test.wire import TOKEN, USER, WireTestCase


class UsageTests(SynchronousTestCase):
    """Noting it, over a store that fails when it is told to."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.touched: list[UUID] = []
        self.failure: Exception | None = None
        self.lines: list[str] = []
        self.notes = UsageNotes(self, self.clock)
        observer: Any = self.observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def observe(self, event: LogEvent) -> None:
        """Keep a line of the log."""
        self.lines.append(f"{formatEvent(event)} {event!r}")

    async def touch_token(self, token_id: UUID) -> None:
        """Keep it, and fail if that is wanted."""
        self.touched.append(token_id)
        if self.failure is not None:
            raise self.failure

    def note(self, token_id: UUID) -> None:
        """Note a use, and let a turn of the reactor pass."""
        self.notes.note(token_id)
        self.clock.advance(0)

    def test_in_a_turn_of_its_own(self) -> None:
        """Nothing is written before whoever notes it has gone on."""
        token_id = uuid4()
        self.notes.note(token_id)
        self.assertEqual(self.touched, [])
        self.clock.advance(0)
        self.assertEqual(self.touched, [token_id])

    def test_once_a_minute(self) -> None:
        """Each token is noted once a minute, however often it is used."""
        first, second = uuid4(), uuid4()
        for _ in range(3):
            self.note(first)
            self.note(second)
        self.assertEqual(self.touched, [first, second])
        self.clock.advance(INTERVAL - 1)
        self.note(first)
        self.assertEqual(self.touched, [first, second])
        self.clock.advance(1)
        self.note(first)
        self.assertEqual(self.touched, [first, second, first])

    def test_failure(self) -> None:
        """While it fails there is one line in the log, without what was written; the next use tries again."""
        token_id = uuid4()
        self.failure = StoreUnavailable(f"at {TOKEN}")
        for _ in range(3):
            self.note(token_id)
        self.assertEqual(len(self.touched), 3)
        self.assertEqual([line.count("StoreUnavailable") > 0 for line in self.lines], [True])
        self.assertNotIn(TOKEN, "".join(self.lines))
        self.failure = None
        self.note(token_id)
        self.failure = StoreUnavailable("again")
        self.note(uuid4())
        self.assertEqual(len(self.lines), 2)

    def test_bounded(self) -> None:
        """However many tokens are used, a bounded number is remembered: those used last."""
        self.patch(usage, "TOKENS", 3)
        tokens = [uuid4() for _ in range(5)]
        for token_id in tokens:
            self.note(token_id)
        self.note(tokens[-1])
        self.note(tokens[0])
        self.assertEqual(self.touched, [*tokens, tokens[0]])


class LoginTests(WireTestCase):
    """Logging in, with a store that takes long over it."""

    def test_not_waited_for(self) -> None:
        """The login is answered before the time of use is written, whatever becomes of that."""
        writing: Deferred[None] = Deferred()

        async def touch_token(token_id: UUID) -> None:
            await writing

        self.patch(self.store, "touch_token", touch_token)
        self.wire.connect().ok(f"LOGIN {USER} {TOKEN}")
        writing.errback(StoreUnavailable())
        self.wire.connect().ok(f"LOGIN {USER} {TOKEN}")
