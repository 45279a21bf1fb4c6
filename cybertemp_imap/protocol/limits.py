"""What one connection may use: sizes in octets, times in seconds. The defaults are those of the settings."""

from __future__ import annotations

from dataclasses import dataclass

from cybertemp_imap.protocol.events import ReaderLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a connection."""

    login_line_limit: int = 8 * 1024
    login_literal_limit: int = 4 * 1024
    line_limit: int = 64 * 1024
    literal_limit: int = 64 * 1024
    command_limit: int = 1024 * 1024
    """Octets of all literals of one command."""

    append_limit: int = 25 * 1024 * 1024
    """Octets of one message that APPEND takes."""

    search_depth: int = 100
    """How deep search keys may lie in each other."""

    login_timeout: float = 60.0
    """From the connection to a login, however busy the client is."""
    idle_timeout: float = 1800.0
    """Without a sign of life, after login (RFC 9051 section 5.4: not below 30 minutes)."""
    write_timeout: float = 120.0
    """Without the client taking in anything of what waits for it."""

    login_delay: float = 2.0
    """From a failing login to its answer."""
    login_attempts: int = 3
    login_bad_commands: int = 3
    bad_commands: int = 20

    ip_failures: int = 10
    """Failed logins a minute from one address, or IPv6 /64, that are answered without a wait."""
    account_failures: int = 10
    login_wait: float = 15.0
    """The longest wait of a login for other people's failures."""

    ip_connections: int = 30
    user_connections: int = 20

    allow_plaintext: bool = False
    """Whether logging in is allowed without TLS from other machines."""

    @property
    def before_login(self) -> ReaderLimits:
        """Limits of the reader before login."""
        return ReaderLimits(self.login_line_limit, self.login_literal_limit, self.login_literal_limit)

    @property
    def after_login(self) -> ReaderLimits:
        """Limits of the reader after login."""
        return ReaderLimits(self.line_limit, self.literal_limit, self.command_limit)
