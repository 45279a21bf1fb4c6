"""Stores that take mail in: to several recipients at once, with trace lines, hidden by bans and seen by clients."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

from cybertemp_imap.errors import Refusal
from cybertemp_imap.store.receiving import Delivery, ReceivedMessage, ReceivingStore
from test.store_contract import MINE, SENDER, THEIRS, StoreContract

WHEN = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
OCTETS = b"From: x\r\nSubject: y\r\n\r\nHello.\r\n"


def message(rest: bytes = OCTETS, pieces: int = 0, more: int = 0) -> ReceivedMessage:
    """Return a message; ``more``: octets that were uploaded."""
    return ReceivedMessage(
        id=uuid4(),
        pieces=pieces,
        rest=rest,
        size=len(rest) + more,
        received_at=WHEN,
        subject="A \0 subject",
        body="Hello.",
        html="<p>Hello.</p>",
        from_addr=SENDER,
        to_addrs=("a@b.example", 'c "d" {e}'),
    )


def to(address: str, trace: bytes = b"Delivered-To: you\r\n") -> Delivery:
    """Return a delivery to an address."""
    return Delivery(uuid4(), uuid4(), address, trace)


class ReceiveContract(StoreContract):
    """Mail that comes in."""

    @property
    def receiver(self) -> ReceivingStore:
        """The store, as what takes mail in."""
        return cast(ReceivingStore, self.store)

    async def test_octets(self) -> None:
        """Each recipient has the octets behind its own trace lines, at the time when they came."""
        mailbox = await self.open()
        await self.receiver.receive(message(), [to(MINE, b"A: 1\r\n"), to(THEIRS, b"B: 2\r\n")])
        self.assertEqual(list((await self.octets(mailbox)).values()), [b"A: 1\r\n" + OCTETS])
        (metadata,) = await self.store.metadata(mailbox, await self.uids(mailbox))
        self.assertEqual(metadata.internal_date, b"04-May-2026 03:02:01 +0000")

    async def test_row(self) -> None:
        """The row is as other programs expect it."""
        delivery = to(MINE)
        await self.receiver.receive(message(), [delivery])
        row = await self.fixture.stored_row(delivery.id)
        assert row is not None
        self.assertEqual((row.owner, row.folder, row.body, row.html), (MINE, "INBOX", "Hello.", "<p>Hello.</p>"))
        self.assertEqual((row.from_addr, row.to_addrs, row.timestamp), (SENDER, ("a@b.example", 'c "d" {e}'), WHEN))

    async def test_pieces(self) -> None:
        """Pieces that were uploaded come before the rest, and serve several calls."""
        mailbox = await self.open()
        large = message(b"3", pieces=2, more=2)
        await self.receiver.upload(large.id, 1, b"2")
        await self.receiver.upload(large.id, 0, b"1")
        await self.receiver.receive(large, [to(MINE, b"")])
        await self.receiver.receive(large, [to(MINE, b"")])
        self.assertEqual(list((await self.octets(mailbox)).values()), [b"123", b"123"])

    async def test_missing_pieces(self) -> None:
        """A message of which a piece is missing is delivered to nobody."""
        mailbox = await self.open()
        large = message(b"3", pieces=2, more=2)
        await self.receiver.upload(large.id, 0, b"1")
        await self.refused(Refusal.CANNOT, self.receiver.receive(large, [to(MINE)]))
        self.assertEqual(await self.uids(mailbox), [])

    async def test_twice(self) -> None:
        """The same deliveries again, as after a lost connection, add nothing."""
        mailbox = await self.open()
        large, delivery = message(), to(MINE)
        await self.receiver.receive(large, [delivery])
        await self.receiver.receive(large, [delivery])
        self.assertEqual(len(await self.uids(mailbox)), 1)

    async def test_address_that_nobody_made(self) -> None:
        """Who creates an address later finds the mail that came before."""
        await self.receiver.receive(message(), [to("new@example.com"), to("newer@example.com")])
        await self.receiver.receive(message(), [to("new@example.com")])
        self.assertNotIn("new@example.com", await self.names())
        mailbox = await self.store.create_address(self.user, "new@example.com")
        self.assertEqual(len(await self.uids(mailbox)), 2)

    async def test_banned_sender(self) -> None:
        """Mail of a banned sender is hidden, and shows when the ban is lifted."""
        mailbox = await self.open()
        ban = await self.fixture.ban("sender", SENDER)
        await self.receiver.receive(message(), [to(MINE)])
        self.assertEqual(await self.uids(mailbox), [])
        await self.fixture.lift(ban)
        self.assertEqual(len(await self.uids(mailbox)), 1)

    async def test_is_banned(self) -> None:
        """An address is banned by itself or by its domain."""
        self.assertFalse(await self.receiver.is_banned(MINE))
        ban = await self.fixture.ban("email", MINE)
        self.assertTrue(await self.receiver.is_banned(MINE))
        await self.fixture.lift(ban)
        await self.fixture.ban("domain", "example.com")
        self.assertTrue(await self.receiver.is_banned(MINE))
        self.assertFalse(await self.receiver.is_banned("box@example.net"))
