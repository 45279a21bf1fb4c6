"""What a process keeps of what its searches have learnt, and in which bounds."""

from __future__ import annotations

from weakref import WeakSet

from cybertemp_imap.columns.blocks import Numbers, Strings
from cybertemp_imap.columns.file import TextFile, Texts

MEMORY = 64 << 20
"""Octets of memory for what is known of all mailboxes together."""

FILE = 1 << 30
"""Octets of the file of texts, unless it is said otherwise."""

SPARE = 100
"""Entries of messages that are gone, beyond as many as there are messages, with which a mailbox's notes are kept.

Few, since there are many small mailboxes whose mail does not stay: ten kilobytes each. To learn anew what such a
mailbox has costs no more than it cost to learn what has come since."""

FIELDS = 16
"""Header fields kept of a mailbox: clients choose their names, and may ask for a thousand of them."""

Column = Numbers | Strings | Texts


class Notes:
    """What searches have learnt of one mailbox, column by column; numbers by a name, strings by their header field.

    ``open`` tells whether there is room for more; ``used`` when it was last searched, in the order of searches.
    """

    def __init__(self, texts: Texts, shelf: Shelf) -> None:
        self._shelf = shelf
        self.numbers: dict[str, Numbers] = {}
        self.strings: dict[bytes, Strings] = {}
        self.texts = texts
        self.open = True
        self.used = 0
        self.counted = 0
        """Octets of it that the shelf has counted."""

    @property
    def octets(self) -> int:
        """How much memory it takes, about."""
        return sum(column.octets for column in self._columns())

    def begin(self, messages: int) -> None:
        """Begin a search in the mailbox, which has so many messages."""
        self.used = self._shelf.next_use()
        if any(column.count > 2 * messages + SPARE for column in self._columns()):
            self.forget()

    def numbers_of(self, name: str) -> Numbers:
        """Return a column, which may be empty."""
        return self.numbers.setdefault(name, Numbers())

    def strings_of(self, field: bytes) -> Strings:
        """Return the column of a header field, which is in lower case; where there is none, a new one."""
        column = self.strings.pop(field) if field in self.strings else Strings()
        self.strings[field] = column
        if len(self.strings) > FIELDS:
            del self.strings[next(iter(self.strings))]
        return column

    def learnt(self) -> None:
        """Keep the bounds, now that more is known."""
        self._shelf.make_room(self)

    def forget(self) -> None:
        """Know nothing any more."""
        self.numbers.clear()
        self.strings.clear()
        self.texts.give_back()
        self.open = True

    def _columns(self) -> list[Column]:
        return [*self.numbers.values(), *self.strings.values(), self.texts]


class Shelf:
    """The notes of all mailboxes that a process knows; what was not searched for longest gives way."""

    def __init__(self, file: int = FILE, memory: int = MEMORY) -> None:
        """``file`` and ``memory`` are octets; where the file has none, texts are not kept."""
        self._file = TextFile(file)
        self._memory = memory
        self._notes: WeakSet[Notes] = WeakSet()
        self._uses = 0
        self._counted = 0

    def notes(self) -> Notes:
        """Return empty notes for a mailbox; they are kept for as long as somebody has them."""
        notes = Notes(Texts(self._file, self._make_pages), self)
        self._notes.add(notes)
        return notes

    def next_use(self) -> int:
        """Return a number greater than all before."""
        self._uses += 1
        return self._uses

    def make_room(self, asking: Notes) -> None:
        """Drop notes until those that are left fit into the memory; one that fills it alone is open no more."""
        octets = asking.octets
        self._counted += octets - asking.counted
        asking.counted = octets
        if self._counted <= self._memory:
            return
        # Some of what was counted may be gone.
        total = sum(notes.octets for notes in self._notes)
        for notes in sorted(self._notes, key=lambda notes: notes.used):
            if total > self._memory and notes is not asking:
                total -= notes.octets
                notes.forget()
                notes.counted = 0
        self._counted = total
        asking.open = total <= self._memory

    def _make_pages(self, asking: Texts) -> None:
        """Have the mailbox that was not searched for longest give its pages back."""
        others = [notes for notes in self._notes if notes.texts is not asking and notes.texts.blocks]
        if others:
            min(others, key=lambda notes: notes.used).texts.give_back()
