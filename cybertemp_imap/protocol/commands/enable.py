"""ENABLE (RFC 9051 section 6.3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cybertemp_imap.protocol.command import Enable
from cybertemp_imap.protocol.commands import condstore
from cybertemp_imap.protocol.commands.condstore import CONDSTORE, QRESYNC
from cybertemp_imap.protocol.rule import Completion

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

CAN_BE_ENABLED: dict[str, tuple[str, ...]] = {"UTF8=ACCEPT": (), "IMAP4REV2": (), CONDSTORE: (), QRESYNC: (CONDSTORE,)}
"""What can be enabled, upper case, and what each of them enables besides, which ENABLED does not name."""

SPELLINGS = {"IMAP4REV2": "IMAP4rev2"}
"""How names are printed that are announced otherwise than in upper case."""


async def run(session: ImapServer, command: Enable) -> Completion:
    """Enable what can be; the rest is passed over. What is enabled already is named again: it is, successfully."""
    enabled = [name for name in dict.fromkeys(command.capabilities) if name in CAN_BE_ENABLED]
    together = {name for asked in enabled for name in (asked, *CAN_BE_ENABLED[asked])}
    session.untagged(" ".join(["ENABLED", *(SPELLINGS.get(name, name) for name in enabled)]).encode())
    if CONDSTORE in together:
        condstore.enable(session)
    session.enabled |= together
    if "IMAP4REV2" in enabled and session.mbox is not None:
        session.mbox.forget_recent()
    return Completion("ENABLE completed")
