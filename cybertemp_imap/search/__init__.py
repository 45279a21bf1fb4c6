"""SEARCH: which messages of a mailbox match a search key (RFC 9051 section 6.4.4)."""

from cybertemp_imap.search.run import search

__all__ = ["search"]
