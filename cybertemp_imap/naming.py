"""Mailbox names: what a client calls a mailbox, and under which owner and folder it is kept.

======================  ===============================  =====================
name                    owner                            folder
======================  ===============================  =====================
``INBOX``               ``account:<user id>``            ``INBOX``
``Archive/2024``        ``account:<user id>``            ``Archive/2024``
``name@domain``         ``name@domain``                  ``INBOX``
``name@domain/Work``    ``name@domain``                  ``Work``
======================  ===============================  =====================

An account's key has no ``@``, an address always has one: neither can ever be taken for the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from uuid import UUID

from cybertemp_imap.errors import Refusal, Refused

DELIMITER = "/"
INBOX = "INBOX"
ACCOUNT_PREFIX = "account:"
LIMITED_PREFIX = "limited:"
UNPRINTABLE = "\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
"""What no name may hold, on the wire as in the database, for a class of a regular expression: controls, line and
paragraph separators (RFC 6855 section 3), lone surrogates."""

_IMPOSSIBLE = re.compile(f"[%*{UNPRINTABLE}]")
MAX_NAME = 1000
"""Octets of UTF-8 in a mailbox name."""

SPECIAL_USES = {
    "Archive": "\\Archive",
    "Drafts": "\\Drafts",
    "Junk": "\\Junk",
    "Sent": "\\Sent",
    "Trash": "\\Trash",
}
"""Account folders that exist from the start, with their special use (RFC 6154 section 2)."""


def account_key(user_id: UUID) -> str:
    """Return the owner under which an account's own mail is kept."""
    return f"{ACCOUNT_PREFIX}{user_id}"


def limited_key(token_id: UUID) -> str:
    """Return the owner of the INBOX of a token that is limited to some addresses; no name leads there."""
    return f"{LIMITED_PREFIX}{token_id}"


def key_of(user_id: UUID, name: str) -> tuple[str, str]:
    """Return the (owner, folder) of a mailbox name; raises :class:`Refused` for a name that cannot be one."""
    if name.upper() == INBOX:
        return account_key(user_id), INBOX
    if not is_possible(name):
        raise Refused(Refusal.BAD_MAILBOX_NAME)
    first, _, rest = name.partition(DELIMITER)
    if "@" not in first:
        # INBOX has one spelling, also where it only stands above others.
        return account_key(user_id), f"{INBOX}{DELIMITER}{rest}" if first.upper() == INBOX else name
    if rest.upper() == INBOX:
        # ``name@domain`` is that mailbox; a second name for it would be a second mailbox to every client.
        raise Refused(Refusal.BAD_MAILBOX_NAME)
    return first.lower(), rest or INBOX


def name_of(owner: str, folder: str) -> str:
    """Return the mailbox name of an (owner, folder), the inverse of :func:`key_of`."""
    if owner.startswith(ACCOUNT_PREFIX):
        return folder
    return owner if folder == INBOX else f"{owner}{DELIMITER}{folder}"


def is_name_of(user_id: UUID, owner: str, folder: str) -> bool:
    """Tell whether clients can name an (owner, folder) that is in the database, whoever put it there."""
    try:
        return key_of(user_id, name_of(owner, folder)) == (owner, folder)
    except Refused:
        return False


def is_possible(name: str) -> bool:
    """Tell whether a name can be a mailbox: no empty level, no wildcard, nothing unprintable, not too long."""
    if not name or len(name.encode("utf-8", "surrogatepass")) > MAX_NAME:
        return False
    if "" in name.split(DELIMITER):
        return False
    return _IMPOSSIBLE.search(name) is None


def parents_of(names: Iterable[str]) -> Iterable[str]:
    """Return every name above these in the hierarchy."""
    for name in names:
        above, delimiter, _ = name.rpartition(DELIMITER)
        while delimiter:
            yield above
            above, delimiter, _ = above.rpartition(DELIMITER)
