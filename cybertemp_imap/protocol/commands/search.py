"""SEARCH and UID SEARCH (RFC 9051 section 6.4.4), with ESEARCH (RFC 4731) and SEARCHRES (RFC 5182)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.protocol import strings
from cybertemp_imap.protocol.command import Search
from cybertemp_imap.protocol.commands import condstore
from cybertemp_imap.protocol.commands.names import rev2_enabled
from cybertemp_imap.protocol.rule import Bad, Completion
from cybertemp_imap.protocol.search_key import KeyAnd, KeyModSeq, KeyNot, KeyOr, SearchKey
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
    try:
        found = await _found(session, command)
    except Exception:
        # RFC 5182 section 2.1: a search that fails leaves an empty result.
        if saves:
            session.saved_uids = ()
        raise
    view = session.mailbox.view
    uids = list(map(view.uids.__getitem__, found))
    # IMAP4rev2 has but the extended answer (RFC 9051 section 6.4.4).
    returns = frozenset({"ALL"}) if command.returns is None and rev2_enabled(session) else command.returns
    told = uids if returns is None else _saved(uids, returns)
    if saves:
        session.saved_uids = told
    highest = max(map(view.mod_seq_of, told), default=0) if _asks_mod_seq(command.key) else 0
    numbers = uids if command.uid else [position + 1 for position in found]
    if returns is None:
        session.untagged(_plain(numbers, highest))
    elif returns != {"SAVE"}:
        session.untagged(_extended(session.tag, numbers, returns, command.uid, highest))
    return Completion("SEARCH completed")


async def _found(session: ImapServer, command: Search) -> Sequence[int]:
    """Return the positions in the view of the messages that match."""
    if command.charset not in CHARSETS:
        raise Refused(Refusal.BAD_CHARSET)
    if _asks_mod_seq(command.key):
        condstore.enable(session)
    return await search(session.mailbox, command.key, saved=session.saved_uids, reactor=session.reactor)


def _asks_mod_seq(key: SearchKey) -> bool:
    """Tell whether MODSEQ is among the keys, wherever (RFC 7162 section 3.1.5); they nest as the grammar lets them."""
    if isinstance(key, KeyAnd):
        return any(_asks_mod_seq(inner) for inner in key.keys)
    if isinstance(key, KeyOr):
        return _asks_mod_seq(key.left) or _asks_mod_seq(key.right)
    return _asks_mod_seq(key.key) if isinstance(key, KeyNot) else isinstance(key, KeyModSeq)


def _saved(uids: Sequence[int], returns: frozenset[str]) -> Sequence[int]:
    """Return what SAVE keeps, and what MODSEQ is of: with MIN or MAX and neither ALL nor COUNT, only those.

    RFC 5182 section 2.4, RFC 4731 section 3.2.
    """
    if not uids or returns & {"ALL", "COUNT"} or not returns & {"MIN", "MAX"}:
        return uids
    kept = {uids[0]} if "MIN" in returns else set()
    if "MAX" in returns:
        kept.add(uids[-1])
    return sorted(kept)


def _plain(numbers: Sequence[int], highest: int) -> bytes:
    """Print SEARCH, with the mod-sequence where it is asked for and anything was found (RFC 7162 section 3.1.5)."""
    answer = b"SEARCH " + strings.numbers(numbers) if numbers else b"SEARCH"
    return answer + b" (MODSEQ %d)" % highest if highest else answer


def _extended(tag: bytes, numbers: Sequence[int], returns: frozenset[str], uid: bool, highest: int) -> bytes:
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
    if highest:
        items.append(b"MODSEQ %d" % highest)
    return b" ".join(items)
