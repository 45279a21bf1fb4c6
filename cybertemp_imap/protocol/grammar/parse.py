"""From the octets of a command to its tag and its typed object.

Another module adds a command by adding to COMMANDS, or to UID_COMMANDS for one that follows UID.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from cybertemp_imap.protocol import command
from cybertemp_imap.protocol.command import Command
from cybertemp_imap.protocol.grammar import append, change, fetch, listing, login, mailbox, search
from cybertemp_imap.protocol.tokens import MAX_DEPTH, TAG_AND_NAME, SyntaxFault, Tokens

ReadArguments = Callable[[Tokens], Command]
"""Reads what follows a command's name, from the space on; what may follow that is spaces alone."""


class UnknownCommand(Exception):
    """There is no command of this name; ``name`` is in upper case, and of any length a line may have."""

    def __init__(self, tag: bytes, name: bytes) -> None:
        super().__init__("unknown command")
        self.tag = tag
        self.name = name


def parse_tag(data: bytes) -> tuple[bytes, bytes, int] | None:
    """Give the tag, the name in upper case and the offset of what follows it, or None where there are no such.

    A line that begins with ``* `` or ``+ `` gives None, since those are no tags.
    """
    match = TAG_AND_NAME.match(data)
    if match is None or match.group(2) is None:
        return None
    return match.group(1), match.group(2).upper(), match.end()


def parse_command(
    data: bytes, streamed: tuple[tuple[int, int], ...] = (), search_depth: int = MAX_DEPTH
) -> tuple[bytes, Command]:
    """Read a whole command as the reader gives it.

    Raises SyntaxFault, with the tag if there is one, and UnknownCommand.
    """
    match = TAG_AND_NAME.match(data)
    if match is None:
        raise SyntaxFault("A command begins with a tag")
    tag, name = match.groups()
    if name is None:
        raise SyntaxFault("A tag is followed by a command", _whole(data, tag))
    tokens = Tokens(data, match.end(), streamed, search_depth)
    try:
        name = name.upper()
        read = COMMANDS.get(name)
        if name == b"UID":
            tokens.space()
            name = tokens.name()
            read = UID_COMMANDS.get(name)
            name = b"UID " + name
        if read is None:
            raise UnknownCommand(tag, name)
        parsed = read(tokens)
        tokens.finish()
    except SyntaxFault as fault:
        fault.tag = tag
        raise
    return tag, parsed


def _whole(data: bytes, tag: bytes) -> bytes | None:
    """The tag, if it ends where it seems to."""
    return tag if data[len(tag) : len(tag) + 1] in (b"", b" ") else None


def _bare(parsed: Command) -> ReadArguments:
    return lambda _tokens: parsed


COMMANDS: dict[bytes, ReadArguments] = {
    b"CAPABILITY": _bare(command.Capability()),
    b"NOOP": _bare(command.Noop()),
    b"LOGOUT": _bare(command.Logout()),
    b"ID": login.identify,
    b"STARTTLS": _bare(command.StartTls()),
    b"LOGIN": login.login,
    b"AUTHENTICATE": login.authenticate,
    b"ENABLE": login.enable,
    b"SELECT": mailbox.select,
    b"EXAMINE": mailbox.examine,
    b"CREATE": mailbox.create,
    b"DELETE": mailbox.delete,
    b"RENAME": mailbox.rename,
    b"SUBSCRIBE": mailbox.subscribe,
    b"UNSUBSCRIBE": mailbox.unsubscribe,
    b"STATUS": mailbox.status,
    b"LIST": listing.listing,
    b"LSUB": listing.lsub,
    b"NAMESPACE": _bare(command.Namespace()),
    b"APPEND": append.append,
    b"IDLE": _bare(command.Idle()),
    b"CHECK": _bare(command.Check()),
    b"CLOSE": _bare(command.Close()),
    b"UNSELECT": _bare(command.Unselect()),
    b"EXPUNGE": change.expunge,
    b"FETCH": fetch.fetch,
    b"STORE": change.store,
    b"SEARCH": search.search,
    b"COPY": change.copy,
    b"MOVE": change.move,
}
"""What reads a command's arguments, by the command's upper-case name."""

UID_COMMANDS: dict[bytes, ReadArguments] = {
    b"FETCH": partial(fetch.fetch, uid=True),
    b"STORE": partial(change.store, uid=True),
    b"SEARCH": partial(search.search, uid=True),
    b"COPY": partial(change.copy, uid=True),
    b"MOVE": partial(change.move, uid=True),
    b"EXPUNGE": change.uid_expunge,
}
"""The same for what follows UID (RFC 9051 section 6.4.9)."""
