"""Commands about a mailbox as a whole: SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS."""

from __future__ import annotations

import re

from cybertemp_imap.protocol.command import (
    Create,
    Delete,
    QresyncParameter,
    Rename,
    Select,
    Status,
    Subscribe,
    Unsubscribe,
)
from cybertemp_imap.protocol.sequence import SequenceSet
from cybertemp_imap.protocol.tokens import Tokens

STATUS_ITEMS: dict[bytes, str] = {
    name.encode("ascii"): name
    for name in (
        "MESSAGES",
        "RECENT",  # RFC 3501
        "UIDNEXT",
        "UIDVALIDITY",
        "UNSEEN",
        "DELETED",  # RFC 9051
        "SIZE",  # RFC 8438
        "HIGHESTMODSEQ",  # RFC 7162
        "MAILBOXID",  # RFC 8474
        "APPENDLIMIT",  # RFC 7889
    )
}
"""The STATUS items there are, by their upper-case names."""

_USE = re.compile(rb'\\[^\x00-\x20(){%*"\\\]\x7f-\xff]++')


def select(tokens: Tokens) -> Select:
    """``SELECT SP mailbox [select-params]``."""
    return _select(tokens, read_only=False)


def examine(tokens: Tokens) -> Select:
    """``EXAMINE SP mailbox [select-params]``."""
    return _select(tokens, read_only=True)


def _select(tokens: Tokens, *, read_only: bool) -> Select:
    tokens.space()
    mailbox = tokens.astring()
    condstore, qresync = False, None
    if tokens.take(b" ("):
        tokens.pos -= 1
        parameters = dict(tokens.listed(_select_parameter))
        condstore, qresync = b"CONDSTORE" in parameters, parameters.get(b"QRESYNC")
    return Select(mailbox, read_only, condstore, qresync)


def _select_parameter(tokens: Tokens) -> tuple[bytes, QresyncParameter | None]:
    name = tokens.name()
    if name == b"CONDSTORE":
        return name, None
    if name != b"QRESYNC":
        tokens.fail("Unknown parameter")
    tokens.space()
    return name, _qresync(tokens)


def _qresync(tokens: Tokens) -> QresyncParameter:
    """``"(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"`` (RFC 7162 section 7)."""
    tokens.expect(b"(", "A parenthesized list is expected")
    uid_validity = tokens.nz_number()
    tokens.space()
    mod_seq = tokens.number64()
    known: SequenceSet | None = None
    match: tuple[SequenceSet, SequenceSet] | None = None
    more = tokens.take(b" ")
    if more and tokens.peek() != b"(":
        known = _known(tokens)
        more = tokens.take(b" ")
    if more:
        match = _match_data(tokens)
    tokens.expect(b")", "Malformed QRESYNC parameter")
    return QresyncParameter(uid_validity, mod_seq, known, match)


def _match_data(tokens: Tokens) -> tuple[SequenceSet, SequenceSet]:
    tokens.expect(b"(", "Malformed QRESYNC parameter")
    numbers = _known(tokens)
    tokens.space()
    uids = _known(tokens)
    tokens.expect(b")", "Malformed QRESYNC parameter")
    return numbers, uids


def _known(tokens: Tokens) -> SequenceSet:
    """A sequence set without ``*``, as RFC 7162 section 7 wants it."""
    known = tokens.sequence_set()
    if known.saved or known.has_star:
        tokens.fail("Only numbers are possible in this sequence set")
    return known


def create(tokens: Tokens) -> Create:
    """``CREATE SP mailbox [SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]`` (RFC 6154 section 6)."""
    mailbox = _mailbox(tokens)
    if not tokens.take(b" ("):
        return Create(mailbox)
    if tokens.name() != b"USE":
        tokens.fail("Unknown parameter")
    tokens.space()
    uses = tokens.listed(_use, empty=True)
    tokens.expect(b")", "A closing parenthesis is missing")
    return Create(mailbox, tuple(uses))


def _use(tokens: Tokens) -> str:
    return tokens.match(_USE, "A special use is expected").decode("ascii")


def delete(tokens: Tokens) -> Delete:
    """``DELETE SP mailbox``."""
    return Delete(_mailbox(tokens))


def rename(tokens: Tokens) -> Rename:
    """``RENAME SP mailbox SP mailbox``."""
    source = _mailbox(tokens)
    return Rename(source, _mailbox(tokens))


def subscribe(tokens: Tokens) -> Subscribe:
    """``SUBSCRIBE SP mailbox``."""
    return Subscribe(_mailbox(tokens))


def unsubscribe(tokens: Tokens) -> Unsubscribe:
    """``UNSUBSCRIBE SP mailbox``."""
    return Unsubscribe(_mailbox(tokens))


def status(tokens: Tokens) -> Status:
    """``STATUS SP mailbox SP "(" status-att *(SP status-att) ")"``."""
    mailbox = _mailbox(tokens)
    tokens.space()
    return Status(mailbox, status_items(tokens))


def status_items(tokens: Tokens) -> tuple[str, ...]:
    """A parenthesized list of STATUS items, each kept once."""
    return tuple(dict.fromkeys(tokens.listed(_status_item)))


def _status_item(tokens: Tokens) -> str:
    item = STATUS_ITEMS.get(tokens.name())
    if item is None:
        tokens.fail("Unknown STATUS item")
    return item


def _mailbox(tokens: Tokens) -> bytes:
    tokens.space()
    return tokens.astring()
