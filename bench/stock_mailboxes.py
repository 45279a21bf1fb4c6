"""``python -m bench.stock_mailboxes PORT FOLDER USER PASSWORD``: Twisted's server over mailboxes in memory.

As plain as its documentation has them: a list of messages, each parsed by the standard library when it is first looked
into and kept from then on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message
from email.utils import formatdate
from io import BytesIO
from pathlib import Path
from time import time
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import succeed
from twisted.internet.protocol import Factory
from twisted.mail import imap4
from zope.interface import implementer

from bench import maildir


@implementer(imap4.IMessagePart)
class Part:
    """A part of a message, or one as a whole."""

    def __init__(self, parsed: Message) -> None:
        self._parsed = parsed

    def getHeaders(self, negate: bool, *names: str | bytes) -> dict[str, str]:
        """Return the fields of these names, or those of all others."""
        wanted = {(name.decode() if isinstance(name, bytes) else name).lower() for name in names}
        return {
            name.lower(): value for name, value in self.parsed.items() if (name.lower() in wanted) is not bool(negate)
        }

    def getBodyFile(self) -> BytesIO:
        """Return what follows the header, as it is."""
        payload = self.parsed.get_payload()
        return BytesIO(payload.encode("utf-8", "surrogateescape") if isinstance(payload, str) else b"")

    def getSize(self) -> int:
        """Return the octets of the body."""
        return len(self.getBodyFile().getvalue())

    def isMultipart(self) -> bool:
        """Tell whether there are parts."""
        return self.parsed.is_multipart()

    def getSubPart(self, part: int) -> Part:
        """Return a part by its number from 0 on."""
        payload: Any = self.parsed.get_payload()
        return Part(payload[part])

    @property
    def parsed(self) -> Message:
        """The message, taken apart."""
        return self._parsed


@implementer(imap4.IMessage, imap4.IMessageFile)
class StoredMessage(Part):
    """A message."""

    def __init__(self, uid: int, octets: bytes, flags: frozenset[str], arrived: float) -> None:
        self.uid = uid
        self.flags = set(flags)
        self._octets = octets
        self._arrived = formatdate(arrived)
        self._kept: Message | None = None

    @property
    def parsed(self) -> Message:
        """The message, taken apart when it is first asked for."""
        if self._kept is None:
            self._kept = message_from_bytes(self._octets)
        return self._kept

    def getUID(self) -> int:
        """Return the UID."""
        return self.uid

    def getFlags(self) -> set[str]:
        """Return the flags."""
        return self.flags

    def getInternalDate(self) -> str:
        """Return when it arrived."""
        return self._arrived

    def getSize(self) -> int:
        """Return the octets of the whole message."""
        return len(self._octets)

    def getBodyFile(self) -> BytesIO:
        """Return what follows the header, parts and all."""
        return BytesIO(self._octets.partition(b"\r\n\r\n")[2])

    def open(self) -> BytesIO:
        """Return the whole message."""
        return BytesIO(self._octets)


@implementer(imap4.IMailbox)
class PlainMailbox:
    """Messages in a list."""

    def __init__(self) -> None:
        self.messages: list[StoredMessage] = []
        self.listeners: list[Any] = []

    def add(self, octets: bytes, flags: frozenset[str], arrived: float) -> None:
        """Add a message."""
        self.messages.append(StoredMessage(len(self.messages) + 1, octets, flags, arrived))

    def getFlags(self) -> list[str]:
        """Return the flags there can be."""
        return ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"]

    def getHierarchicalDelimiter(self) -> str:
        """Return the delimiter of names."""
        return "/"

    def getUIDValidity(self) -> int:
        """Return UIDVALIDITY."""
        return 1

    def getUIDNext(self) -> int:
        """Return the next UID."""
        return len(self.messages) + 1

    def getUID(self, message: int) -> int:
        """Return the UID of a number: nothing is ever expunged."""
        return message

    def getMessageCount(self) -> int:
        """Return how many messages there are."""
        return len(self.messages)

    def getRecentCount(self) -> int:
        """Return how many are recent."""
        return 0

    def getUnseenCount(self) -> int:
        """Return how many are not seen."""
        return sum("\\Seen" not in message.flags for message in self.messages)

    def isWriteable(self) -> bool:
        """Tell whether flags can be changed."""
        return True

    def requestStatus(self, names: list[str]) -> dict[str, Any]:
        """Return what STATUS asks for."""
        found: dict[str, Any] = imap4.statusRequestHelper(self, names)
        return found

    def addListener(self, listener: object) -> None:
        """Take note of a session."""
        self.listeners.append(listener)

    def removeListener(self, listener: object) -> None:
        """Forget a session."""
        self.listeners.remove(listener)

    def addMessage(self, message: Any, flags: Sequence[str] = (), date: object = None) -> Any:
        """Append a message, and tell who listens."""
        self.add(message.read(), frozenset(flags), time())
        for listener in self.listeners:
            listener.newMessages(len(self.messages), None)
        return succeed(len(self.messages))

    def expunge(self) -> list[int]:
        """Nothing is ever expunged here."""
        return []

    def fetch(self, messages: Any, uid: bool) -> list[tuple[int, StoredMessage]]:
        """Return messages by their numbers, which are their UIDs too."""
        messages.last = len(self.messages)
        return [(number, self.messages[number - 1]) for number in messages if number <= len(self.messages)]

    def store(self, messages: Any, flags: list[str], mode: int, uid: bool) -> dict[int, set[str]]:
        """Add (1), remove (-1) or replace (0) flags."""
        changed = {}
        for number, message in self.fetch(messages, uid):
            kept = set() if mode == 0 else message.flags
            message.flags = kept - set(flags) if mode < 0 else kept | set(flags)
            changed[number] = message.flags
        return changed

    def destroy(self) -> None:
        """Mailboxes stay."""


@implementer(IRealm)
class Realm:
    """One account, whoever asks."""

    def __init__(self, folder: Path) -> None:
        self.account = imap4.MemoryAccount("bench")
        for path in folder.iterdir():
            mailbox = PlainMailbox()
            for octets, flags, arrived in maildir.read(path):
                mailbox.add(octets, flags, arrived)
            self.account.addMailbox(path.name, mailbox)

    def requestAvatar(self, avatar: object, mind: object, *interfaces: object) -> Any:
        """Return the account."""
        return imap4.IAccount, self.account, lambda: None


def main() -> None:
    """Serve."""
    from twisted.internet import reactor

    port, folder, user, password = sys.argv[1:]
    checker: Any = InMemoryUsernamePasswordDatabaseDontUse()
    checker.addUser(user.encode(), password.encode())
    portal: Any = Portal(Realm(Path(folder)), [checker])

    class Servers(Factory):
        def buildProtocol(self, address: object) -> imap4.IMAP4Server:
            server = imap4.IMAP4Server()
            server.portal = portal
            return server

    network: Any = reactor
    network.listenTCP(int(port), Servers(), interface="127.0.0.1", backlog=511)
    network.run()


if __name__ == "__main__":
    main()
