"""neomutt reads the demonstration's mail, with a person's keys in a pseudo-terminal."""

from __future__ import annotations

from twisted.internet import reactor

from test.clients.case import CLIENT_TIMEOUT, ClientTestCase, environment
from test.clients.expected import FOREIGN, ExpectedMessage, expected_mailboxes
from test.clients.terminal import run_in_terminal

_CONFIGURATION = """
set folder = "imap://127.0.0.1:{port}/"
set spool_file = "+{mailbox}"
set imap_user = "{user}"
set imap_pass = "{token}"
set ssl_starttls = no
set ssl_force_tls = no
set timeout = 5
set sleep_time = 0
set wait_key = no
set pipe_split = yes
set pipe_decode = no
set pipe_sep = ""
set sort = mailbox-order
set quit = yes
unset mark_old
set record = ""
set postponed = ""
set header_cache = ""
set message_cachedir = ""
push '{keys}<quit>'
"""

# Every message that is tagged, into a file of its own.
_PIPE = "<tag-prefix><pipe-message>cat >out/$(ls out | wc -l)<enter>"


class NeomuttTests(ClientTestCase):
    """What the keys of a session do."""

    program = "neomutt"

    async def press(self, mailbox: str, keys: str) -> None:
        """Open a mailbox, press keys, and quit."""
        (self.folder / "out").mkdir(exist_ok=True)
        file = self.folder / "muttrc"
        file.write_text(
            _CONFIGURATION.format(port=self.port, mailbox=mailbox, user=self.user, token=self.token, keys=keys)
        )
        command = ["neomutt", "-n", "-F", str(file)]
        status, drawn = await run_in_terminal(reactor, command, self.folder, environment(self.folder), CLIENT_TIMEOUT)
        self.assertEqual(status, 0, drawn[-2000:])

    def check_piped(self, expected: list[ExpectedMessage]) -> None:
        """The messages piped are the expected ones, octet for octet."""
        files = sorted((self.folder / "out").iterdir(), key=lambda file: int(file.name))
        self.assert_octets([file.read_bytes() for file in files], [piped(message) for message in expected])

    async def test_inbox(self) -> None:
        """Every message of INBOX."""
        await self.press("INBOX", f"<tag-pattern>~A<enter>{_PIPE}")
        self.check_piped(self.mailboxes["INBOX"])

    async def test_folder(self) -> None:
        """The message of a folder whose name is beyond ASCII."""
        await self.press(FOREIGN, f"<tag-pattern>~A<enter>{_PIPE}")
        self.check_piped(self.mailboxes[FOREIGN])

    async def test_search(self) -> None:
        """Messages found by a search in their text, which neomutt leaves to the server."""
        await self.press("inbox@example.com", f"<tag-pattern>=b invoice<enter>{_PIPE}")
        expected = self.mailboxes["inbox@example.com"]
        self.check_piped([message for message in expected if "invoice" in text(message)])

    async def test_flags(self) -> None:
        """A message that is read and one that is flagged are so in the database, and no other has changed."""
        name = "codes@example.net"
        await self.press(name, "<first-entry><display-message><exit><last-entry><flag-message>")
        wanted = [set(message.flags) for message in self.mailboxes[name]]
        wanted[0] |= {"\\Seen"}
        wanted[-1] ^= {"\\Flagged"}
        self.assertEqual([set(message.flags) for message in expected_mailboxes(self.dsn)[name]], wanted)


def piped(message: ExpectedMessage) -> bytes:
    """Return a message as neomutt pipes it: with LF line ends, and the keywords in a field of its own."""
    keywords = " ".join(sorted(flag for flag in message.flags if not flag.startswith("\\")))
    header, end, body = message.local.partition(b"\n\n")
    return header + (f"\nTags: {keywords}".encode() if keywords else b"") + end + body


def text(message: ExpectedMessage) -> str:
    """Return all text in a message's body, decoded, in lower case."""
    parts = [part for part in message.parsed.walk() if part.get_content_maintype() == "text"]
    return "\n".join(part.get_content() for part in parts).lower()
