"""What every store provides: the whole contract between the mailboxes and where they are kept.

Two stores implement it, PostgreSQL (:mod:`cybertemp_imap.store.postgres`) and memory
(:mod:`cybertemp_imap.store.memory`); one contract suite is run on both.

Invariants that each of them keeps:

- UIDs of a mailbox only ascend and none is ever used twice. Whoever has seen UID *n* has seen, or will never see, every
  UID below *n*: a UID is assigned when mail becomes visible, in one step with making it visible.
- ``highest_mod_seq`` of a mailbox never falls; every change of a message's flags, every new message and every expunged
  one has a ``mod_seq`` greater than any before.
- Mail of banned senders is not in a mailbox at all: banning a sender expunges their messages, lifting the ban brings
  them back as new ones.
- Nothing is found, read or changed but through the user it belongs to. The mail of an address belongs to who held it
  when it came, or to who held it next where nobody did (:mod:`cybertemp_imap.rules.holding`).
- An address that is banned (scope ``email``) is to its user as if it were not there.

Methods are coroutines. Each raises :class:`~cybertemp_imap.errors.StoreUnavailable` when the store cannot be reached;
what had been acknowledged before is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from cybertemp_imap.mime.letter import Letter
from cybertemp_imap.mime.parse import MimeLimits
from cybertemp_imap.store.values import (
    BanRow,
    Called,
    DomainRow,
    Expunged,
    FlagChange,
    LoginRecord,
    MailboxEntry,
    MailboxHead,
    MailboxRef,
    MessageState,
    Metadata,
    NewMessage,
    StatusCounts,
)


class MailboxReads(Protocol):
    """What sessions read of mailboxes as such."""

    async def list_mailboxes(self, user_id: UUID) -> Sequence[MailboxEntry]:
        """See :class:`Store`, as of the others."""

    async def subscriptions(self, user_id: UUID) -> dict[str, bool]:
        """Return what SUBSCRIBE and UNSUBSCRIBE said."""

    async def find_mailbox(self, user_id: UUID, owner: str, folder: str) -> MailboxRef | None:
        """Find a mailbox that the user may open."""

    async def limited_inbox(self, user_id: UUID, token_id: UUID) -> MailboxRef:
        """Find the INBOX of a limited token."""

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Take in what has happened to the mailbox's mail."""

    async def changes(self, mailbox: MailboxRef, since: int, after_uid: int, limit: int) -> Sequence[MessageState]:
        """Return changed messages."""

    async def expunged_since(self, mailbox: MailboxRef, since: int) -> Sequence[int] | None:
        """Return expunged UIDs."""

    async def claim_recent(self, mailbox: MailboxRef, *, claim: bool = True) -> int:
        """Return the first recent UID."""

    async def status(self, mailbox: MailboxRef, with_size: bool) -> StatusCounts | None:
        """Refresh and count."""


class Store(Protocol):
    """Accounts, mailboxes and messages. All ``uids`` arguments are ascending and without repeats."""

    mime_limits: MimeLimits
    """How much of a message's structure is shown; who reads parts of a message must look no further."""

    async def start(self) -> None:
        """Connect; raises :class:`StoreUnavailable` when that fails."""

    async def stop(self) -> None:
        """Let go of every connection."""

    @property
    def listening(self) -> bool:
        """Whether the process is told of every change at once, at the moment."""

    def observe(self, observer: Callable[[Collection[int] | None], None]) -> None:
        """Have changes by others told: the numbers of mailboxes to refresh, or None for all that are open.

        It is a hint that may come late, more than once, or for nothing; what this process changed itself is left out.
        """

    async def heard_all(self) -> bool:
        """Return when observers have been told of all that was committed before the call; False: that is not known.

        A refresh of a mailbox that was ``settled``, and of which nothing was told since, would then find nothing.
        """

    def reading(self) -> MailboxReads:
        """Return what a session that changes nothing may ask in the store's place, for one command.

        It answers the same: what was committed before it is asked.
        """

    # -- accounts -----------------------------------------------------------------------------------------------------

    async def find_login(self, token: str) -> LoginRecord | None:
        """Return the record of a token as a person typed it, or None.

        Tokens are stored as they are or as ``sha256:`` and the hexadecimal SHA-256 of their UTF-8; what is stored
        hashed is found only by the token itself, never by its hash.
        """

    async def find_logins(self, token_ids: Sequence[UUID]) -> Sequence[LoginRecord]:
        """Return the present records of tokens, in no particular order; those that are gone are left out."""

    async def touch_token(self, token_id: UUID) -> None:
        """Set ``last_used_at`` of a token to now, unless it was set within the last minute."""

    # -- domains and bans ---------------------------------------------------------------------------------------------

    async def read_domains(self) -> Sequence[DomainRow]:
        """Return all rows of ``domains``, in no particular order."""

    async def replace_bans(self, bans: Sequence[BanRow]) -> None:
        """Have these bans, which are kept elsewhere, in force from now on, instead of the table ``bans``.

        The store remembers that they are: until :meth:`follow_bans` changes of the table have no effect.
        """

    async def bans_are_elsewhere(self) -> bool:
        """Tell whether the bans in force are those that :meth:`replace_bans` was last given, by whichever server."""

    async def follow_bans(self) -> None:
        """Have the table ``bans`` count from now on, and whatever is done to it."""

    # -- mailboxes ----------------------------------------------------------------------------------------------------

    async def list_mailboxes(self, user_id: UUID) -> Sequence[MailboxEntry]:
        """Return every mailbox of a user, in no particular order.

        That is: INBOX and the account's folders (the special-use set exists from the start), the INBOX of every
        address the user owns, and the folders below those addresses that hold mail or were created.
        """

    async def subscriptions(self, user_id: UUID) -> dict[str, bool]:
        """Return what SUBSCRIBE and UNSUBSCRIBE said, by mailbox name; all else counts as subscribed."""

    async def set_subscribed(self, user_id: UUID, name: str, subscribed: bool) -> None:
        """Keep what SUBSCRIBE or UNSUBSCRIBE said of a name."""

    async def find_mailbox(self, user_id: UUID, owner: str, folder: str) -> MailboxRef | None:
        """Find a mailbox that the user may open, or None: there is no such mailbox, or it is another person's."""

    async def limited_inbox(self, user_id: UUID, token_id: UUID) -> MailboxRef:
        """Find the INBOX of a token that is limited to some addresses: a view of those of them that the user owns.

        It has UIDs of its own, and is there for as long as the token has limits. What is in it follows the token's
        limits as they are at the moment; without an address within them it is empty. Messages leave it by EXPUNGE and
        MOVE, but none can be added.
        """

    async def refresh(self, mailbox: MailboxRef) -> MailboxHead | None:
        """Take in what has happened to the mailbox's mail; None when the user has the mailbox no longer.

        New mail gets its UIDs here, banned mail leaves, and flags that other programs changed are noticed. Costs in
        proportion to what has changed.
        """

    async def changes(self, mailbox: MailboxRef, since: int, after_uid: int, limit: int) -> Sequence[MessageState]:
        """Return messages whose ``mod_seq`` is above ``since`` and whose UID is above ``after_uid``.

        By ascending UID, at most ``limit`` of them; fewer than ``limit`` means that there are no more. Raises
        NO_SUCH_MAILBOX when the user has the mailbox no longer: that is not the same as no changes.
        """

    async def expunged_since(self, mailbox: MailboxRef, since: int) -> Sequence[int] | None:
        """Return the UIDs expunged with a ``mod_seq`` above ``since``, ascending.

        None where the store does not remember them that far back. Raises NO_SUCH_MAILBOX as :meth:`changes` does.
        """

    async def claim_recent(self, mailbox: MailboxRef, *, claim: bool = True) -> int:
        r"""Return the first UID that no session has been told as ``\Recent``.

        With ``claim``, all present ones count as told from now on; a read-only session claims nothing.
        """

    async def status(self, mailbox: MailboxRef, with_size: bool) -> StatusCounts | None:
        """Refresh and count; None when the user has the mailbox no longer."""

    # -- messages -----------------------------------------------------------------------------------------------------

    async def metadata(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[Metadata]:
        """Return what is cached of messages, computing and keeping what is missing; expunged ones are left out."""

    async def headers(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Return (UID, header block with its empty line) by ascending UID; expunged messages are left out."""

    async def sources(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Return (UID, whole RFC 5322 message) by ascending UID; expunged messages are left out.

        The caller bounds the memory by what it asks for.
        """

    async def letters(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, Letter]]:
        """Return (UID, message that is not rendered yet) by ascending UID, for who wants its text."""

    async def weights(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Return (UID, about how many octets the message has) by ascending UID: enough to bound what is read."""

    async def holds(self, mailbox: MailboxRef) -> bool:
        """Tell whether the mailbox is its user's at this moment: for who answers without reading from it."""

    async def saved_dates(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, datetime, datetime]]:
        """Return (UID, internal date, date saved in this mailbox), aware, by ascending UID (RFC 8514)."""

    async def object_ids(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, UUID]]:
        """Return (UID, identity of the e-mail) by ascending UID; expunged messages are left out (RFC 8474).

        It is the same in every mailbox that shows an e-mail, of an e-mail that was moved, and of all its copies.
        """

    async def store_flags(
        self, mailbox: MailboxRef, uids: Sequence[int], mode: str, flags: Sequence[str], unchanged_since: int | None
    ) -> FlagChange | None:
        """Change flags, all messages in one transaction; None when the user has the mailbox no longer.

        ``mode`` is one of :class:`FlagMode`. Flags compare without case (RFC 9051 section 2.3.2); what is there already
        keeps its spelling. Two sessions that add different flags to a message lose neither.
        """

    async def expunge(self, mailbox: MailboxRef, uids: Sequence[int] | None) -> Expunged | None:
        """Remove for ever the messages that have ``\\Deleted``, all of them in one transaction.

        With ``uids``, only those among them (RFC 4315 section 2.1). None when the user has the mailbox no longer.
        """

    # -- changes to mailboxes -----------------------------------------------------------------------------------------
    #
    # Each is done as a whole or not at all, and raises Refused for what cannot be done.

    async def create_address(self, user_id: UUID, address: str) -> MailboxRef:
        """Make an address, in its canonical form, the user's, with the mail that came while it was nobody's.

        Mail of those who held it before stays theirs; what was this user's is there again. The caller has judged the
        domain. ADDRESS_NOT_ALLOWED when it is banned; ALREADY_EXISTS, whoever has it; ADDRESS_QUOTA.
        """

    async def delete_address(self, user_id: UUID, address: str) -> None:
        """Give an address back; its mail stays. NO_SUCH_MAILBOX; HAS_CHILDREN when there are folders below it."""

    async def create_folder(self, user_id: UUID, owner: str, folder: str, special_use: str | None) -> MailboxRef:
        """Create a folder. ALREADY_EXISTS; NO_PERMISSION, for another's address as for none; CANNOT; OVER_QUOTA."""

    async def delete_folder(self, user_id: UUID, owner: str, folder: str) -> None:
        """Delete a folder with its messages; folders below it stay. NO_SUCH_MAILBOX; CANNOT for an INBOX."""

    async def rename_folder(self, user_id: UUID, owner: str, folder: str, new_owner: str, new_folder: str) -> None:
        """Rename a folder and all below it; they keep UIDs and UIDVALIDITY. NO_SUCH_MAILBOX, ALREADY_EXISTS, CANNOT."""

    async def rename_inbox(self, inbox: MailboxRef, new_owner: str, new_folder: str) -> MailboxRef:
        """Create a folder with all messages of INBOX, which stays and is empty. Raises what create_folder does."""

    async def upload(self, message_id: UUID, piece: int, octets: bytes) -> None:
        """Take a piece, numbered from 0, of a message that :meth:`append` is going to add."""

    async def discard(self, message_ids: Sequence[UUID]) -> None:
        """Forget the pieces of messages that are not going to be added after all."""

    async def append(
        self, mailbox: MailboxRef, messages: Sequence[NewMessage], called: Called | None = None
    ) -> Sequence[int]:
        """Add messages; return their UIDs. NO_SUCH_MAILBOX; NO_PERMISSION when a sender is banned.

        With ``called``, a mailbox that is called otherwise by now is no such mailbox: what the caller knows of a name
        may be of before it was renamed.

        Raises :class:`StoreUnavailable` also where pieces of a message were lost, and the client must send it again.
        """

    async def copy(self, source: MailboxRef, uids: Sequence[int], target: MailboxRef) -> Sequence[tuple[int, int]]:
        """Copy messages; return (UID, UID of the copy) by ascending UID; messages that are gone are left out."""

    async def move(self, source: MailboxRef, uids: Sequence[int], target: MailboxRef) -> Sequence[tuple[int, int]]:
        """Move messages, which keep their e-mail id; return (UID, new UID) by ascending UID.

        CANNOT where a message is in the target already, as between INBOX and the address that it came to.
        """
