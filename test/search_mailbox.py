"""A mailbox in memory to search in, over a store that counts what is read from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.mime.letter import Letter
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.naming import INBOX
from cybertemp_imap.protocol.command import Search
from cybertemp_imap.protocol.grammar.parse import parse_command
from cybertemp_imap.search import search
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import MailboxRef, Metadata

BASE = datetime(2024, 3, 1, 12, tzinfo=UTC)
ADDRESS = "box@example.com"


@dataclass(frozen=True)
class Mail:
    """A message to search for; ``source`` is the whole of it, ``date`` its internal date."""

    source: bytes
    flags: tuple[str, ...] = ()
    date: datetime | None = None
    id: UUID | None = None


class CountingStore(MemoryStore):
    """A store in memory that notes which UIDs were asked for, call by call, by the name of the method."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.read: dict[str, list[int]] = {}
        self.largest_page: Counter[str] = Counter()

    def _note(self, name: str, uids: Sequence[int]) -> None:
        self.calls[name] += 1
        self.read.setdefault(name, []).extend(uids)
        self.largest_page[name] = max(self.largest_page[name], len(uids))

    async def metadata(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[Metadata]:
        """Read and note."""
        self._note("metadata", uids)
        return await super().metadata(mailbox, uids)

    async def headers(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Read and note."""
        self._note("headers", uids)
        return await super().headers(mailbox, uids)

    async def letters(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, Letter]]:
        """Read and note."""
        self._note("letters", uids)
        return await super().letters(mailbox, uids)

    async def saved_dates(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, datetime, datetime]]:
        """Read and note."""
        self._note("saved_dates", uids)
        return await super().saved_dates(mailbox, uids)

    async def object_ids(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, UUID]]:
        """Read and note."""
        self._note("object_ids", uids)
        return await super().object_ids(mailbox, uids)


@dataclass
class Box:
    """A mailbox that is open, its store, and the ids of its messages in their order."""

    store: CountingStore
    mailbox: Mailbox
    ids: list[UUID]

    async def search(self, program: bytes, saved: Iterable[int] = ()) -> list[int]:
        """Return the sequence numbers of the messages that match a search program as a client writes it."""
        _, command = parse_command(b"a SEARCH " + program)
        assert isinstance(command, Search)
        return [position + 1 for position in await search(self.mailbox, command.key, saved=saved)]


async def box_of(mails: Iterable[Mail]) -> Box:
    """Return an open mailbox with some messages, whose UIDs count from 1; their internal dates count from BASE."""
    store = CountingStore()
    user = store.add_user("me@example.com")
    store.add_address(user, ADDRESS)
    ref = await store.find_mailbox(user, ADDRESS, INBOX)
    assert ref is not None
    ids: list[UUID] = []
    for minutes, mail in enumerate(mails):
        date = mail.date or BASE + timedelta(minutes=minutes)
        row = EmailRow(mail.id or uuid4(), ADDRESS, INBOX, None, None, None, None, (), date, date, source=mail.source)
        store.deliver(row, mail.flags)
        ids.append(row.id)
        if mail.date is not None:
            await store.refresh(ref)  # UIDs in the order given, whatever the dates.
    return Box(store, await Mailbox.open(SharedMailbox(store, ref), read_only=False), ids)


def letter(body: bytes = b"Hello", *fields: bytes) -> bytes:
    """Return a message with some header fields."""
    return b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body + b"\r\n"
