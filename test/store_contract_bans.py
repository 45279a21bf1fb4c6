"""What every store must do about banned senders: their mail is in no mailbox at all."""

from __future__ import annotations

from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.rules.bans import Ban, SenderBans
from cybertemp_imap.store.interface import FlagMode
from test.store_contract import MINE_TOO, SENDER, StoreContract, letter

SPAM = "spam@bad.example"

SENDERS: tuple[str | None, ...] = (
    None,
    "",
    " ",
    "<>",
    SENDER,
    SPAM,
    SPAM.upper(),
    f"  {SPAM} ",
    f"<{SPAM}>",
    f"Spam <{SPAM}>",
    f'"Spam, Inc." <{SPAM.title()}> (comment)',
    f"<{SENDER}> <{SPAM}>",
    f"<{SPAM}> <{SENDER}>",
    f"{SPAM} <{SENDER}>",
    f"Spam < {SPAM} >",
    f"Spam <{SPAM}",
    f"x{SPAM}",
    f"{SPAM}.org",
    "contains:bad",
    "100%_\\",
)

BANS: tuple[tuple[Ban, ...], ...] = (
    (Ban("sender", SPAM),),
    (Ban("sender", SPAM.upper()),),
    (Ban("sender", f" {SPAM} "),),
    (Ban("sender", "Spam <Spam@Bad.Example>"),),
    (Ban("sender", "BAD.example", "contains"),),
    (Ban("sender", "inc.", "contains"),),
    (Ban("email", SPAM),),
    (Ban("email", "contains:Bad"),),
    (Ban("sender", "contains: bad", "contains"),),
    (Ban("sender", "contains:"),),
    (Ban("sender", ""), Ban("sender", " ", "contains"), Ban("sender", "", "contains")),
    (Ban("sender", "%", "contains"),),
    (Ban("sender", "_", "contains"), Ban("sender", "100\\%_\\\\")),
    (Ban("domain", "bad.example"), Ban("domain", "bad", "contains")),
    (Ban("sender", SPAM, "exact", "inactive"), Ban("sender", SPAM, "exact", None)),
    (Ban("sender", SPAM, "regex"), Ban("sender", SPAM, "")),
    (Ban("sender", SPAM, None),),
    (Ban("sender", "<>"),),
    (Ban("sender", SENDER), Ban("email", "spam@", "contains")),
)


class BanContract(StoreContract):
    """Sender bans, made and lifted while mailboxes are open."""

    async def test_rules(self) -> None:
        """Exactly the mail that the rules hide is hidden."""
        rows = [letter(sender=sender) for sender in SENDERS]
        await self.deliver(*rows)
        mailbox = await self.find()
        for bans in BANS:
            made = [
                await self.fixture.ban(ban.scope or "", ban.value or "", ban.match_type, ban.status) for ban in bans
            ]
            rules = SenderBans.of(bans)
            shown = await self.contents(mailbox)
            for row in rows:
                self.assertEqual(row.id in shown, not rules.hides(row.from_addr), (bans, row.from_addr))
            for ban_id in made:
                await self.fixture.lift(ban_id)

    async def hide_one(self) -> tuple[EmailRow, EmailRow]:
        """Deliver a banned sender's message and another one's, in this order."""
        hidden, shown = letter(sender=SPAM), letter(minutes=1)
        await self.deliver(hidden, shown)
        await self.fixture.ban("sender", SPAM)
        return hidden, shown

    async def test_no_uid(self) -> None:
        """Mail hidden from the start never gets a UID, is in no count and no size."""
        _, shown = await self.hide_one()
        for mailbox in (await self.find(), await self.find(self.account)):
            self.assertEqual(await self.contents(mailbox), {shown.id: 1})
            counts = await self.store.status(mailbox, True)
            ((_, source),) = await self.store.sources(mailbox, [1])
            assert counts is not None
            self.assertEqual((counts.messages, counts.unseen, counts.recent, counts.size), (1, 1, 1, len(source)))
            self.assertEqual(counts.head.uid_next, 2)

    async def test_ban_expunges(self) -> None:
        """Banning a sender expunges their mail, in every mailbox, at its next refresh."""
        rows = letter(sender=f"Spam <{SPAM}>"), letter(MINE_TOO, minutes=1, sender=SPAM), letter(minutes=2)
        await self.deliver(*rows)
        mailbox, inbox = await self.open(), await self.open(self.account)
        before = await self.refresh(mailbox), await self.refresh(inbox)
        await self.fixture.ban("sender", SPAM)
        self.assertEqual(await self.contents(mailbox), {rows[2].id: 2})
        self.assertEqual(await self.contents(inbox), {rows[2].id: 3})
        self.assertEqual(list(await self.store.expunged_since(mailbox, before[0].highest_mod_seq)), [1])
        self.assertEqual(list(await self.store.expunged_since(inbox, before[1].highest_mod_seq)), [1, 2])
        store = self.store
        for read in (store.metadata, store.headers, store.sources, store.weights, store.saved_dates):
            self.assertEqual(list(await read(mailbox, [1])), [], read.__name__)

    async def test_lifted(self) -> None:
        """Lifting the ban brings the mail back as new: with another UID, recent, its flags as they were."""
        row, other = letter(sender=SPAM), letter(minutes=1)
        await self.deliver(row, other, flags=["\\Flagged"])
        mailbox = await self.open()
        await self.store.claim_recent(mailbox)
        ban_id = await self.fixture.ban("email", "contains:Spam@")
        await self.refresh(mailbox)
        await self.fixture.lift(ban_id)
        self.assertEqual(await self.contents(mailbox), {other.id: 2, row.id: 3})
        self.assertEqual((await self.state(mailbox, row)).flags, ("\\Flagged",))
        self.assertEqual(await self.store.claim_recent(mailbox), 3)

    async def test_lifted_unnoticed(self) -> None:
        """A ban that no refresh has seen changes nothing."""
        await self.deliver(letter(sender=SPAM))
        mailbox = await self.find()
        head = await self.refresh(mailbox)
        await self.fixture.lift(await self.fixture.ban("sender", SPAM))
        self.assertEqual(await self.refresh(mailbox), head)

    async def test_mail_after_the_ban(self) -> None:
        """Mail that arrives after the ban never appears."""
        await self.fixture.ban("sender", SPAM)
        mailbox = await self.open()
        await self.deliver(letter(sender=SPAM.upper()))
        self.assertEqual((await self.refresh(mailbox)).uid_next, 1)

    async def test_out_of_reach(self) -> None:
        """Hidden mail can be neither changed nor expunged, whatever UID it had."""
        row = letter(sender=SPAM)
        await self.deliver(row, flags=["\\Deleted"])
        mailbox = await self.open()
        await self.fixture.ban("sender", SPAM)
        await self.refresh(mailbox)
        change = await self.store.store_flags(mailbox, [1], FlagMode.REPLACE, [], None)
        expunged = await self.store.expunge(mailbox, None)
        assert change is not None and expunged is not None
        self.assertEqual((list(change.messages), list(expunged.uids)), ([], []))
        self.assertEqual(await self.fixture.stored_flags(row.id), ["\\Deleted"])
