"""``cybertemp-imap-admin``: what an operator does by hand; one module for each group of commands."""

from cybertemp_imap.admin.cli import main

__all__ = ["main"]
