"""The mailboxes a process knows, one for all its sessions: found by name or by number, looked at when it is time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Sequence
from time import monotonic
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from twisted.logger import Logger

from cybertemp_imap.columns.shelf import Shelf
from cybertemp_imap.counts import PUSH_SECONDS, Durations
from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.kept.content import Keep
from cybertemp_imap.known_names import KnownNames, Name
from cybertemp_imap.looks import Later, Looks
from cybertemp_imap.rules.addresses import spellings
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.store.interface import Store
from cybertemp_imap.store.values import Called, MailboxRef, NewMessage

KEPT_MESSAGES = 1_000_000
KEPT_MAILBOXES = 1_000
"""How much is kept of mailboxes that no session has open, so that opening one again is quick."""


class SharedMailboxes:
    """The mailboxes a process knows, by their number in the store."""

    _log = Logger()
    keep: Keep | None = None

    def __init__(
        self, store: Store, later: Later | None = None, shelf: Shelf | None = None, keep: Keep | None = None
    ) -> None:
        """``later`` cuts the telling of many sessions into slices, and lets mailboxes rest; without it, all that is to
        be done is done at once. ``shelf`` has room for what searches learn, ``keep`` for messages that are read."""
        self.store = store
        self.keep = keep
        self._later = later
        self._shelf = shelf or Shelf()
        self._looks = Looks(self._look, later)
        self._open: WeakValueDictionary[int, SharedMailbox] = WeakValueDictionary()
        self._kept: OrderedDict[int, SharedMailbox] = OrderedDict()
        self._names = KnownNames()
        self._made = 0
        self.push = Durations(PUSH_SECONDS)
        """From a hint until all idling sessions of its mailbox have been told."""
        store.observe(self.changed)

    def get(self, ref: MailboxRef) -> SharedMailbox:
        """Return the shared mailbox of a reference found for one user."""
        shared = self._open.get(ref.id)
        if shared is None or shared.gone or shared.ref != ref:
            if shared is not None:
                shared.trust.hinted = False
            shared = self._open[ref.id] = SharedMailbox(
                self.store,
                ref,
                self._changed_here,
                self._later,
                self._told,
                notes=self._shelf.notes(),
                keep=self.keep,
            )
            shared.trust.hinted = True
            # Above all that were counted of an earlier one of this number, whose names may be remembered.
            self._made += 1
            shared.trust.told = self._made << 32
        known = ref.id in self._kept
        self._kept[ref.id] = shared
        if known:
            self._kept.move_to_end(ref.id)
        else:
            self._trim()
        return shared

    async def named(self, name: Name, *, current: bool = True) -> SharedMailbox | None:
        """Return the mailbox of this name, where that is known without asking for it, and up to date if ``current``."""
        number = self._names.get(name, self._hints)
        shared = None if number is None else self._open.get(number)
        if shared is None or not await (shared.current() if current else self.store.heard_all()):
            return None
        return self.get(shared.ref) if self._names.get(name, self._hints) == shared.ref.id else None

    def remembered(self, name: Name) -> SharedMailbox | None:
        """Return the mailbox that was called so when it was last heard of; by now it may be called otherwise."""
        number = self._names.get(name, self._hints)
        shared = None if number is None else self._open.get(number)
        return None if shared is None else self.get(shared.ref)

    async def append(
        self, name: Name, look_up: Callable[[], Coroutine[Any, Any, MailboxRef]], messages: Sequence[NewMessage]
    ) -> tuple[SharedMailbox, Sequence[int]]:
        """Add messages to the mailbox that has this name now; return it, and their UIDs. Raises NO_SUCH_MAILBOX.

        ``look_up`` finds it where that is not known. What is remembered of a name need not be proven before: the store
        compares it.
        """
        _, owner, folder = name
        called = Called(spellings(owner), folder)
        target = self.remembered(name)
        if target is not None:
            try:
                return target, await target.append(messages, called)
            except Refused as refused:
                if refused.refusal is not Refusal.NO_SUCH_MAILBOX:
                    raise
        target = await self.find(name, look_up())
        return target, await target.append(messages, called)

    async def find(self, name: Name, look_up: Coroutine[Any, Any, MailboxRef]) -> SharedMailbox:
        """Look a mailbox up by its name, which is remembered; raises what ``look_up`` does."""
        with self._names.search() as search:
            ref = await look_up
        shared = self.get(ref)
        if not search.hinted(ref.id):
            self._names.put(name, ref.id, self._hints)
        return shared

    def _hints(self, number: int) -> int:
        shared = self._open.get(number)
        return -1 if shared is None else shared.trust.told

    def doubt(self, user_id: UUID) -> None:
        """Trust nothing that is known of a user's mailboxes: this process has changed what they are called."""
        self._names.hint(None)
        for shared in list(self._open.values()):
            if shared.ref.user_id == user_id:
                shared.trust.hint()

    def changed(self, mailboxes: Collection[int] | None = None) -> None:
        """Look at what open sessions see of these mailboxes, or of all: those that are named come first."""
        self._names.hint(mailboxes)
        for number in list(self._open) if mailboxes is None else mailboxes:
            shared = self._open.get(number)
            if shared is not None:
                shared.trust.hint()
                if shared.views:
                    self._looks.add(number, first=mailboxes is not None)
        self._looks.begin()

    def deleted(self, number: int) -> None:
        """Have those who have a mailbox open see that it is deleted, and keep nothing of it once they have left."""
        self._kept.pop(number, None)
        self.changed([number])

    async def _look(self, number: int, heard: float) -> None:
        """Look at a mailbox that a hint concerns."""
        shared = self._open.get(number)
        if shared is not None and shared.views:
            shared.heard = heard
            await shared.look()
            shared.heard = None

    async def poll(self) -> None:
        """Look at all that open sessions see, one mailbox after another, so that nobody has to wait for it."""
        for shared in list(self._open.values()):
            if shared.views:
                # What was hinted is looked at anyway, and mostly something to be taken in, which only the store does.
                await shared.look(reading=all(view.read_only for view in shared.views))

    async def leave_gone(self) -> None:
        """Have sessions told whose mailbox was gone already when they last could have found out, or left it."""
        for shared in list(self._open.values()):
            for view in list(shared.views) if shared.gone else ():
                if view.on_gone is not None:
                    view.on_gone()

    def _changed_here(self, number: int) -> None:
        shared = self._open.get(number)
        if shared is not None and shared.views:
            self._looks.add(number, first=True)
            self._looks.begin()

    def _told(self, heard: float) -> None:
        self.push.add(monotonic() - heard)

    def _trim(self) -> None:
        total = sum(len(shared.messages) for shared in self._kept.values())
        while len(self._kept) > 1 and (len(self._kept) > KEPT_MAILBOXES or total > KEPT_MESSAGES):
            _, dropped = self._kept.popitem(last=False)
            total -= len(dropped.messages)
