"""A mailbox as one session has it open: Twisted's interfaces for any IMAP4Server, and a batched one for ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.mail.imap4 import (
    ICloseableMailbox,
    IMailbox,
    IMailboxInfo,
    IMailboxListener,
    ISearchableMailbox,
    MessageSet,
    ReadOnlyMailbox,
)
from zope.interface import implementer

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.incoming import Incoming, read_letter
from cybertemp_imap.message import Message
from cybertemp_imap.naming import DELIMITER
from cybertemp_imap.protocol.date import parse_date_time
from cybertemp_imap.protocol.search_key import SearchKey
from cybertemp_imap.protocol.sequence import SequenceSet, positions
from cybertemp_imap.rules.flags import valid_flags
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.store.values import FlagMode, MessageState
from cybertemp_imap.view import Report, View

STOCK_LIMIT = 1_000
"""Messages that the stock interface, which wants them whole and at once, is given by one FETCH."""

_MODES = {-1: FlagMode.REMOVE, 0: FlagMode.REPLACE, 1: FlagMode.ADD}


@implementer(IMailbox, IMailboxInfo, ISearchableMailbox, ICloseableMailbox)
class Mailbox:
    """One session's open mailbox. ``view`` numbers its messages; ``shared`` is what the process knows of it."""

    def __init__(
        self,
        shared: SharedMailbox,
        *,
        read_only: bool,
        attributes: Iterable[str] = (),
        takes_messages: bool = True,
        tells_recent: bool = True,
    ) -> None:
        """``takes_messages``: whether any can be added; ``tells_recent``: whether the session knows of ``\\Recent``."""
        self.shared = shared
        self.read_only = read_only
        self._takes_messages = takes_messages
        self._tells_recent = tells_recent
        self._over: Refusal | None = None
        self._attributes = tuple(attributes)
        self._listeners: list[Any] = []
        self._recent_claimed = 1
        self.view = View(shared.messages, read_only=read_only)
        shared.views.add(self.view)

    @classmethod
    async def open(
        cls,
        shared: SharedMailbox,
        *,
        read_only: bool,
        takes_messages: bool = True,
        tells_recent: bool = True,
        current: bool = False,
    ) -> Mailbox:
        """Open a mailbox up to date, which it is already where it is ``current``.

        Its recent messages are this session's unless it is read-only (RFC 3501 2.3.2).
        """
        if not current:
            await shared.refresh(reading=read_only)
        mailbox = cls(shared, read_only=read_only, takes_messages=takes_messages, tells_recent=tells_recent)
        await mailbox._claim_recent()
        mailbox.view.report(expunge=True)
        return mailbox

    async def _claim_recent(self) -> None:
        uid_next = self.shared.head.uid_next
        if uid_next == self._recent_claimed or not self._tells_recent:
            return
        self._recent_claimed = uid_next
        self.view.arrived_recent(await self.shared.first_recent(not self.read_only))

    def forget_recent(self) -> None:
        """Know nothing of ``\\Recent`` from now on (RFC 9051 section 2.3.2)."""
        self._tells_recent = False
        self.view.forget_recent()

    # -- for our own commands -----------------------------------------------------------------------------------------

    async def poll(self) -> None:
        """Take in what others have done; raises NO_SUCH_MAILBOX when the mailbox is gone."""
        self._check_open()
        await self.shared.catch_up()
        await self._claim_recent()

    def report(self, expunge: bool) -> Report:
        """Say what the session must be told; see :meth:`View.report`."""
        return self.view.report(expunge)

    def seqs(self, numbers: SequenceSet, uid: bool) -> list[range]:
        """Return positions in the view (sequence number minus one) that a set names.

        Raises IndexError when it names a sequence number that is not there; UIDs that are not there are passed over.
        """
        uids = self.view.uids
        if uid:
            return positions(uids, numbers.resolve(uids[-1] if uids else 0))
        ranges = numbers.resolve(len(uids))
        if not uids or ranges[-1][1] > len(uids):
            raise IndexError("no such message")
        return [range(first - 1, last) for first, last in ranges]

    def uids_at(self, ranges: Iterable[range]) -> list[int]:
        """Return the UIDs at positions of the view."""
        uids = self.view.uids
        return [uid for span in ranges for uid in uids[span.start : span.stop]]

    async def store_flags(
        self, uids: Sequence[int], mode: str, flags: Sequence[str], unchanged_since: int | None = None
    ) -> tuple[Sequence[MessageState], Sequence[int]]:
        """Change flags; return the new states and the UIDs held back. Raises :class:`ReadOnlyMailbox`."""
        self._check_writable()
        outcome = await self.shared.store_flags(self.view, uids, mode, flags, unchanged_since)
        return outcome.messages, outcome.modified

    async def expunge_uids(self, uids: Sequence[int] | None = None) -> list[int]:
        """Expunge what has ``\\Deleted``; the view tells it with its next report. Raises :class:`ReadOnlyMailbox`."""
        self._check_writable()
        return await self.shared.expunge(uids)

    def end(self, reason: Refusal) -> None:
        """Let the session do nothing with it any more: what reads and what changes raises :class:`Refused`."""
        self._over = reason
        self.shared.views.discard(self.view)

    def _check_open(self) -> None:
        if self._over is not None:
            raise Refused(self._over)

    def _check_writable(self) -> None:
        self._check_open()
        if self.read_only:
            raise ReadOnlyMailbox

    # -- IMailboxInfo -------------------------------------------------------------------------------------------------

    def getFlags(self) -> Iterable[str]:
        """Return the attributes that LIST shows for the mailbox."""
        return self._attributes

    def getHierarchicalDelimiter(self) -> str:
        """Return the hierarchy delimiter."""
        return DELIMITER

    # -- IMailbox -----------------------------------------------------------------------------------------------------

    def getUIDValidity(self) -> int:
        """Return UIDVALIDITY."""
        return self.shared.head.uid_validity

    def getUIDNext(self) -> int:
        """Return the UID that the next message will get."""
        return self.shared.head.uid_next

    def getUID(self, message: int) -> int:
        """Return the UID of a sequence number; raises IndexError where there is none."""
        if message < 1:
            raise IndexError(message)
        return self.view.uids[message - 1]

    def getMessageCount(self) -> int:
        """Return how many messages this session was told of."""
        return len(self.view)

    def getRecentCount(self) -> int:
        """Return how many of them are recent in this session."""
        return self.view.recent_count

    def getUnseenCount(self) -> int:
        """Return how many messages have no ``\\Seen``."""
        return sum(1 for flags in self.shared.messages.flags if not flags.seen)

    def isWriteable(self) -> bool:
        """Return whether flags can be changed and messages expunged."""
        return not self.read_only

    def destroy(self) -> None:
        """Do nothing: deleting a mailbox is up to the account."""

    def requestStatus(self, names: Iterable[str]) -> Deferred[dict[str, int]]:
        """Return the status items asked for, up to date."""
        return Deferred.fromCoroutine(self._request_status([name.upper() for name in names]))

    async def _request_status(self, names: Sequence[str]) -> dict[str, int]:
        await self.poll()
        self._tell_listeners()
        items = {
            "MESSAGES": self.getMessageCount,
            "RECENT": self.getRecentCount,
            "UIDNEXT": self.getUIDNext,
            "UIDVALIDITY": self.getUIDValidity,
            "UNSEEN": self.getUnseenCount,
        }
        return {name: items[name]() for name in names if name in items}

    def addListener(self, listener: Any) -> None:
        """Add a listener, told of changes that this object learns of."""
        self._listeners.append(IMailboxListener(listener, listener))

    def removeListener(self, listener: Any) -> None:
        """Remove a listener; one that is not there is passed over."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def _tell_listeners(self) -> None:
        report = self.view.report(expunge=False)
        for listener in list(self._listeners):
            if report.flags:
                listener.flagsChanged({news.seq: news.flags.names for news in report.flags})
            if report.exists is not None or report.recent is not None:
                listener.newMessages(report.exists, report.recent)

    def addMessage(self, message: Any, flags: Iterable[str] = (), date: Any = None) -> Deferred[int]:
        """Add a message, given as octets or a file, and return its UID. ``date`` is an IMAP date-time, or None."""
        self._check_writable()
        if not self._takes_messages:
            raise ReadOnlyMailbox
        return Deferred.fromCoroutine(self._add_message(message, list(flags), date))

    async def _add_message(self, message: Any, flags: Sequence[str], date: Any) -> int:
        octets = message if isinstance(message, bytes) else message.read()
        incoming = Incoming(self.shared.store)
        await incoming.take(octets)
        await incoming.end()
        moment = parse_date_time(date.encode() if isinstance(date, str) else date) if date else None
        new = incoming.as_new(read_letter(incoming.head), valid_flags(flags), moment)
        (uid,) = await self.shared.append([new])
        await self.poll()
        self._tell_listeners()
        return uid

    def expunge(self) -> Deferred[list[int]]:
        """Expunge; return the sequence numbers, each as it is when its EXPUNGE is sent."""
        self._check_writable()
        return Deferred.fromCoroutine(self._expunge())

    async def _expunge(self) -> list[int]:
        await self.expunge_uids()
        return [seq for seq, _ in self.view.report(expunge=True, exists=False).expunged]

    def fetch(self, messages: MessageSet, uid: bool) -> Deferred[list[tuple[int, Message]]]:
        """Return (sequence number, message) for at most STOCK_LIMIT messages, each read whole."""
        return Deferred.fromCoroutine(self._fetch(self._stock_uids(messages, uid)))

    async def _fetch(self, uids: Sequence[int]) -> list[tuple[int, Message]]:
        self._check_open()
        store, ref = self.shared.store, self.shared.ref
        dates = {uid: internal for uid, internal, _ in await store.saved_dates(ref, uids)}
        found: list[tuple[int, Message]] = []
        for uid, source in await store.sources(ref, uids):
            seq, flags = self.view.seq_of(uid), self.shared.messages.flags_of(uid)
            if seq is not None and flags is not None and uid in dates:
                found.append((seq, Message(uid, flags.names, dates[uid], source, store.mime_limits)))
        return found

    def _stock_uids(self, messages: MessageSet, uid: bool) -> list[int]:
        """Return the UIDs of a stock message set, which this binds to the largest number there is."""
        uids = self.view.uids
        if not uids:
            return []
        messages.last = uids[-1] if uid else len(uids)
        ranges = [(low, high) for low, high in messages.ranges if low is not None and high is not None]
        numbers = SequenceSet(tuple(ranges))
        spans = positions(uids, numbers.resolve(uids[-1])) if uid else self._existing(numbers)
        return self.uids_at(spans)[:STOCK_LIMIT]

    def _existing(self, numbers: SequenceSet) -> list[range]:
        count = len(self.view)
        return [range(first - 1, min(last, count)) for first, last in numbers.resolve(count) if first <= count]

    def store(
        self, messages: MessageSet, flags: Sequence[str], mode: int, uid: bool
    ) -> Deferred[dict[int, Sequence[str]]]:
        """Change flags; return the new ones by sequence number (by UID with ``uid``)."""
        self._check_writable()
        return Deferred.fromCoroutine(self._store(self._stock_uids(messages, uid), flags, mode, uid))

    async def _store(self, uids: Sequence[int], flags: Sequence[str], mode: int, uid: bool) -> dict[int, Sequence[str]]:
        states, _ = await self.store_flags(uids, _MODES[mode], flags)
        outcome: dict[int, Sequence[str]] = {}
        for state in states:
            seq = self.view.seq_of(state.uid)
            if seq is not None:
                outcome[state.uid if uid else seq] = state.flags
        return outcome

    # -- ISearchableMailbox, ICloseableMailbox ------------------------------------------------------------------------

    def search(self, query: Sequence[Any], uid: bool) -> Deferred[list[int]]:
        """Search by a query as the stock server parses it; return sequence numbers.

        That is what UID SEARCH is given too: the stock server maps them by :meth:`getUID`.
        """
        from cybertemp_imap.stock import key_of_query

        return Deferred.fromCoroutine(self._search(key_of_query(query)))

    async def _search(self, key: SearchKey) -> list[int]:
        from cybertemp_imap.search import search

        self._check_open()
        return [position + 1 for position in await search(self, key)]

    def close(self) -> Deferred[None]:
        """Let go of the mailbox. What has ``\\Deleted`` stays: CLOSE expunges it by a call of its own."""
        self._listeners.clear()
        self.shared.views.discard(self.view)
        self.view.on_gone = None
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done
