"""Open sessions end when the right to them does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from twisted.internet.defer import Deferred

from cybertemp_imap import watch
from cybertemp_imap.errors import Refusal, StoreUnavailable
from cybertemp_imap.store.values import LoginRecord
from test.wire import MINE, MINE_TOO, THEIR_TOKEN, THEIR_USER, THEIRS, USER, Client, WireTestCase

TOKEN = "tok-1414213562"
HOUR = timedelta(hours=1)


def bye(reason: Refusal) -> bytes:
    """Return how the end of a session is told."""
    return f"* BYE [{reason.code}] {reason.text}\r\n".encode()


class WatchTestCase(WireTestCase):
    """A token, whose sessions are to end, and others, whose are not."""

    def setUp(self) -> None:
        """Make the token, and sessions of all kinds."""
        super().setUp()
        self.wire.deliver(3)
        self.token = self.store.add_token(self.wire.user, TOKEN, datetime.now(UTC) + HOUR)
        self.others = [self.wire.session(MINE), self.wire.connect().login(THEIR_USER, THEIR_TOKEN).select(THEIRS)]

    def session(self, name: str | None = None) -> Client:
        """Return a session of the token."""
        client = self.wire.connect().login(USER, TOKEN)
        return client.select(name) if name else client

    def check(self) -> None:
        """Have the rights of all sessions looked at."""
        self.successResultOf(Deferred.fromCoroutine(self.wire.watch.check()))
        self.wire.clock.settle()

    def assertOver(self, client: Client, reason: Refusal) -> None:
        """Check that a session was told that it is over, and closed."""
        self.assertTrue(client.take().endswith(bye(reason)))
        self.assertTrue(client.closed)

    def assertOpen(self, *clients: Client) -> None:
        """Check that sessions go on."""
        for client in clients:
            client.ok("NOOP")


class EndTests(WatchTestCase):
    """Why sessions end."""

    def test_good(self) -> None:
        """While nothing has changed they go on."""
        client = self.session(MINE)
        self.check()
        self.assertOpen(client, *self.others)

    def test_revoked(self) -> None:
        """The token is there no more."""
        client = self.session(MINE)
        self.store.remove_token(self.token)
        self.check()
        self.assertOver(client, Refusal.TOKEN_REVOKED)
        self.assertOpen(*self.others)

    def test_another_user(self) -> None:
        """The token is another user's now."""
        client = self.session()
        self.store.tokens[self.token].user_id = self.wire.other_user
        self.check()
        self.assertOver(client, Refusal.TOKEN_REVOKED)

    def test_expired(self) -> None:
        """The token, or its limit, has expired."""
        client = self.session()
        self.store.tokens[self.token].expires_at = datetime.now(UTC)
        self.check()
        self.assertOver(client, Refusal.TOKEN_EXPIRED)
        self.store.tokens[self.token].expires_at = datetime.now(UTC) + HOUR
        client = self.session(MINE)
        self.store.limit_token(self.token, expires_at=datetime.now(UTC))
        self.check()
        self.assertOver(client, Refusal.TOKEN_EXPIRED)
        self.assertOpen(*self.others)

    def test_lapsed(self) -> None:
        """The subscription has ended, for all sessions of the account and no others."""
        client, (mine, theirs) = self.session(MINE), self.others
        self.store.set_subscription(self.wire.user, "past_due", datetime.now(UTC) - HOUR)
        self.check()
        for each in (client, mine):
            self.assertOver(each, Refusal.SUBSCRIPTION_ENDED)
        self.assertOpen(theirs)

    def test_other_limits(self) -> None:
        """The token is limited otherwise; a limit in time that has not come yet is no reason."""
        client = self.session()
        self.store.limit_token(self.token, expires_at=datetime.now(UTC) + HOUR)
        self.check()
        self.assertOpen(client)
        for change in (
            lambda: self.store.limit_token(self.token, [MINE]),
            lambda: self.store.limit_token(self.token, [MINE, MINE_TOO]),
            lambda: self.store.limit_token(self.token, [MINE, MINE_TOO], True),
            lambda: self.store.unlimit_token(self.token),
        ):
            client = self.session()
            change()
            self.check()
            self.assertOver(client, Refusal.RIGHTS_CHANGED)

    def test_email_changed(self) -> None:
        """Another e-mail address of the account is no reason."""
        client = self.session()
        self.store.users[self.wire.user].email = "new@example.com"
        self.check()
        self.assertOpen(client)


class WhereverTests(WatchTestCase):
    """Whatever a session is doing."""

    def test_idle(self) -> None:
        """One that idles is told at once."""
        for name in (MINE, None):
            client = self.session(name)
            client.send(b"i IDLE\r\n")
        self.store.remove_token(self.token)
        self.check()
        for client in self.wire.clients[-2:]:
            self.assertOver(client, Refusal.TOKEN_REVOKED)

    def test_before_select(self) -> None:
        """One without a mailbox, several of one token."""
        clients = [self.session() for _ in range(3)]
        self.store.remove_token(self.token)
        self.check()
        for client in clients:
            self.assertOver(client, Refusal.TOKEN_REVOKED)

    def test_busy(self) -> None:
        """One that waits for the store is told, and its command is not answered after that."""
        waiting: Deferred[None] = Deferred()
        status = self.store.status

        async def slow(*arguments: object) -> object:
            await waiting
            return await status(*arguments)  # type: ignore[arg-type]

        client = self.session()
        self.patch(self.store, "status", slow)
        client.send(b"s STATUS INBOX (MESSAGES)\r\n")
        self.store.remove_token(self.token)
        self.check()
        waiting.callback(None)
        self.wire.clock.settle()
        self.assertOver(client, Refusal.TOKEN_REVOKED)

    def test_in_the_middle_of_append(self) -> None:
        """One that is sending a message is told, and nothing of the message stays."""
        client = self.session()
        client.send(b"a APPEND %b {300000}\r\n" % MINE.encode())
        client.send(b"x" * 290000)
        self.assertTrue(self.store._uploads)
        self.store.remove_token(self.token)
        self.check()
        self.assertOver(client, Refusal.TOKEN_REVOKED)
        client.hang_up()
        self.assertFalse(self.store._uploads)


class LookUpTests(WatchTestCase):
    """How it is looked."""

    def test_failure(self) -> None:
        """A look-up that fails ends nothing; the next one that does not fail does."""
        client = self.session()
        self.store.remove_token(self.token)
        self.store.available = False
        self.failureResultOf(Deferred.fromCoroutine(self.wire.watch.check()), StoreUnavailable)
        self.store.available = True
        self.assertOpen(client, *self.others)
        self.check()
        self.assertOver(client, Refusal.TOKEN_REVOKED)

    def test_slices(self) -> None:
        """Tokens are looked up in slices; one that fails does not keep the others from being looked at."""
        self.patch(watch, "SLICE", 2)
        find_logins, asked = self.store.find_logins, []

        async def counted(token_ids: Sequence[UUID]) -> Sequence[LoginRecord]:
            asked.append(len(token_ids))
            if len(asked) == 1:
                raise StoreUnavailable
            return await find_logins(token_ids)

        clients = [self.session() for _ in range(4)]
        self.patch(self.store, "find_logins", counted)
        self.store.remove_token(self.token)
        self.failureResultOf(Deferred.fromCoroutine(self.wire.watch.check()), StoreUnavailable)
        self.assertEqual(asked, [2, 1])
        for client in clients:
            self.assertOver(client, Refusal.TOKEN_REVOKED)
        self.assertOpen(*self.others)

    def test_left(self) -> None:
        """Sessions that are over are looked at no more, however they ended."""
        self.assertEqual(self.wire.watch.tokens, 2)
        left, lost, refused = self.session(), self.session(), self.session()
        self.assertEqual(self.wire.watch.tokens, 3)
        left.ok("LOGOUT")
        lost.hang_up()
        self.assertEqual(self.wire.watch.tokens, 3)
        self.store.remove_token(self.token)
        self.check()
        self.assertTrue(refused.closed)
        self.assertEqual(self.wire.watch.tokens, 2)


class GoneMailboxTests(WatchTestCase):
    """An address that was given back, or is another's, with sessions in its mailbox."""

    def leave_gone(self) -> None:
        """Let the time come at which it is looked for."""
        self.successResultOf(Deferred.fromCoroutine(self.wire.mailboxes.leave_gone()))
        self.wire.clock.settle()

    def test_told(self) -> None:
        """Who idles is told at once; who is quiet, after a while; who has gone elsewhere is not disturbed."""
        idling, quiet, elsewhere, closed = (self.session(MINE) for _ in range(4))
        idling.send(b"i IDLE\r\n")
        idling.take()
        self.store.remove_address(MINE)
        self.wire.clock.settle()
        gone = b"* BYE The selected mailbox is gone.\r\n"
        self.assertEqual(idling.take(), gone)
        self.assertFalse(quiet.closed)
        elsewhere.select(MINE_TOO)
        closed.ok("CLOSE")
        quiet.take()
        self.leave_gone()
        self.assertEqual(quiet.take(), gone)
        self.assertTrue(quiet.closed)
        self.assertOpen(elsewhere, closed)
        for client in (elsewhere, closed):
            self.assertStatus(client.command(f"SELECT {MINE}"), "NO", "NONEXISTENT")

    def test_inbox_stays(self) -> None:
        """INBOX loses the mail of the address, and stays open."""
        client = self.session("INBOX")
        self.store.remove_address(MINE)
        self.leave_gone()
        self.assertEqual(client.ok("NOOP").numbers("EXPUNGE"), [3, 2, 1])
