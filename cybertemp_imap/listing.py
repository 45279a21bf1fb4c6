"""A name as LIST shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.mail.imap4 import IMailboxInfo
from zope.interface import implementer

from cybertemp_imap.naming import DELIMITER


@implementer(IMailboxInfo)
@dataclass(frozen=True, slots=True)
class Listing:
    """One name as LIST shows it (RFC 9051 section 7.3.1).

    ``exists`` is false for a name that is there only because others are below it or it was subscribed to.
    """

    name: str
    exists: bool
    subscribed: bool
    has_children: bool
    special_use: str | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that a plain LIST shows."""
        found: tuple[str, ...] = () if self.exists else ("\\NonExistent", "\\Noselect")
        found += ("\\HasChildren",) if self.has_children else ("\\HasNoChildren",)
        return found if self.special_use is None else (*found, self.special_use)

    def getFlags(self) -> Sequence[str]:
        """Return the attributes."""
        return self.attributes

    def getHierarchicalDelimiter(self) -> str:
        """Return the hierarchy delimiter."""
        return DELIMITER
