"""What every store must do about expunged messages that it does not remember for ever."""

from __future__ import annotations

from cybertemp_imap.naming import INBOX
from cybertemp_imap.shared import SharedMailbox
from cybertemp_imap.store.values import FlagMode, MailboxRef
from cybertemp_imap.view import View
from test.store_contract import MINE, StoreContract, letter


class ForgetContract(StoreContract):
    """``expunged_since`` is exact or None."""

    async def expunged_one_by_one(self, owner: str, count: int) -> tuple[MailboxRef, list[int]]:
        """Deliver messages and expunge each; return the mod-sequences before and after each of these steps."""
        await self.deliver(*(letter(owner, INBOX, minutes=n) for n in range(count)))
        mailbox = await self.open(owner)
        await self.store.store_flags(mailbox, list(range(1, count + 1)), FlagMode.ADD, ["\\Deleted"], None)
        mod_seqs = [(await self.refresh(mailbox)).highest_mod_seq]
        for uid in range(1, count + 1):
            await self.store.expunge(mailbox, [uid])
            mod_seqs.append((await self.refresh(mailbox)).highest_mod_seq)
        return mailbox, mod_seqs

    async def test_forgotten(self) -> None:
        """Only the last ones are remembered; from before that there is no answer, from then on an exact one."""
        mailbox, mod_seqs = await self.expunged_one_by_one(MINE, 6)
        for kept in (6, 4, 4, 1, 0):
            await self.fixture.forget_expunged(mailbox, kept)
            for number, mod_seq in enumerate(mod_seqs):
                gone = await self.store.expunged_since(mailbox, mod_seq)
                if number < 6 - kept:
                    self.assertIsNone(gone, (kept, number))
                else:
                    self.assertEqual(gone, list(range(number + 1, 7)), (kept, number))
        self.assertEqual(await self.store.expunged_since(mailbox, mod_seqs[-1] + 1), [])

    async def test_whole_steps(self) -> None:
        """What was expunged in one step is remembered as a whole or not at all."""
        await self.deliver(*(letter(minutes=n) for n in range(5)))
        mailbox = await self.open()
        await self.store.store_flags(mailbox, [1, 2, 3, 4], FlagMode.ADD, ["\\Deleted"], None)
        before = await self.refresh(mailbox)
        await self.store.expunge(mailbox, None)
        await self.fixture.forget_expunged(mailbox, 4)
        self.assertEqual(await self.gone_since(mailbox, before.highest_mod_seq), [1, 2, 3, 4])
        await self.fixture.forget_expunged(mailbox, 3)
        self.assertIsNone(await self.store.expunged_since(mailbox, before.highest_mod_seq))
        self.assertEqual(await self.gone_since(mailbox, (await self.refresh(mailbox)).highest_mod_seq), [])

    async def test_nothing_else_is_forgotten(self) -> None:
        """The mailbox's numbers and messages stay as they are; later steps are remembered again."""
        mailbox, _ = await self.expunged_one_by_one(MINE, 2)
        await self.deliver(letter(minutes=3), letter(minutes=4))
        head, states = await self.refresh(mailbox), await self.states(mailbox)
        await self.fixture.forget_expunged(mailbox, 0)
        self.assertEqual(await self.refresh(mailbox), head)
        self.assertEqual(await self.states(mailbox), states)
        await self.store.store_flags(mailbox, [3], FlagMode.ADD, ["\\Deleted"], None)
        await self.store.expunge(mailbox, None)
        self.assertEqual(await self.gone_since(mailbox, head.highest_mod_seq), [3])

    async def test_open_mailbox(self) -> None:
        """A mailbox that a process has open, and did not look at meanwhile, loses what is forgotten all the same."""
        await self.deliver(*(letter(minutes=n) for n in range(5)))
        mailbox = await self.open()
        shared = SharedMailbox(self.store, mailbox)
        await shared.refresh()
        view = View(shared.messages)
        shared.views.add(view)
        await self.store.store_flags(mailbox, [2, 4], FlagMode.ADD, ["\\Deleted"], None)
        await self.store.store_flags(mailbox, [3], FlagMode.ADD, ["\\Seen"], None)
        await self.store.expunge(mailbox, None)
        await self.deliver(letter(minutes=6))
        await self.fixture.forget_expunged(mailbox, 0)
        await shared.refresh()
        self.assertEqual(list(shared.messages.uids), [1, 3, 5, 6])
        report = view.report(expunge=True)
        self.assertEqual((report.expunged, report.exists), ([(4, 4), (2, 2)], 4))
        self.assertEqual([(news.uid, news.flags.names) for news in report.flags], [(3, ("\\Seen",))])
        self.assertEqual(view.told_mod_seq, (await self.refresh(mailbox)).highest_mod_seq)
