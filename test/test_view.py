"""A session's view: numbering, and what is told when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.messages import Messages, flag_set
from cybertemp_imap.store.values import MessageState
from cybertemp_imap.view import Report, View


def mailbox(*uids: int) -> Messages:
    """Return a mailbox with messages of these UIDs."""
    messages = Messages()
    messages.take_in([MessageState(uid, (), 1) for uid in uids])
    return messages


def expunge(messages: Messages, view: View, *uids: int) -> None:
    """Expunge in the mailbox and tell the view, as the shared mailbox does."""
    view.expunged(messages.remove(uids))


class MessagesTests(SynchronousTestCase):
    """The messages of a mailbox."""

    def test_take_in(self) -> None:
        """New messages are added, changed ones changed; the UIDs of changed ones are returned."""
        messages = mailbox(1, 3)
        changed, grown = messages.take_in([MessageState(3, ("\\Seen",), 5), MessageState(7, (), 5)])
        self.assertEqual((changed, grown), ([3], True))
        self.assertEqual(list(messages.uids), [1, 3, 7])
        self.assertEqual(messages.flags_of(3), flag_set(("\\Seen",)))

    def test_older_state(self) -> None:
        """A state that has been overtaken by a newer one changes nothing."""
        messages = mailbox(1)
        messages.take_in([MessageState(1, ("\\Seen",), 9)])
        self.assertEqual(messages.take_in([MessageState(1, (), 8)]), ([], False))
        self.assertEqual(messages.flags_of(1), flag_set(("\\Seen",)))

    def test_arrays_are_replaced(self) -> None:
        """Whoever holds on to an array sees it as it was."""
        messages = mailbox(1, 2, 3)
        held = messages.uids
        self.assertEqual(messages.remove([2, 9]), [2])
        self.assertEqual((list(held), list(messages.uids)), ([1, 2, 3], [1, 3]))


class ViewTests(SynchronousTestCase):
    """RFC 9051 section 7.5.1: what a session is told, and when."""

    def test_expunged_keeps_its_number(self) -> None:
        """A message expunged elsewhere keeps its number until EXPUNGE may be sent."""
        messages = mailbox(1, 2, 3)
        view = View(messages)
        expunge(messages, view, 1)
        self.assertTrue(view.report(expunge=False).empty)
        self.assertEqual([view.seq_of(uid) for uid in (1, 2, 3)], [1, 2, 3])
        self.assertIsNone(view.flags_of(1))
        self.assertFalse(view.in_step)
        self.assertEqual(view.report(expunge=True).expunged, [(1, 1)])
        self.assertEqual([view.seq_of(uid) for uid in (1, 2, 3)], [None, 1, 2])
        self.assertTrue(view.in_step)

    def test_several_expunged(self) -> None:
        """Several are told from the highest number down, so that each number holds when it is sent."""
        messages = mailbox(1, 2, 3, 4)
        view = View(messages)
        expunge(messages, view, 1, 2, 4)
        self.assertEqual(view.report(expunge=True).expunged, [(4, 4), (2, 2), (1, 1)])

    def test_new_before_expunge_is_told(self) -> None:
        """New mail is numbered after what is still to be expunged."""
        messages = mailbox(1, 2)
        view = View(messages)
        expunge(messages, view, 1)
        messages.take_in([MessageState(3, (), 2)])
        self.assertEqual(view.report(expunge=False).exists, 3)
        self.assertEqual(view.seq_of(3), 3)
        report = view.report(expunge=True)
        self.assertEqual((report.expunged, report.exists), ([(1, 1)], None))
        self.assertTrue(view.in_step)

    def test_new_and_gone_unseen(self) -> None:
        """A message that came and went before it was told is never told."""
        messages = mailbox(1)
        view = View(messages)
        messages.take_in([MessageState(2, (), 2)])
        expunge(messages, view, 2)
        self.assertTrue(view.report(expunge=True).empty)

    def test_flags(self) -> None:
        """A change of flags is told once, and not at all when the session was sent the flags meanwhile."""
        messages = mailbox(1, 2)
        view = View(messages)
        view.flags_changed(messages.take_in([MessageState(1, ("a",), 2), MessageState(2, ("b",), 2)])[0])
        view.told_flags([2])
        self.assertEqual([(item.seq, item.flags.names) for item in view.report(False).flags], [(1, ("a",))])
        self.assertTrue(view.report(expunge=True).empty)

    def test_recent(self) -> None:
        """Recent messages are counted when they have a number."""
        messages = mailbox(1, 2)
        view = View(messages)
        messages.take_in([MessageState(3, (), 2), MessageState(4, (), 2)])
        view.arrived_recent(3)
        self.assertEqual(view.recent_count, 0)
        report = view.report(expunge=True)
        self.assertEqual((report.exists, report.recent), (4, 2))
        expunge(messages, view, 3)
        self.assertEqual(view.report(expunge=True).recent, 1)

    @given(st.lists(st.tuples(st.sampled_from(["new", "gone", "flags", "tell", "quiet"]), st.integers(1, 12))))
    def test_replay(self, steps: list[tuple[str, int]]) -> None:
        """A client that replays what it is told always has as many messages as the view, and in the end the truth."""
        messages, next_uid, seq = mailbox(1, 2, 3), 4, 1
        view = View(messages)
        client: list[int | None] = [1, 2, 3]
        for step, number in [*steps, ("tell", 1)]:
            seq += 1
            if step == "new":
                states = [MessageState(uid, (), seq) for uid in range(next_uid, next_uid + number)]
                messages.take_in(states)
                next_uid += number
            elif step == "gone":
                expunge(messages, view, number)
            elif step == "flags":
                state = MessageState(number, (str(seq),), seq)
                view.flags_changed(messages.take_in([state] if messages.find(number) is not None else [])[0])
            else:
                self.replay(view.report(expunge=step == "tell"), client, view)
        self.assertEqual(client, list(messages.uids))
        self.assertEqual(list(view.uids), list(messages.uids))

    def replay(self, report: Report, client: list[int | None], view: View) -> None:
        """Do as a client does, checking that every number it is told is one it has."""
        for seq, uid in report.expunged:
            self.assertEqual(client.pop(seq - 1), uid)
        if report.exists is not None:
            self.assertGreaterEqual(report.exists, len(client))
            client += view.uids[len(client) : report.exists]
        self.assertEqual(client, list(view.uids))
        for item in report.flags:
            self.assertEqual(client[item.seq - 1], item.uid)
