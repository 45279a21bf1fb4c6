"""Which mailbox a name is, as far as a process knows: for as long as there was no hint of that mailbox.

A mailbox that is renamed, deleted or its user's no longer is one of which there is a hint, like any other change. So a
name that was looked up holds until the next hint, and is looked up again then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

Name = tuple[UUID, str, str]
"""A user, and an owner and a folder of theirs (:mod:`cybertemp_imap.naming`)."""

KEPT = 10_000
"""Names remembered at most."""

SPARE = 100
"""Names, beyond twice as many as held true, with which it is not looked which do so no longer."""


class Search:
    """A look-up that is under way; ``hinted`` of a mailbox: there was a hint of it meanwhile."""

    def __init__(self) -> None:
        self.numbers: set[int] = set()
        self.all = False

    def hinted(self, number: int) -> bool:
        """Tell whether what is found may be true no longer."""
        return self.all or number in self.numbers


class KnownNames:
    """Names of mailboxes, with the number of each in the store, and how many hints of it there had been."""

    def __init__(self) -> None:
        self._found: dict[Name, tuple[int, int]] = {}
        self._few = SPARE
        self._searches: set[Search] = set()

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._found)

    def get(self, name: Name, hints: Callable[[int], int]) -> int | None:
        """Return the number of a mailbox, if it is known; ``hints`` tells how many there were of one by now."""
        found = self._found.get(name)
        return found[0] if found is not None and hints(found[0]) == found[1] else None

    def put(self, name: Name, number: int, hints: Callable[[int], int]) -> None:
        """Remember what was found by a search during which there was no hint of it."""
        if len(self._found) >= self._few:
            self._forget(hints)
        self._found[name] = number, hints(number)

    def _forget(self, hints: Callable[[int], int]) -> None:
        """Forget the names that hold no longer: most of them will never be asked for again."""
        self._found = {name: found for name, found in self._found.items() if hints(found[0]) == found[1]}
        if len(self._found) >= KEPT:
            self._found.clear()
        self._few = min(2 * len(self._found) + SPARE, KEPT)

    @contextmanager
    def search(self) -> Iterator[Search]:
        """Take note of the hints that come while a name is looked up."""
        search = Search()
        self._searches.add(search)
        try:
            yield search
        finally:
            self._searches.discard(search)

    def hint(self, numbers: Collection[int] | None) -> None:
        """Take note of a hint of some mailboxes, or of all."""
        for search in self._searches:
            if numbers is None:
                search.all = True
            else:
                search.numbers.update(numbers)
