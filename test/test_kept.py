"""What is kept of messages: the file, where things are in it, and when it is asked instead of the store."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.kept.content import FORMS, Content, Keep, Kept
from cybertemp_imap.kept.places import Places
from cybertemp_imap.kept.ring import SHARE, Ring
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import MailboxRef
from test.store_contract import MINE, letter

PIECES = st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=4), max_size=40)


class RingTests(SynchronousTestCase):
    """A file of bounded size."""

    def ring(self, size: int = 800) -> Ring:
        """Return one that is closed in the end."""
        ring = Ring(size)
        self.addCleanup(ring.close)
        return ring

    @settings(deadline=None)
    @given(PIECES)
    def test_right_or_nothing(self, batches: list[list[bytes]]) -> None:
        """What is found is what was put there, whatever came since; what was put there last is found."""
        ring = Ring(320)
        known: list[tuple[int, bytes]] = []
        for batch in batches:
            place = ring.put(batch)
            if sum(map(len, batch)) > 320 // SHARE:
                self.assertIsNone(place)
                continue
            assert place is not None
            for piece in batch:
                known.append((place, piece))
                place += len(piece)
            self.assertEqual(ring.get(known[-1][0], len(known[-1][1])) or b"", known[-1][1])
            for at, piece in known:
                self.assertIn(ring.get(at, len(piece)), (piece, None))
        ring.close()

    def test_bounded(self) -> None:
        """The file does not grow beyond the size, and holds nearly as much as that."""
        ring = self.ring()
        places = [ring.put([bytes([number]) * 90]) for number in range(100)]
        assert ring._file is not None
        self.assertLessEqual(os.fstat(ring._file.fileno()).st_size, ring.size)
        there = [number for number, place in enumerate(places) if place is not None and ring.get(place, 90)]
        self.assertEqual(there, list(range(92, 100)))

    def test_secret(self) -> None:
        """The file has no name, and nobody else may read it."""
        ring = self.ring()
        ring.put([b"x"])
        assert ring._file is not None
        status = os.fstat(ring._file.fileno())
        self.assertEqual((status.st_nlink, stat.S_IMODE(status.st_mode)), (0, 0o600))

    def test_closed(self) -> None:
        """Nothing of a file that was closed is found in the next one."""
        ring = self.ring()
        place = ring.put([b"old"])
        ring.close()
        assert place is not None
        self.assertIsNone(ring.get(place, 3))
        again = ring.put([b"new"])
        assert again is not None
        self.assertEqual((ring.get(place, 3), ring.get(again, 3)), (None, b"new"))

    def test_full_disk(self) -> None:
        """When the file cannot be written any more, nothing is kept, nothing is found, and nothing is raised."""
        ring = self.ring()
        place = ring.put([b"old"])

        def full(*_: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        self.patch(os, "pwrite", full)
        assert place is not None
        self.assertEqual((ring.put([b"new"]), ring.get(place, 3), ring.put([b"new"])), (None, None, None))


class PlacesTests(SynchronousTestCase):
    """Places by UID."""

    @settings(deadline=None)
    @given(st.dictionaries(st.integers(1, 2**32 - 1), st.tuples(st.integers(0, 2**50), st.integers(0, 2**31))))
    def test_found(self, known: dict[int, tuple[int, int]]) -> None:
        """What was noted is found, and for no other UID."""
        places = Places()
        for uid, (place, length) in known.items():
            places.note(uid, place, length)
        for uid in {*known, *(uid + 1 for uid in known)}:
            self.assertEqual(places.find(uid), known.get(uid))

    def test_forgotten(self) -> None:
        """Blocks with nothing left in them are forgotten."""
        places = Places()
        for uid in range(1000):
            places.note(uid, uid, 1)
        places.forget_before(500)
        self.assertIsNone(places.find(3))
        self.assertEqual(places.find(600), (600, 1))
        self.assertLess(len(places), 10)

    @settings(deadline=None)
    @given(st.sets(st.integers(1, 1000)), st.sets(st.integers(1, 1000)))
    def test_others_forgotten(self, known: set[int], there: set[int]) -> None:
        """Blocks are forgotten in which no message is that is there; what is known of those that are stays."""
        places = Places()
        for uid in known:
            places.note(uid, uid, 1)
        places.forget_others(sorted(there))
        for uid in known & there:
            self.assertEqual(places.find(uid), (uid, 1))
        self.assertEqual(len(places), len({uid >> 6 for uid in known} & {uid >> 6 for uid in there}))


class KeptTests(SynchronousTestCase):
    """What is kept of many messages."""

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.sets(st.integers(1, 300), min_size=1, max_size=30), st.integers(0, 60)), max_size=20))
    def test_pieces(self, batches: list[tuple[set[int], int]]) -> None:
        """Whatever lies beside what, each message is found as itself, or not at all."""
        ring = Ring(12_000)
        kept = Kept(ring)
        for uids, size in batches:
            wanted = sorted(uids)
            kept.note(wanted, [b"%d," % uid + b"x" * size for uid in wanted])
            for uid, octets in enumerate(kept.find(range(1, 301)), 1):
                self.assertIn((octets or b"%d," % uid).partition(b",")[0], (b"%d" % uid,))
            lengths = [None if octets is None else len(octets) for octets in kept.find(wanted)]
            self.assertEqual(kept.lengths(wanted), lengths)
        ring.close()

    def test_written_over(self) -> None:
        """Of thousands that lie one behind the other, those that were not written over are found."""
        ring = Ring(32_000)
        self.addCleanup(ring.close)
        kept, other = Kept(ring), Kept(ring)
        for begin in range(1, 8_000, 1_000):
            kept.note(range(begin, begin + 1_000), [b"%4d" % uid for uid in range(begin, begin + 1_000)])
        for begin in range(1, 2_000, 1_000):
            other.note(range(begin, begin + 1_000), [b"####"] * 1_000)
        expected = [None] * 2_000 + [b"%4d" % uid for uid in range(2_001, 8_001)]
        self.assertEqual(kept.find(range(1, 8_001)), expected)


class AskedStore(MemoryStore):
    """A store in memory that notes which messages it was asked for, call by call."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Sequence[int]] = []

    async def sources(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, bytes]]:
        """Read and note."""
        self.asked.append(uids)
        return await super().sources(mailbox, uids)

    async def weights(self, mailbox: MailboxRef, uids: Sequence[int]) -> Sequence[tuple[int, int]]:
        """Read and note."""
        self.asked.append(uids)
        return await super().weights(mailbox, uids)


class ContentTests(SynchronousTestCase):
    """When the store is asked."""

    def setUp(self) -> None:
        """Make a mailbox of three messages, and keep what is read of it."""
        self.store = AskedStore()
        self.user = self.store.add_user("me@example.com")
        self.store.add_address(self.user, MINE)
        self.rows = [letter(minutes=number) for number in range(3)]
        for row in self.rows:
            self.store.deliver(row)
        self.keep = Keep(1 << 20)
        self.addCleanup(self.keep.close)
        self.mailboxes = SharedMailboxes(self.store, keep=self.keep)
        ref = self.successResultOf(self.store.find_mailbox(self.user, MINE, "INBOX"))
        assert ref is not None
        self.shared = self.mailboxes.get(ref)

    def refresh(self) -> None:
        """Have the mailbox be known as it is."""
        self.successResultOf(self.shared.refresh())

    def sources(self, *uids: int) -> tuple[list[int], list[int]]:
        """Read messages; return which were given, and which the store was asked for."""
        self.store.asked.clear()
        given_ = self.successResultOf(self.shared.content.sources(list(uids)))
        return [uid for uid, _ in given_], [uid for asked in self.store.asked for uid in asked]

    def test_read_once(self) -> None:
        """What was read is not read again, alone or beside what was not."""
        self.refresh()
        self.assertEqual(self.sources(2), ([2], [2]))
        self.assertEqual(self.sources(2), ([2], []))
        self.assertEqual(self.sources(1, 2, 3), ([1, 2, 3], [1, 3]))
        self.assertEqual(self.sources(1, 2, 3, 4), ([1, 2, 3], [4]))
        self.store.asked.clear()
        self.assertEqual(len(self.successResultOf(self.shared.content.weights([1, 2, 3]))), 3)
        self.assertEqual(self.store.asked, [])

    def test_nothing_known(self) -> None:
        """Before the first refresh the store is asked, and after a hint until the next."""
        self.assertEqual(self.sources(1), ([], [1]))
        self.refresh()
        self.assertEqual(self.sources(1), ([1], [1]))
        self.assertEqual(self.sources(1), ([1], []))
        self.mailboxes.changed([self.shared.ref.id + 1])
        self.assertEqual(self.sources(1), ([1], []))
        for hint in ([self.shared.ref.id], None):
            self.mailboxes.changed(hint)
            self.assertEqual(self.sources(1), ([1], [1]))
            self.refresh()
            self.assertEqual(self.sources(1), ([1], []))

    def test_taken_away(self) -> None:
        """Nothing is given of a mailbox that is the user's no longer, or of a message that is gone."""
        self.refresh()
        self.sources(1, 2, 3)
        self.store.delete_elsewhere(self.rows[0].id)
        self.assertEqual(self.sources(1, 2), ([2], [1, 2]))
        self.store.remove_address(MINE)
        self.assertEqual(self.sources(2, 3), ([], [2, 3]))
        self.failureResultOf(self.shared.refresh())
        self.assertEqual(self.sources(2, 3), ([], [2, 3]))

    def test_not_told(self) -> None:
        """While changes are not told, the store is asked."""
        self.refresh()
        self.sources(1)
        self.patch(AskedStore, "listening", False)
        self.assertEqual(self.sources(1), ([1], [1]))

    def test_other_users(self) -> None:
        """What was read for one user is never given to another."""
        self.refresh()
        self.sources(1)
        other = self.mailboxes.get(MailboxRef(self.store.add_user("they@example.net"), self.shared.ref.id))
        self.assertIsNot(other.content, self.shared.content)
        self.assertEqual(self.successResultOf(other.content.sources([1])), [])

    def test_forms(self) -> None:
        """Lines are kept by their form, of the forms used last."""
        self.refresh()
        content = self.shared.content
        for form in range(FORMS + 1):
            content.keep_lines(form, [1, 2], [b"a%d" % form, b"b%d" % form])
        self.assertEqual(content.lines(0, [1, 2]), [None, None])
        self.assertEqual(content.lines(1, [1, 2, 3]), [b"a1", b"b1", None])
        content.keep_lines(FORMS + 1, [1], [b"c"])
        self.assertEqual([content.lines(form, [2])[0] for form in (1, 2)], [b"b1", None])
        self.mailboxes.changed(None)
        self.assertEqual(content.lines(1, [1]), [None])

    def test_churn(self) -> None:
        """However many messages come, are read and go, no more is kept of where they are than some last ones need."""
        self.refresh()
        content = self.shared.content
        most = 0
        for _ in range(500):
            row = letter()
            self.store.deliver(row)
            self.refresh()
            newest = self.shared.messages.uids[-1]
            self.assertEqual(self.sources(newest)[0], [newest])
            content.keep_lines("form", [newest], [b"x"])
            self.store.delete_elsewhere(row.id)
            self.refresh()
            kept = content._texts, *content._lines.values()
            most = max(most, *(len(each._places) for each in kept if each is not None))
        self.assertEqual(len(self.shared.messages), 3)
        self.assertLessEqual(most, 5)

    def test_tidy_keeps(self) -> None:
        """What is there is still found when messages that are gone have been forgotten."""
        self.test_churn()
        self.sources(1, 2, 3)
        self.assertEqual(self.sources(1, 2, 3), ([1, 2, 3], []))

    def test_emptied(self) -> None:
        """When nearly all messages of a mailbox go, so does what was known of where they are."""
        uids = range(1, 6401)
        kept = Kept(Ring(1 << 20))
        kept.note(uids, [b"x"] * len(uids))
        kept.tidy(uids[1:])
        self.assertEqual(len(kept._places), 101)
        kept.tidy([6400])
        self.assertEqual(len(kept._places), 1)
        self.assertEqual(kept.lengths([1, 6400]), [None, 1])

    def test_without(self) -> None:
        """Where nothing is to be kept, the store is asked."""
        shared = SharedMailbox(self.store, self.shared.ref)
        self.successResultOf(shared.refresh())
        shared.content.keep_lines(1, [1], [b"x"])
        self.assertEqual(shared.content.lines(1, [1]), [None])
        for _ in range(2):
            self.assertEqual(len(self.successResultOf(shared.content.sources([1]))), 1)
        self.assertEqual(self.store.asked, [[1], [1]])
        self.assertIsInstance(shared.content, Content)
