"""An account: what a login gives, with the mailboxes of its user."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NoReturn
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.mail.imap4 import IAccount, INamespacePresenter, MailboxException
from zope.interface import implementer

from cybertemp_imap.addresses import Addresses
from cybertemp_imap.auth import Identity, Realm
from cybertemp_imap.errors import Refusal, Refused, suppress_refusal
from cybertemp_imap.known_names import Name
from cybertemp_imap.listing import Listing
from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.naming import DELIMITER, INBOX, name_of, parents_of
from cybertemp_imap.protocol.pattern import ListPattern
from cybertemp_imap.reach import Key, Reach
from cybertemp_imap.rules.addresses import canonical, spellings
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.interface import MailboxReads, Store
from cybertemp_imap.store.values import MailboxRef, NewMessage, StatusCounts
from cybertemp_imap.watch import SessionWatch


@implementer(IAccount, INamespacePresenter)
class Account:
    """The mailboxes of who has logged in. Errors of its coroutines are :class:`Refused` and ``StoreUnavailable``."""

    def __init__(self, identity: Identity, mailboxes: SharedMailboxes, addresses: Addresses | None = None) -> None:
        """``on_end``, where it is set, is called with the reason when the session must end.

        Without ``addresses`` the domains are read from the store each time an address is created.
        """
        self.identity = identity
        self.on_end: Callable[[Refusal], None] | None = None
        self._addresses = addresses or Addresses(mailboxes.store, mailboxes.store.read_domains)
        self._reach = Reach(identity.user_id, identity.limits)
        self._over: Refusal | None = None
        self._opened: WeakSet[Mailbox] = WeakSet()
        self._mailboxes = mailboxes
        self._subscriptions: dict[str, bool] = {}

    @property
    def reach(self) -> Reach:
        """What there is for the session; raises :class:`Refused` once it is over."""
        if self._over is not None:
            raise Refused(self._over)
        return self._reach

    def end(self, reason: Refusal) -> None:
        """Let the session do nothing any more, in its mailboxes too, and have it told."""
        if self._over is None:
            self._over = reason
            for mailbox in self._opened:
                mailbox.end(reason)
            if self.on_end is not None:
                self.on_end(reason)

    @property
    def store(self) -> Store:
        """The store behind it."""
        return self._mailboxes.store

    def _reads(self, *, only: bool = False) -> MailboxReads:
        """Return what is asked for a command that reads; ``only``: its mailbox is opened for reading only."""
        return self.store.reading() if only or self.identity.limits.read_only else self.store

    # -- for our own commands -----------------------------------------------------------------------------------------

    async def listings(self) -> list[Listing]:
        """Return every name that LIST can show, INBOX first; also those above mailboxes and subscriptions."""
        user, reads = self.identity.user_id, self._reads()
        entries = [e for e in await reads.list_mailboxes(user) if self.reach.holds((e.owner, e.folder))]
        self._subscriptions = self._within_reach(await reads.subscriptions(user))
        special = {name_of(entry.owner, entry.folder): entry.special_use for entry in entries}
        told = {name for name, said in self._subscriptions.items() if said}
        with_children = set(parents_of(special))
        return [
            Listing(
                name,
                name in special,
                name in told or (name in special and self.isSubscribed(name)),
                name in with_children,
                special.get(name),
            )
            for name in sorted({*special, *told, *parents_of([*special, *told])}, key=lambda n: (n != INBOX, n))
        ]

    async def find(self, name: str, reads: MailboxReads | None = None) -> MailboxRef:
        """Find a mailbox by its name; raises NO_SUCH_MAILBOX, alike for what is another person's."""
        key = self.reach.key(name)
        ref = await self._find(key, reads)
        if ref is None:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        return ref

    async def _find(self, key: Key, reads: MailboxReads | None = None) -> MailboxRef | None:
        reads = reads or self._reads()
        if self.reach.has_view(key):
            return await reads.limited_inbox(self.identity.user_id, self.identity.token_id)
        # An address is kept with its domain in A-labels, whichever way it was written when it was created.
        for owner in spellings(key[0]):
            found = await reads.find_mailbox(self.identity.user_id, owner, key[1])
            if found is not None:
                return found
        return None

    async def _known(self, name: str) -> SharedMailbox | None:
        """Return a mailbox, up to date, where the process knows what is called so; None tells nothing."""
        key = self.reach.key(name)
        return None if self.reach.has_view(key) else await self._mailboxes.named((self.identity.user_id, *key))

    async def _found(self, name: str, reads: MailboxReads | None = None) -> SharedMailbox:
        """Look a mailbox up; raises NO_SUCH_MAILBOX. What it is called is remembered."""
        key = self.reach.key(name)
        if self.reach.has_view(key):
            return self._mailboxes.get(await self.find(name, reads))
        return await self._mailboxes.find((self.identity.user_id, *key), self.find(name, reads))

    async def exists(self, name: str) -> bool:
        """Tell whether there is a mailbox of this name."""
        try:
            await self.find(name)
        except Refused:
            return False
        return True

    async def shared(self, name: str) -> SharedMailbox:
        """Return what the process knows of a mailbox that messages are to be put into; raises NO_SUCH_MAILBOX."""
        return await self._mailboxes.named(self._destination(name), current=False) or await self._found(name)

    async def check_destination(self, name: str) -> None:
        """Raise NO_SUCH_MAILBOX where, as far as is known, there is no mailbox that :meth:`append` could add to."""
        if self._mailboxes.remembered(self._destination(name)) is None:
            await self._found(name)

    async def append(self, name: str, messages: Sequence[NewMessage]) -> tuple[SharedMailbox, Sequence[int]]:
        """Add messages to a mailbox; return it, and their UIDs. Raises NO_SUCH_MAILBOX."""
        return await self._mailboxes.append(self._destination(name), partial(self.find, name), messages)

    def _destination(self, name: str) -> Name:
        """Return the key of a mailbox that messages are to be put into; raises NO_PERMISSION."""
        self.reach.check_change()
        key = self.reach.key(name)
        if self.reach.has_view(key):
            raise Refused(Refusal.NO_PERMISSION)
        return (self.identity.user_id, *key)

    async def create_mailbox(self, name: str, special_use: str | None = None) -> MailboxRef:
        """Create an address (:mod:`cybertemp_imap.addresses`), or a folder and those above it."""
        owner, folder = self.reach.new_key(name)
        if folder != INBOX:
            return await self.create_folder(name, special_use)
        if await self._find((owner, INBOX)) is not None:
            raise Refused(Refusal.ALREADY_EXISTS)
        if self.reach.limited:
            raise Refused(Refusal.NO_PERMISSION)
        if special_use is not None:
            raise Refused(Refusal.CANNOT)
        return await self._addresses.create(self.identity.user_id, owner)

    async def create_folder(self, name: str, special_use: str | None = None) -> MailboxRef:
        """Create a folder and those above it. Addresses are not created here: CANNOT."""
        user = self.identity.user_id
        owner, folder = self.reach.new_key(name)
        if folder == INBOX:
            await self._refuse_inbox(owner)
        made = await self.store.create_folder(user, owner, folder, special_use)
        await self._create_above(owner, folder)
        return made

    async def _create_above(self, owner: str, folder: str) -> None:
        """Create what is missing above a folder that is there now: when it was refused, nothing was created.

        Those for which there is no room go on to be names that only group others.
        """
        for parent in reversed(list(parents_of([folder]))):
            with suppress_refusal(Refusal.ALREADY_EXISTS, Refusal.OVER_QUOTA):
                await self.store.create_folder(self.identity.user_id, owner, parent, None)

    async def _refuse_inbox(self, owner: str) -> NoReturn:
        """Refuse to create INBOX, or an address: alike whether it is somebody's or nobody's."""
        if await self._find((owner, INBOX)) is not None:
            raise Refused(Refusal.ALREADY_EXISTS)
        raise Refused(Refusal.NO_PERMISSION if self.reach.limited else Refusal.CANNOT)

    async def delete_mailbox(self, name: str) -> None:
        """Give back an address, or delete a folder with its messages; raises NO_SUCH_MAILBOX, CANNOT for INBOX."""
        self.reach.check_change()
        ref = await self.find(name)
        owner, folder = self.reach.key(name)
        if folder == INBOX and self.reach.limited:
            raise Refused(Refusal.NO_PERMISSION)
        if folder == INBOX and (owner, folder) != self.reach.inbox:
            await self.store.delete_address(self.identity.user_id, canonical(owner) or owner)
        else:
            await self.store.delete_folder(self.identity.user_id, owner, folder)
        self._mailboxes.deleted(ref.id)

    async def rename_folder(self, name: str, new_name: str) -> None:
        """Rename a folder and all below it; INBOX stays, and its messages move (RFC 9051 section 6.3.6)."""
        self.reach.check_change()
        user = self.identity.user_id
        owner, folder = self.reach.key(name)
        await self.find(name)
        new_owner, new_folder = self.reach.new_key(new_name)
        if (owner, folder) == self.reach.inbox:
            await self._rename_inbox(new_owner, new_folder)
        elif new_owner == owner and f"{new_folder}{DELIMITER}".startswith(f"{folder}{DELIMITER}"):
            raise Refused(Refusal.ALREADY_EXISTS if new_folder == folder else Refusal.CANNOT)
        else:
            await self.store.rename_folder(user, owner, folder, new_owner, new_folder)
            self._mailboxes.doubt(user)
            await self._create_above(new_owner, new_folder)

    async def _rename_inbox(self, owner: str, folder: str) -> None:
        if folder == INBOX:
            await self._refuse_inbox(owner)
        inbox = await self.find(INBOX)
        await self.store.rename_inbox(inbox, owner, folder)
        self._mailboxes.changed([inbox.id])
        await self._create_above(owner, folder)

    async def open(self, name: str, *, read_only: bool, tells_recent: bool = True) -> Mailbox:
        """Open a mailbox by its name, up to date; a token that changes nothing has it for reading only."""
        known = await self._known(name)
        mailbox = await Mailbox.open(
            known or await self._found(name, self._reads(only=read_only)),
            read_only=read_only or self.reach.limits.read_only,
            takes_messages=not self.reach.has_view(self.reach.key(name)),
            tells_recent=tells_recent,
            current=known is not None,
        )
        self._opened.add(mailbox)
        if self._over is not None:
            mailbox.end(self._over)
        return mailbox

    async def status(self, name: str, *, with_size: bool) -> tuple[MailboxRef, StatusCounts]:
        """Find a mailbox and count what is in it, up to date; raises NO_SUCH_MAILBOX."""
        reads = self._reads()
        ref = await self.find(name, reads)
        counts = await reads.status(ref, with_size)
        if counts is None:
            raise Refused(Refusal.NO_SUCH_MAILBOX)
        return ref, counts

    async def set_subscribed(self, name: str, subscribed: bool) -> None:
        """Keep a subscription. Subscribing needs the mailbox to exist; a name that is gone can be unsubscribed."""
        self.reach.check_change()
        name = self.reach.canonical(name)
        if subscribed or name not in self._within_reach(await self.store.subscriptions(self.identity.user_id)):
            await self.find(name)
        if self.reach.limited and name == INBOX:
            # What is kept of this name is about the account's INBOX; that of the token is always subscribed.
            if subscribed:
                return
            raise Refused(Refusal.NO_PERMISSION)
        await self.store.set_subscribed(self.identity.user_id, name, subscribed)
        self._subscriptions[name] = subscribed

    def _within_reach(self, said: dict[str, bool]) -> dict[str, bool]:
        if not self.reach.limited:
            return said
        return {name: value for name, value in said.items() if name != INBOX and self.reach.includes(name)}

    @property
    def subscribed_names(self) -> frozenset[str]:
        """Names that were subscribed to, whether they exist or not, as of the last list."""
        return frozenset(name for name, told in self._subscriptions.items() if told)

    # -- IAccount -----------------------------------------------------------------------------------------------------

    def listMailboxes(self, ref: str, wildcard: str) -> Deferred[list[tuple[str, Listing]]]:
        """Return (name, information) of mailboxes that match."""

        async def matching() -> list[tuple[str, Listing]]:
            pattern = ListPattern(ref, wildcard)
            return [
                (entry.name, entry)
                for entry in await self.listings()
                if (entry.exists or entry.has_children or entry.subscribed) and pattern.matches(entry.name)
            ]

        return Deferred.fromCoroutine(matching())

    def select(self, name: str, rw: bool = True) -> Deferred[Mailbox | None]:
        """Open a mailbox; None when there is none of that name."""

        async def opened() -> Mailbox | None:
            try:
                return await self.open(name, read_only=not rw)
            except Refused:
                return None

        return Deferred.fromCoroutine(opened())

    def isSubscribed(self, name: str) -> bool:
        """Tell whether a mailbox is subscribed, as of the last list; all are that were not unsubscribed."""
        return self._subscriptions.get(name, True)

    def subscribe(self, name: str) -> Deferred[bool]:
        """Subscribe to a mailbox; fails with :class:`MailboxException`."""
        return _as_mailbox_exception(self.set_subscribed(name, True))

    def unsubscribe(self, name: str) -> Deferred[bool]:
        """Unsubscribe from a mailbox; fails with :class:`MailboxException`."""
        return _as_mailbox_exception(self.set_subscribed(name, False))

    # The stock server waits for none of these four: it would answer OK before anything is done, and whatever comes of
    # it. So they refuse; our own server's commands use the coroutines above.

    def addMailbox(self, name: str, mbox: object = None) -> NoReturn:
        """Refuse; use :meth:`create_mailbox`."""
        raise MailboxException(Refusal.CANNOT.text)

    def create(self, pathspec: str) -> NoReturn:
        """Refuse; use :meth:`create_mailbox`."""
        raise MailboxException(Refusal.CANNOT.text)

    def delete(self, name: str) -> NoReturn:
        """Refuse; use :meth:`delete_mailbox`."""
        raise MailboxException(Refusal.CANNOT.text)

    def rename(self, oldname: str, newname: str) -> NoReturn:
        """Refuse; use :meth:`rename_folder`."""
        raise MailboxException(Refusal.CANNOT.text)

    # -- INamespacePresenter ------------------------------------------------------------------------------------------

    def getPersonalNamespaces(self) -> list[tuple[str, str]]:
        """Return the one personal namespace."""
        return [("", DELIMITER)]

    def getSharedNamespaces(self) -> list[tuple[str, str]] | None:
        """Return None: there are no shared namespaces."""
        return None

    def getUserNamespaces(self) -> list[tuple[str, str]] | None:
        """Return None: there are no namespaces of other users."""
        return None


def watched_realm(watch: SessionWatch, mailboxes: SharedMailboxes, addresses: Addresses | None = None) -> Realm:
    """Return a realm whose accounts are watched for as long as their sessions last."""

    def leave(account: object) -> None:
        assert isinstance(account, Account)
        watch.leave(account)
        account.on_end = None

    return Realm(lambda identity: watch.enter(Account(identity, mailboxes, addresses)), leave)


def _as_mailbox_exception(doing: Coroutine[Any, Any, object]) -> Deferred[bool]:
    """Do what Twisted's interface wants done: True, or a refusal as the exception that it knows."""

    async def done() -> bool:
        try:
            await doing
        except Refused as refused:
            raise MailboxException(refused.refusal.text) from None
        return True

    return Deferred.fromCoroutine(done())
