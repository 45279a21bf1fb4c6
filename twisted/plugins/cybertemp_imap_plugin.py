"""Lets ``twistd`` find the IMAP server."""

from twisted.application.service import ServiceMaker

cybertemp_imap = ServiceMaker(
    "cybertemp-imap",
    "cybertemp_imap.twistd",
    "Temporary and private mailboxes over IMAP.",
    "cybertemp-imap",
)
