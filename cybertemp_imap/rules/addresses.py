"""Addresses: which ones can be created, and the one form in which each is kept.

This is stricter than what RFC 5321 section 4.1.2 allows: an address is a mailbox name as well, and one that people type
into web forms. A local part is a dot-atom of ASCII; it is never quoted.
"""

from __future__ import annotations

import re

import idna

MAX_ADDRESS = 254
"""Octets of an address: what fits into an SMTP path (RFC 5321 section 4.5.3.1.3)."""

MAX_LOCAL_PART = 64
"""Octets of a local part (RFC 5321 section 4.5.3.1.1)."""

MAX_DOMAIN = 253

# RFC 5322 section 3.2.3, atext, without what a mailbox name cannot hold or LIST takes for a wildcard.
_ATOM = r"[a-z0-9!#$&'+=?^_{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*", re.ASCII)
# RFC 1123 section 2.1: letters, digits and hyphens, no hyphen at either end.
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)


def canonical(address: str) -> str | None:
    """Return the form in which an address is kept: lower-case, its domain in A-labels; None for what is none.

    The domain has two labels at least.
    """
    local_part, at, domain = address.partition("@")
    if not at or len(local_part) > MAX_LOCAL_PART or _LOCAL_PART.fullmatch(_lower(local_part)) is None:
        return None
    name = a_labels(domain)
    if name is None or "." not in name:
        return None
    found = f"{_lower(local_part)}@{name}"
    return found if len(found) <= MAX_ADDRESS else None


def spellings(address: str) -> tuple[str, ...]:
    """Return what an address that a client names may be kept as: as it is, and in its canonical form."""
    kept = None if address.isascii() else canonical(address)
    return (address,) if kept is None else (address, kept)


def a_labels(domain: str) -> str | None:
    """Return a domain in its A-labels (RFC 5890 section 2.3.2.1), lower-case; None for what is no domain."""
    if not domain.isascii():
        # A domain of more characters than this has more octets still: idna takes its time over long ones.
        if len(domain) > MAX_DOMAIN:
            return None
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    name = domain.lower()
    return name if len(name) <= MAX_DOMAIN and _DOMAIN.fullmatch(name) is not None else None


def domain_forms(address: str) -> list[str]:
    """Return the domain of an address in its canonical form, and the domains above it, in A-labels and in Unicode."""
    forms = names_above(address.rpartition("@")[2])
    return [*forms, *(decoded for name in forms if "xn--" in name and (decoded := _in_unicode(name)) is not None)]


def names_above(name: str) -> list[str]:
    """Return a domain and all domains above it, the nearest first."""
    labels = name.split(".")
    return [".".join(labels[start:]) for start in range(len(labels))]


def _in_unicode(name: str) -> str | None:
    try:
        return str(idna.decode(name))
    except (idna.IDNAError, UnicodeError):
        return None


def _lower(text: str) -> str:
    """Take the case off ASCII; other text is left as it is, so that none becomes ASCII by it."""
    return text.lower() if text.isascii() else text
