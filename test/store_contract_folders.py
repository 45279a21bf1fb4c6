"""What every store must do about folders: CREATE, DELETE and RENAME."""

from __future__ import annotations

from cybertemp_imap.errors import Refusal
from cybertemp_imap.mime.render import render
from cybertemp_imap.naming import INBOX, SPECIAL_USES, account_key
from cybertemp_imap.store.values import FlagMode, MailboxEntry, MailboxHead
from test.store_contract import MINE, MINE_TOO, THEIRS, StoreContract, letter
from test.store_contract_messages import VARIED

ABSENT = "absent@example.com"
"""An address that nobody has."""


class CreateContract(StoreContract):
    """``create_folder``."""

    async def test_created(self) -> None:
        """A folder that was created is listed and found, and is empty."""
        for owner, folder in ((self.account, "Plans"), (self.account, "Plans/2026"), (MINE, "Work"), (MINE, "a.b@c")):
            made = await self.store.create_folder(self.user, owner, folder, None)
            self.assertEqual(await self.find(owner, folder), made)
            self.assertIn(MailboxEntry(owner, folder, None), await self.store.list_mailboxes(self.user))
            self.assertEqual(await self.uids(made), [])
            await self.deliver(letter(owner, folder))
            self.assertEqual(await self.uids(made), [1])
        self.assertNotIn("Plans", {entry.folder for entry in await self.store.list_mailboxes(self.other)})

    async def test_exists(self) -> None:
        """What is there already cannot be created, whatever made it."""
        await self.deliver(letter(folder="Delivered"))
        await self.store.create_folder(self.user, self.account, "Plans", None)
        for owner, folder in (
            (self.account, INBOX),
            (self.account, "Sent"),
            (self.account, "Plans"),
            (MINE, INBOX),
            (MINE, "Delivered"),
        ):
            await self.refused(Refusal.ALREADY_EXISTS, self.store.create_folder(self.user, owner, folder, "\\Flagged"))

    async def test_not_permitted(self) -> None:
        """Nothing can be created under another's address, and it is told as of one that nobody has."""
        await self.fixture.add_address(None, "nobody@example.com")
        await self.deliver(letter(THEIRS, "Work"))
        for owner in (THEIRS, ABSENT, "nobody@example.com", account_key(self.other), "account:", ""):
            for folder in ("Work", "New", INBOX):
                await self.refused(Refusal.NO_PERMISSION, self.store.create_folder(self.user, owner, folder, None))
        self.assertEqual(await self.names(), {INBOX, *SPECIAL_USES, MINE, MINE_TOO})

    async def test_special_use(self) -> None:
        """A special use belongs to one mailbox; the usual ones are taken from the start."""
        for use in ("\\Sent", "\\Trash"):
            await self.refused(Refusal.CANNOT, self.store.create_folder(self.user, MINE, "Work", use))
        await self.store.create_folder(self.user, self.account, "Important", "\\Flagged")
        await self.refused(Refusal.CANNOT, self.store.create_folder(self.user, self.account, "More", "\\Flagged"))
        listed = await self.store.list_mailboxes(self.user)
        self.assertIn(MailboxEntry(self.account, "Important", "\\Flagged"), listed)
        await self.store.delete_folder(self.user, self.account, "Sent")
        await self.store.create_folder(self.user, self.account, "Gesendet", "\\Sent")
        self.assertNotIn("Sent", await self.names())
        await self.store.create_folder(self.other, account_key(self.other), "Important", "\\Flagged")

    async def test_quota(self) -> None:
        """A user has so many folders and no more; another's do not count, nor do addresses."""
        self.fixture.set_folder_quota(len(SPECIAL_USES) + 2)
        await self.store.create_folder(self.user, self.account, "One", None)
        await self.store.create_folder(self.user, MINE, "Two", None)
        for owner in (self.account, MINE):
            await self.refused(Refusal.OVER_QUOTA, self.store.create_folder(self.user, owner, "Three", None))
        await self.refused(Refusal.ALREADY_EXISTS, self.store.create_folder(self.user, MINE, "Two", None))
        await self.store.create_folder(self.other, THEIRS, "One", None)
        await self.store.delete_folder(self.user, self.account, "One")
        await self.store.create_folder(self.user, self.account, "Three", None)

    async def test_too_long(self) -> None:
        """A name that no client could be shown is not made, not even of one made longer by renaming."""
        await self.refused(Refusal.CANNOT, self.store.create_folder(self.user, self.account, "\xe9" * 501, None))
        await self.store.create_folder(self.user, self.account, "a", None)
        await self.store.create_folder(self.user, self.account, "a/" + "b" * 990, None)
        rename = self.store.rename_folder(self.user, self.account, "a", self.account, "c" * 20)
        await self.refused(Refusal.CANNOT, rename)
        self.assertLessEqual({"a", "a/" + "b" * 990}, await self.names())


class DeleteContract(StoreContract):
    """``delete_folder``."""

    async def test_messages(self) -> None:
        """With a folder go its messages, also those that no refresh has seen, and those hidden; no other does."""
        seen, unseen, hidden = letter(folder="Work"), letter(folder="Work"), letter(folder="Work", sender="a@b.example")
        kept = [letter(), letter(folder="Work/2024"), letter(folder="Worker"), letter(MINE_TOO, "Work")]
        await self.deliver(seen, *kept)
        mailbox = await self.open(MINE, "Work")
        await self.fixture.ban("sender", "a@b.example")
        await self.deliver(unseen, hidden)
        await self.store.delete_folder(self.user, MINE, "Work")
        for row in (seen, unseen, hidden):
            self.assertIsNone(await self.fixture.stored_flags(row.id))
        for row in kept:
            self.assertIsNotNone(await self.fixture.stored_flags(row.id))
        self.assertIsNone(await self.store.refresh(mailbox))
        self.assertEqual(list(await self.store.metadata(mailbox, [1])), [])
        self.assertIsNone(await self.store.find_mailbox(self.user, MINE, "Work"))
        self.assertEqual(
            await self.names() - {INBOX, *SPECIAL_USES},
            {MINE, MINE_TOO, f"{MINE}/Work/2024", f"{MINE}/Worker", f"{MINE_TOO}/Work"},
        )

    async def test_folders_below_stay(self) -> None:
        """Folders below it stay, with their messages and their numbers."""
        for folder in ("a", "a/b", "a/b/c"):
            await self.store.create_folder(self.user, self.account, folder, None)
        row = letter(self.account, "a/b/c")
        await self.deliver(row)
        below = await self.open(self.account, "a/b/c")
        head = await self.refresh(below)
        await self.store.delete_folder(self.user, self.account, "a/b")
        self.assertEqual(await self.names() & {"a", "a/b", "a/b/c"}, {"a", "a/b/c"})
        self.assertEqual(await self.refresh(below), head)
        self.assertEqual(await self.contents(below), {row.id: 1})

    async def test_again(self) -> None:
        """A name that is used again has another UIDVALIDITY, however it comes to be there."""
        validities = set()
        for number in range(4):
            if number % 2:
                await self.deliver(letter(folder="Work"))
            else:
                await self.store.create_folder(self.user, MINE, "Work", None)
            mailbox = await self.find(MINE, "Work")
            self.assertEqual(len(await self.uids(mailbox)), number % 2)
            validities.add((await self.refresh(mailbox)).uid_validity)
            await self.store.delete_folder(self.user, MINE, "Work")
            self.assertIsNone(await self.store.refresh(mailbox))
        self.assertEqual(len(validities), 4)

    async def test_refused(self) -> None:
        """INBOX and addresses cannot be deleted; another's folder and none are told alike."""
        await self.deliver(letter(THEIRS, "Work"))
        await self.deliver(row := letter())
        for owner in (self.account, MINE):
            await self.refused(Refusal.CANNOT, self.store.delete_folder(self.user, owner, INBOX))
        for owner, folder in (
            (THEIRS, "Work"),
            (ABSENT, "Work"),
            (MINE, "Work"),
            (self.account, "Work"),
            (account_key(self.other), "Sent"),
        ):
            await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.delete_folder(self.user, owner, folder))
        self.assertIsNotNone(await self.fixture.stored_flags(row.id))


class RenameContract(StoreContract):
    """``rename_folder``."""

    async def filled(self, owner: str, folder: str) -> tuple[MailboxHead, dict[int, bytes]]:
        """Fill a folder with messages of every kind, some flagged, one expunged; return its numbers and octets."""
        rows = [letter(owner, folder, minutes=row.timestamp.minute if row.timestamp else None) for row in VARIED]
        for row, like in zip(rows, VARIED, strict=True):
            for name in ("subject", "body", "html", "from_addr", "encrypted", "source"):
                object.__setattr__(row, name, getattr(like, name))
        await self.deliver(*rows)
        mailbox = await self.open(owner, folder)
        await self.store.store_flags(mailbox, [2, 5], FlagMode.ADD, ["\\Deleted", "work"], None)
        await self.store.expunge(mailbox, [2])
        octets = await self.octets(mailbox)
        self.assertEqual(octets, {uid: render(row) for uid, row in enumerate(rows, 1) if uid != 2})
        return await self.refresh(mailbox), octets

    async def check_renamed(self, owner: str, folder: str, new_owner: str, new_folder: str) -> None:
        """Rename a folder with one below it, and check that they are what they were."""
        below, new_below = f"{folder}/below", f"{new_folder}/below"
        before = [await self.filled(owner, folder), await self.filled(owner, below)]
        mailboxes = [await self.find(owner, folder), await self.find(owner, below)]
        states = [await self.states(mailbox) for mailbox in mailboxes]
        await self.store.rename_folder(self.user, owner, folder, new_owner, new_folder)
        self.assertIsNone(await self.store.find_mailbox(self.user, owner, folder))
        self.assertIsNone(await self.store.find_mailbox(self.user, owner, below))
        found = [await self.find(new_owner, new_folder), await self.find(new_owner, new_below)]
        self.assertEqual(found, mailboxes)
        for mailbox, (head, octets), known in zip(found, before, states, strict=True):
            self.assertEqual(await self.refresh(mailbox), head)
            self.assertEqual(await self.states(mailbox), known)
            self.assertEqual(await self.octets(mailbox), octets)
            self.assertEqual(list(await self.gone_since(mailbox, 0)), [2])
        await self.deliver(letter(new_owner, new_folder), letter(owner, folder))
        self.assertEqual((await self.uids(found[0]))[-1], len(VARIED) + 1)
        if "@" in owner:
            self.assertEqual(await self.uids(await self.find(owner, folder)), [1])

    async def test_in_account(self) -> None:
        """A folder is renamed with all below it; UIDs, UIDVALIDITY, mod-sequences and octets stay."""
        for folder in ("Old", "Old/below"):
            await self.store.create_folder(self.user, self.account, folder, None)
        await self.check_renamed(self.account, "Old", self.account, "New/Name")

    async def test_in_address(self) -> None:
        """So is one that exists by its mail alone."""
        await self.check_renamed(MINE, "Old_", MINE, "New")

    async def test_from_address_to_account(self) -> None:
        """An address's folder can become an account's."""
        await self.check_renamed(MINE, "Work", self.account, "Archive/Work")

    async def test_from_address_to_address(self) -> None:
        """It can become another address's."""
        await self.fixture.add_address(self.user, "Mixed@Example.COM")
        await self.check_renamed("mixed@example.com", "Work", MINE_TOO, "Work")

    async def test_delivered_unopened(self) -> None:
        """A folder that exists by its mail alone and was never opened is renamed, with what is below it."""
        rows = [letter(folder="Work"), letter(folder="Work/a"), letter(folder="Work/a/b"), letter(folder="Works")]
        await self.deliver(*rows)
        await self.store.rename_folder(self.user, MINE, "Work", MINE, "Done")
        for row, folder in zip(rows, ("Done", "Done/a", "Done/a/b", "Works"), strict=True):
            mailbox = await self.find(MINE, folder)
            self.assertEqual(await self.contents(mailbox), {row.id: 1})
            self.assertEqual(await self.octets(mailbox), {1: render(row)})

    async def test_like_pattern(self) -> None:
        """Characters that are wildcards elsewhere are none in a folder."""
        for folder in ("a_b", "a_b/c", "axb", "axb/c", "a_b2/c"):
            await self.store.create_folder(self.user, self.account, folder, None)
        await self.store.rename_folder(self.user, self.account, "a_b", self.account, "z")
        self.assertEqual(
            await self.names() - {INBOX, *SPECIAL_USES, MINE, MINE_TOO}, {"z", "z/c", "axb", "axb/c", "a_b2/c"}
        )

    async def test_to_above(self) -> None:
        """A folder can take the place of a free name above it."""
        rows = [letter(folder="a/a"), letter(folder="a/a/a"), letter(folder="a/a/a/a")]
        await self.deliver(*rows)
        await self.store.rename_folder(self.user, MINE, "a/a", MINE, "a")
        for row, folder in zip(rows, ("a", "a/a", "a/a/a"), strict=True):
            self.assertEqual(await self.contents(await self.find(MINE, folder)), {row.id: 1})
        self.assertIsNone(await self.store.find_mailbox(self.user, MINE, "a/a/a/a"))

    async def test_special_use(self) -> None:
        """A special use stays with its mailbox."""
        await self.store.rename_folder(self.user, self.account, "Sent", self.account, "Gesendet")
        listed = await self.store.list_mailboxes(self.user)
        self.assertIn(MailboxEntry(self.account, "Gesendet", "\\Sent"), listed)
        self.assertNotIn("Sent", {entry.folder for entry in listed})

    async def test_refused(self) -> None:
        """What is refused changes nothing, at no level."""
        for folder in ("a", "a/b", "c/b", "d"):
            await self.store.create_folder(self.user, self.account, folder, None)
        await self.deliver(row := letter(self.account, "a"), letter(MINE, "Mail"), letter(THEIRS, "Work"))
        account, before = self.account, await self.names()
        for expected, old, new in (
            (Refusal.ALREADY_EXISTS, (account, "a"), (account, "d")),
            (Refusal.ALREADY_EXISTS, (account, "a"), (account, "c")),
            (Refusal.ALREADY_EXISTS, (account, "a"), (account, "a")),
            (Refusal.ALREADY_EXISTS, (account, "a"), (MINE, "Mail")),
            (Refusal.CANNOT, (account, "a"), (account, "a/z")),
            (Refusal.CANNOT, (account, "a"), (MINE, INBOX)),
            (Refusal.CANNOT, (MINE, INBOX), (account, "z")),
            (Refusal.NO_SUCH_MAILBOX, (account, "none"), (account, "z")),
            (Refusal.NO_SUCH_MAILBOX, (THEIRS, "Work"), (account, "z")),
            (Refusal.NO_SUCH_MAILBOX, (ABSENT, "Work"), (account, "z")),
            (Refusal.NO_PERMISSION, (account, "a"), (THEIRS, "z")),
            (Refusal.NO_PERMISSION, (account, "a"), (ABSENT, "z")),
            (Refusal.NO_PERMISSION, (account, "a"), (account_key(self.other), "z")),
        ):
            await self.refused(expected, self.store.rename_folder(self.user, *old, *new))
        self.assertEqual(await self.names(), before)
        self.assertEqual(await self.contents(await self.find(account, "a")), {row.id: 1})
        self.assertEqual(len(await self.store.list_mailboxes(self.other)), 8)

    async def test_inbox(self) -> None:
        """INBOX stays and is empty; all that it showed is in the new folder, also what was not yet taken in."""
        await self.deliver(letter(minutes=1), letter(MINE_TOO, minutes=2), letter(account_key(self.user), minutes=3))
        inbox = await self.find(account_key(self.user), INBOX)
        made = await self.store.rename_inbox(inbox, MINE, "Old")
        self.assertEqual(await self.uids(made), [1, 2, 3])
        for mailbox in (inbox, await self.find(), await self.find(MINE_TOO)):
            self.assertEqual(await self.uids(mailbox), [])
        self.assertEqual(made, await self.find(MINE, "Old"))

    async def test_inbox_refused(self) -> None:
        """Where the new folder cannot be made, INBOX is as it was."""
        await self.deliver(letter(), letter(MINE_TOO))
        inbox = await self.open(account_key(self.user))
        await self.refused(Refusal.ALREADY_EXISTS, self.store.rename_inbox(inbox, account_key(self.user), "Sent"))
        await self.refused(Refusal.NO_PERMISSION, self.store.rename_inbox(inbox, THEIRS, "Sent"))
        self.assertEqual(await self.uids(inbox), [1, 2])
