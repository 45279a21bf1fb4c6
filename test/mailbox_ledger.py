"""What must hold of one mailbox for as long as it is there, whoever looks at it and whenever."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from test.replaying import Contents

KEPT_POINTS = 6
"""Earlier states from which changes are asked for."""


class Changes(Protocol):
    """What is said to have changed in a mailbox."""

    def changed(self, mailbox: int, since: int) -> dict[int, int]:
        """Return the mod-sequences, by UID, of messages changed since a mod-sequence."""

    def expunged(self, mailbox: int, since: int) -> set[int]:
        """Return the UIDs expunged since a mod-sequence."""


@dataclass(frozen=True)
class Point:
    """A state that a client could have remembered."""

    mod_seq: int
    contents: Contents
    mod_seqs: dict[int, int]
    gone: frozenset[int]


@dataclass
class Ledger:
    """The history of a mailbox, as up-to-date sessions have seen it.

    ``subjects`` is what every UID ever stood for; ``uid_next`` the highest UIDNEXT that was ever announced.
    """

    number: int
    told: Changes
    subjects: dict[int, str] = field(default_factory=dict)
    present: frozenset[int] = frozenset()
    uid_next: int = 1
    mod_seq: int = 0
    points: list[Point] = field(default_factory=list)

    def observe(self, contents: Contents) -> None:
        """Check what a session knows that is up to date."""
        for uid, (subject, _) in contents.items():
            if uid not in self.present:
                assert uid not in self.subjects, f"UID {uid} is used again"
                assert uid >= self.uid_next, f"UID {uid} is new, though UIDNEXT was {self.uid_next}"
            assert self.subjects.setdefault(uid, subject) == subject, f"UID {uid} is another message now"
        self.present = frozenset(contents)
        self.uid_next = max(self.uid_next, max(contents, default=0) + 1)

    def announce(self, uid_next: int) -> None:
        """Check a UIDNEXT that was announced to a client who then saw all there was."""
        assert uid_next >= self.uid_next, f"UIDNEXT falls from {self.uid_next} to {uid_next}"
        self.uid_next = uid_next

    def keep_point(self, mod_seq: int, contents: Contents) -> None:
        """Remember the present state; check that HIGHESTMODSEQ did not fall, and rose with every change."""
        assert mod_seq >= self.mod_seq, f"HIGHESTMODSEQ falls from {self.mod_seq} to {mod_seq}"
        if self.points and self.points[-1].mod_seq == mod_seq:
            assert self.points[-1].contents == contents, "there are changes without a mod-sequence"
            return
        self.mod_seq = mod_seq
        changes = self.told.changed(self.number, 0)
        point = Point(mod_seq, dict(contents), changes, frozenset(self.subjects) - set(contents))
        # The first one stays; of the others, the latest.
        self.points[1 : len(self.points) - KEPT_POINTS + 2] = []
        self.points.append(point)

    def check_changes(self, contents: Contents) -> None:
        """From every point remembered, ask for the changes since: they are exactly those there were."""
        now = self.told.changed(self.number, 0)
        assert set(now) == set(contents)
        for point in self.points:
            changes = self.told.changed(self.number, point.mod_seq)
            differing = {uid for uid in contents if contents[uid] != point.contents.get(uid)}
            assert differing <= set(changes), f"since {point.mod_seq}, nothing is told of {differing - set(changes)}"
            assert changes == {uid: at for uid, at in now.items() if point.mod_seqs.get(uid) != at}
            gone = self.told.expunged(self.number, point.mod_seq)
            assert set(point.contents) - set(contents) <= gone, f"since {point.mod_seq}, some went untold"
            assert not gone & (set(contents) | point.gone), f"since {point.mod_seq}, too much is told to be gone"
