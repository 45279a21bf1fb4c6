"""What every store must do about accounts: tokens, lists of mailboxes, who may open what."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from uuid import uuid4

from cybertemp_imap.errors import Refusal
from cybertemp_imap.naming import INBOX, SPECIAL_USES, account_key, key_of, name_of
from cybertemp_imap.store.values import FlagMode, MailboxEntry, MailboxRef
from test.store_contract import BASE, EVERYTHING, MINE, MINE_TOO, THEIRS, StoreContract, letter

TOKEN = "tok_5gFz-\xe9"
HASH = "sha256:" + hashlib.sha256(TOKEN.encode()).hexdigest()


class LoginContract(StoreContract):
    """``find_login``."""

    async def test_record(self) -> None:
        """A token yields what is known of it and its account, and nothing is judged."""
        for token, status, end, expires_at in (
            ("one", "active", None, BASE),
            ("two", "past_due", BASE, BASE + timedelta(days=10_000)),
            ("three", "canceled", None, BASE - timedelta(days=1000)),
            ("four", None, None, BASE),
        ):
            user = await self.fixture.add_user(f"{token}@Example.com", status, end)
            token_id = await self.fixture.add_token(user, token, expires_at)
            record = await self.store.find_login(token)
            assert record is not None
            self.assertEqual((record.token_id, record.user_id), (token_id, user))
            self.assertEqual(record.email, f"{token}@Example.com")
            self.assertEqual((record.subscription_status, record.subscription_end), (status, end))
            self.assertEqual(record.expires_at, expires_at)

    async def test_hashed(self) -> None:
        """A token stored hashed is found by itself, never by its hash."""
        token_id = await self.fixture.add_token(self.user, TOKEN, BASE, hashed=True)
        record = await self.store.find_login(TOKEN)
        assert record is not None
        self.assertEqual(record.token_id, token_id)
        self.assertIsNone(await self.store.find_login(HASH))
        self.assertIsNone(await self.store.find_login(HASH.upper()))
        self.assertIsNone(await self.store.find_login(HASH.removeprefix("sha256:")))

    async def test_other_tokens(self) -> None:
        """Nothing but the token finds it; no text is too odd to look for."""
        await self.fixture.add_token(self.user, TOKEN, BASE)
        for token in (
            "",
            " ",
            TOKEN.upper(),
            f"{TOKEN} ",
            TOKEN[:-1],
            "%",
            "' OR true --",
            "sha256:",
            "a\0b",
            f"{TOKEN}\0",
            "\ud800",
            "x" * 100_000,
        ):
            self.assertIsNone(await self.store.find_login(token), token[:20])

    async def test_without_account(self) -> None:
        """A token of an account that is gone is none."""
        await self.fixture.add_token(uuid4(), TOKEN, BASE)
        self.assertIsNone(await self.store.find_login(TOKEN))


class ListContract(StoreContract):
    """``list_mailboxes`` and subscriptions."""

    async def listed(self) -> dict[str, MailboxEntry]:
        """Return what ``user`` has, by name, each once."""
        entries = await self.store.list_mailboxes(self.user)
        found = {name_of(entry.owner, entry.folder): entry for entry in entries}
        self.assertEqual(len(found), len(entries))
        return found

    async def test_from_the_start(self) -> None:
        """There are INBOX, the special-use set and the user's addresses; nothing of anybody else's."""
        await self.fixture.add_address(None, "nobody@example.com")
        await self.deliver(letter(THEIRS, "Secret"), letter("nobody@example.com", "Lost"))
        listed = await self.listed()
        self.assertEqual(set(listed), {INBOX, *SPECIAL_USES, MINE, MINE_TOO})
        self.assertEqual(listed[INBOX], MailboxEntry(self.account, INBOX, None))
        for folder, use in SPECIAL_USES.items():
            self.assertEqual(listed[folder], MailboxEntry(self.account, folder, use))
        self.assertEqual(listed[MINE], MailboxEntry(MINE, INBOX, None))

    async def test_folders(self) -> None:
        """Folders that hold mail or were created are listed."""
        await self.deliver(letter(folder="Work/2024"), letter(MINE_TOO), letter(self.account, "Archive"))
        await self.fixture.add_folder(self.user, self.account, "Plans")
        await self.fixture.add_folder(self.user, MINE_TOO, "Empty")
        expected = {INBOX, *SPECIAL_USES, MINE, MINE_TOO, f"{MINE}/Work/2024", f"{MINE_TOO}/Empty", "Plans"}
        self.assertEqual(set(await self.listed()), expected)

    async def test_after_opening(self) -> None:
        """Opening mailboxes makes none appear twice."""
        await self.deliver(letter(folder="Work"))
        for owner, folder in ((self.account, INBOX), (self.account, "Sent"), (MINE, INBOX), (MINE, "Work")):
            await self.open(owner, folder)
        self.assertEqual(set(await self.listed()), {INBOX, *SPECIAL_USES, MINE, MINE_TOO, f"{MINE}/Work"})

    async def test_case_of_addresses(self) -> None:
        """An address is printed in lower case, however it is stored, and holds the mail of each spelling."""
        await self.fixture.add_address(self.user, "Mixed@Example.COM")
        rows = letter("Mixed@Example.COM"), letter("mixed@example.com")
        await self.deliver(*rows)
        self.assertIn("mixed@example.com", await self.listed())
        self.assertEqual(set(await self.contents(await self.find("mixed@example.com"))), {row.id for row in rows})
        self.assertEqual(set(await self.contents(await self.find(self.account))), {row.id for row in rows})

    async def test_names_that_cannot_be(self) -> None:
        """Addresses and folders that no client could name are left out, and break nothing."""
        for address in ("we/ird@example.com", "st*r@example.com", "no-at-sign", 'tab\t"@example.com'):
            await self.fixture.add_address(self.user, address)
        for folder in ("100%", "a//b", "", "new\nline", "inbox"):
            await self.deliver(letter(folder=folder))
        for name, entry in (await self.listed()).items():
            self.assertEqual(key_of(self.user, name), (entry.owner, entry.folder), name)

    async def test_address_removed(self) -> None:
        """With an address go its folders."""
        await self.deliver(letter(folder="Work"))
        await self.open(folder="Work")
        await self.fixture.remove_address(MINE)
        self.assertEqual(set(await self.listed()), {INBOX, *SPECIAL_USES, MINE_TOO})

    async def test_subscriptions(self) -> None:
        """What was last said of a name is kept, for each user; the mailbox need not exist."""
        self.assertEqual(await self.store.subscriptions(self.user), {})
        for name, subscribed in (("Sent", False), ("gone@example.com", True), ("Sent", True), ("\u65e5\u672c", False)):
            await self.store.set_subscribed(self.user, name, subscribed)
        expected = {"Sent": True, "gone@example.com": True, "\u65e5\u672c": False}
        self.assertEqual(await self.store.subscriptions(self.user), expected)
        self.assertEqual(await self.store.subscriptions(self.other), {})


class IsolationContract(StoreContract):
    """Nothing is found, read or changed but through the user it belongs to."""

    async def test_not_found(self) -> None:
        """Another person's mailbox and one that does not exist are told alike."""
        await self.fixture.add_address(None, "nobody@example.com")
        await self.deliver(letter(THEIRS), letter(THEIRS, "Work"), letter("absent@example.com"))
        their_account = account_key(self.other)
        await self.store.find_mailbox(self.other, their_account, INBOX)
        for owner, folder in (
            (THEIRS, INBOX),
            (THEIRS, "Work"),
            (THEIRS, "None"),
            ("nobody@example.com", INBOX),
            ("absent@example.com", INBOX),
            (MINE, "None"),
            (self.account, "None"),
            (their_account, INBOX),
            (their_account, "Sent"),
            (account_key(uuid4()), INBOX),
            ("account:", INBOX),
            ("", INBOX),
        ):
            self.assertIsNone(await self.store.find_mailbox(self.user, owner, folder), (owner, folder))

    async def test_found(self) -> None:
        """A mailbox is found as the same one each time, and everybody's INBOX is their own."""
        await self.deliver(letter(folder="Work"))
        refs = set()
        for owner, folder in ((self.account, INBOX), (self.account, "Sent"), (MINE, INBOX), (MINE, "Work")):
            ref = await self.find(owner, folder)
            self.assertEqual(ref.user_id, self.user)
            self.assertEqual(await self.find(owner, folder), ref)
            refs.add(ref)
        refs.add(await self.store.find_mailbox(self.other, account_key(self.other), INBOX) or MailboxRef(self.user, 0))
        self.assertEqual(len({ref.id for ref in refs}), 5)

    async def check_nothing(self, mailbox: MailboxRef, uid: int) -> None:
        """Check that a reference to a mailbox that is not the user's does nothing."""
        self.assertIsNone(await self.store.refresh(mailbox))
        self.assertIsNone(await self.store.status(mailbox, True))
        self.assertIsNone(await self.store.store_flags(mailbox, [uid], FlagMode.ADD, ["\\Seen"], None))
        self.assertIsNone(await self.store.expunge(mailbox, None))
        self.assertIsNone(await self.store.expunge(mailbox, [uid]))
        await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.changes(mailbox, 0, 0, EVERYTHING))
        await self.refused(Refusal.NO_SUCH_MAILBOX, self.store.expunged_since(mailbox, 0))
        store = self.store
        for read in (store.metadata, store.headers, store.sources, store.weights, store.saved_dates):
            self.assertEqual(list(await read(mailbox, [uid])), [], read.__name__)

    async def test_reference_of_another(self) -> None:
        """A reference made up with another's number, or with none that is, does nothing."""
        row = letter()
        await self.deliver(row, letter(THEIRS), flags=["\\Deleted"])
        for owner in (MINE, self.account):
            mine = await self.open(owner)
            await self.store.metadata(mine, [1])
            await self.check_nothing(MailboxRef(self.other, mine.id), 1)
        await self.check_nothing(MailboxRef(self.user, 1 << 40), 1)
        self.assertEqual(await self.fixture.stored_flags(row.id), ["\\Deleted"])

    async def test_address_lost(self) -> None:
        """When an address is no longer the user's, neither is its mail, in its own mailbox and in INBOX."""
        row = letter()
        await self.deliver(row, flags=["\\Deleted"])
        mailbox, inbox = await self.open(), await self.open(self.account)
        await self.store.metadata(mailbox, [1])
        await self.fixture.remove_address(MINE)
        self.assertIsNone(await self.store.find_mailbox(self.user, MINE, INBOX))
        await self.check_nothing(mailbox, 1)
        self.assertEqual(await self.contents(inbox), {})
        self.assertEqual(await self.fixture.stored_flags(row.id), ["\\Deleted"])

    async def test_address_taken(self) -> None:
        """An address that became another's is no less lost."""
        await self.deliver(letter(), flags=["\\Deleted"])
        mailbox = await self.open()
        await self.fixture.remove_address(MINE)
        await self.fixture.add_address(self.other, MINE)
        self.assertIsNone(await self.store.find_mailbox(self.user, MINE, INBOX))
        await self.check_nothing(mailbox, 1)

    async def test_address_returned(self) -> None:
        """A user who gets an address again gets its mail back, under a UIDVALIDITY and UIDs that deceive nobody."""
        row, later = letter(), letter(minutes=1)
        await self.deliver(row)
        before = await self.refresh(await self.find())
        await self.fixture.remove_address(MINE)
        await self.fixture.add_address(self.user, MINE)
        await self.deliver(later)
        mailbox = await self.find()
        contents, after = await self.contents(mailbox), await self.refresh(mailbox)
        self.assertEqual(set(contents), {row.id, later.id})
        if after.uid_validity == before.uid_validity:
            self.assertGreaterEqual(contents[later.id], before.uid_next)
