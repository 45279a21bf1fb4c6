"""Python's imaplib reads the demonstration's mail."""

from __future__ import annotations

import contextlib
import imaplib
import re
from datetime import UTC, datetime

from cybertemp_imap.demo.account import ADDRESSES, USER
from cybertemp_imap.demo.corpus import corpus
from test.clients.case import CLIENT_TIMEOUT, ClientTestCase, in_thread
from test.clients.expected import FOREIGN, FOREIGN_WIRE, PARENTS

_LISTED = re.compile(rb'\((?P<attributes>[^)]*)\) "/" "(?P<name>.*)"')
_FETCHED = re.compile(rb'\d+ \(UID (\d+) FLAGS \(([^)]*)\) INTERNALDATE "([^"]*)" RFC822.SIZE (\d+) BODY\[\] \{(\d+)\}')


class ImaplibTests(ClientTestCase):
    """A session as a small program has it. imaplib quotes nothing by itself."""

    def client(self, login: bool = True) -> imaplib.IMAP4:
        """Return a connection."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=CLIENT_TIMEOUT)
        self.addCleanup(close, client)
        if login:
            self.assertEqual(client.login(USER, self.token)[0], "OK")
        return client

    @in_thread
    def test_login(self) -> None:
        """LOGIN with the e-mail address and the token; CAPABILITY is asked again after it."""
        client = self.client()
        self.assertEqual(client.state, "AUTH")
        self.assertIn(b"NAMESPACE", client.capability()[1][0].split())
        self.assertEqual(client.logout()[0], "BYE")

    @in_thread
    def test_wrong_token(self) -> None:
        """A wrong token is refused, and says so by a response code."""
        client = self.client(login=False)
        error = self.assertRaises(imaplib.IMAP4.error, client.login, USER, "wrong")
        self.assertIn("[AUTHENTICATIONFAILED]", str(error))

    @in_thread
    def test_authenticate_plain(self) -> None:
        """AUTHENTICATE PLAIN, with the continuation request that imaplib waits for."""
        client = self.client(login=False)
        secret = f"\0{USER}\0{self.token}".encode()
        self.assertEqual(client.authenticate("PLAIN", lambda challenge: secret)[0], "OK")
        self.assertEqual(client.select("INBOX", readonly=True)[0], "OK")

    @in_thread
    def test_list(self) -> None:
        """LIST names every mailbox once: in modified UTF-7, quoted, and the special ones marked."""
        client = self.client()
        found = {}
        for line in client.list()[1]:
            assert isinstance(line, bytes)
            match = _LISTED.fullmatch(line)
            assert match is not None, line
            found[match["name"].decode("ascii")] = match["attributes"].split()
        self.assertEqual(set(found), {*self.mailboxes, *PARENTS, FOREIGN_WIRE} - {FOREIGN})
        self.assertTrue({b"\\Noselect", b"\\NonExistent"} & set(found[PARENTS[0]]))
        self.assertIn(b"\\Trash", found["Trash"])
        self.assertIn(b"\\HasNoChildren", found["codes@example.net"])
        self.assertIn(b"\\HasChildren", found["shop@example.com"])

    @in_thread
    def test_every_message(self) -> None:
        """Every message of every mailbox: UID, flags, date, size and octets are those of its row."""
        client = self.client()
        for name, expected in self.mailboxes.items():
            _, counted = client.select(f'"{FOREIGN_WIRE}"' if name == FOREIGN else name, readonly=True)
            self.assertEqual(counted, [b"%d" % len(expected)])
            if not expected:
                continue
            _, answers = client.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
            pairs = [answer for answer in answers if isinstance(answer, tuple)]
            self.assert_messages([source for _, source in pairs], expected)
            for (line, _), message in zip(pairs, expected, strict=True):
                match = _FETCHED.fullmatch(line)
                assert match is not None, line
                uid, flags, date, size, octets = match.groups()
                self.assertEqual(int(uid), message.uid)
                self.assertEqual(set(flags.decode().split()) - {"\\Recent"}, message.flags)
                told = datetime.strptime(date.decode(), "%d-%b-%Y %H:%M:%S %z")
                self.assertEqual(told, message.internal_date.astimezone(UTC).replace(microsecond=0))
                self.assertEqual((int(size), int(octets)), (len(message.source), len(message.source)))

    def test_what_is_expected(self) -> None:
        """What clients are compared with is the whole demonstration without the mail of its banned senders."""
        messages = [message for name, content in self.mailboxes.items() if name != "INBOX" for message in content]
        wanted = [message for message in corpus() if message.kind != "banned"]
        self.assertEqual(len(messages), len(wanted))
        self.assertEqual(sorted(m.sender for m in messages), sorted(m.from_addr for m in wanted))
        self.assertEqual(len(self.mailboxes["INBOX"]), sum(len(self.mailboxes[name]) for name in ADDRESSES))

    @in_thread
    def test_sections(self) -> None:
        """Header, text, header fields and partial octets are those of the message; reading marks as read."""
        client = self.client()
        client.select("codes@example.net")
        message = next(m for m in self.mailboxes["codes@example.net"] if "\\Seen" not in m.flags)
        uid = str(message.uid)
        items = "BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[]<7.20> BODY.PEEK[HEADER.FIELDS (SUBJECT)]"
        _, answers = client.uid("FETCH", uid, f"({items})")
        parts = [answer[1] for answer in answers if isinstance(answer, tuple)]
        subject = next(line for line in message.header.split(b"\r\n") if line.startswith(b"Subject:"))
        self.assertEqual(parts, [message.header, message.text, message.source[7:27], subject + b"\r\n\r\n"])
        _, answers = client.uid("FETCH", uid, "(BODY[TEXT] FLAGS)")
        self.assertEqual(answers[0][1], message.text)
        _, (flags,) = client.uid("FETCH", uid, "(FLAGS)")
        self.assertIn(b"\\Seen", flags)

    @in_thread
    def test_search(self) -> None:
        """UID SEARCH finds by subject, by flag, by a text beyond ASCII in a literal, and nothing."""
        client = self.client()
        client.select("INBOX", readonly=True)
        expected = self.mailboxes["INBOX"]
        codes = [m.uid for m in expected if "is your code" in m.subject]
        self.assertEqual(numbers(client.uid("SEARCH", "SUBJECT", '"is your code"')), codes)
        unseen = [m.uid for m in expected if "\\Seen" not in m.flags]
        self.assertEqual(numbers(client.uid("SEARCH", "UNSEEN")), unseen)
        client.literal = "Köln".encode()  # type: ignore[assignment]
        cologne = [m.uid for m in expected if "Köln" in m.subject]
        self.assertTrue(cologne)
        self.assertEqual(numbers(client.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT")), cologne)
        self.assertEqual(numbers(client.uid("SEARCH", "SUBJECT", '"have won"')), [])

    @in_thread
    def test_store(self) -> None:
        """A flag set in INBOX is set in the address's mailbox, whose name is sent as an atom."""
        client = self.client()
        client.select("INBOX")
        in_shop = {m.source for m in self.mailboxes["shop@example.com"]}
        message = next(m for m in self.mailboxes["INBOX"] if not m.flags and m.source in in_shop)
        _, (answer,) = client.uid("STORE", str(message.uid), "+FLAGS", "(\\Flagged $Label1)")
        self.assertIn(b"\\Flagged $Label1", answer)
        self.assertEqual(client.close()[0], "OK")
        self.assertEqual(client.select("shop@example.com")[0], "OK")
        shop = next(m for m in self.mailboxes["shop@example.com"] if m.source == message.source)
        self.assertEqual(numbers(client.uid("SEARCH", "KEYWORD", "$Label1")), [shop.uid])
        client.uid("STORE", str(shop.uid), "-FLAGS.SILENT", "($Label1)")
        self.assertEqual(numbers(client.uid("SEARCH", "KEYWORD", "$Label1")), [])


def close(client: imaplib.IMAP4) -> None:
    """Close a connection, which may be closed."""
    with contextlib.suppress(OSError):
        client.shutdown()


def numbers(answer: tuple[str, list[bytes]]) -> list[int]:
    """Return the numbers that a SEARCH answered."""
    return [int(number) for number in answer[1][0].split()]
