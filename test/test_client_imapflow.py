"""The Node library imapflow reads the demonstration's mail."""

from __future__ import annotations

import json
from base64 import b64decode
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from test import clients
from test.clients.case import ClientTestCase
from test.clients.expected import FOREIGN, PARENTS, ExpectedMessage

_FOLDER = Path(clients.__file__).parent
_SCRIPT = _FOLDER / "imapflow.mjs"
_RESYNC_SCRIPT = _FOLDER / "imapflow_resync.mjs"


class ImapflowTests(ClientTestCase):
    """One session reads everything; what it has read is looked at here."""

    program = "node"

    async def setUp(self) -> None:  # type: ignore[override]
        """Start the server, if there is a client."""
        if not (_FOLDER / "node_modules" / "imapflow").is_dir():
            raise SkipTest("imapflow is not installed: run `npm ci` in test/clients")
        await super().setUp()

    async def test_session(self) -> None:
        """Every list, message, search and change of the session is right."""
        environ = {"IMAP_PORT": str(self.port), "IMAP_USER": self.user, "IMAP_TOKEN": self.token}
        read = json.loads(await self.run_program("node", _SCRIPT, environ=environ))
        self.assertEqual(read["server"]["name"], "cybertemp-imap")
        self.check_list({entry["path"]: entry for entry in read["list"]})
        self.assertEqual(sorted(mailbox["path"] for mailbox in read["mailboxes"]), sorted(self.mailboxes))
        for mailbox in read["mailboxes"]:
            self.check_mailbox(mailbox, self.mailboxes[mailbox["path"]])
        self.check_search(read["search"], self.mailboxes["INBOX"])
        self.check_change(read["change"], self.mailboxes["INBOX"][0])

    async def test_resync(self) -> None:
        """It enables QRESYNC by itself, and is told what has changed and gone by SELECT and by UID FETCH."""
        environ = {"IMAP_PORT": str(self.port), "IMAP_USER": self.user, "IMAP_TOKEN": self.token}
        told = json.loads(await self.run_program("node", _RESYNC_SCRIPT, environ=environ))
        self.assertIn("CONDSTORE", told["others"]["enabled"])
        self.assertIn("QRESYNC", told["enabled"])
        self.assertTrue(told["qresync"] and told["advanced"])
        flags = {news["uid"]: set(news["flags"]) for news in told["selected"]["flags"]}
        self.assertEqual(sorted(flags), [2, 4])
        self.assertTrue(all("resynced" in each and "conditional" not in each for each in flags.values()))
        self.assertTrue(all(news["later"] for news in told["selected"]["flags"]))
        earlier = [{"uid": uid, "vanished": True, "earlier": True} for uid in (1, 3)]
        self.assertEqual(told["selected"]["expunged"], earlier)
        self.assertEqual(told["fetched"], {"changed": [2, 4], "expunged": earlier})
        self.assertEqual(told["own"], [{"uid": 4, "vanished": True, "earlier": False}])

    def check_list(self, listed: dict[str, Any]) -> None:
        """Names in Unicode, special uses, and the counts that LIST-STATUS gives."""
        self.assertEqual(sorted(listed), sorted((*self.mailboxes, *PARENTS)))
        self.assertIn(FOREIGN, listed)
        self.assertEqual({entry["delimiter"] for entry in listed.values()}, {"/"})
        self.assertEqual(listed["Junk"]["specialUse"], "\\Junk")
        for name, expected in self.mailboxes.items():
            unseen = sum("\\Seen" not in message.flags for message in expected)
            status = listed[name]["status"]
            self.assertEqual((status["messages"], status["unseen"]), (len(expected), unseen), name)

    def check_mailbox(self, read: dict[str, Any], expected: list[ExpectedMessage]) -> None:
        """Every message of a mailbox, octet for octet, and all that is told of it."""
        self.assertEqual((read["exists"], read["uidNext"]), (len(expected), len(expected) + 1))
        self.assert_messages([b64decode(message["source"]) for message in read["messages"]], expected)
        for number, (found, message) in enumerate(zip(read["messages"], expected, strict=True), 1):
            self.assertEqual((found["seq"], found["uid"], found["size"]), (number, message.uid, len(message.source)))
            self.assertEqual(set(found["flags"]) - {"\\Recent"}, message.flags)
            told = datetime.fromisoformat(found["internalDate"])
            self.assertEqual(told, message.internal_date.astimezone(UTC).replace(microsecond=0))
            self.check_parsed(found, message)

    def check_parsed(self, found: dict[str, Any], message: ExpectedMessage) -> None:
        """Envelope, structure and header fields agree with what Python's own parser reads."""
        parsed = message.parsed
        envelope = found["envelope"]
        self.assertEqual(envelope.get("messageId"), parsed["Message-ID"])
        self.assertEqual(" ".join(envelope.get("subject", "").split()), " ".join(message.subject.split()))
        senders = [f"{sender['name']} <{sender['address']}>" for sender in envelope["from"]]
        self.assertEqual(
            senders, [f"{sender.display_name} <{sender.addr_spec}>" for sender in addresses(parsed["From"])]
        )
        names = [line.partition(b":")[0].lower() for line in b64decode(found["headers"]).split(b"\r\n") if b":" in line]
        self.assertIn(b"message-id", names)
        if not any(part.defects for part in parsed.walk()):
            self.assertEqual(types(found["bodyStructure"]), [part.get_content_type() for part in parsed.walk()])

    def check_search(self, found: dict[str, list[int]], expected: list[ExpectedMessage]) -> None:
        """Searches by flag, by text beyond ASCII, by one of two, and by a header field."""
        self.assertEqual(found["unseen"], [m.uid for m in expected if "\\Seen" not in m.flags])
        self.assertEqual(found["subject"], [m.uid for m in expected if "Grüße" in m.subject])
        either = [m.uid for m in expected if "ada@work.example" in m.sender or "\\Flagged" in m.flags]
        self.assertEqual(found["either"], either)
        self.assertEqual(found["header"], [m.uid for m in expected if m.parsed["MIME-Version"] == "1.0"])

    def check_change(self, change: dict[str, Any], message: ExpectedMessage) -> None:
        """Flags are added to those that are there; a download in chunks is the message."""
        self.assertTrue(change["changed"])
        self.assertEqual(set(change["flags"]) - {"\\Recent"}, {*message.flags, "\\Flagged", "$Forwarded"})
        self.assert_octets([b64decode(change["downloaded"])], [message.source])


def addresses(field: Any) -> tuple[Address, ...]:
    """Return the addresses of a parsed field."""
    found: tuple[Address, ...] = field.addresses
    return found


def types(node: dict[str, Any]) -> list[str]:
    """Return the media types of a body structure, a multipart before its parts."""
    return [node["type"], *(kind for child in node.get("childNodes", ()) for kind in types(child))]
