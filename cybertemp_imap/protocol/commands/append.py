"""APPEND and MULTIAPPEND (RFC 9051 section 6.3.12, RFC 3502), with APPENDUID (RFC 4315) and APPENDLIMIT (RFC 7889).

A big message does not wait in memory: its literal goes to the store in pieces as it arrives, with every line end made
CRLF. What is less than a piece goes with the statement that adds all messages of a command in one transaction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from twisted.internet.threads import deferToThreadPool

from cybertemp_imap.errors import Refusal, Refused, StoreUnavailable
from cybertemp_imap.incoming import HEAD, PIECE, SMALL_HEAD, Incoming, Letter, read_letter
from cybertemp_imap.protocol.command import Append, AppendMessage
from cybertemp_imap.protocol.commands.names import mailbox_name, utf8_enabled
from cybertemp_imap.protocol.commands.store import usable_flags
from cybertemp_imap.protocol.grammar.append import destination
from cybertemp_imap.protocol.rule import Bad, Completion
from cybertemp_imap.protocol.sequence import compact
from cybertemp_imap.store.values import NewMessage

if TYPE_CHECKING:
    from cybertemp_imap.protocol.server import ImapServer

MESSAGES = 1_000
"""Messages in one command."""


async def run(session: ImapServer, command: Append) -> Completion:
    """Add messages to a mailbox: all of them or none."""
    uids, uid_validity = await _append(session, command, session.incoming)
    session.incoming = []
    return Completion("APPEND completed", f"APPENDUID {uid_validity} {compact(uids).decode()}")


async def _append(session: ImapServer, command: Append, incoming: Sequence[Incoming]) -> tuple[Sequence[int], int]:
    if len(incoming) != len(command.messages):
        raise Bad("A message is missing.")
    new = [
        await _new_message(session, asked, message) for asked, message in zip(command.messages, incoming, strict=True)
    ]
    with _as_destination():
        target, uids = await session.user.append(await mailbox_name(session, command.mailbox), new)
    if session.mbox is not None and session.mbox.shared is target:
        await session.mbox.poll()
    return uids, target.head.uid_validity


async def _new_message(session: ImapServer, asked: AppendMessage, message: Incoming) -> NewMessage:
    if not asked.size:
        # RFC 3502 section 6.3.11: this is how a client says that it wants none of them to be added.
        raise Refused(Refusal.CANNOT)
    await message.end()
    if message.has_nul and not asked.binary:
        raise Bad("A message holds a NUL octet.")
    if message.has_nul:
        # NUL outside of what says that it is binary; it is not known how to encode it without changing what it means.
        raise Refused(Refusal.UNKNOWN_CONTENT_ENCODING)
    letter = await _letter(session, message.head)
    if not letter.ascii_header and not utf8_enabled(session):
        # RFC 6855 section 4: the client would be the next who cannot read it.
        raise Refused(Refusal.EIGHT_BIT_HEADER)
    return message.as_new(letter, usable_flags(asked.flags), asked.internal_date)


async def _letter(session: ImapServer, head: bytes) -> Letter:
    """Read a message's beginning, in a thread when that takes longer than going there."""
    if len(head) <= SMALL_HEAD:
        return read_letter(head)
    pool = session.reactor.getThreadPool()
    letter: Letter = await deferToThreadPool(session.reactor, pool, read_letter, head)
    return letter


async def begin(session: ImapServer, prefix: bytes, binary: bool) -> None:
    """Begin to take a message, if there is a mailbox for it; raises NO_SUCH_DESTINATION before it is asked for.

    ``prefix`` is the command up to the message, which is ``binary`` as a literal8 (RFC 3516).
    """
    if len(session.incoming) >= MESSAGES:
        raise Refused(Refusal.LIMIT)
    if session.incoming:
        await _settle(session.incoming)
    else:
        raw_name = destination(prefix)
        if raw_name is None:
            raise Bad("A mailbox name is expected.")
        with _as_destination():
            await session.user.check_destination(await mailbox_name(session, raw_name))
    # What is held of all messages of a command is bounded, however many there are.
    room = HEAD - sum(len(message.head) for message in session.incoming)
    session.incoming.append(Incoming(session.user.store, max(room, SMALL_HEAD), binary))


async def _settle(incoming: Sequence[Incoming]) -> None:
    """Before another message comes, give the store the last one, unless all that wait are less than a piece."""
    await incoming[-1].end()
    if sum(message.waiting for message in incoming) > PIECE:
        await incoming[-1].let_go()


@contextlib.contextmanager
def _as_destination() -> Iterator[None]:
    """Have the mailbox that is not there be one that can be created."""
    try:
        yield
    except Refused as refused:
        if refused.refusal is Refusal.NO_SUCH_MAILBOX:
            raise Refused(Refusal.NO_SUCH_DESTINATION) from None
        raise


async def discard(session: ImapServer) -> None:
    """Forget messages that are not going to be added."""
    incoming, session.incoming = session.incoming, []
    begun = [message.id for message in incoming if message.pieces]
    if begun:
        with contextlib.suppress(StoreUnavailable):
            # Whatever is not forgotten now is cleared away later.
            await session.user.store.discard(begun)
