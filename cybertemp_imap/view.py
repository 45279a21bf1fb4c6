"""What one session sees of its mailbox: message sequence numbers, and what it has still to be told.

A session numbers the messages it was told of, not those that are there: a message expunged by somebody else keeps its
number until the session may be told (RFC 9051 section 7.5.1), and new mail has none before EXISTS. The view is pure: it
is told of changes and makes reports; sending them is up to the session.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from cybertemp_imap.messages import FlagSet, Messages, without
from cybertemp_imap.recent import Recent
from cybertemp_imap.store.values import MessageState


@dataclass(frozen=True, slots=True)
class FlagNews:
    """The flags of a message, for a FETCH response."""

    seq: int
    uid: int
    flags: FlagSet
    mod_seq: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a session must be told, in this order.

    ``expunged``: (sequence number, UID) by descending number, so that each holds when it is sent. ``exists`` and
    ``recent``: the new counts, or None where they are as before. ``flags``: by ascending number.
    """

    expunged: Sequence[tuple[int, int]] = ()
    exists: int | None = None
    recent: int | None = None
    flags: Sequence[FlagNews] = field(default=())

    @property
    def empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not self.expunged and self.exists is None and self.recent is None and not self.flags


NOTHING = Report()


class View:
    """One session's numbering of a mailbox.

    ``recent`` are the UIDs that are ``\\Recent`` in this session. ``on_news`` is called when others have changed the
    mailbox; it is set while the session idles. ``on_gone`` is called some time after the mailbox is gone, should
    the session not have noticed by a command. ``told_mod_seq``: the session was told of every change up to it, so that
    it may be promised as HIGHESTMODSEQ (RFC 7162).
    """

    __slots__ = (
        "__weakref__",
        "_flags",
        "_gone",
        "_keywords_told",
        "_messages",
        "_recent_told",
        "on_gone",
        "on_news",
        "read_only",
        "recent",
        "told_mod_seq",
        "uids",
    )

    def __init__(self, messages: Messages, *, read_only: bool = False) -> None:
        """``read_only``: the session changes nothing."""
        self.read_only = read_only
        self._messages = messages
        self.uids: Sequence[int] = messages.uids
        self.recent = Recent()
        self.on_news: Callable[[], None] | None = None
        self.on_gone: Callable[[], None] | None = None
        self.told_mod_seq = 0
        self._recent_told = 0
        self._keywords_told = 0
        self._gone: set[int] = set()
        self._flags: set[int] = set()

    def __len__(self) -> int:
        return len(self.uids)

    def seq_of(self, uid: int) -> int | None:
        """Return the sequence number of a UID in this session, or None."""
        position = bisect_left(self.uids, uid)
        return position + 1 if position < len(self.uids) and self.uids[position] == uid else None

    def flags_of(self, uid: int) -> FlagSet | None:
        """Return the flags a message has now, or None when it is gone."""
        return self._messages.flags_of(uid)

    def mod_seq_of(self, uid: int) -> int:
        """Return the mod-sequence a message has now; 0 when it is gone."""
        position = self._messages.find(uid)
        return 0 if position is None else self._messages.mod_seqs[position]

    def changed_since(self, positions: range, since: int) -> list[int]:
        """Return which positions hold messages that are there and were changed after a mod-sequence."""
        mod_seqs = self._messages.mod_seqs
        if self.in_step:
            return [position for position in positions if mod_seqs[position] > since]
        return [position for position in positions if self.mod_seq_of(self.uids[position]) > since]

    @property
    def in_step(self) -> bool:
        """Whether sequence numbers are positions in the mailbox as it is: nothing is waiting to be told but flags."""
        return self.uids is self._messages.uids

    # -- being told ---------------------------------------------------------------------------------------------------

    def flags_changed(self, uids: Iterable[int]) -> None:
        """Take note that flags changed."""
        self._flags.update(uids)

    def expunged(self, uids: Iterable[int]) -> None:
        """Take note that messages are gone."""
        self._gone.update(uids)

    def arrived_recent(self, first: int) -> None:
        """Take note that the messages from this UID on are recent, and this session is the first to know."""
        uids = self._messages.uids
        self.recent.add(first, uids[-1] if uids else 0)

    def forget_recent(self) -> None:
        """Have no message be recent, and tell of none."""
        self.recent.clear()
        self._recent_told = 0

    def take_keywords(self) -> bool:
        """Tell whether there are keywords that the session was not told of, and count them as told."""
        before, self._keywords_told = self._keywords_told, self._messages.keywords_found
        return before != self._keywords_told

    def is_untold(self, uid: int) -> bool:
        """Tell whether a message's flags changed since the session was told them."""
        return uid in self._flags

    def told_flags(self, uids: Iterable[int]) -> None:
        """Take note that the session has just been sent the flags these messages have now."""
        self._flags.difference_update(uids)

    def told_states(self, states: Iterable[MessageState]) -> None:
        """Take note that the session has just been sent these states; what has changed after one is still to be told.

        Answers of the store may overtake each other: a state may not be the latest that is known.
        """
        self.told_flags(state.uid for state in states if self.mod_seq_of(state.uid) <= state.mod_seq)

    # -- telling ------------------------------------------------------------------------------------------------------

    def report(self, expunge: bool, exists: bool = True) -> Report:
        """Say what is to be told, and count it as told; ``expunge``: whether EXPUNGE may be sent now."""
        if self.in_step and not self._gone and not self._flags:
            self.told_mod_seq = self._messages.mod_seq if exists else self.told_mod_seq
            return NOTHING
        gone = self._tell_expunged() if expunge and self._gone else ()
        # Before new messages are numbered: flags of one of these would seem to tell of all those before it.
        flags = self._tell_flags()
        grown = exists and self._take_new()
        before = self._recent_told
        if gone or grown:
            self._recent_told = self.recent_count
        recent = self._recent_told if self._recent_told != before else None
        report = Report(gone, len(self.uids) if grown else None, recent, flags)
        if exists and not self._gone:
            self.told_mod_seq = self._messages.mod_seq
        return report

    @property
    def recent_count(self) -> int:
        """How many of the numbered messages are recent in this session."""
        return self.recent.count(self.uids)

    def _tell_expunged(self) -> list[tuple[int, int]]:
        told = [(seq - 1, uid) for uid in sorted(self._gone) if (seq := self.seq_of(uid)) is not None]
        self._gone.clear()
        if told:
            self.uids = array("I", without(self.uids, [position for position, _ in told]))
            self._settle()
        return [(position + 1, uid) for position, uid in reversed(told)]

    def _take_new(self) -> bool:
        """Number messages that are new; new ones have UIDs above all that were ever told."""
        last = self.uids[-1] if self.uids else 0
        start = bisect_right(self._messages.uids, last)
        if start == len(self._messages.uids):
            return False
        if start == len(self.uids):
            # All of the mailbox's up to the last one told were told: as many as there are, so no others.
            self.uids = self._messages.uids
        else:
            self.uids = array("I", self.uids) + array("I", self._messages.uids[start:])
        return True

    def _settle(self) -> None:
        """Share the mailbox's own array again where it is the same."""
        if len(self.uids) == len(self._messages.uids) and self.uids == self._messages.uids:
            self.uids = self._messages.uids

    def _tell_flags(self) -> list[FlagNews]:
        news: list[FlagNews] = []
        for uid in sorted(self._flags):
            seq, position = self.seq_of(uid), self._messages.find(uid)
            # A message that has no number yet is fetched with its flags when it gets one.
            if seq is not None and position is not None:
                news.append(FlagNews(seq, uid, self._messages.flags[position], self._messages.mod_seqs[position]))
        self._flags.clear()
        return news
