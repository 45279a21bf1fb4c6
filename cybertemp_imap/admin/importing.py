"""``import``: mail from files into a mailbox.

A message's id is made of its octets and of where it goes, so that an import that was broken off, or is done once more,
adds what is missing and nothing twice. Each batch is one APPEND, one transaction.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from cybertemp_imap.admin import mail_statements as sql
from cybertemp_imap.admin.finding import ACCOUNT, find_account
from cybertemp_imap.admin.mailfiles import EML, MAILDIR, MBOX, FoundMessage, Source
from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.incoming import HEAD, crlf, read_letter
from cybertemp_imap.naming import key_of
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store import statements as store_sql
from cybertemp_imap.store.values import MailboxRef, NewMessage
from cybertemp_imap.store.writing import append_parameters, storable

BATCH = 250
BATCH_OCTETS = 4 << 20
"""Messages, and octets, that are added in one transaction: while it lasts, the mailbox waits."""


@dataclass(slots=True)
class Target:
    """The mailbox that mail is imported into."""

    user_id: UUID
    id: int
    key: bytes


@dataclass(slots=True)
class Outcome:
    """How many messages were added, and how many were not, and why."""

    imported: int = 0
    present: int = 0
    too_big: int = 0
    banned: int = 0
    seen: Counter[bytes] = field(default_factory=Counter)


@dataclass(slots=True)
class Ready:
    """A batch that only has to be added: each message by id, and how much of the files it was."""

    read: int
    messages: dict[UUID, NewMessage] = field(default_factory=dict)


@command(None, "import", "import ~/mail.mbox --account me@example.org --mailbox Archive")
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@ACCOUNT
@click.option("--mailbox", "box", default="INBOX", show_default=True, help="The mailbox, as mail clients name it.")
@click.option("--format", "form", type=click.Choice((MBOX, MAILDIR, EML)), help="[default: what each PATH looks like]")
def import_mail(work: Work, paths: Sequence[Path], name: str, box: str, form: str | None) -> None:
    """Import mbox files, Maildirs, and files or folders of .eml into a mailbox.

    It can be broken off and repeated: what is there already is not added again. Mail of banned senders is left out.
    """
    limit = work.settings.append_limit
    sources = [Source(path, form, limit) for path in paths]
    target = _target(work, name, box)
    outcome = Outcome()
    with _progress(work) as progress:
        task = progress.add_task("importing", count=0, total=sum(source.size for source in sources))
        for source in sources:
            for read in _added(work, target, source, outcome):
                progress.update(task, advance=read, count=outcome.imported)
    facts = {key: getattr(outcome, key) for key in ("imported", "present", "too_big", "banned")}
    told = f"Imported {outcome.imported} messages into {box}."
    for key, text in (
        ("present", "were there already"),
        ("too_big", f"are bigger than IMAP_APPEND_LIMIT ({limit} octets)"),
        ("banned", "are from banned senders"),
    ):
        told += f" {facts[key]} {text}." if facts[key] else ""
    work.tell(told, **facts)


def _progress(work: Work) -> Progress:
    columns = (
        TextColumn("{task.fields[count]} messages"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    return Progress(*columns, console=console, disable=work.as_json or not console.is_terminal)


def _target(work: Work, name: str, box: str) -> Target:
    """Find the mailbox, or make the folder; an address is never made by this."""
    user = find_account(work, name).id
    try:
        owner, folder = key_of(user, box)
        ((found,),) = work.query(store_sql.FIND_MAILBOX, (user, owner, folder))
        if found is None:
            quota = work.settings.folder_quota
            ((found,),) = work.query(store_sql.CREATE_FOLDER, (user, owner, folder, None, quota))
    except Refused as refused:
        if refused.refusal is Refusal.NO_PERMISSION:
            raise OperatorError(f"{box} is no address of {name}: see `cybertemp-imap-admin address list`.") from None
        raise
    work.commit()
    return Target(user, found, f"{user}/{owner}/{folder}".encode())


def _added(work: Work, target: Target, source: Source, outcome: Outcome) -> Iterator[int]:
    """Add a source, and yield how many octets of its files each batch was; the next is read while one is added."""
    with ThreadPoolExecutor(1) as writer:
        under_way: Future[int] | None = None
        for batch in _batches(source.messages()):
            ready = _made_ready(target, batch, outcome)
            if under_way is not None:
                yield under_way.result()
            under_way = writer.submit(_add, work, target, ready, outcome)
        if under_way is not None:
            yield under_way.result()


def _batches(messages: Iterator[FoundMessage]) -> Iterator[list[FoundMessage]]:
    batch: list[FoundMessage] = []
    octets = 0
    for message in messages:
        batch.append(message)
        octets += len(message.octets or b"")
        if len(batch) >= BATCH or octets >= BATCH_OCTETS:
            yield batch
            batch, octets = [], 0
    if batch:
        yield batch


def _made_ready(target: Target, batch: Sequence[FoundMessage], outcome: Outcome) -> Ready:
    """Do all that a batch needs and the database does not."""
    ready = Ready(read=sum(message.read for message in batch))
    for message in batch:
        if message.octets is None:
            outcome.too_big += 1
            continue
        # NUL cannot be in a message (RFC 5322 section 4).
        octets = crlf(message.octets.replace(b"\0", b""))
        row = _new_message(_id_of(target, octets, outcome), message, octets)
        ready.messages[row.id] = row
    return ready


def _add(work: Work, target: Target, ready: Ready, outcome: Outcome) -> int:
    """Add what of a batch is not there yet; return how many octets of files it was."""
    known = {row[0] for row in work.query(sql.KNOWN, (list(ready.messages),))}
    outcome.present += len(known)
    new = [row for key, row in ready.messages.items() if key not in known]
    ((hidden,),) = work.query(sql.HIDDEN, (sorted({storable(row.from_addr) for row in new}),))
    rows = [row for row in new if storable(row.from_addr) not in set(hidden or ())]
    outcome.banned += len(new) - len(rows)
    if rows:
        work.query(store_sql.APPEND, append_parameters(MailboxRef(target.user_id, target.id), rows))
    work.commit()
    outcome.imported += len(rows)
    return ready.read


def _id_of(target: Target, octets: bytes, outcome: Outcome) -> UUID:
    """Return the id of a message; one that comes several times is as many messages."""
    digest = hashlib.sha256(octets).digest()
    short = digest[:12]
    outcome.seen[short] += 1
    key = b"%b\0%b\0%d" % (target.key, digest, outcome.seen[short])
    return UUID(bytes=hashlib.sha256(key).digest()[:16], version=5)


def _new_message(message_id: UUID, message: FoundMessage, octets: bytes) -> NewMessage:
    letter = read_letter(octets[:HEAD])
    return NewMessage(
        id=message_id,
        size=len(octets),
        flags=message.flags,
        internal_date=message.date,
        subject=letter.subject,
        body=letter.body,
        html=letter.html,
        from_addr=letter.from_addr,
        to_addrs=letter.to_addrs,
        rest=octets,
    )
