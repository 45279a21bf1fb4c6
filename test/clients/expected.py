"""What a client has to find: mailboxes, messages, UIDs, flags and octets, computed from the rows of the database.

Nothing here asks the server or its schema: rows are read with psycopg2, and what is known of the order in which a
mailbox that is opened for the first time numbers its messages (by date) is written down again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import psycopg2
import psycopg2.extras

from cybertemp_imap.demo.account import ADDRESSES
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import EmailRow, internal_date
from cybertemp_imap.rules.bans import Ban, SenderBans

ACCOUNT_FOLDERS = ("Archive", "Drafts", "Junk", "Sent", "Trash")
"""Folders that an account has from the start; the demonstration puts nothing into them."""

PARENTS = ("inbox@example.com/Work",)
"""Names that have mailboxes below them, and are none."""

FOREIGN = "inbox@example.com/Entwürfe & Übriges"
FOREIGN_WIRE = "inbox@example.com/Entw&APw-rfe &- &ANw-briges"
"""The mailbox whose name is beyond ASCII, and the same in modified UTF-7 (RFC 3501 section 5.1.3)."""

_ROWS = """
    SELECT flags, id, mailbox_owner, mailbox, subject, body, html, from_addr, to_addrs, "timestamp", created_at
    FROM public.emails
"""
_BANS = "SELECT scope, value, match_type, status FROM public.bans"


@dataclass(frozen=True, slots=True)
class ExpectedMessage:
    """A message in a mailbox; ``source`` is all of it, with CRLF line ends."""

    uid: int
    source: bytes
    flags: frozenset[str]
    internal_date: datetime
    sender: str

    @property
    def subject(self) -> str:
        """The subject, decoded."""
        return str(self.parsed["Subject"] or "")

    @property
    def local(self) -> bytes:
        """The message as it is kept in a file, with LF line ends."""
        return self.source.replace(b"\r\n", b"\n")

    @property
    def parsed(self) -> EmailMessage:
        """The message as Python's own parser reads it."""
        return message_from_bytes(self.source, policy=policy.default)

    @property
    def header(self) -> bytes:
        """The header with the empty line that ends it."""
        return self.source.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"

    @property
    def text(self) -> bytes:
        """What follows the header."""
        return self.source.partition(b"\r\n\r\n")[2]


def expected_mailboxes(dsn: str) -> dict[str, list[ExpectedMessage]]:
    """Return the messages of every mailbox of the demonstration's account, in the order of their UIDs."""
    mailboxes: dict[str, list[tuple[EmailRow, list[str]]]] = {
        name: [] for name in ("INBOX", *ADDRESSES, *ACCOUNT_FOLDERS)
    }
    rows, bans = _read(dsn)
    for row, flags in rows:
        if bans.hides(row.from_addr):
            continue
        name = row.owner if row.folder == "INBOX" else f"{row.owner}/{row.folder}"
        mailboxes.setdefault(name, []).append((row, flags))
        if row.folder == "INBOX":
            mailboxes["INBOX"].append((row, flags))
    return {name: _numbered(content) for name, content in mailboxes.items()}


def _read(dsn: str) -> tuple[list[tuple[EmailRow, list[str]]], SenderBans]:
    psycopg2.extras.register_uuid()
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(_BANS)
            bans = SenderBans.of(Ban(*row) for row in cursor.fetchall())
            cursor.execute(_ROWS)
            rows = [(EmailRow(*columns), flags) for flags, *columns in cursor.fetchall()]
    finally:
        connection.close()
    return rows, bans


def _numbered(content: list[tuple[EmailRow, list[str]]]) -> list[ExpectedMessage]:
    content.sort(key=lambda entry: (internal_date(entry[0]), entry[0].id))
    return [
        ExpectedMessage(uid, render(row), frozenset(flags), internal_date(row), row.from_addr or "")
        for uid, (row, flags) in enumerate(content, 1)
    ]
