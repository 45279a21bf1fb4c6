"""What every store must do about banned senders: their mail is in no mailbox at all."""

from __future__ import annotations

from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.rules.bans import Ban, SenderBans
from cybertemp_imap.store.values import BanRow, DomainRow, FlagMode
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
        self.assertEqual(list(await self.gone_since(mailbox, before[0].highest_mod_seq)), [1])
        self.assertEqual(list(await self.gone_since(inbox, before[1].highest_mod_seq)), [1, 2])
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


class BanSourceContract(StoreContract):
    """Bans that are kept elsewhere than in the table ``bans``; and the domains."""

    async def test_replaced(self) -> None:
        """What was given last is in force, and nothing else; the same rules make sense of it."""
        rows = [letter(minutes=n, sender=sender) for n, sender in enumerate((SPAM, "x@foo.example", SENDER))]
        await self.deliver(*rows)
        mailbox = await self.open()
        await self.fixture.ban("sender", SENDER)
        table: list[tuple[list[BanRow], list[EmailRow]]] = [
            ([BanRow("sender", SPAM.upper(), "exact", "active")], rows[1:]),
            ([BanRow("email", "contains:FOO", "exact", "active")], [rows[0], rows[2]]),
            ([BanRow("sender", SPAM, "exact", "inactive"), BanRow("domain", SPAM, "exact", "active")], rows),
            ([BanRow("sender", "@", "contains", "active"), BanRow("sender", SPAM, "exact", "active")], []),
            ([], rows),
        ]
        for bans, shown in table:
            await self.store.replace_bans(bans)
            self.assertEqual(set(await self.contents(mailbox)), {row.id for row in shown}, bans)

    async def test_the_table_has_no_effect(self) -> None:
        """While bans are kept elsewhere the table may say what it likes; when it counts again, it counts as it is."""
        rows = [letter(sender=SPAM), letter(minutes=1)]
        await self.deliver(*rows)
        mailbox = await self.open()
        await self.store.replace_bans([BanRow("sender", SPAM, "exact", "active")])
        ban_id = await self.fixture.ban("sender", SENDER)
        self.assertEqual(set(await self.contents(mailbox)), {rows[1].id})
        self.assertTrue(await self.store.bans_are_elsewhere())
        await self.store.follow_bans()
        self.assertFalse(await self.store.bans_are_elsewhere())
        self.assertEqual(set(await self.contents(mailbox)), {rows[0].id})
        await self.fixture.lift(ban_id)
        self.assertEqual(set(await self.contents(mailbox)), {row.id for row in rows})
        await self.store.follow_bans()
        await self.fixture.ban("sender", SPAM)
        self.assertEqual(set(await self.contents(mailbox)), {rows[1].id})

    async def test_the_same_again(self) -> None:
        """Bans that ask for what is in force already change nothing, in whatever order they come."""
        await self.deliver(letter(sender=SPAM), letter(minutes=1))
        mailbox = await self.open()
        bans = [BanRow("sender", SPAM, "exact", "active"), BanRow("email", "b", "exact", "active")]
        await self.store.replace_bans(bans)
        head = await self.refresh(mailbox)
        await self.store.replace_bans([BanRow("sender", SPAM.title(), "Exact", "Active"), *bans[::-1]])
        self.assertEqual(await self.refresh(mailbox), head)

    async def test_values(self) -> None:
        """Letters other than ASCII compare as they are; a value too long to be an address is passed over."""
        rows = [letter(minutes=n, sender=sender) for n, sender in enumerate(("\xc4@a.example", "\xe4@A.EXAMPLE", SPAM))]
        await self.deliver(*rows)
        mailbox = await self.open()
        for value, shown in (("\xe4@a.example", [rows[0], rows[2]]), ("\xc4@A", rows[1:]), ("x" * 1001, rows)):
            await self.store.replace_bans([BanRow("sender", value, "contains", "active")])
            self.assertEqual(set(await self.contents(mailbox)), {row.id for row in shown}, value)

    async def test_domains(self) -> None:
        """Every row of the domains is read as it is."""
        rows = {
            DomainRow("Example.COM", self.user, True, False),
            DomainRow("shared.example", None, True, True),
            DomainRow("off.example", self.other, False, False),
        }
        self.assertEqual(list(await self.store.read_domains()), [])
        for row in rows:
            await self.fixture.add_domain(row)
        self.assertEqual(set(await self.store.read_domains()), rows)
