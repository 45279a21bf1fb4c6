"""LIST and LSUB."""

from __future__ import annotations

from cybertemp_imap.protocol.command import List, Lsub
from cybertemp_imap.protocol.grammar.mailbox import status_items
from cybertemp_imap.protocol.tokens import Tokens

SELECTION_OPTIONS: dict[bytes, str] = {
    b"SUBSCRIBED": "SUBSCRIBED",
    b"REMOTE": "REMOTE",
    b"RECURSIVEMATCH": "RECURSIVEMATCH",
    b"SPECIAL-USE": "SPECIAL-USE",  # RFC 6154
}
"""The selection options there are (RFC 9051 section 6.3.9.1)."""

RETURN_OPTIONS: dict[bytes, str] = {
    b"SUBSCRIBED": "SUBSCRIBED",
    b"CHILDREN": "CHILDREN",
    b"SPECIAL-USE": "SPECIAL-USE",
}
"""The return options there are besides STATUS (RFC 9051 section 6.3.9.2)."""


def listing(tokens: Tokens) -> List:
    """``LIST [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]``.

    Any part beyond reference and one bare pattern makes the command an extended one (RFC 5258 section 3).
    """
    tokens.space()
    selection: frozenset[str] = frozenset()
    extended = False
    if tokens.peek() == b"(":
        extended = True
        selection = frozenset(tokens.listed(_selection_option, empty=True))
        tokens.space()
        if "RECURSIVEMATCH" in selection and selection <= {"RECURSIVEMATCH", "REMOTE"}:
            tokens.fail("RECURSIVEMATCH needs another selection option")
    reference = tokens.astring()
    tokens.space()
    if tokens.peek() == b"(":
        extended = True
        patterns = tuple(tokens.listed(Tokens.list_mailbox))
    else:
        patterns = (tokens.list_mailbox(),)
    if tokens.at_end():
        return List(reference, patterns, selection, extended=extended)
    returns, status = _returns(tokens)
    return List(reference, patterns, selection, returns, status, True)


def _selection_option(tokens: Tokens) -> str:
    option = SELECTION_OPTIONS.get(tokens.name())
    if option is None:
        tokens.fail("Unknown selection option")
    return option


def _returns(tokens: Tokens) -> tuple[frozenset[str], tuple[str, ...] | None]:
    """``SP "RETURN" SP "(" [return-option *(SP return-option)] ")"``; the items of STATUS come apart."""
    tokens.space()
    if tokens.name() != b"RETURN":
        tokens.fail("RETURN is expected")
    tokens.space()
    options: set[str] = set()
    status: tuple[str, ...] | None = None
    for option in tokens.listed(_return_option, empty=True):
        if isinstance(option, str):
            options.add(option)
        else:
            status = option
    return frozenset(options), status


def _return_option(tokens: Tokens) -> str | tuple[str, ...]:
    name = tokens.name()
    if name == b"STATUS":  # RFC 5819
        tokens.space()
        return status_items(tokens)
    option = RETURN_OPTIONS.get(name)
    if option is None:
        tokens.fail("Unknown return option")
    return option


def lsub(tokens: Tokens) -> Lsub:
    """``LSUB SP mailbox SP list-mailbox`` (RFC 3501 section 6.3.9)."""
    tokens.space()
    reference = tokens.astring()
    tokens.space()
    return Lsub(reference, tokens.list_mailbox())
