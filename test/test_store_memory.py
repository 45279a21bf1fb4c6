"""The store in memory keeps the contract of stores."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.naming import INBOX
from cybertemp_imap.store.interface import Store
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import DomainRow, MailboxRef
from test import (
    store_contract,
    store_contract_accounts,
    store_contract_addresses,
    store_contract_append,
    store_contract_bans,
    store_contract_changes,
    store_contract_flags,
    store_contract_folders,
    store_contract_forget,
    store_contract_messages,
    store_contract_observe,
    store_contract_uids,
)


class MemoryFixture(store_contract.StoreFixture):
    """A store in memory, whose tables are its own."""

    async def set_up(self) -> None:
        """Make an empty store."""
        self.memory = MemoryStore()
        self.store: Store = self.memory
        await self.store.start()

    def set_folder_quota(self, quota: int) -> None:
        """Say how many folders a user may have."""
        self.memory.folder_quota = quota

    def set_address_quota(self, quota: int) -> None:
        """Say how many addresses a user may have."""
        self.memory.address_quota = quota

    def is_listening(self) -> bool:
        """Tell that observers are told, always."""
        return True

    async def tear_down(self) -> None:
        """Stop the store."""
        await self.store.stop()

    async def add_user(self, email: str, status: str | None = "active", end: datetime | None = None) -> UUID:
        """Add an account."""
        return self.memory.add_user(email, status, end)

    async def add_token(self, user_id: UUID, token: str, expires_at: datetime, hashed: bool = False) -> UUID:
        """Add a token."""
        return self.memory.add_token(user_id, token, expires_at, hashed)

    async def remove_token(self, token_id: UUID) -> None:
        """Remove a token."""
        self.memory.remove_token(token_id)

    async def limit_token(
        self,
        token_id: UUID,
        addresses: Sequence[str] | None = None,
        read_only: bool = False,
        expires_at: datetime | None = None,
    ) -> None:
        """Limit a token."""
        self.memory.limit_token(token_id, addresses, read_only, expires_at)

    async def unlimit_token(self, token_id: UUID) -> None:
        """Take a token's limits away."""
        self.memory.unlimit_token(token_id)

    async def set_last_used(self, token_id: UUID, moment: datetime) -> None:
        """Set when a token was last used."""
        self.memory.tokens[token_id].last_used_at = moment

    async def last_used(self, token_id: UUID) -> datetime | None:
        """Return when a token was last used."""
        return self.memory.last_used(token_id)

    async def add_address(self, user_id: UUID | None, address: str) -> None:
        """Give an address to a user or to nobody."""
        self.memory.add_address(user_id, address)

    async def remove_address(self, address: str) -> None:
        """Take an address away."""
        self.memory.remove_address(address)

    async def pass_address(self, address: str, user_id: UUID | None) -> None:
        """Give an address to another."""
        self.memory.add_address(user_id, address)

    async def add_folder(self, user_id: UUID, owner: str, folder: str) -> None:
        """Create a folder."""
        self.memory.add_folder(owner, folder)

    async def deliver(self, rows: Sequence[EmailRow], flags: Iterable[str | None] | None = ()) -> None:
        """Add messages."""
        for row in rows:
            self.memory.deliver(row, flags)

    async def stored_flags(self, email_id: UUID) -> Sequence[str | None] | None:
        """Return the flags of a message as stored."""
        return list(self.memory.flags_of(email_id)) if email_id in self.memory.emails else None

    async def stored_row(self, email_id: UUID) -> EmailRow | None:
        """Return a message's row."""
        email = self.memory.emails.get(email_id)
        return None if email is None else replace(email.row, source=None)

    async def set_flags_elsewhere(self, email_id: UUID, flags: Iterable[str | None] | None) -> None:
        """Replace the flags of a message."""
        self.memory.set_flags_elsewhere(email_id, flags)

    async def forget_expunged(self, mailbox: MailboxRef, kept: int) -> None:
        """Forget what was expunged."""
        self.memory.forget_expunged(mailbox, kept)

    async def delete_elsewhere(self, email_id: UUID) -> None:
        """Delete a message."""
        self.memory.delete_elsewhere(email_id)

    async def ban(
        self, scope: str, value: str, match_type: str | None = "exact", status: str | None = "active"
    ) -> UUID:
        """Add a ban."""
        return self.memory.ban(scope, value, match_type, status)

    async def add_domain(self, row: DomainRow) -> None:
        """Add a domain."""
        self.memory.add_domain(row.domain, row.user_id, active=row.active, cloudflare=row.cloudflare)

    async def lift(self, ban_id: UUID) -> None:
        """Make a ban inactive."""
        self.memory.lift(ban_id)


class MemoryLoginTests(store_contract_accounts.LoginContract):
    """Tokens in memory."""

    fixture_type = MemoryFixture


class MemoryListTests(store_contract_accounts.ListContract):
    """Lists in memory."""

    fixture_type = MemoryFixture


class MemoryIsolationTests(store_contract_accounts.IsolationContract):
    """Who may open what in memory."""

    fixture_type = MemoryFixture


class MemoryUidTests(store_contract_uids.UidContract):
    """UIDs in memory."""

    fixture_type = MemoryFixture


class MemoryModSeqTests(store_contract_uids.ModSeqContract):
    """Mod-sequences in memory."""

    fixture_type = MemoryFixture


class MemoryInboxTests(store_contract_uids.InboxContract):
    """INBOX in memory."""

    fixture_type = MemoryFixture


class MemoryDatesTests(store_contract_uids.DatesContract):
    """Dates in memory."""

    fixture_type = MemoryFixture


class MemoryBanTests(store_contract_bans.BanContract):
    """Bans in memory."""

    fixture_type = MemoryFixture


class MemoryAddressTests(store_contract_addresses.AddressContract):
    """Addresses in memory."""

    fixture_type = MemoryFixture


class MemoryBanSourceTests(store_contract_bans.BanSourceContract):
    """Bans kept elsewhere, and domains, in memory."""

    fixture_type = MemoryFixture


class MemoryStoreFlagsTests(store_contract_flags.StoreFlagsContract):
    """STORE in memory."""

    fixture_type = MemoryFixture


class MemorySharedFlagsTests(store_contract_flags.SharedFlagsContract):
    """Flags written by others in memory."""

    fixture_type = MemoryFixture


class MemoryMessageTests(store_contract_messages.MessageContract):
    """Messages in memory."""

    fixture_type = MemoryFixture


class MemoryStatusTests(store_contract_messages.StatusContract):
    """Counts in memory."""

    fixture_type = MemoryFixture


class MemoryExpungeTests(store_contract_messages.ExpungeContract):
    """Expunging in memory."""

    fixture_type = MemoryFixture


class MemoryCreateTests(store_contract_folders.CreateContract):
    """CREATE in memory."""

    fixture_type = MemoryFixture


class MemoryDeleteTests(store_contract_folders.DeleteContract):
    """DELETE in memory."""

    fixture_type = MemoryFixture


class MemoryRenameTests(store_contract_folders.RenameContract):
    """RENAME in memory."""

    fixture_type = MemoryFixture


class MemoryAppendTests(store_contract_append.AppendContract):
    """APPEND in memory."""

    fixture_type = MemoryFixture


class MemoryCopyTests(store_contract_changes.CopyContract):
    """COPY in memory."""

    fixture_type = MemoryFixture


class MemoryMoveTests(store_contract_changes.MoveContract):
    """MOVE in memory."""

    fixture_type = MemoryFixture


class MemoryIdentityTests(store_contract_changes.IdentityContract):
    """What identifies e-mails."""

    fixture_type = MemoryFixture


class MemoryForgetTests(store_contract_forget.ForgetContract):
    """What a store in memory remembers of expunged messages."""

    fixture_type = MemoryFixture


class MemoryObserveTests(store_contract_observe.ObserveContract):
    """Observers in memory."""

    fixture_type = MemoryFixture


class MemoryUnavailableTests(store_contract.StoreContract):
    """A store in memory that is told to be out of reach."""

    fixture_type = MemoryFixture

    async def test_unavailable(self) -> None:
        """Every method fails while the store is not available, and what it held is there afterwards."""
        memory = self.store
        assert isinstance(memory, MemoryStore)
        mailbox = await self.open()
        memory.available = False
        attempts: tuple[Awaitable[object], ...] = (
            memory.start(),
            memory.find_login("token"),
            memory.find_logins([self.user]),
            memory.touch_token(self.user),
            memory.list_mailboxes(self.user),
            memory.subscriptions(self.user),
            memory.set_subscribed(self.user, "Sent", True),
            memory.find_mailbox(self.user, self.account, INBOX),
            memory.limited_inbox(self.user, self.other),
            memory.refresh(mailbox),
            memory.changes(mailbox, 0, 0, 1),
            memory.expunged_since(mailbox, 0),
            memory.claim_recent(mailbox),
            memory.status(mailbox, True),
            memory.metadata(mailbox, []),
            memory.headers(mailbox, []),
            memory.sources(mailbox, []),
            memory.weights(mailbox, []),
            memory.saved_dates(mailbox, []),
            memory.store_flags(mailbox, [], "", [], None),
            memory.expunge(mailbox, None),
            memory.create_folder(self.user, self.account, "New", None),
            memory.delete_folder(self.user, self.account, "Sent"),
            memory.rename_folder(self.user, self.account, "Sent", self.account, "New"),
            memory.upload(uuid4(), 0, b""),
            memory.discard([]),
            memory.append(mailbox, []),
            memory.copy(mailbox, [], mailbox),
            memory.move(mailbox, [], mailbox),
        )
        for attempt in attempts:
            try:
                await attempt
            except StoreUnavailable:
                continue
            self.fail(f"{attempt!r} did not fail")
        memory.available = True
        self.assertEqual(await self.open(), mailbox)
