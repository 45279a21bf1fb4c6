"""What senders may use: sizes in octets, times in seconds. The defaults are those of the settings."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MailLimits:
    """Limits of mail that comes in; each has the name of its setting."""

    mail_size: int = 25 * 1024 * 1024
    """One message."""
    mail_recipients: int = 100
    """Recipients of one message."""
    mail_line_limit: int = 4096
    """One command line."""
    mail_connections: int = 200
    """Connections at a time, of everybody."""
    mail_ip_connections: int = 50
    """Connections at a time from one address; an IPv6 /64 is one."""
    mail_timeout: float = 300.0
    """For one command, and for the next octets of a message (RFC 5321 section 4.5.3.2.7)."""
    mail_data_timeout: float = 1800.0
    """For a whole message."""
