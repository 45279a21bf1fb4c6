"""``export``: a mailbox as an mbox file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import click

from cybertemp_imap.admin import mail_statements as sql
from cybertemp_imap.admin.finding import ACCOUNT, find_account
from cybertemp_imap.admin.mailfiles import mbox_form
from cybertemp_imap.admin.work import Work, command
from cybertemp_imap.errors import Refusal, Refused
from cybertemp_imap.mime.render import render
from cybertemp_imap.mime.row import internal_date
from cybertemp_imap.naming import key_of
from cybertemp_imap.operator_error import OperatorError
from cybertemp_imap.store import statements as store_sql
from cybertemp_imap.store.messages import email_row, pages

STEP = 1000
"""Messages whose sizes are looked up at a time."""


@command(None, "export", "export box@example.com --account me@example.org --output box.mbox")
@click.argument("box", metavar="MAILBOX")
@ACCOUNT
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="A new file [default: stdout].")
def export(work: Work, box: str, name: str, output: Path | None) -> None:
    """Write what a mailbox shows as an mbox.

    The messages are octet for octet those that IMAP gives, with CRLF; lines that begin with "From " are
    quoted (mboxrd).
    """
    if output is None and work.as_json:
        raise click.UsageError("--json needs --output.")
    user = find_account(work, name).id
    ((found,),) = work.query(store_sql.FIND_MAILBOX, (user, *key_of(user, box)))
    if found is None or not work.query(store_sql.REFRESH, (user, found, user, found)):
        raise Refused(Refusal.NO_SUCH_MAILBOX)
    work.commit()
    if output is None:
        count = _write(work, user, found, sys.stdout.buffer)
        work.note(f"Exported {count} messages.")
    else:
        count = _write_file(work, user, found, output)
        work.tell(f"Wrote {count} messages to {output}.", messages=count, output=output.as_posix())


def _write_file(work: Work, user: UUID, mailbox: int, output: Path) -> int:
    """Write a file that is there whole or not at all, readable for its owner alone."""
    if output.exists():
        raise OperatorError(f"{output} is there already: name another file.")
    part = output.with_name(output.name + ".part")
    try:
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            count = _write(work, user, mailbox, stream)
        part.rename(output)
    except OSError as error:
        raise OperatorError(f"{output} cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return count


def _write(work: Work, user: UUID, mailbox: int, stream: BinaryIO) -> int:
    ((encrypted,),) = work.query(store_sql.HAS_ENCRYPTED)
    statement = store_sql.ROWS_WITH_ENCRYPTED if encrypted else store_sql.ROWS
    count = 0
    for page in _pages(work, user, mailbox):
        for found in work.query(statement, (user, mailbox, page[0], page[-1], page)):
            row = email_row(found)
            stream.write(mbox_form(render(row), row.from_addr or "", internal_date(row)))
            count += 1
        work.commit()
    stream.flush()
    return count


def _pages(work: Work, user: UUID, mailbox: int) -> Iterator[list[int]]:
    after, full = 0, True
    while full:
        weights = [(uid, size) for uid, size in work.query(sql.WEIGHTS, (user, mailbox, after, STEP))]
        full = len(weights) == STEP
        after = weights[-1][0] if weights else after
        yield from pages(weights)
