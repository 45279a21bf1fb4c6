"""Temporary and private mailboxes over IMAP: a Twisted server on PostgreSQL."""

__version__ = "0.2.0"
