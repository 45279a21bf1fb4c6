"""The Python library imapclient reads the demonstration's mail."""

from __future__ import annotations

from datetime import UTC
from email.message import EmailMessage
from typing import Any

from twisted.trial.unittest import SkipTest

from cybertemp_imap.demo.account import ADDRESSES
from test.clients.case import CLIENT_TIMEOUT, ClientTestCase, in_thread
from test.clients.expected import FOREIGN, PARENTS, ExpectedMessage

try:
    import imapclient
except ImportError:
    imapclient = None

_ITEMS = ["FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE", "BODY.PEEK[]"]


class ImapclientTests(ClientTestCase):
    """imapclient has a parser of its own for every response."""

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server, if there is a client."""
        if imapclient is None:
            raise SkipTest("the Python package imapclient is not installed")
        await super().setUp()

    def client(self) -> Any:
        """Return a session that is logged in."""
        client = imapclient.IMAPClient("127.0.0.1", self.port, ssl=False, timeout=CLIENT_TIMEOUT)
        self.addCleanup(client.shutdown)
        client.login(self.user, self.token)
        return client

    @in_thread
    def test_names(self) -> None:
        """LIST, LSUB, NAMESPACE and special uses, with names in Unicode."""
        client = self.client()
        listed = client.list_folders()
        self.assertEqual(sorted(name for _, _, name in listed), sorted((*self.mailboxes, *PARENTS)))
        self.assertEqual({delimiter for _, delimiter, _ in listed}, {b"/"})
        subscribed = [name for _, _, name in client.list_sub_folders()]
        self.assertEqual(sorted(subscribed), sorted(self.mailboxes))
        self.assertEqual(client.namespace().personal, (("", "/"),))
        self.assertEqual(client.find_special_folder(imapclient.imapclient.SENT), "Sent")
        below = client.list_folders("inbox@example.com", "/*")
        self.assertEqual(
            sorted(name for _, _, name in below), sorted((FOREIGN, *PARENTS, "inbox@example.com/Work/2025"))
        )

    @in_thread
    def test_id(self) -> None:
        """ID answers with the server's name."""
        answer = client_id(self.client())
        self.assertEqual(answer[b"name"], b"cybertemp-imap")

    @in_thread
    def test_status(self) -> None:
        """STATUS of every mailbox counts what is there, and SELECT agrees."""
        client = self.client()
        for name, expected in self.mailboxes.items():
            status = client.folder_status(name, ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN"])
            unseen = sum("\\Seen" not in message.flags for message in expected)
            self.assertEqual((status[b"MESSAGES"], status[b"UNSEEN"]), (len(expected), unseen))
            selected = client.select_folder(name, readonly=True)
            self.assertEqual(selected[b"EXISTS"], len(expected))
            self.assertTrue(selected[b"READ-ONLY"])
            for item in (b"UIDNEXT", b"UIDVALIDITY"):
                self.assertEqual(selected[item], status[item])

    @in_thread
    def test_every_message(self) -> None:
        """The parser accepts every message's data, and what it reads is the message of the row."""
        client = self.client()
        for name, expected in self.mailboxes.items():
            client.select_folder(name, readonly=True)
            if not expected:
                continue
            fetched = client.fetch(client.search("ALL"), _ITEMS)
            self.assertEqual(sorted(fetched), [message.uid for message in expected])
            self.assert_messages([fetched[message.uid][b"BODY[]"] for message in expected], expected)
            for message in expected:
                self.check(fetched[message.uid], message)

    def check(self, data: dict[bytes, Any], message: ExpectedMessage) -> None:
        """Compare a message's data with the message."""
        self.assertEqual(data[b"RFC822.SIZE"], len(message.source))
        self.assertEqual({flag.decode() for flag in data[b"FLAGS"]} - {"\\Recent"}, message.flags)
        told = data[b"INTERNALDATE"].astimezone(UTC)
        self.assertEqual(told, message.internal_date.astimezone(UTC).replace(microsecond=0))
        parsed = message.parsed
        envelope = data[b"ENVELOPE"]
        self.assertEqual(envelope.message_id, (parsed["Message-ID"] or "").encode() or None)
        self.assertEqual(types(data[b"BODYSTRUCTURE"]), types(data[b"BODY"]))
        if not parsed.defects and not any(part.defects for part in parsed.walk()):
            self.assertEqual(types(data[b"BODYSTRUCTURE"]), parsed_types(parsed))

    @in_thread
    def test_search(self) -> None:
        """SEARCH by flags, dates, senders and text beyond ASCII, in combination."""
        client = self.client()
        expected = self.mailboxes["INBOX"]
        client.select_folder("INBOX", readonly=True)
        self.assertEqual(client.search("ALL"), [message.uid for message in expected])
        for word in ("会議", "Grüße", "🎉", "ОТЧЁТ"):
            wanted = [m.uid for m in expected if word.casefold() in m.subject.casefold()]
            self.assertTrue(wanted, word)
            self.assertEqual(client.search(["SUBJECT", word], charset="UTF-8"), wanted)
        middle = expected[len(expected) // 2].internal_date
        late = [m.uid for m in expected if m.internal_date.date() >= middle.date()]
        self.assertEqual(client.search(["SINCE", middle.date()]), late)
        flagged = [m.uid for m in expected if m.uid in late and "\\Flagged" in m.flags]
        self.assertEqual(client.search(["FLAGGED", "SINCE", middle.date()]), flagged)
        either = [m.uid for m in expected if "grace@work.example" in m.sender or "ada@work" in m.sender]
        self.assertEqual(client.search(["OR", ["FROM", "ada@work"], ["FROM", "grace@work.example"]]), either)

    @in_thread
    def test_change(self) -> None:
        """Flags are changed and told; a message deleted and expunged is gone from INBOX and from its address."""
        client = self.client()
        client.select_folder("codes@example.net")
        client.select_folder("INBOX")
        codes = {message.source: message.uid for message in self.mailboxes["codes@example.net"]}
        victim = next(message for message in self.mailboxes["INBOX"] if message.source in codes)
        self.assertIn(b"\\Answered", client.add_flags([victim.uid], [imapclient.ANSWERED])[victim.uid])
        client.delete_messages([victim.uid])
        client.expunge()
        self.assertNotIn(victim.uid, client.search("ALL"))
        client.select_folder("codes@example.net")
        left = [uid for uid in sorted(codes.values()) if uid != codes[victim.source]]
        self.assertEqual(client.search("ALL"), left)

    @in_thread
    def test_mod_seqs(self) -> None:
        """It reads mod-sequences wherever they are told, and asks for what has changed since."""
        client = self.client()
        self.assertTrue(client.has_capability("CONDSTORE"))
        before = client.folder_status("INBOX", ["HIGHESTMODSEQ"])[b"HIGHESTMODSEQ"]
        self.assertEqual(client.select_folder("INBOX")[b"HIGHESTMODSEQ"], before)
        uids = client.search("ALL")
        self.assertEqual(client.fetch(uids, ["FLAGS"], [f"CHANGEDSINCE {before}"]), {})
        client.add_flags([2], ["changed"])
        changed = client.fetch(uids, ["FLAGS"], [f"CHANGEDSINCE {before}"])
        self.assertEqual(list(changed), [2])
        self.assertGreater(changed[2][b"MODSEQ"][0], before)
        found = client.search(["MODSEQ", before + 1])
        self.assertEqual((list(found), found.modseq), ([2], changed[2][b"MODSEQ"][0]))

    @in_thread
    def test_addresses_of_others(self) -> None:
        """An address that is another's is opened no more than one that does not exist."""
        client = self.client()
        self.assertNotIn("other@example.com", ADDRESSES)
        error = self.assertRaises(imapclient.exceptions.IMAPClientError, client.select_folder, "other@example.com")
        self.assertIn("NONEXISTENT", str(error))


def client_id(client: Any) -> dict[bytes, bytes]:
    """Ask ID, and return what the server says of itself."""
    (fields,) = client.id_({"name": "imapclient"})
    return dict(zip(fields[::2], fields[1::2], strict=True))


def types(structure: Any) -> list[str]:
    """Return the media types of a body structure, a multipart before its parts."""
    if structure.is_multipart:
        parts, subtype = structure[0], structure[1]
        return [f"multipart/{subtype.decode().lower()}", *(kind for part in parts for kind in types(part))]
    media = f"{structure[0].decode()}/{structure[1].decode()}".lower()
    if media == "message/rfc822":
        # The parser leaves what is in a message as it came.
        return [media, *types(imapclient.response_types.BodyData.create(structure[8]))]
    return [media]


def parsed_types(message: EmailMessage) -> list[str]:
    """Return the media types that Python's own parser finds, in the same order."""
    return [part.get_content_type() for part in message.walk()]
