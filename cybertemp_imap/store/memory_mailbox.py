"""One mailbox in memory: its UIDs and mod-sequences, and what they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

from cybertemp_imap.mime.row import internal_date
from cybertemp_imap.rules.flags import valid_flags
from cybertemp_imap.store.memory_tables import StoredEmail
from cybertemp_imap.store.values import MailboxHead, MessageState


@dataclass(slots=True)
class KeptMessage:
    """A message as a mailbox shows it; ``saved_at`` is when it came to be there."""

    email_id: UUID
    saved_at: datetime
    state: MessageState


@dataclass(slots=True, eq=False)
class MemoryMailbox:
    """A mailbox of one user. ``messages`` is by UID, ascending; ``seen_version`` that of the tables last taken in."""

    user_id: UUID
    owner: str
    folder: str
    id: int
    uid_validity: int
    special_use: str | None = None
    uid_next: int = 1
    highest_mod_seq: int = 1
    recent_uid: int = 1
    seen_version: int = -1
    messages: dict[int, KeptMessage] = field(default_factory=dict)
    uids: dict[UUID, int] = field(default_factory=dict)
    expunged: list[tuple[int, int]] = field(default_factory=list)
    """(mod_seq, UID) of what is gone, ascending."""
    forgotten_mod_seq: int = 0
    """What was expunged up to it is perhaps no longer in ``expunged``."""

    def head(self) -> MailboxHead:
        """Return the mailbox's numbers."""
        return MailboxHead(self.uid_validity, self.uid_next, self.highest_mod_seq)

    def states(self) -> Iterator[MessageState]:
        """Yield every message's state by ascending UID."""
        return (message.state for message in self.messages.values())

    def changes(self, since: int, after_uid: int, limit: int) -> Sequence[MessageState]:
        """Return a page of what has changed, as :meth:`cybertemp_imap.store.interface.Store.changes` does."""
        changed = (state for state in self.states() if state.mod_seq > since and state.uid > after_uid)
        return list(islice(changed, limit))

    def expunged_since(self, since: int) -> Sequence[int] | None:
        """Return the UIDs expunged after a mod-sequence, ascending; None where that is forgotten."""
        if since < self.forgotten_mod_seq:
            return None
        return sorted(uid for mod_seq, uid in self.expunged if mod_seq > since)

    def forget_expunged(self, kept: int) -> None:
        """Forget which messages were expunged, but the last ones."""
        if len(self.expunged) > kept:
            self.forgotten_mod_seq = self.expunged[-kept - 1][0]
            self.expunged = [each for each in self.expunged if each[0] > self.forgotten_mod_seq]

    def take_in(self, visible: Mapping[UUID, StoredEmail]) -> None:
        """Become what the tables say, in one step of the mod-sequence."""
        step = self.highest_mod_seq + 1
        gone = [uid for email_id, uid in self.uids.items() if email_id not in visible]
        self._drop(gone, step)
        noticed = [self.note_flags(uid, visible[email_id], step) for email_id, uid in self.uids.items()]
        new = [email for email_id, email in visible.items() if email_id not in self.uids]
        for email in sorted(new, key=_arrival_order):
            self._append(email, step)
        if gone or new or any(noticed):
            self.highest_mod_seq = step

    def note_flags(self, uid: int, email: StoredEmail, step: int) -> bool:
        """Show the flags that a message now has, and tell whether they were others before.

        The caller raises ``highest_mod_seq`` to ``step`` when anything was.
        """
        message, flags = self.messages[uid], valid_flags(email.flags)
        if message.state.flags == flags:
            return False
        message.state = MessageState(uid, flags, step)
        return True

    def add(self, emails: Sequence[StoredEmail]) -> list[int]:
        """Show these messages too, in one step and in this order; return their UIDs."""
        self.highest_mod_seq += 1
        for email in emails:
            self._append(email, self.highest_mod_seq)
        return [self.uids[email.row.id] for email in emails]

    def drop(self, uids: Iterable[int]) -> None:
        """Show these messages no more, in one step."""
        self.highest_mod_seq += 1
        self._drop(uids, self.highest_mod_seq)

    def _drop(self, uids: Iterable[int], step: int) -> None:
        for uid in uids:
            del self.uids[self.messages.pop(uid).email_id]
            self.expunged.append((step, uid))

    def _append(self, email: StoredEmail, step: int) -> None:
        uid, self.uid_next = self.uid_next, self.uid_next + 1
        state = MessageState(uid, valid_flags(email.flags), step)
        self.messages[uid] = KeptMessage(email.row.id, datetime.now(UTC), state)
        self.uids[email.row.id] = uid


def _arrival_order(email: StoredEmail) -> tuple[datetime, UUID]:
    return internal_date(email.row), email.row.id
