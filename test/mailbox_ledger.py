"""What must hold of one mailbox for as long as it is there, whoever looks at it and whenever."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

KEPT_POINTS = 6
"""Earlier states from which changes are asked for."""

Contents = dict[int, tuple[str, frozenset[str]]]
"""Subject and flags of messages, by UID."""


@dataclass(frozen=True)
class Changes:
    """What a client was told to have changed: UIDs that are gone, flags and mod-sequences by UID.

    ``vanished`` is None where the client was not to be told.
    """

    vanished: frozenset[int] | None
    flags: dict[int, frozenset[str]]
    mod_seqs: dict[int, int]


@dataclass(frozen=True)
class Point:
    """A state that a client can remember, as it was told: HIGHESTMODSEQ, UIDNEXT, messages, their mod-sequences."""

    mod_seq: int
    uid_next: int
    contents: Contents
    mod_seqs: dict[int, int]

    @property
    def gone(self) -> set[int]:
        """UIDs that are used up."""
        return set(range(1, self.uid_next)) - set(self.contents)


@dataclass
class Ledger:
    """The history of a mailbox, as up-to-date sessions have seen it.

    ``subjects`` is what every UID ever stood for; ``uid_next`` the highest UIDNEXT that was ever announced, ``mod_seq``
    the highest HIGHESTMODSEQ.
    """

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

    def announce(self, uid_next: int, mod_seq: int | None = None) -> None:
        """Check a UIDNEXT and a HIGHESTMODSEQ that were announced to a client who then saw all there was."""
        assert uid_next >= self.uid_next, f"UIDNEXT falls from {self.uid_next} to {uid_next}"
        self.uid_next = uid_next
        if mod_seq is not None:
            assert mod_seq >= self.mod_seq, f"HIGHESTMODSEQ falls from {self.mod_seq} to {mod_seq}"
            self.mod_seq = mod_seq

    def keep_point(self, point: Point) -> None:
        """Remember the present state; check that HIGHESTMODSEQ did not fall, and rose with every change."""
        self.announce(point.uid_next, point.mod_seq)
        assert all(at <= point.mod_seq for at in point.mod_seqs.values()), "a mod-sequence is above the highest"
        if self.points and self.points[-1].mod_seq == point.mod_seq:
            assert self.points[-1] == point, "there are changes without a mod-sequence"
            return
        # The first one stays; of the others, the latest.
        self.points[1 : len(self.points) - KEPT_POINTS + 2] = []
        self.points.append(point)


def check_changes(point: Point, told: Changes, now: Point, known: AbstractSet[int] | None = None) -> None:
    """What a client was told that knows a point, or some UIDs of it, is exactly what has changed since.

    A message whose flags changed and changed back counts as changed: its mod-sequence is another.
    """
    known = set(range(1, now.uid_next)) if known is None else known
    changed = {uid for uid, at in now.mod_seqs.items() if point.mod_seqs.get(uid) != at}
    assert changed == {uid for uid, at in now.mod_seqs.items() if at > point.mod_seq}, "mod-sequences are out of order"
    since = f"since {point.mod_seq}"
    assert set(told.flags) == changed & known, f"{since}, {set(told.flags) ^ (changed & known)} are told wrongly"
    assert told.mod_seqs == {uid: now.mod_seqs[uid] for uid in told.flags}, f"{since}, mod-sequences are wrong"
    if told.vanished is not None:
        gone = (now.gone - point.gone) & known
        assert told.vanished == gone, f"{since}, {told.vanished ^ gone} are told wrongly to be gone"
    # The cache of then and the answer together are what there is.
    cache = {uid: flags for uid, (_, flags) in point.contents.items() if uid in now.contents} | told.flags
    truth = {uid: flags for uid, (_, flags) in now.contents.items() if uid in known or uid in point.contents}
    assert cache == truth, f"{since}, the cache is not what there is"
