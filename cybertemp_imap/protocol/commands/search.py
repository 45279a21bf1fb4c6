"""SEARCH and UID SEARCH (RFC 9051 section 6.4.4), with ESEARCH (RFC 4731) and SEARCHRES (RFC 5182)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.command import Search
from cybertemp_imap.protocol.commands.names import rev2_enabled
from cybertemp_imap.protocol.rule import Bad, Completion
from cybertemp_imap.protocol.sequence import compact
from cybertemp_imap.search import search

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

CHARSETS = (None, "US-ASCII", "UTF-8")


async def run(session: ImapServer, command: Search) -> Completion:
    """Find messages and answer in the form asked for."""
    if command.charset is not None and "UTF8=ACCEPT" in session.enabled:
        # RFC 6855 section 3: all strings are UTF-8 then.
        raise Bad("There is one charset only, UTF-8.")
    saves = command.returns is not None and "SAVE" in command.returns
    if command.charset not in CHARSETS:
        if saves:
            session.saved_uids = ()
        raise Refused(Refusal.BAD_CHARSET)
    mailbox = session.mailbox
    try:
        found = await search(mailbox, command.key, saved=session.saved_uids, reactor=session.reactor)
    except Exception:
        # RFC 5182 section 2.1: a search that fails leaves an empty result.
        if saves:
            session.saved_uids = ()
        raise
    # IMAP4rev2 has but the extended answer (RFC 9051 section 6.4.4).
    returns = frozenset({"ALL"}) if command.returns is None and rev2_enabled(session) else command.returns
    uids = mailbox.view.uids
    numbers = [uids[position] if command.uid else position + 1 for position in found]
    if returns is None:
        session.untagged(b"SEARCH " + strings.numbers(numbers) if numbers else b"SEARCH")
        return Completion("SEARCH completed")
    if saves:
        session.saved_uids = _saved([uids[position] for position in found], returns)
    if returns != {"SAVE"}:
        session.untagged(_extended(session.tag, numbers, returns, command.uid))
    return Completion("SEARCH completed")


def _saved(uids: Sequence[int], returns: frozenset[str]) -> Sequence[int]:
    """Return what SAVE keeps: with MIN or MAX and neither ALL nor COUNT, only those (RFC 5182 section 2.4)."""
    if not uids or returns & {"ALL", "COUNT"} or not returns & {"MIN", "MAX"}:
        return uids
    kept = {uids[0]} if "MIN" in returns else set()
    if "MAX" in returns:
        kept.add(uids[-1])
    return sorted(kept)


def _extended(tag: bytes, numbers: Sequence[int], returns: frozenset[str], uid: bool) -> bytes:
    """Print ESEARCH (RFC 9051 section 7.3.4); what there is none of is left out, but a count."""
    items = [b"ESEARCH (TAG " + strings.string(tag) + b")"]
    if uid:
        items.append(b"UID")
    if numbers and "MIN" in returns:
        items.append(b"MIN %d" % numbers[0])
    if numbers and "MAX" in returns:
        items.append(b"MAX %d" % numbers[-1])
    if "COUNT" in returns:
        items.append(b"COUNT %d" % len(numbers))
    if numbers and "ALL" in returns:
        items.append(b"ALL " + compact(numbers))
    return b" ".join(items)
