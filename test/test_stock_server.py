"""Our realm, account and mailboxes behind Twisted's own IMAP4Server."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory
from twisted.mail import imap4
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyClass, verifyObject

from cybertemp_imap.account import Account, watched_realm
from cybertemp_imap.auth import Identity, TokenChecker
from cybertemp_imap.listing import Listing
from cybertemp_imap.mailbox import Mailbox
from cybertemp_imap.message import Message, MessagePart
from cybertemp_imap.mime.render import render
from cybertemp_imap.shared_mailboxes import SharedMailboxes
from cybertemp_imap.store.memory import MemoryStore
from cybertemp_imap.watch import SessionWatch
from test.store_contract import MINE, letter


class StockClient(imap4.IMAP4Client):
    """The stock client, that tells when it is greeted and when its connection is gone."""

    transport: Any

    def __init__(self) -> None:
        super().__init__()
        self.greeted: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def serverGreeting(self, caps: object) -> None:
        """Take note of the greeting."""
        self.greeted.callback(None)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Take note of the end."""
        self.gone.callback(None)

    def leave(self) -> Deferred[None]:
        """Close the connection."""
        self.transport.loseConnection()
        return self.gone


class StockFactory(Factory):
    """Makes stock servers with a portal."""

    def __init__(self, portal: Portal) -> None:
        self.portal = portal

    def buildProtocol(self, addr: object) -> imap4.IMAP4Server:
        """Return a server."""
        server = imap4.IMAP4Server()
        server.portal = self.portal  # type: ignore[assignment]
        return server


class StockTests(TestCase):
    """A session with the stock server and the stock client."""

    async def setUp(self) -> None:  # type: ignore[override]
        self.store = MemoryStore()
        self.user = self.store.add_user("me@example.com")
        self.token = self.store.add_token(self.user, "secret")
        self.store.add_address(self.user, MINE)
        self.rows = [letter(minutes=n, subject=f"Number {n}", html="<p>Hi</p>" if n == 2 else None) for n in range(3)]
        for row in self.rows:
            self.store.deliver(row)
        mailboxes = SharedMailboxes(self.store)
        self.watch = SessionWatch(self.store)
        portal = Portal(watched_realm(self.watch, mailboxes), [TokenChecker(self.store)])
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(StockFactory(portal))
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        self.client = await connectProtocol(endpoint, StockClient())
        self.addCleanup(self.client.leave)
        await self.client.greeted

    async def test_session(self) -> None:
        """LOGIN, LIST, SELECT, FETCH, SEARCH, STORE, EXPUNGE and STATUS do what they are for."""
        await self.client.login(b"me@example.com", b"secret")
        names = {name for _, _, name in await self.client.list("", "*")}
        self.assertEqual(names, {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash", MINE})
        selected = await self.client.select(MINE)
        self.assertEqual((selected["EXISTS"], selected["READ-WRITE"]), (3, True))

        flags = await self.client.fetchFlags("1:*")
        self.assertEqual(flags, {seq: {"FLAGS": []} for seq in (1, 2, 3)})
        sizes = await self.client.fetchSize("1:*")
        self.assertEqual([int(sizes[seq]["RFC822.SIZE"]) for seq in (1, 2, 3)], [len(render(row)) for row in self.rows])
        uids = await self.client.fetchUID("1:*")
        self.assertEqual([int(uids[seq]["UID"]) for seq in (1, 2, 3)], [1, 2, 3])
        envelopes = await self.client.fetchEnvelope("1:*")
        self.assertEqual([envelopes[seq]["ENVELOPE"][1] for seq in (1, 2, 3)], ["Number 0", "Number 1", "Number 2"])
        (message,) = (await self.client.fetchMessage("2")).values()
        self.assertEqual(message["RFC822"].encode(), render(self.rows[1]))
        (structure,) = (await self.client.fetchBodyStructure("3")).values()
        self.assertEqual(structure["BODYSTRUCTURE"][2].upper(), "ALTERNATIVE")

        self.assertEqual(await self.client.search(imap4.Query(subject="number 1")), [2])
        self.assertEqual(await self.client.search(imap4.Query(subject="number 1"), uid=True), [2])

        self.assertEqual(await self.client.addFlags("1", ["\\Deleted"], silent=0), {1: {"FLAGS": ["\\Deleted"]}})
        self.assertEqual(await self.client.expunge(), [1])
        status = await self.client.status(MINE, "MESSAGES", "UIDNEXT")
        self.assertEqual({name: int(value) for name, value in status.items()}, {"MESSAGES": 2, "UIDNEXT": 4})

    async def test_append(self) -> None:
        """APPEND adds a message octet for octet; CREATE is refused, since a stock server does not wait for it."""
        await self.client.login(b"me@example.com", b"secret")
        source = b"From: a@good.example\r\nSubject: kept\r\n\r\nText.\r\n"
        await self.client.append("Archive", BytesIO(source), ["\\Seen"], "02-Mar-2026 10:00:00 +0000")
        self.assertEqual((await self.client.select("Archive"))["EXISTS"], 1)
        (message,) = (await self.client.fetchMessage("1")).values()
        self.assertEqual(message["RFC822"].encode(), source)
        self.assertEqual(await self.client.fetchFlags("1"), {1: {"FLAGS": ["\\Seen"]}})
        await self.assertFailure(self.client.create("Work"), imap4.IMAP4Exception)

    async def test_end_of_session(self) -> None:
        """When the right to a session has ended it can do nothing any more, though a stock server is not told."""
        await self.client.login(b"me@example.com", b"secret")
        await self.client.select(MINE)
        self.store.remove_token(self.token)
        await self.watch.check()
        for attempt in (
            self.client.fetchMessage("1"),
            self.client.search(imap4.Query(subject="number")),
            self.client.addFlags("1", ["\\Deleted"]),
            self.client.expunge(),
            self.client.select("INBOX"),
            self.client.status(MINE, "MESSAGES"),
        ):
            await self.assertFailure(attempt, imap4.IMAP4Exception)
        self.flushLoggedErrors()
        self.assertEqual(len(self.store.emails), len(self.rows))

    async def test_limited(self) -> None:
        """A limited token has what it is limited to, behind the stock server as behind ours."""
        self.store.limit_token(self.token, [MINE], True)
        self.store.add_address(self.user, "second@example.com")
        await self.client.login(b"me@example.com", b"secret")
        self.assertEqual({name for _, _, name in await self.client.list("", "*")}, {"INBOX", MINE})
        self.assertEqual((await self.client.select(MINE))["READ-WRITE"], False)
        await self.assertFailure(self.client.addFlags("1", ["\\Seen"]), imap4.IMAP4Exception)
        await self.client.fetchMessage("1")
        self.assertEqual(await self.client.fetchFlags("1"), {1: {"FLAGS": []}})
        for name in ("second@example.com", "Archive", "nobody@example.com"):
            await self.assertFailure(self.client.select(name), imap4.IMAP4Exception)
        for name in (MINE, "INBOX"):
            attempt = self.client.append(name, BytesIO(b"Subject: x\r\n\r\n"))
            await self.assertFailure(attempt, imap4.IMAP4Exception)
        self.flushLoggedErrors()
        self.assertEqual(len(self.store.emails), len(self.rows))

    async def test_inbox_of_limited(self) -> None:
        """Nothing is put into the INBOX of a limited token; its address takes messages."""
        self.store.limit_token(self.token, [MINE])
        await self.client.login(b"me@example.com", b"secret")
        await self.client.append(MINE, BytesIO(b"Subject: x\r\n\r\n"))
        self.assertEqual((await self.client.select("INBOX"))["EXISTS"], len(self.rows) + 1)
        await self.assertFailure(self.client.append("INBOX", BytesIO(b"Subject: y\r\n\r\n")), imap4.IMAP4Exception)
        self.flushLoggedErrors()
        self.assertEqual(len(self.store.emails), len(self.rows) + 1)

    async def test_wrong_token(self) -> None:
        """A wrong token is refused."""
        await self.assertFailure(self.client.login(b"me@example.com", b"wrong"), imap4.IMAP4Exception)

    async def test_other_mailbox(self) -> None:
        """A mailbox that is another's, and one that is nobody's, cannot be selected."""
        other = self.store.add_user("other@example.com")
        self.store.add_address(other, "theirs@example.com")
        await self.client.login(b"me@example.com", b"secret")
        for name in ("theirs@example.com", "nobody@example.com"):
            error = await self.assertFailure(self.client.select(name), imap4.IMAP4Exception)
            self.assertTrue(re.search("No such mailbox", str(error)), error)


class InterfaceTests(TestCase):
    """What is promised by interface holds."""

    async def test_objects(self) -> None:
        """Each object provides its interfaces in full."""
        store = MemoryStore()
        user = store.add_user("me@example.com")
        store.add_address(user, MINE)
        mailboxes = SharedMailboxes(store)
        account = Account(Identity(user, "me@example.com", user), mailboxes)
        verifyObject(imap4.IAccount, account)
        verifyObject(imap4.INamespacePresenter, account)
        mailbox = await account.select(MINE)
        for interface in (
            imap4.IMailbox,
            imap4.IMailboxInfo,
            imap4.ISearchableMailbox,
            imap4.ICloseableMailbox,
        ):
            verifyObject(interface, mailbox)
            verifyClass(interface, Mailbox)
        row = letter()
        message = Message(1, (), row.timestamp or row.created_at, render(row))  # type: ignore[arg-type]
        for promised in (imap4.IMessage, imap4.IMessageFile, imap4.IMessagePart):
            verifyObject(promised, message)
        verifyClass(imap4.IMessagePart, MessagePart)
        verifyObject(imap4.IMailboxInfo, Listing("INBOX", True, True, False))
