"""One mailbox as all sessions of a process share it, kept in step with the store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NoReturn
from weakref import WeakMethod, WeakSet

from twisted.internet.defer import Deferred

from cybertemp_imap.columns.shelf import Notes, Shelf
from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.kept.content import Content, Keep
from cybertemp_imap.looks import Later
from cybertemp_imap.messages import Messages, States
from cybertemp_imap.rules.flags import combine
from cybertemp_imap.store.interface import MailboxReads, Store
from cybertemp_imap.store.values import Called, FlagChange, MailboxHead, MailboxRef, MessageState, NewMessage
from cybertemp_imap.storing import FlagStores
from cybertemp_imap.trust import Trust
from cybertemp_imap.view import View

PAGE = 5_000
"""Messages read from the store at a time: a few milliseconds of the reactor's time."""

TOLD_AT_ONCE = 40
"""Idling sessions that are told before others have a turn: about a millisecond of the reactor's time."""


class SharedMailbox:
    """What a process knows of a mailbox. Sessions have a :class:`~cybertemp_imap.view.View` of it each."""

    def __init__(
        self,
        store: Store,
        ref: MailboxRef,
        look: Callable[[int], None] = lambda number: None,
        later: Later | None = None,
        told: Callable[[float], None] = lambda heard: None,
        *,
        notes: Notes | None = None,
        keep: Keep | None = None,
    ) -> None:
        """``told`` is called with :attr:`heard` when all idling sessions have been told of what was heard then.

        ``look`` has the mailbox looked at for the sake of its open sessions, when it is time."""
        self.store = store
        self.ref = ref
        self._look_at = look
        self._later = later
        self._told = told
        self.notes = notes or Shelf().notes()
        """What searches have learnt of its messages."""
        self.trust = Trust()
        self._stores = FlagStores()
        self.heard: float | None = None
        """When the hint came that has the mailbox looked at now."""
        self.messages = Messages()
        self.head = MailboxHead(0, 1, 0)
        self.views: WeakSet[View] = WeakSet()
        self.gone = False
        self.content = Content(store, ref, keep, WeakMethod(self.is_current))
        self._latest_mod_seq = 0
        # All below it have been told to some session as \Recent.
        self._recent_claimed = 0
        # Who called while a refresh was under way; None while there is none.
        self._waiting: list[Deferred[None]] | None = None
        self._expunged_meanwhile: set[int] = set()

    # -- keeping in step ----------------------------------------------------------------------------------------------

    async def current(self) -> bool:
        """Tell whether all that was committed before the call is known, without having looked at the mailbox."""
        return self._is_known and await self.store.heard_all() and self._is_known

    @property
    def _is_known(self) -> bool:
        return self._waiting is None and self.trust.holds and not self.ahead and not self.gone

    async def catch_up(self) -> None:
        """Do what :meth:`refresh` does, but where notifications tell that there is nothing to be taken in."""
        if not await self.current():
            await self.refresh()

    async def refresh(self, *, reading: bool = False) -> None:
        """Take in all that was committed before the call; raises NO_SUCH_MAILBOX when the mailbox is gone.

        Calls that wait for each other share the work: a refresh that began after the call serves it. ``reading``: for a
        session that changes nothing, which has its own way to the store while no news are expected.
        """
        if self._waiting is not None:
            served: Deferred[None] = Deferred()
            self._waiting.append(served)
            await served
            return
        self._waiting = []
        try:
            await self._refresh(reading and not self.trust.expects_news)
        finally:
            waiting, self._waiting = self._waiting, None
            if waiting:
                Deferred.fromCoroutine(self._refresh_for(waiting))

    async def _refresh_for(self, waiting: list[Deferred[None]]) -> None:
        """Refresh for those who called meanwhile, all of them with one refresh, until nobody has."""
        while waiting:
            self._waiting = []
            (outcome,) = await Deferred.fromCoroutine(self._refresh(False)).addBoth(lambda result: (result,))
            # From here and not from each other, as a lock would: hints can be more than the stack is deep.
            for served in waiting:
                served.callback(outcome)
            waiting, self._waiting = self._waiting, None

    def is_current(self) -> bool:
        """Tell whether nothing has changed in the store since the last refresh, as far as this process was told.

        That the mailbox is not the user's any more would be such a change.
        """
        return self.trust.heard and not self.gone and self.store.listening

    async def _refresh(self, reading: bool) -> None:
        begun = self.trust.begin()
        # What is asked now knows what was hinted before; what had been asked for something else already might not.
        head = await self._take_in_changes(self.store.reading() if reading else self.store)
        self.trust.end(begun, head.settled)

    async def _take_in_changes(self, reads: MailboxReads) -> MailboxHead:
        self._expunged_meanwhile.clear()
        head = await reads.refresh(self.ref)
        if head is None:
            self._lose()
        since = self.messages.mod_seq
        if head.highest_mod_seq <= since:
            # Below it only where a change of our own overtook this answer.
            if head.highest_mod_seq == since:
                self.head = head
            return head
        try:
            states, gone = await self._read(reads, since)
        except Refused:
            # The user has lost the mailbox since: what cannot be read is not what there is.
            self._lose()
        # Answers of the store may overtake each other: what one of ours has expunged by now does not come back. And
        # what came after ``head`` is left to the next refresh, as UIDNEXT says that it is not there.
        gone_since = self._expunged_meanwhile
        if len(states) > PAGE:
            # Pages are of different moments: of what came after ``head``, some may be here and some not.
            latest = max(states.mod_seqs)
            self._latest_mod_seq = max(self._latest_mod_seq, latest)
        states.end_before(head.uid_next)
        if not self.messages and not gone_since:
            self.messages.take_all(states)
        else:
            self._take_in((state for state in states if state.uid not in gone_since), gone)
        self._know(head)
        self._tell()
        return head

    async def _read(self, reads: MailboxReads, since: int) -> tuple[States, Sequence[int]]:
        """Read what has changed since a mod-sequence, and which UIDs are gone."""
        states = await self._changes(reads, since)
        gone = await reads.expunged_since(self.ref, since) if since else ()
        if gone is None:
            # It is not remembered that far back: what is not there is gone.
            states = await self._changes(reads, 0)
            present = {state.uid for state in states}
            gone = [uid for uid in self.messages.uids if uid not in present]
        return states, gone

    def _know(self, head: MailboxHead) -> None:
        """Take note that all is taken in up to ``head``, unless a change of our own has gone beyond it meanwhile."""
        if head.highest_mod_seq >= self.messages.mod_seq:
            self.messages.mod_seq = head.highest_mod_seq
            self.head = head

    @property
    def ahead(self) -> bool:
        """Whether something is taken in that came after a change that perhaps is not.

        Who is told its mod-sequence may take it that they know all before it: they are to be told that, too.
        """
        return self._latest_mod_seq > self.messages.mod_seq

    def _lose(self) -> NoReturn:
        """Take note that the mailbox is the user's no longer."""
        if not self.gone:
            self.gone = True
            self._tell()
        raise Refused(Refusal.NO_SUCH_MAILBOX)

    def _tell(self) -> None:
        """Have idling sessions told; whoever learnt of a change, and how, all of them hear of it at once."""
        heard, self.heard = self.heard, None
        self._tell_each([view for view in self.views if view.on_news is not None], heard)

    def _tell_each(self, views: Sequence[View], heard: float | None) -> None:
        """Tell some, and the others when the reactor has had a turn; each is told of all there is by then."""
        now = len(views) if self._later is None else TOLD_AT_ONCE
        for view in views[:now]:
            if view.on_news is not None:
                view.on_news()
        if self._later is not None and views[now:]:
            self._later(0, lambda: self._tell_each(views[now:], heard))
        elif views and heard is not None:
            self._told(heard)

    async def look(self, *, reading: bool = False) -> None:
        """Refresh because of a hint, or by the clock; a store that is away gives another hint when it is back."""
        with contextlib.suppress(Refused, StoreUnavailable):
            await self.refresh(reading=reading)

    async def _changes(self, reads: MailboxReads, since: int) -> States:
        states = States()
        after = 0
        while True:
            page = await reads.changes(self.ref, since, after, PAGE)
            states.extend(page)
            if len(page) < PAGE:
                return states
            after = page[-1].uid

    def _take_in(self, states: Iterable[MessageState], gone: Sequence[int]) -> None:
        changed, _ = self.messages.take_in(states)
        removed = self.messages.remove(gone)
        if removed:
            self.content.tidy(self.messages.uids)
        for view in self.views:
            view.flags_changed(changed)
            view.expunged(removed)

    # -- changing -----------------------------------------------------------------------------------------------------

    async def store_flags(
        self, view: View, uids: Sequence[int], mode: str, flags: Sequence[str], unchanged_since: int | None
    ) -> FlagChange:
        """Change flags in the store; ``view``'s session counts as told where the outcome is what it can compute.

        That it can where it knew the flags before: what others changed and it was not told of yet is still to be told.

        Raises NO_SUCH_MAILBOX when the mailbox is gone.
        """
        expected = {
            uid: known.names
            for uid in uids
            if (known := self.messages.flags_of(uid)) is not None and not view.is_untold(uid)
        }
        outcome = await self._stores.store(self._store_flags, uids, mode, flags, unchanged_since)
        view.told_states(
            state
            for state in outcome.messages
            if state.uid in expected and _same(combine(expected[state.uid], mode, flags), state.flags)
        )
        return outcome

    async def _store_flags(
        self, uids: Sequence[int], mode: str, flags: Sequence[str], unchanged_since: int | None
    ) -> FlagChange:
        before = self.messages.mod_seq
        with self._looked_at_when_lost():
            outcome = await self.store.store_flags(self.ref, uids, mode, flags, unchanged_since)
        if outcome is None:
            self._lose()
        # A refresh may have learnt before this answer that one of them is gone.
        self._take_in([state for state in outcome.messages if self.messages.find(state.uid) is not None], ())
        self._latest_mod_seq = max(self._latest_mod_seq, outcome.head.highest_mod_seq)
        if outcome.taken == before + 1:
            self._note(outcome.head, before)
        if outcome.head.highest_mod_seq > self.messages.mod_seq:
            self.others_changed()
        else:
            self._tell()
        return outcome

    async def expunge(self, uids: Sequence[int] | None) -> list[int]:
        """Expunge in the store; return the UIDs removed. Raises NO_SUCH_MAILBOX when the mailbox is gone."""
        before = self.messages.mod_seq
        with self._looked_at_when_lost():
            outcome = await self.store.expunge(self.ref, uids)
        if outcome is None:
            self._lose()
        self._take_out(outcome.uids)
        if outcome.uids:
            self._note(outcome.head, before)
            self._tell()
        return list(outcome.uids)

    async def append(self, messages: Sequence[NewMessage], called: Called | None = None) -> Sequence[int]:
        """Add messages; return their UIDs. Sessions of other processes are told by the store, ours by a refresh.

        Raises NO_SUCH_MAILBOX where it is not ``called`` so any more."""
        await self._head_known()
        with self._looked_at_when_lost():
            uids = await self.store.append(self.ref, messages, called)
        self.others_changed()
        return uids

    async def copy(self, uids: Sequence[int], target: SharedMailbox) -> Sequence[tuple[int, int]]:
        """Copy messages; return (UID, UID of the copy)."""
        await target._head_known()
        with target._looked_at_when_lost():
            pairs = await self.store.copy(self.ref, uids, target.ref)
        # Both are refreshed by it, of which this process is not notified.
        self.trust.hint(own=True)
        target.others_changed()
        return pairs

    async def move(self, uids: Sequence[int], target: SharedMailbox) -> Sequence[tuple[int, int]]:
        """Move messages; return (UID, new UID). What is gone from here is known at once."""
        await target._head_known()
        with self._looked_at_when_lost(), target._looked_at_when_lost():
            pairs = await self.store.move(self.ref, uids, target.ref)
        self._take_out([old for old, _ in pairs])
        self.others_changed()
        target.others_changed()
        return pairs

    def others_changed(self) -> None:
        """Have the open sessions of this mailbox told of what one of ours has changed in the store."""
        self.trust.hint(own=True)
        self._look_at(self.ref.id)

    @contextlib.contextmanager
    def _looked_at_when_lost(self) -> Iterator[None]:
        """Where the store is lost before it answers, have sessions told of what it may have done."""
        try:
            yield
        except StoreUnavailable:
            self.others_changed()
            raise

    async def first_recent(self, claim: bool) -> int:
        r"""Return the first UID that no session has been told as ``\Recent``, and claim what is there if asked to."""
        uid_next = self.head.uid_next
        if self._recent_claimed < uid_next:
            reads = self.store if claim else self.store.reading()
            first = await reads.claim_recent(self.ref, claim=claim)
            self._recent_claimed = max(self._recent_claimed, uid_next if claim else first)
            return first
        return self._recent_claimed

    async def _head_known(self) -> None:
        """Make sure that UIDVALIDITY is known."""
        if self.head.uid_validity == 0:
            await self.refresh()

    def _take_out(self, uids: Sequence[int]) -> None:
        """Take out what one of ours has expunged or moved."""
        self._expunged_meanwhile.update(uids)
        self._take_in((), uids)

    def _note(self, head: MailboxHead, before: int) -> None:
        """Take note of a change of our own that has taken a mod-sequence; ``before``: what was known when it was begun.

        Where ``head`` is the very next, nobody else's came in between. Otherwise the next refresh reads them all, and
        until then HIGHESTMODSEQ promises no more than sessions were told. What is known by now does not tell: our
        change may be known already, and ``head``, which is read after it, be that of another's.
        """
        self._latest_mod_seq = max(self._latest_mod_seq, head.highest_mod_seq)
        if head.highest_mod_seq == before + 1:
            self._know(head)


def _same(left: Sequence[str], right: Sequence[str]) -> bool:
    return {flag.lower() for flag in left} == {flag.lower() for flag in right}
