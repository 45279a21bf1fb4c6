"""What every store must do about addresses: creating them, giving them back, and whose mail is whose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cybertemp_imap.errors import Refusal
from cybertemp_imap.mime.row import EmailRow
from cybertemp_imap.naming import INBOX, SPECIAL_USES, account_key
from cybertemp_imap.store.values import BanRow, MailboxRef
from test.store_contract import MINE, MINE_TOO, THEIRS, StoreContract, letter

NEW = "new@example.com"


def arriving(owner: str = NEW, folder: str = INBOX, *, seconds: float = 0) -> EmailRow:
    """Return a message that arrives now, or some seconds from now by the receiver's clock."""
    row = letter(owner, folder)
    object.__setattr__(row, "created_at", datetime.now(UTC) + timedelta(seconds=seconds))
    return row


class AddressContract(StoreContract):
    """``create_address`` and ``delete_address``."""

    async def has(self, user: UUID, address: str = NEW) -> bool:
        """Tell whether a user has an address, by every way to see it."""
        listed = any(entry.owner == address for entry in await self.store.list_mailboxes(user))
        found = await self.store.find_mailbox(user, address, INBOX)
        self.assertEqual(found is not None, listed)
        return listed

    async def held(self, user: UUID, owner: str = NEW, folder: str = INBOX) -> set[UUID]:
        """Return the ids of the messages in a user's mailbox, which must be there."""
        found = await self.store.find_mailbox(user, owner, folder)
        assert found is not None
        return set(await self.contents(found))

    async def test_created(self) -> None:
        """An address that nobody has is the user's, empty, and takes mail; INBOX has its mail too."""
        inbox = await self.open(self.account)
        made = await self.store.create_address(self.user, NEW)
        self.assertEqual(await self.find(NEW), made)
        self.assertEqual((await self.has(self.user), await self.has(self.other)), (True, False))
        self.assertEqual(await self.uids(made), [])
        await self.deliver(row := arriving())
        self.assertEqual(await self.contents(made), {row.id: 1})
        self.assertEqual(await self.contents(inbox), {row.id: 1})

    async def test_claimed(self) -> None:
        """One that the receiver made is claimed, with the mail that awaits there."""
        await self.fixture.add_address(None, NEW)
        await self.deliver(row := arriving())
        made = await self.store.create_address(self.user, NEW)
        self.assertEqual(await self.contents(made), {row.id: 1})
        self.assertEqual(await self.held(self.user, self.account), {row.id})
        await self.refused(Refusal.ALREADY_EXISTS, self.store.create_address(self.other, NEW))

    async def test_exists(self) -> None:
        """What somebody has cannot be created, whoever it is and however it is spelt where it is kept."""
        await self.fixture.add_address(self.other, "Mixed@Example.COM")
        for address in (MINE, THEIRS, "mixed@example.com"):
            await self.refused(Refusal.ALREADY_EXISTS, self.store.create_address(self.user, address))
        self.assertEqual(await self.names(), {INBOX, *SPECIAL_USES, MINE, MINE_TOO})

    async def test_quota(self) -> None:
        """A user has so many addresses and no more; whether another has one is not told to who has too many."""
        self.fixture.set_address_quota(3)
        await self.fixture.add_address(None, "waiting@example.com")
        await self.store.create_address(self.user, NEW)
        for address in ("newer@example.com", THEIRS, "waiting@example.com"):
            await self.refused(Refusal.ADDRESS_QUOTA, self.store.create_address(self.user, address))
        await self.refused(Refusal.ALREADY_EXISTS, self.store.create_address(self.user, MINE))
        await self.store.delete_address(self.user, MINE)
        await self.store.create_address(self.user, "newer@example.com")
        await self.store.create_address(self.other, "waiting@example.com")

    async def test_banned(self) -> None:
        """Banned addresses and domains cannot be created, whether somebody has them or nobody."""
        table: tuple[tuple[tuple[str, str, str], list[str], list[str]], ...] = (
            (("email", NEW.upper(), "exact"), [NEW], ["new@example.org"]),
            (("email", "contains:EW@", "exact"), [NEW, "new@example.org"], ["wen@example.com"]),
            (("domain", "Example.com", "exact"), [NEW, THEIRS, "x@a.example.com"], ["x@myexample.com", "x@com"]),
            (("domain", "example", "contains"), [NEW, "x@example.org"], ["example@a.org"]),
            (("domain", "b\xfccher.de", "exact"), ["x@xn--bcher-kva.de", "x@a.xn--bcher-kva.de"], ["x@bcher.de"]),
            (("sender", NEW, "exact"), [], [NEW]),
        )
        for (scope, value, match), banned, free in table:
            await self.store.replace_bans([BanRow(scope, value, match, "active")])
            for address in banned:
                attempt = self.store.create_address(self.user, address)
                await self.refused(Refusal.ADDRESS_NOT_ALLOWED, attempt)
            for address in free:
                await self.store.create_address(self.user, address)
                await self.store.delete_address(self.user, address)
        await self.store.replace_bans([BanRow("email", NEW, "exact", "inactive")])
        await self.store.create_address(self.user, NEW)

    async def test_banned_afterwards(self) -> None:
        """An address that is banned is as if it were not there, its mail in INBOX neither; then it is back."""
        rows = [letter(), letter(folder="Work"), letter(MINE_TOO, minutes=1)]
        await self.deliver(*rows)
        mailbox, work, inbox = await self.open(), await self.open(MINE, "Work"), await self.open(self.account)
        for value in (MINE.title(), "contains:BOX@ex"):
            ban_id = await self.fixture.ban("email", value)
            for gone in (mailbox, work):
                self.assertIsNone(await self.store.refresh(gone))
                self.assertIsNone(await self.store.status(gone, False))
                await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.changes(gone, 0, 0, 10))
            self.assertFalse(await self.has(self.user, MINE))
            self.assertIsNone(await self.store.find_mailbox(self.user, MINE, "Work"))
            self.assertEqual(set(await self.contents(inbox)), {rows[2].id})
            await self.refused(Refusal.NO_PERMISSION, self.store.create_folder(self.user, MINE, "New", None))
            await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.delete_address(self.user, MINE))
            await self.refused(Refusal.ADDRESS_NOT_ALLOWED, self.store.create_address(self.user, MINE))
            await self.fixture.lift(ban_id)
            self.assertEqual(set(await self.contents(mailbox)), {rows[0].id})
            self.assertEqual(set(await self.contents(inbox)), {rows[0].id, rows[2].id})
            self.assertEqual(set(await self.contents(work)), {rows[1].id})

    async def test_given_back(self) -> None:
        """An address that was given back is gone, with its mail from INBOX; the mail itself stays."""
        await self.store.create_address(self.user, NEW)
        await self.deliver(row := arriving(), other := letter())
        mailbox, inbox = await self.open(NEW), await self.open(self.account)
        await self.store.delete_address(self.user, NEW)
        self.assertFalse(await self.has(self.user))
        self.assertIsNone(await self.store.refresh(mailbox))
        self.assertEqual(list(await self.store.metadata(mailbox, [1])), [])
        self.assertEqual(set(await self.contents(inbox)), {other.id})
        self.assertIsNotNone(await self.fixture.stored_flags(row.id))
        await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.delete_address(self.user, NEW))

    async def test_not_to_be_given_back(self) -> None:
        """Another's, one that nobody has, and the account itself are no address of the user's."""
        await self.fixture.add_address(None, NEW)
        for address in (THEIRS, NEW, "absent@example.com", account_key(self.other)):
            await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.delete_address(self.user, address))
        self.assertTrue(await self.has(self.other, THEIRS))

    async def test_folders_below(self) -> None:
        """One with folders below it stays, whatever made them (RFC 9051 section 6.3.5)."""
        await self.store.create_folder(self.user, MINE, "Made", None)
        await self.deliver(row := letter(MINE_TOO, "Delivered"))
        for address in (MINE, MINE_TOO):
            await self.refused(Refusal.HAS_CHILDREN, self.store.delete_address(self.user, address))
        await self.store.delete_folder(self.user, MINE, "Made")
        await self.store.rename_folder(self.user, MINE_TOO, "Delivered", self.account, "Kept")
        for address in (MINE, MINE_TOO):
            await self.store.delete_address(self.user, address)
        self.assertEqual(set(await self.contents(await self.find(self.account, "Kept"))), {row.id})

    async def test_created_again(self) -> None:
        """Who creates an address again has the mail back, also what came meanwhile; UIDVALIDITY is another, higher."""
        heads = []
        rows = []
        for _ in range(3):
            mailbox = await self.store.create_address(self.user, NEW)
            await self.deliver(row := arriving())
            rows.append(row)
            self.assertEqual(set(await self.contents(mailbox)), {row.id for row in rows})
            heads.append(await self.refresh(mailbox))
            await self.store.delete_address(self.user, NEW)
            await self.deliver(row := arriving())
            rows.append(row)
        validities = [head.uid_validity for head in heads]
        self.assertEqual(validities, sorted(set(validities)))

    async def test_no_mail_of_former_owners(self) -> None:
        """What came while an address was another's, or awaited them, is never shown; one's own comes back."""
        seen: dict[UUID, list[EmailRow]] = {self.user: [], self.other: []}
        for turn in range(4):
            user = (self.user, self.other)[turn % 2]
            waiting, while_held, work = arriving(), arriving(), arriving(folder="Work")
            await self.deliver(waiting)
            mailbox = await self.store.create_address(user, NEW)
            await self.deliver(while_held, work)
            seen[user] += [waiting, while_held]
            self.assertEqual(set(await self.contents(mailbox)), {row.id for row in seen[user]}, turn)
            self.assertEqual(await self.held(user, account_key(user)), {row.id for row in seen[user]})
            await self.leave(user)

    async def leave(self, user: UUID) -> None:
        """Have a user lose NEW, now by one way, now by the other."""
        folders = [e.folder for e in await self.store.list_mailboxes(user) if e.owner == NEW and e.folder != INBOX]
        if folders:
            await self.fixture.remove_address(NEW)
        else:
            await self.store.delete_address(user, NEW)

    async def test_former_owners_folders(self) -> None:
        """Nor are a former owner's folders: not their names, and nobody deletes, renames or takes what is in them."""
        await self.store.create_address(self.other, NEW)
        rows = [arriving(folder="Secret"), arriving(folder="Work")]
        await self.deliver(*rows)
        self.assertEqual(await self.held(self.other, folder="Secret"), {rows[0].id})
        await self.fixture.remove_address(NEW)
        await self.store.create_address(self.user, NEW)
        self.assertLessEqual({NEW}, await self.names())
        self.assertFalse({f"{NEW}/Secret", f"{NEW}/Work"} & await self.names())
        self.assertIsNone(await self.store.find_mailbox(self.user, NEW, "Secret"))
        await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.delete_folder(self.user, NEW, "Secret"))
        for folder, target in (("Secret", "Mine"), ("Work", "Here")):
            await self.store.create_folder(self.user, NEW, folder, None)
            self.assertEqual(await self.held(self.user, folder=folder), set())
            await self.store.rename_folder(self.user, NEW, folder, self.account, target)
            self.assertEqual(await self.held(self.user, self.account, target), set())
        await self.store.create_folder(self.user, NEW, "Secret", None)
        await self.store.delete_folder(self.user, NEW, "Secret")
        await self.store.delete_address(self.user, NEW)
        await self.fixture.add_address(self.other, NEW)
        self.assertEqual(await self.held(self.other, folder="Secret"), {rows[0].id})
        self.assertEqual(await self.held(self.other, folder="Work"), {rows[1].id})

    async def test_passed_on_by_another_program(self) -> None:
        """A website that gives an address to another user gives no mail with it."""
        await self.fixture.add_address(self.other, NEW)
        await self.deliver(theirs := arriving())
        await self.fixture.pass_address(NEW, self.user)
        await self.deliver(mine := arriving())
        self.assertEqual(await self.held(self.user), {mine.id})
        await self.fixture.pass_address(NEW, None)
        await self.fixture.pass_address(NEW, self.other)
        self.assertEqual(await self.held(self.other), {theirs.id})

    async def test_odd_times(self) -> None:
        """A clock that is fast, or mail without any time, gives nobody another's mail."""
        await self.store.create_address(self.other, NEW)
        fast, timeless = arriving(seconds=3600), letter(NEW, minutes=None)
        object.__setattr__(timeless, "created_at", None)
        await self.deliver(fast, timeless)
        await self.store.delete_address(self.other, NEW)
        await self.store.create_address(self.user, NEW)
        self.assertEqual(await self.held(self.user), set())
        await self.store.delete_address(self.user, NEW)
        await self.store.create_address(self.other, NEW)
        self.assertEqual(await self.held(self.other), {fast.id, timeless.id})

    async def test_what_a_user_has_put_there(self) -> None:
        """Old mail that a user copies or moves under an address is theirs, through a ban and back, and stays so."""
        await self.store.create_address(self.other, NEW)
        await self.store.delete_address(self.other, NEW)
        await self.deliver(*(letter(minutes=n) for n in range(3)))
        source, target = await self.open(), await self.store.create_address(self.user, NEW)
        await self.store.copy(source, [1], target)
        await self.store.move(source, [2], target)
        await self.store.create_folder(self.user, self.account, "Old", None)
        await self.store.move(source, [3], await self.find(self.account, "Old"))
        await self.store.rename_folder(self.user, self.account, "Old", NEW, "Old")
        ban_id = await self.fixture.ban("sender", "@", "contains")
        self.assertEqual(await self.uids(target), [])
        await self.fixture.lift(ban_id)
        self.assertEqual(len(await self.uids(target)), 2)
        self.assertEqual(len(await self.held(self.user, folder="Old")), 1)
        await self.store.delete_folder(self.user, NEW, "Old")
        await self.store.delete_address(self.user, NEW)
        back: MailboxRef = await self.store.create_address(self.other, NEW)
        self.assertEqual(await self.uids(back), [])
