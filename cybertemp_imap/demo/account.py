"""Who the demonstration account is. All domains are reserved for examples (RFC 2606)."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

#: The account's e-mail address, which is also its login name.
USER = "demo@example.com"

#: The addresses it owns.
ADDRESSES = ("inbox@example.com", "shop@example.com", "codes@example.net")

#: Domains: name, whether it is the account's own (else it is open to every user).
DOMAINS = (("example.com", True), ("example.net", False))

#: Bans: scope, value, match type, status.
BANS = (
    ("sender", "offers@bulk.example", "exact", "active"),
    ("sender", "lottery", "contains", "active"),
    ("email", "contains:casino", "exact", "active"),
    ("sender", "news@weekly.example", "exact", "inactive"),
    ("domain", "blocked.example", "exact", "active"),
)


def demo_id(name: str) -> UUID:
    """Return the id of a row of the demonstration: always the same for a name."""
    return uuid5(NAMESPACE_URL, f"cybertemp-imap:demo:{name}")
