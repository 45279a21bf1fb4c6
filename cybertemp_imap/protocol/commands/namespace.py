"""NAMESPACE (RFC 9051 section 6.3.10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.command import Namespace
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer


async def run(session: ImapServer, command: Namespace) -> Completion:
    """Say that there is one namespace, the personal one."""
    account = session.user
    spaces = (account.getPersonalNamespaces(), account.getUserNamespaces(), account.getSharedNamespaces())
    session.untagged(b"NAMESPACE " + b" ".join(_printed(space) for space in spaces))
    return Completion("NAMESPACE completed")


def _printed(namespaces: Iterable[tuple[str, str]] | None) -> bytes:
    if not namespaces:
        return b"NIL"
    pairs = (
        b"(" + strings.quoted(prefix.encode()) + b" " + strings.quoted(delimiter.encode()) + b")"
        for prefix, delimiter in namespaces
    )
    return b"(" + b"".join(pairs) + b")"
