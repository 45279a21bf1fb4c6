"""curl reads the demonstration's mail."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from test.clients.case import CLIENT_TIMEOUT, ClientTestCase
from test.clients.expected import FOREIGN, FOREIGN_WIRE, PARENTS, ExpectedMessage

_NO_LOGIN = 67
_NO_FILE = 78


class CurlTests(ClientTestCase):
    """curl asks for one thing an URL (RFC 5092), of many URLs in one connection."""

    program = "curl"

    async def curl(self, *paths: str, token: str | None = None, status: int = 0, request: str | None = None) -> bytes:
        """Fetch what the URLs with these paths name, and return what was printed."""
        lines = [f'user = "{self.user}:{token or self.token}"', "silent", "show-error", "globoff"]
        lines += [f"max-time = {CLIENT_TIMEOUT}", 'noproxy = "*"']
        lines += [] if request is None else [f'request = "{request}"']
        lines += [f'url = "imap://127.0.0.1:{self.port}/{path}"' for path in paths]
        # In a file, as arguments are for everybody to see.
        file = self.folder / "curl.conf"
        file.write_text("\n".join(lines))
        return await self.run_program("curl", "--disable", "--config", file, status=status)

    async def fetch(self, mailbox: str, queries: Iterable[str], expected: list[bytes]) -> None:
        """Compare what URLs with these queries give, one file each, with what is expected."""
        output = self.folder / "out"
        output.mkdir()
        paths = [f'{mailbox}{query}"\noutput = "out/{number}' for number, query in enumerate(queries)]
        await self.curl(*paths)
        found = [(output / str(number)).read_bytes() for number in range(len(paths))]
        self.assert_octets(found, expected)

    async def test_list(self) -> None:
        """The server's URL lists every mailbox."""
        listed = (await self.curl("")).decode("ascii").splitlines()
        names = [line.rpartition(' "/" ')[2].strip('"') for line in listed]
        self.assertEqual(sorted(names), sorted({*self.mailboxes, *PARENTS, FOREIGN_WIRE} - {FOREIGN}))

    async def test_by_number(self) -> None:
        """Every message of INBOX, by its sequence number."""
        messages = self.mailboxes["INBOX"]
        queries = [f";MAILINDEX={number}" for number in range(1, len(messages) + 1)]
        await self.fetch("INBOX", queries, sources(messages))

    async def test_by_uid(self) -> None:
        """Every message of an address, by its UID; the address is sent as an atom."""
        messages = self.mailboxes["shop@example.com"]
        await self.fetch("shop@example.com", [f";UID={message.uid}" for message in messages], sources(messages))

    async def test_folder(self) -> None:
        """A message of a folder whose name is quoted and in modified UTF-7."""
        await self.fetch(quote(FOREIGN_WIRE, safe=""), [";UID=1"], sources(self.mailboxes[FOREIGN]))

    async def test_sections(self) -> None:
        """Header and text of a message."""
        messages = self.mailboxes["codes@example.net"]
        queries = [f";UID={message.uid};SECTION={name}" for message in messages for name in ("HEADER", "TEXT")]
        parts = [part for message in messages for part in (message.header, message.text)]
        await self.fetch("codes@example.net", queries, parts)

    async def test_search(self) -> None:
        """A query after the mailbox is a search."""
        messages = self.mailboxes["INBOX"]
        codes = [str(message.uid) for message in messages if "is your code" in message.subject]
        printed = await self.curl("INBOX?SUBJECT%20%22is%20your%20code%22")
        self.assertEqual(printed.decode().split(), ["*", "SEARCH", *codes])
        self.assertEqual(await self.curl("INBOX?FROM%20lottery"), b"* SEARCH\r\n")

    async def test_request(self) -> None:
        """A command of one's own: flags of a range, and counts without opening."""
        printed = (await self.curl("codes@example.net", request="UID FETCH 1:3 (FLAGS)")).decode()
        flags = [line.partition("FLAGS (")[2].rstrip(")").split() for line in printed.splitlines()]
        wanted = [message.flags for message in self.mailboxes["codes@example.net"][:3]]
        self.assertEqual([set(found) - {"\\Recent"} for found in flags], wanted)
        printed = (await self.curl("", request="STATUS codes@example.net (MESSAGES)")).decode()
        count = len(self.mailboxes["codes@example.net"])
        self.assertEqual(printed.strip(), f'* STATUS "codes@example.net" (MESSAGES {count})')

    async def test_refused(self) -> None:
        """A wrong token, an address of nobody's, and a UID that is not there: each fails in its own way."""
        await self.curl("INBOX;UID=1", token="wrong", status=_NO_LOGIN)
        await self.curl("nobody@example.com;UID=1", status=_NO_LOGIN)
        await self.curl("INBOX;UID=99999", status=_NO_FILE)


def sources(messages: Iterable[ExpectedMessage]) -> list[bytes]:
    """Return the octets of messages."""
    return [message.source for message in messages]
