"""The contract suite of stores: what every one must do, run on each of them.

A store's own test module gives a :class:`StoreFixture` and makes a test case of each contract::

    class MemoryUidTests(store_contract_uids.UidContract):
        fixture_type = MemoryFixture

The contracts are in the modules ``store_contract_*``; import the modules, not the classes: trial would run an imported
class as a test case of the importing module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from twisted.trial.unittest import TestCase

from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.naming import INBOX, account_key, name_of
from cybertemp_imap.store.interface import Store
from cybertemp_imap.store.values import DomainRow, MailboxHead, MailboxRef, MessageState

BASE = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINE = "box@example.com"
MINE_TOO = "second@example.org"
THEIRS = "theirs@example.com"
SENDER = "sender@good.example"
EVERYTHING = 1 << 30


def letter(
    owner: str = MINE,
    folder: str = INBOX,
    *,
    minutes: float | None = 0,
    sender: str | None = SENDER,
    subject: str | None = "A letter",
    body: str | None = "Hello.\n",
    html: str | None = None,
    encrypted: bool = False,
    source: bytes | None = None,
) -> EmailRow:
    """Return a message, dated some minutes after BASE; with None it has only the time of its row."""
    return EmailRow(
        id=uuid4(),
        owner=owner,
        folder=folder,
        subject=subject,
        body=body,
        html=html,
        from_addr=sender,
        to_addrs=(owner,),
        timestamp=None if minutes is None else BASE + timedelta(minutes=minutes),
        created_at=BASE + timedelta(days=1),
        encrypted=encrypted,
        source=source,
    )


class StoreFixture(ABC):
    """A store to test, and what other programs do to the tables it stands on."""

    store: Store

    @abstractmethod
    async def set_up(self) -> None:
        """Make :attr:`store`, empty and started."""

    @abstractmethod
    def set_folder_quota(self, quota: int) -> None:
        """Say how many folders a user may have."""

    @abstractmethod
    def set_address_quota(self, quota: int) -> None:
        """Say how many addresses a user may have."""

    @abstractmethod
    def is_listening(self) -> bool:
        """Tell whether what is done from now on is told to observers."""

    @abstractmethod
    async def tear_down(self) -> None:
        """Leave nothing behind."""

    @abstractmethod
    async def add_user(self, email: str, status: str | None = "active", end: datetime | None = None) -> UUID:
        """Add an account."""

    @abstractmethod
    async def add_token(self, user_id: UUID, token: str, expires_at: datetime, hashed: bool = False) -> UUID:
        """Add a token, as it is or hashed."""

    @abstractmethod
    async def remove_token(self, token_id: UUID) -> None:
        """Remove a token."""

    @abstractmethod
    async def limit_token(
        self,
        token_id: UUID,
        addresses: Sequence[str] | None = None,
        read_only: bool = False,
        expires_at: datetime | None = None,
    ) -> None:
        """Limit a token, or limit it otherwise."""

    @abstractmethod
    async def unlimit_token(self, token_id: UUID) -> None:
        """Take a token's limits away."""

    @abstractmethod
    async def set_last_used(self, token_id: UUID, moment: datetime) -> None:
        """Set when a token was last used."""

    @abstractmethod
    async def last_used(self, token_id: UUID) -> datetime | None:
        """Return when a token was last used."""

    @abstractmethod
    async def add_address(self, user_id: UUID | None, address: str) -> None:
        """Give an address, spelt as it is, to a user or to nobody."""

    @abstractmethod
    async def remove_address(self, address: str) -> None:
        """Take an address away."""

    @abstractmethod
    async def pass_address(self, address: str, user_id: UUID | None) -> None:
        """Have an address that is there be another user's, or nobody's."""

    @abstractmethod
    async def add_folder(self, user_id: UUID, owner: str, folder: str) -> None:
        """Create a folder."""

    @abstractmethod
    async def deliver(self, rows: Sequence[EmailRow], flags: Iterable[str | None] | None = ()) -> None:
        """Add messages, all with the same flags, in one transaction."""

    @abstractmethod
    async def stored_flags(self, email_id: UUID) -> Sequence[str | None] | None:
        """Return the flags in a message's row; None when there is no such row."""

    @abstractmethod
    async def stored_row(self, email_id: UUID) -> EmailRow | None:
        """Return a message's row, its source left out."""

    @abstractmethod
    async def set_flags_elsewhere(self, email_id: UUID, flags: Iterable[str | None] | None) -> None:
        """Write the flags in a message's row."""

    @abstractmethod
    async def forget_expunged(self, mailbox: MailboxRef, kept: int) -> None:
        """Have the store forget what was expunged, but for the last messages of each mailbox."""

    @abstractmethod
    async def delete_elsewhere(self, email_id: UUID) -> None:
        """Delete a message's row."""

    @abstractmethod
    async def ban(
        self, scope: str, value: str, match_type: str | None = "exact", status: str | None = "active"
    ) -> UUID:
        """Add a ban."""

    @abstractmethod
    async def add_domain(self, row: DomainRow) -> None:
        """Add a domain."""

    @abstractmethod
    async def lift(self, ban_id: UUID) -> None:
        """Make a ban inactive."""


class StoreContract(TestCase):
    """A store with two users: ``user`` has the addresses MINE and MINE_TOO, ``other`` has THEIRS."""

    fixture_type: type[StoreFixture]

    async def setUp(self) -> None:  # type: ignore[override]
        """Make the store and the users."""
        self.fixture = self.fixture_type()
        await self.fixture.set_up()
        self.store = self.fixture.store
        self.user = await self.fixture.add_user("me@example.com")
        self.other = await self.fixture.add_user("other@example.com")
        self.account = account_key(self.user)
        for user, address in ((self.user, MINE), (self.user, MINE_TOO), (self.other, THEIRS)):
            await self.fixture.add_address(user, address)

    async def tearDown(self) -> None:  # type: ignore[override]
        """Remove the store."""
        await self.fixture.tear_down()

    async def deliver(self, *rows: EmailRow, flags: Iterable[str | None] | None = ()) -> None:
        """Deliver messages in one transaction."""
        await self.fixture.deliver(rows, flags)

    async def find(self, owner: str = MINE, folder: str = INBOX) -> MailboxRef:
        """Find a mailbox of ``user``'s, which must be there, and do not refresh it."""
        found = await self.store.find_mailbox(self.user, owner, folder)
        assert found is not None, (owner, folder)
        return found

    async def open(self, owner: str = MINE, folder: str = INBOX) -> MailboxRef:
        """Find a mailbox of ``user``'s and refresh it."""
        mailbox = await self.find(owner, folder)
        await self.refresh(mailbox)
        return mailbox

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead:
        """Refresh a mailbox that must be there."""
        head = await self.store.refresh(mailbox)
        assert head is not None
        return head

    async def states(self, mailbox: MailboxRef) -> list[MessageState]:
        """Return all messages of a mailbox as last refreshed."""
        return list(await self.store.changes(mailbox, 0, 0, EVERYTHING))

    async def gone_since(self, mailbox: MailboxRef, since: int) -> Sequence[int]:
        """Return the UIDs expunged after a mod-sequence, which must be remembered."""
        gone = await self.store.expunged_since(mailbox, since)
        assert gone is not None, since
        return gone

    async def uids(self, mailbox: MailboxRef) -> list[int]:
        """Refresh a mailbox and return its UIDs."""
        await self.refresh(mailbox)
        return [state.uid for state in await self.states(mailbox)]

    async def contents(self, mailbox: MailboxRef) -> dict[UUID, int]:
        """Refresh a mailbox and return the UID of each message in it, by UID."""
        found = await self.store.metadata(mailbox, await self.uids(mailbox))
        return {UUID(metadata.email_id): metadata.uid for metadata in found}

    async def octets(self, mailbox: MailboxRef) -> dict[int, bytes]:
        """Refresh a mailbox and return each message of it, by UID."""
        return dict(await self.store.sources(mailbox, await self.uids(mailbox)))

    async def refused(self, refusal: Refusal, attempt: Awaitable[object]) -> None:
        """Check that something is refused, and how."""
        try:
            await attempt
        except Refused as refused:
            self.assertIs(refused.refusal, refusal)
        else:
            self.fail(f"not refused with {refusal}")

    async def unavailable(self, attempt: Awaitable[object]) -> None:
        """Check that something is to be tried again later."""
        try:
            await attempt
        except StoreUnavailable:
            return
        self.fail("not refused as unavailable")

    async def names(self) -> set[str]:
        """Return the names of all mailboxes of ``user``'s."""
        return {name_of(entry.owner, entry.folder) for entry in await self.store.list_mailboxes(self.user)}

    async def state(self, mailbox: MailboxRef, row: EmailRow) -> MessageState:
        """Refresh a mailbox and return the state of one message in it."""
        uid = (await self.contents(mailbox))[row.id]
        return next(state for state in await self.states(mailbox) if state.uid == uid)
