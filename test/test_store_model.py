"""The store in memory as a state machine, against a model that knows nothing of UIDs and mod-sequences.

Three clients each follow a mailbox by what the store tells them of changes alone; whenever one catches up, it must know
exactly the mail that the model has there.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from cybertemp_imap.naming import INBOX, account_key
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.store.values import MailboxRef
from test.store_contract import EVERYTHING, MINE, MINE_TOO, letter

T = TypeVar("T")

SENDERS = ("a@one.example", "b@two.example", "c@two.example")
FLAGS = st.lists(st.sampled_from(["\\Seen", "\\Deleted", "\\Flagged", "work"]), max_size=3, unique=True)
NUMBER = st.integers(0, 30)
CLIENT = st.integers(0, 2)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("the store in memory has waited")


@dataclass
class Mail:
    """A message in the model."""

    owner: str
    sender: str
    flags: frozenset[str]


@dataclass
class Client:
    """What a client knows of its mailbox; ``identities`` is what every UID ever stood for."""

    mailbox: MailboxRef
    owners: frozenset[str]
    mod_seq: int = 0
    uid_next: int = 1
    known: dict[int, frozenset[str]] = field(default_factory=dict)
    identities: dict[int, UUID] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """Everything that can happen to three mailboxes of one account."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.mail: dict[UUID, Mail] = {}
        self.banned: dict[str, UUID] = {}
        user = self.store.add_user("me@example.com")
        self.owners = (MINE, MINE_TOO, account_key(user))
        for address in (MINE, MINE_TOO):
            self.store.add_address(user, address)
        self.clients: list[Client] = []
        for owner in self.owners:
            mailbox = run(self.store.find_mailbox(user, owner, INBOX))
            assert mailbox is not None
            shown = frozenset(self.owners) if owner == account_key(user) else frozenset({owner})
            self.clients.append(Client(mailbox, shown))

    def visible(self, client: Client) -> dict[UUID, frozenset[str]]:
        """Return the flags of the messages that a client's mailbox must show."""
        return {
            email_id: mail.flags
            for email_id, mail in self.mail.items()
            if mail.owner in client.owners and mail.sender not in self.banned
        }

    def pick(self, number: int) -> UUID | None:
        """Return one of the messages there are."""
        return list(self.mail)[number % len(self.mail)] if self.mail else None

    def forget(self, email_id: UUID) -> None:
        """Take a message out of the model."""
        del self.mail[email_id]

    @rule(owner=st.integers(0, 2), sender=st.sampled_from(SENDERS), minutes=st.integers(-50, 50), flags=FLAGS)
    def deliver(self, owner: int, sender: str, minutes: int, flags: list[str]) -> None:
        """Mail arrives, dated anyhow."""
        row = letter(self.owners[owner], sender=sender, minutes=minutes)
        self.store.deliver(row, flags)
        self.mail[row.id] = Mail(row.owner, sender, frozenset(flags))

    @rule(number=NUMBER, flags=FLAGS)
    def set_flags_elsewhere(self, number: int, flags: list[str]) -> None:
        """Another program writes flags."""
        email_id = self.pick(number)
        if email_id is not None:
            self.store.set_flags_elsewhere(email_id, flags)
            self.mail[email_id].flags = frozenset(flags)

    @rule(number=NUMBER)
    def delete_elsewhere(self, number: int) -> None:
        """Another program deletes a message."""
        email_id = self.pick(number)
        if email_id is not None:
            self.store.delete_elsewhere(email_id)
            self.forget(email_id)

    @rule(sender=st.sampled_from(SENDERS))
    def ban_or_lift(self, sender: str) -> None:
        """A sender is banned, or is no longer."""
        if sender in self.banned:
            self.store.lift(self.banned.pop(sender))
        else:
            self.banned[sender] = self.store.ban("sender", sender.upper())

    @rule(number=CLIENT, uids=st.sets(st.integers(1, 12)), mode=st.sampled_from(["", "+", "-"]), flags=FLAGS)
    def store_flags(self, number: int, uids: set[int], mode: str, flags: list[str]) -> None:
        """A client changes flags of some UIDs, of which it may know some."""
        client = self.clients[number]
        change = run(self.store.store_flags(client.mailbox, sorted(uids), mode, flags, None))
        assert change is not None
        named = frozenset(flags)
        for metadata in run(self.store.metadata(client.mailbox, [state.uid for state in change.messages])):
            mail = self.mail[UUID(metadata.email_id)]
            mail.flags = {"": named, "+": mail.flags | named, "-": mail.flags - named}[mode]
        self.catch_up(number)
        assert {state.uid for state in change.messages} == uids & set(client.known)

    @rule(number=CLIENT, uids=st.none() | st.sets(st.integers(1, 12)))
    def expunge(self, number: int, uids: set[int] | None) -> None:
        """A client expunges, everything marked or some UIDs of it."""
        client = self.clients[number]
        self.catch_up(number)
        marked = [uid for uid, flags in client.known.items() if "\\Deleted" in flags and (uids is None or uid in uids)]
        expunged = run(self.store.expunge(client.mailbox, None if uids is None else sorted(uids)))
        assert expunged is not None and list(expunged.uids) == sorted(marked)
        for uid in marked:
            self.forget(client.identities[uid])
        self.catch_up(number)

    @rule(number=CLIENT)
    def catch_up(self, number: int) -> None:
        """A client asks what has changed since it last did, and then knows exactly what there is."""
        client = self.clients[number]
        head = run(self.store.refresh(client.mailbox))
        assert head is not None
        assert head.highest_mod_seq >= client.mod_seq and head.uid_next >= client.uid_next
        gone = run(self.store.expunged_since(client.mailbox, client.mod_seq))
        assert gone is not None
        for uid in gone:
            client.known.pop(uid, None)
        changed = run(self.store.changes(client.mailbox, client.mod_seq, 0, EVERYTHING))
        for uid, flags, mod_seq in changed:
            assert client.mod_seq < mod_seq <= head.highest_mod_seq
            assert uid in client.known or client.uid_next <= uid < head.uid_next
            client.known[uid] = frozenset(flags)
        client.mod_seq, client.uid_next = head.highest_mod_seq, head.uid_next
        self.check(client)

    def check(self, client: Client) -> None:
        """Compare what a client knows with the model, with the counts, and with what its UIDs stood for before."""
        shown: dict[UUID, frozenset[str]] = {}
        for metadata in run(self.store.metadata(client.mailbox, sorted(client.known))):
            email_id = UUID(metadata.email_id)
            assert client.identities.setdefault(metadata.uid, email_id) == email_id
            shown[email_id] = client.known[metadata.uid]
        assert shown == self.visible(client)
        assert len(shown) == len(client.known)
        counts = run(self.store.status(client.mailbox, False))
        assert counts is not None and counts.messages == len(shown)
        assert counts.unseen == sum("\\Seen" not in flags for flags in shown.values())


class StoreMachineTests(SynchronousTestCase):
    """The machine, run as a test."""

    def test_machine(self) -> None:
        """Clients that follow a mailbox by its changes know exactly what is in it, whatever happens."""
        run_state_machine_as_test(
            StoreMachine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None)
        )
