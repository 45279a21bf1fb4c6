"""One message from a pipe, as Postfix and Exim give it to a program: taken in, and told by the status of its end.

The statuses are those of ``sysexits.h``. Whatever is no fault of message or recipient, be it a mistake in a setting or
a fault in this program, is EX_TEMPFAIL: the mail server keeps the message and tries again, and nothing is lost by it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, BinaryIO, NamedTuple
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from cybertemp_imap import config
from cybertemp_imap.config import Settings
from cybertemp_imap.delivery import grammar
from cybertemp_imap.delivery.deposit import Deposit
from cybertemp_imap.delivery.factory import host_name
from cybertemp_imap.delivery.recipients import Domains, Recipients
from cybertemp_imap.delivery.replies import Reply, Turned
from cybertemp_imap.delivery.trace import Transfer
from cybertemp_imap.embedded import EmbeddedPostgres
from cybertemp_imap.errors import StoreUnavailable
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store.receiver import ReceiverStore
from cybertemp_imap.store.receiving import ReceivingStore
from cybertemp_imap.supabase.client import SupabaseClient
from cybertemp_imap.supabase.domains import read_domains

EX_OK, EX_DATAERR, EX_NOUSER, EX_TEMPFAIL = 0, 65, 67, 75

PIECE = 64 * 1024

_STATUS = {
    Reply.TOO_BIG: EX_DATAERR,
    Reply.HAS_NUL: EX_DATAERR,
    Reply.NOT_RELAYED: EX_NOUSER,
    Reply.NO_SUCH_RECIPIENT: EX_NOUSER,
    Reply.BAD_RECIPIENT: EX_NOUSER,
}


class Envelope(NamedTuple):
    """To whom and from whom; ``sender`` is None where the mail server does not say, empty for notices."""

    recipients: Sequence[str]
    sender: str | None


class Pipe:
    """Takes messages from streams that block."""

    def __init__(self, store: ReceivingStore, domains: Domains, settings: Settings, reactor: Any) -> None:
        self._store = store
        self._recipients = Recipients(store, domains)
        self._settings = settings
        self._reactor = reactor

    async def deliver(self, stream: BinaryIO, envelope: Envelope) -> None:
        """Deliver what is in a stream to all recipients, or to none: raises :class:`Turned`."""
        recipients = [await self._recipients.accept(each) for each in envelope.recipients]
        deposit = Deposit(self._store, self._settings.mail_size, self._reactor)
        try:
            first = stream.readline(PIECE)
            # The line by which a message in an mbox begins is not part of it.
            octets = stream.read(PIECE) if first.startswith(b"From ") else first
            while octets:
                await deposit.take(octets)
                octets = stream.read(PIECE)
            transfer = Transfer(
                protocol="local",
                helo="",
                peer=None,
                host=self._settings.mail_host or host_name(),
                id=uuid4().hex[:16],
                received_at=datetime.now(UTC),
            )
            await deposit.deliver(transfer, _sender(envelope.sender), list(dict.fromkeys(recipients)))
        finally:
            await deposit.close()


def _sender(text: str | None) -> str | None:
    """Return the sender as it can stand in a header field; None for one that cannot."""
    if text is None:
        return None
    try:
        return grammar.sender(f"FROM:<{text.strip('<>')}> SMTPUTF8".encode("utf-8", "replace")).address
    except Turned:
        return None


def status_of(reply: Reply) -> int:
    """Return the status that tells a mail server what a reply would tell it."""
    return _STATUS.get(reply, EX_TEMPFAIL)


def run(envelope: Envelope, stream: BinaryIO, env_file: str | None) -> tuple[int, str]:
    """Deliver one message with a reactor of its own; return the status to leave with, and a sentence on it."""
    from twisted.internet import reactor

    try:
        settings = config.load({}, os.environ, env_file)
    except OperatorError as error:
        return EX_TEMPFAIL, str(error)
    outcome: list[tuple[int, str]] = []

    def begin() -> None:
        work = Deferred.fromCoroutine(_deliver_once(settings, stream, envelope, reactor))
        work.addCallbacks(lambda _: outcome.append((EX_OK, "")), lambda failure: outcome.append(_told(failure)))
        work.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    return outcome[0] if outcome else (EX_TEMPFAIL, "Interrupted.")


def _told(failure: Failure) -> tuple[int, str]:
    """Return what a failure means. Of a fault only the kind is told: its text may quote the message."""
    if isinstance(failure.value, Turned):
        reply = failure.value.reply
        return status_of(reply), f"{reply.value[1]} {reply.value[2]}"
    if isinstance(failure.value, StoreUnavailable):
        return EX_TEMPFAIL, f"{Reply.UNAVAILABLE.value[1]} {Reply.UNAVAILABLE.value[2]}"
    return EX_TEMPFAIL, f"{Reply.FAULT.value[1]} {Reply.FAULT.value[2]} ({type(failure.value).__name__})"


async def _deliver_once(settings: Settings, stream: BinaryIO, envelope: Envelope, reactor: Any) -> None:
    dsn = settings.database_url or EmbeddedPostgres(settings.data_dir, settings.postgres_bin).dsn
    store = ReceiverStore(dsn, settings.statement_timeout, reactor)
    domains, stop = _domains(store, settings, reactor)
    await store.start()
    try:
        await Pipe(store, domains, settings, reactor).deliver(stream, envelope)
    finally:
        await stop()
        await store.stop()


def _domains(store: ReceiverStore, settings: Settings, reactor: Any) -> tuple[Domains, Callable[[], Awaitable[None]]]:
    """Return what reads the domains, from wherever they are, and what ends it."""

    async def nothing() -> None:
        return None

    if not settings.use_supabase_domains or settings.supabase_url is None or settings.supabase_key is None:
        return store.read_domains, nothing
    client = SupabaseClient(settings.supabase_url, settings.supabase_key, settings.supabase_timeout, reactor)
    return lambda: read_domains(client), client.stop


def main(recipients: Sequence[str], sender: str | None, env_file: str | None) -> tuple[int, str]:
    """Deliver standard input; return the status to leave with, and a sentence where there is something to say."""
    try:
        return run(Envelope(recipients, sender), sys.stdin.buffer, env_file)
    except Exception as fault:
        # Python would leave with status 1, for which a mail server sends the message back.
        return EX_TEMPFAIL, f"{Reply.FAULT.value[2]} ({type(fault).__name__})"
