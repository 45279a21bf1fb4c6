"""When tokens were last used: written after the login, which neither waits for it nor fails by it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol
from uuid import UUID

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

INTERVAL = 60.0
"""Seconds after which a token that is used again is noted again."""

TOKENS = 10_000
"""Tokens remembered as noted; one that is forgotten is asked of the store, which looks at the time too."""


class UsageStore(Protocol):
    """The part of :class:`cybertemp_imap.store.interface.Store` that is needed."""

    async def touch_token(self, token_id: UUID) -> None:
        """Set ``last_used_at`` of a token to now."""


class UsageNotes:
    """Notes the use of tokens, each at most once a minute."""

    _log = Logger()

    def __init__(self, store: UsageStore, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._store = store
        self._reactor = reactor
        self._noted: OrderedDict[UUID, float] = OrderedDict()
        self._failing = False

    def note(self, token_id: UUID) -> None:
        """Have the use of a token written, in a turn of its own: the answer to the login goes out first."""
        now = self._reactor.seconds()
        if now - self._noted.get(token_id, -INTERVAL) < INTERVAL:
            return
        self._noted[token_id] = now
        self._noted.move_to_end(token_id)
        if len(self._noted) > TOKENS:
            self._noted.popitem(last=False)
        self._reactor.callLater(0, self._begin, token_id)

    def _begin(self, token_id: UUID) -> None:
        Deferred.fromCoroutine(self._store.touch_token(token_id)).addCallbacks(
            self._written, self._failed, errbackArgs=(token_id,)
        )

    def _written(self, _: None) -> None:
        self._failing = False

    def _failed(self, failure: Failure, token_id: UUID) -> None:
        """Let the next login try again. One line for as long as it fails, and of the failure only its kind: an
        exception's text may quote what was being written."""
        self._noted.pop(token_id, None)
        if not self._failing:
            self._failing = True
            self._log.warn(
                "last_used_at of token {token_id} was not updated: {kind}",
                token_id=token_id,
                kind=type(failure.value).__name__,
            )
