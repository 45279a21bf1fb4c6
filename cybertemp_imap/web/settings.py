"""What mail clients are told of this server."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cybertemp_imap.config import Settings

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,9})")


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """One way to connect: a port, and whether TLS begins with the first octet or by STARTTLS."""

    port: int
    starttls: bool

    @property
    def security(self) -> str:
        """As mail clients call it."""
        return "STARTTLS" if self.starttls else "SSL/TLS"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """A server as mail clients see it; the first of ``choices`` is the one to use."""

    host: str
    name: str
    choices: tuple[ServerChoice, ...]


def client_settings(settings: Settings) -> ClientSettings:
    """Return what the settings say of the server; there must be a public host and a port."""
    assert settings.public_host is not None
    ports = ((settings.public_tls_port, False), (settings.public_starttls_port, True))
    choices = tuple(ServerChoice(port, starttls) for port, starttls in ports if port)
    return ClientSettings(settings.public_host, settings.public_name or settings.public_host, choices)


def email_of(text: str | None) -> str | None:
    """Return an e-mail address that somebody claims to have, None where it has not the form of one.

    Only plain addresses are understood: what is returned goes into answers.
    """
    text = (text or "").strip()
    return text if len(text) <= 254 and _EMAIL.fullmatch(text) else None


def domain_of(email: str) -> str:
    """Return the domain of an address that :func:`email_of` has returned."""
    return email.rpartition("@")[2].lower()
