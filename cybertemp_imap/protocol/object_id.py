"""What e-mails and mailboxes are called beyond UIDs and names (RFC 8474); each begins with a letter."""

from __future__ import annotations

from uuid import UUID

from cybertemp_imap.store.values import MailboxRef


def email_id(identity: UUID) -> bytes:
    """Print an EMAILID, which an e-mail has in common with its copies."""
    return b"E" + identity.hex.encode("ascii")


def mailbox_id(mailbox: MailboxRef) -> str:
    """Print a MAILBOXID, which a mailbox keeps when it is renamed, and none after it ever has."""
    return f"F{mailbox.id}"
